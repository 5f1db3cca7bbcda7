//! What a file's bytes mean, in whatever pieces they come.

use std::sync::{Arc, Mutex};

use super::*;

/// What became of files: their bytes once they have ended, or the word "dropped".
#[derive(Clone, Default)]
struct Ends(Arc<Mutex<Vec<Vec<u8>>>>);

struct Coming {
    bytes: Option<Vec<u8>>,
    ends: Ends,
}

impl Store for Ends {
    fn begin(&self, _length: u64) -> io::Result<Box<dyn Incoming>> {
        Ok(Box::new(Coming { bytes: Some(Vec::new()), ends: self.clone() }))
    }
}

impl Incoming for Coming {
    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.bytes.get_or_insert_default().extend_from_slice(bytes);
        Ok(())
    }

    fn end(mut self: Box<Self>) -> io::Result<()> {
        self.ends.0.lock().expect("whole").extend(self.bytes.take());
        Ok(())
    }
}

impl Drop for Coming {
    fn drop(&mut self) {
        if self.bytes.is_some() {
            self.ends.0.lock().expect("whole").push(b"dropped".to_vec());
        }
    }
}

/// A receipt, or why it was refused; and what the store has.
type Fed = (Result<Option<[u8; RECEIPT]>, String>, Vec<Vec<u8>>);

/// Gives the bytes in pieces of `size`.
fn fed(bytes: &[u8], size: usize, limits: &Limits) -> Fed {
    let ends = Ends::default();
    let mut taking = Taking::new(Time::ZERO);
    let mut last = Ok(None);
    for piece in bytes.chunks(size) {
        match taking.take(Time::ZERO, piece, limits, &ends) {
            Ok(None) => {}
            Ok(receipt) => last = Ok(receipt),
            Err(refusal) => {
                last = Err(refusal.to_string());
                break;
            }
        }
    }
    drop(taking);
    let ends = ends.0.lock().expect("whole").clone();
    (last, ends)
}

#[test]
fn a_file_is_kept_whole_or_not_at_all_however_it_is_cut() {
    let limits = Limits::default().with_file(10);
    let stream = |length: u64, data: &[u8]| [&header(length)[..], data].concat();
    for size in [1, 5, 16, 17, 100] {
        let (got, kept) = fed(&stream(5, b"12345"), size, &limits);
        assert_eq!((got, kept), (Ok(Some(receipt(b"12345"))), vec![b"12345".to_vec()]), "{size}");
        let (got, kept) = fed(&stream(0, b""), size, &limits);
        assert_eq!((got, kept), (Ok(Some(receipt(b""))), vec![vec![]]), "{size}");
        assert_eq!(fed(&stream(5, b"1234"), size, &limits), (Ok(None), vec![b"dropped".to_vec()]), "{size}");
        assert_eq!(fed(&header(5)[..15], size, &limits), (Ok(None), vec![]), "{size}");
        for (bytes, why) in [
            (stream(11, b""), "its file has 11 bytes, more than the 10 that are allowed"),
            (stream(u64::MAX, b"1"), "more than the 10 that are allowed"),
            (b"GET / HTTP/1.1\r\n\r\n".to_vec(), "it sent something that is no file"),
        ] {
            let (refused, kept) = fed(&bytes, size, &limits);
            assert!(refused.expect_err("refused").contains(why) && kept.is_empty(), "{size}");
        }
        let (refused, _) = fed(&stream(5, b"123456"), size, &limits);
        assert_eq!(refused.expect_err("refused"), "it sent more bytes than it had said");
    }
}

#[test]
fn a_client_that_is_silent_or_slow_is_late() {
    let limits = Limits::default();
    let mut taking = Taking::new(Time::ZERO);
    let mut now = Time::ZERO;
    let mut second = |bytes: &[u8]| {
        now += Duration::from_secs(1);
        taking.take(now, bytes, &limits, &Discard).expect("taken");
        taking.due(&limits) > now
    };
    assert!(second(&header(1 << 20)));
    // Ten times the rate, and then a hundredth of it.
    assert!((0..10).all(|_| second(&[0; 10_240])));
    let slow = (0..1_000).take_while(|_| second(&[0; 10])).count();
    assert!((140..160).contains(&slow), "{slow}");
    assert_eq!(Taking::new(Time::ZERO).due(&limits), Time::from_millis(60_000));
    assert_eq!(Taking::new(Time::ZERO).due(&limits.with_idle(Duration::MAX)), Time::MAX);
}
