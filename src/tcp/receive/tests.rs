//! How far the right edge moves, and when the peer is told.

use super::*;

/// With this capacity and segment size: `taken` bytes came, and the program has read `read` of them.
fn after(capacity: usize, mss: u32, taken: usize, read: usize) -> Receive {
    let mut receive = Receive::new(capacity);
    receive.begin(Seq(u32::MAX - 3));
    assert_eq!(usize::from(receive.offer(mss)), capacity.min(WINDOW_MAX as usize));
    assert!(receive.take_in(receive.nxt, &vec![7; taken]));
    assert_eq!(receive.read(&mut vec![0; read]), read);
    assert_eq!(receive.check(), Ok(()));
    receive
}

#[test]
fn a_silly_window_is_not_offered() {
    // The least that the window opens by: a segment, or half of the buffer.
    for (capacity, mss, least) in [
        (10_000, 1_000, 1_000),
        (1_000, 1_460, 500),
        (1_000, 499, 499),
        (1, 1_460, 1),
        (60_000, 60_000, 30_000),
    ] {
        let too_little = after(capacity, mss, capacity, least - 1).offer(mss);
        assert_eq!(too_little, 0, "{} of {capacity} bytes were read", least - 1);
        let enough = after(capacity, mss, capacity, least).offer(mss);
        assert_eq!(usize::from(enough), least, "{least} of {capacity} bytes were read");
    }
}

#[test]
fn a_read_is_news_once_it_makes_room_for_two_segments_or_ends_a_silly_window() {
    // What was taken, and how much must be read.
    for (capacity, mss, taken, least) in [
        (10_000, 1_000, 4_000, 2_000),
        (10_000, 1_000, 9_000, 2_000),
        // A window of less than a segment.
        (10_000, 1_000, 9_001, 1_000),
        (10_000, 1_000, 10_000, 1_000),
        // Half of the buffer is less than two segments.
        (3_000, 1_000, 2_000, 1_500),
        (3_000, 2_000, 3_000, 1_500),
    ] {
        assert!(!after(capacity, mss, taken, least - 1).has_news(mss), "{taken} taken, {least} - 1 read");
        assert!(after(capacity, mss, taken, least).has_news(mss), "{taken} taken, {least} read");
    }
}

#[test]
fn memory_counts_what_waits_for_its_turn() {
    let mut receive = Receive::new(10_000);
    receive.begin(Seq(0));
    receive.offer(1_000);
    assert_eq!(receive.memory(), 0);
    let mut held = 0;
    for n in 1..=9 {
        held += 100;
        assert!(!receive.take_in(receive.nxt + 200 * n, &[7; 100]));
        assert!(receive.memory() >= held, "{n} pieces take up {} bytes", receive.memory());
    }
    receive.clear();
    assert_eq!(receive.memory(), 0);
}
