//! Connections between our TCP and the kernel's: for each test both roles, over IPv4 and IPv6.

use std::collections::BTreeSet;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::Duration;

use faultwire::Errno;
use faultwire::fault::{Action, Class, Fault, FaultPlan, Packet};
use faultwire::lab::{LabStack, WaitError};
use faultwire::packet::Transport;
use faultwire::stack::{Domain, Fd, How, Kind, Protocol, SocketOption};
use faultwire::trace::{Event, What};
use socket2::{SockRef, Socket};

use crate::bench::{Bench, FAMILIES, LIMIT, kernel_addr, no_faults, our_addr};

const MEBIBYTE: usize = 1 << 20;

/// Who opens the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    Faultwire,
    Linux,
}

pub(crate) const CASES: [(Client, Domain); 4] = [
    (Client::Faultwire, Domain::Inet),
    (Client::Linux, Domain::Inet),
    (Client::Faultwire, Domain::Inet6),
    (Client::Linux, Domain::Inet6),
];

/// Bytes that tell where they belong: a repetition after 2^16 bytes or so would hide a segment in the wrong
/// place.
pub(crate) fn bytes(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed;
    let mut data = Vec::with_capacity(length + 8);
    while data.len() < length {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        data.extend((mixed ^ (mixed >> 27)).to_le_bytes());
    }
    data.truncate(length);
    data
}

/// A port that no earlier connection of this process has used.
fn fresh_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(7000);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// A socket of our stack.
#[derive(Debug)]
pub(crate) struct StackSocket<'a> {
    host: &'a LabStack,
    fd: Fd,
}

impl<'a> StackSocket<'a> {
    fn new(host: &'a LabStack, family: Domain, options: &[SocketOption]) -> StackSocket<'a> {
        let fd = host.call(|stack| {
            let fd = stack.socket(family, Kind::Stream, Protocol::Default)?;
            options.iter().try_for_each(|option| stack.set_option(fd, *option))?;
            Ok::<Fd, Errno>(fd)
        });
        StackSocket { host, fd: fd.expect("the forwarder runs").expect("a socket") }
    }

    fn connect(&self, to: SocketAddr) -> Result<(), WaitError> {
        let begun = self.host.call(|stack| stack.connect(self.fd, Some(to))).expect("the forwarder runs");
        match begun {
            Ok(()) => return Ok(()),
            Err(Errno::EINPROGRESS) => {}
            Err(error) => return Err(error.into()),
        }
        self.host.wait(LIMIT, |stack| {
            let ready = stack.poll(self.fd)?;
            if !(ready.writable || ready.error || ready.hang_up) {
                return Err(Errno::EAGAIN);
            }
            stack.take_error(self.fd)?.map_or(Ok(()), Err)
        })
    }

    fn listen(&self, addr: SocketAddr) {
        let done = self.host.call(|stack| {
            stack.bind(self.fd, addr)?;
            stack.listen(self.fd, 8)
        });
        done.expect("the forwarder runs").expect("a free port");
    }

    fn accept(&self) -> StackSocket<'a> {
        let (fd, _) = self.host.wait(LIMIT, |stack| stack.accept(self.fd)).expect("a client comes");
        StackSocket { host: self.host, fd }
    }

    fn send_all(&self, mut data: &[u8]) -> Result<(), WaitError> {
        while !data.is_empty() {
            let taken = self.host.wait(LIMIT, |stack| stack.send(self.fd, data))?;
            data = &data[taken..];
        }
        Ok(())
    }

    fn recv(&self, room: usize) -> Result<Vec<u8>, WaitError> {
        let mut buffer = vec![0; room];
        let length = self.host.wait(LIMIT, |stack| stack.recv(self.fd, &mut buffer))?;
        buffer.truncate(length);
        Ok(buffer)
    }

    fn recv_to_end(&self) -> Result<Vec<u8>, WaitError> {
        let mut data = Vec::new();
        loop {
            let more = self.recv(16_384)?;
            if more.is_empty() {
                return Ok(data);
            }
            data.extend(more);
        }
    }

    fn shutdown(&self) {
        let done = self.host.call(|stack| stack.shutdown(self.fd, How::Write));
        done.expect("the forwarder runs").expect("a connection");
    }

    pub(crate) fn close(&self) {
        self.host.call(|stack| stack.close(self.fd)).expect("the forwarder runs").expect("it is open");
    }
}

fn kernel_socket(bench: &Bench, family: Domain) -> Socket {
    bench.kernel.socket(family, Kind::Stream, Protocol::Default).expect("a socket").into()
}

/// A connection; the options are those of our socket and of the kernel's (of the listener, where it accepts).
pub(crate) fn connection<'a>(
    bench: &'a Bench,
    (client, family): (Client, Domain),
    options: &[SocketOption],
    prepare: impl Fn(&Socket),
) -> (StackSocket<'a>, TcpStream) {
    let port = fresh_port();
    let theirs = kernel_socket(bench, family);
    prepare(&theirs);
    let own = StackSocket::new(&bench.faultwire, family, options);
    let (own, theirs) = match client {
        Client::Faultwire => {
            let addr = SocketAddr::new(kernel_addr(family), port);
            theirs.bind(&addr.into()).expect("a free port");
            theirs.listen(8).expect("it listens");
            own.connect(addr).expect("the kernel accepts");
            let (accepted, _) = TcpListener::from(theirs).accept().expect("our client is there");
            (own, accepted)
        }
        Client::Linux => {
            let addr = SocketAddr::new(our_addr(family), port);
            own.listen(addr);
            theirs.connect_timeout(&addr.into(), LIMIT).expect("our stack accepts");
            (own.accept(), TcpStream::from(theirs))
        }
    };
    theirs.set_read_timeout(Some(LIMIT)).expect("an option that each socket has");
    theirs.set_write_timeout(Some(LIMIT)).expect("an option that each socket has");
    (own, theirs)
}

/// Both send at once, and each reads to the end.
pub(crate) fn exchange(own: &StackSocket<'_>, theirs: &TcpStream, length: usize) {
    let (from_us, from_them) = (bytes(1, length), bytes(2, length));
    thread::scope(|scope| {
        scope.spawn(|| {
            let mut theirs = theirs;
            theirs.write_all(&from_them).expect("our stack takes it");
            theirs.shutdown(Shutdown::Write).expect("a connection");
        });
        let kernel_got = scope.spawn(|| {
            let mut got = Vec::new();
            let mut theirs = theirs;
            theirs.read_to_end(&mut got).map(|_| got)
        });
        let we_got = scope.spawn(|| own.recv_to_end());
        own.send_all(&from_us).expect("the kernel takes it");
        own.shutdown();
        same(
            &kernel_got.join().expect("no panic").expect("the kernel reads to the end"),
            &from_us,
            "to the kernel",
        );
        same(&we_got.join().expect("no panic").expect("we read to the end"), &from_them, "to us");
    });
}

fn same(got: &[u8], sent: &[u8], way: &str) {
    let first = got.iter().zip(sent).position(|(got, sent)| got != sent);
    assert_eq!((got.len(), first), (sent.len(), None), "{way}: (length, first byte that differs)");
}

/// Which kinds of segments went over the wire, by who sent them.
fn classes(bench: &Bench, from: &str) -> BTreeSet<Class> {
    let trace = bench.forwarder.trace();
    let from = trace.host(from);
    let sent = trace.events().iter().filter_map(|event| match &event.what {
        What::Sent { from: sender, label, .. } if Some(*sender) == from => Some(label.class),
        _ => None,
    });
    sent.collect()
}

#[test]
fn a_mebibyte_goes_each_way() {
    for case in CASES {
        let Some(bench) = Bench::new(&no_faults()) else { return };
        let (own, theirs) = connection(&bench, case, &[], |_| {});
        exchange(&own, &theirs, MEBIBYTE);
        own.close();
        drop(theirs);
        let expected = BTreeSet::from([Class::Syn, Class::Data, Class::Ack, Class::Fin]);
        for host in ["faultwire", "linux"] {
            assert!(!classes(&bench, host).contains(&Class::Rst), "{host} reset an orderly close");
            assert!(classes(&bench, host).is_subset(&expected), "{host}: {:?}", classes(&bench, host));
        }
        bench.close();
    }
}

#[test]
fn a_closed_port_refuses() {
    let Some(bench) = Bench::new(&no_faults()) else { return };
    for family in FAMILIES {
        let own = StackSocket::new(&bench.faultwire, family, &[]);
        let refused = own.connect(SocketAddr::new(kernel_addr(family), 9));
        assert_eq!(refused, Err(WaitError::Failed(Errno::ECONNREFUSED)), "{family:?}");
        let to = SocketAddr::new(our_addr(family), 9).into();
        let refused = kernel_socket(&bench, family).connect_timeout(&to, LIMIT).expect_err("nobody is there");
        assert_eq!(refused.kind(), ErrorKind::ConnectionRefused, "{family:?}");
    }
    bench.close();
}

/// One says that it sends no more; the other one goes on sending, and all of it arrives.
#[test]
fn the_other_half_stays_open() {
    let data = bytes(3, 200_000);
    for case in CASES {
        let Some(bench) = Bench::new(&no_faults()) else { return };
        let (own, mut theirs) = connection(&bench, case, &[], |_| {});
        own.send_all(b"no more").expect("a connection");
        own.shutdown();
        let mut got = Vec::new();
        theirs.read_to_end(&mut got).expect("the end comes");
        assert_eq!(got, b"no more");
        thread::scope(|scope| {
            scope.spawn(|| {
                (&theirs).write_all(&data).expect("our stack still takes it");
                theirs.shutdown(Shutdown::Write).expect("a connection");
            });
            same(&own.recv_to_end().expect("we read to the end"), &data, "to us");
        });

        let (own, mut theirs) = connection(&bench, case, &[], |_| {});
        theirs.write_all(b"no more").expect("a connection");
        theirs.shutdown(Shutdown::Write).expect("a connection");
        assert_eq!(own.recv_to_end().expect("the end comes"), b"no more");
        let mut got = Vec::new();
        thread::scope(|scope| {
            scope.spawn(|| {
                own.send_all(&data).expect("the kernel still takes it");
                own.shutdown();
            });
            theirs.read_to_end(&mut got).expect("the kernel reads to the end");
        });
        same(&got, &data, "to the kernel");
        bench.close();
    }
}

/// A close with linger time zero is a reset: RFC 9293, section 3.10.5, ABORT.
#[test]
fn a_reset_arrives_both_ways() {
    for case in CASES {
        let Some(bench) = Bench::new(&no_faults()) else { return };
        let (own, theirs) = connection(&bench, case, &[], |_| {});
        SockRef::from(&theirs).set_linger(Some(Duration::ZERO)).expect("an option that each socket has");
        drop(theirs);
        assert_eq!(own.recv(10), Err(WaitError::Failed(Errno::ECONNRESET)), "{case:?}");
        assert_eq!(own.recv(10), Ok(Vec::new()), "{case:?}: it is told once");

        let (own, mut theirs) =
            connection(&bench, case, &[SocketOption::Linger(Some(Duration::ZERO))], |_| {});
        if case.0 == Client::Linux {
            // The listener's option is not inherited in our stack as it is in Linux: set it again.
            let linger = SocketOption::Linger(Some(Duration::ZERO));
            bench
                .faultwire
                .call(|stack| stack.set_option(own.fd, linger))
                .expect("it runs")
                .expect("an option");
        }
        own.close();
        let reset = theirs.read(&mut [0; 10]).expect_err("it is reset");
        assert_eq!(reset.kind(), ErrorKind::ConnectionReset, "{case:?}");
        bench.close();
    }
}

/// Whether a host told the other one that it has no room.
fn closed_its_window(bench: &Bench, who: &str) -> bool {
    closed_windows(bench, who) > 0
}

/// How often a host told the other one that it has no room.
fn closed_windows(bench: &Bench, who: &str) -> usize {
    let trace = bench.forwarder.trace();
    let who = trace.host(who);
    let is_closed = |event: &&Event| match &event.what {
        What::Sent { from, label, bytes, .. } if Some(*from) == who && label.class == Class::Ack => {
            matches!(
                faultwire::packet::PacketView::parse(bytes).map(|view| view.transport),
                Some(Transport::Tcp { window: 0, .. })
            )
        }
        _ => false,
    };
    trace.events().iter().filter(is_closed).count()
}

/// Whether the kernel said more than once that it has no room: it says so again to who asks.
fn was_probed(bench: &Bench) -> bool {
    closed_windows(bench, "linux") > 1
}

/// Nobody reads for a while: the window closes, is probed, and opens again.
#[test]
fn a_slow_reader_closes_its_window() {
    const SLOW: Duration = Duration::from_millis(700);
    let data = bytes(4, 600_000);
    for case in CASES {
        let Some(bench) = Bench::new(&no_faults()) else { return };
        let small =
            |socket: &Socket| socket.set_recv_buffer_size(20_000).expect("an option that each socket has");
        let (own, mut theirs) = connection(&bench, case, &[], small);
        thread::scope(|scope| {
            scope.spawn(|| {
                own.send_all(&data).expect("the kernel takes it in the end");
                own.shutdown();
            });
            crate::bench::pause(SLOW);
            assert!(closed_its_window(&bench, "linux"), "{case:?}");
            assert!(was_probed(&bench), "{case:?}");
            let mut got = Vec::new();
            theirs.read_to_end(&mut got).expect("the kernel reads to the end");
            same(&got, &data, "to the kernel");
        });

        let (own, theirs) = connection(&bench, case, &[SocketOption::RecvBuffer(20_000)], |_| {});
        thread::scope(|scope| {
            scope.spawn(|| {
                (&theirs).write_all(&data).expect("our stack takes it in the end");
                theirs.shutdown(Shutdown::Write).expect("a connection");
            });
            crate::bench::pause(SLOW);
            assert!(closed_its_window(&bench, "faultwire"), "{case:?}");
            same(&own.recv_to_end().expect("we read to the end"), &data, "to us");
        });
        bench.close();
    }
}

/// Faults on both ways, about one in twenty of the first 400 data segments of each; each at a place that the
/// seed says.
fn hurt(seed: u64, actions: &[Action]) -> FaultPlan {
    let mut faults = Vec::new();
    for (way, from, to) in [(0, "faultwire", "linux"), (1, "linux", "faultwire")] {
        for (nth, drawn) in bytes(seed * 2 + way, 400).into_iter().enumerate() {
            if drawn < 13 {
                let action = actions[usize::from(drawn) % actions.len()].clone();
                let packet = Packet::nth(Class::Data, nth as u32 + 1);
                faults.push(Fault::new([from, to], packet, action));
            }
        }
    }
    FaultPlan { faults, ..no_faults() }
}

#[test]
fn a_mebibyte_goes_each_way_under_loss() {
    for (seed, case) in (1..).zip(CASES) {
        let plan = hurt(seed, &[Action::Drop]);
        let Some(bench) = Bench::new(&plan) else { return };
        let (own, theirs) = connection(&bench, case, &[], |_| {});
        exchange(&own, &theirs, MEBIBYTE);
        bench.close();
    }
}

#[test]
fn a_mebibyte_goes_each_way_under_all_faults() {
    let actions = [
        Action::Drop,
        Action::Duplicate,
        Action::HoldFor(1),
        Action::HoldFor(3),
        // The IP header's identification or flow label; the TCP header's acknowledgement; the data.
        Action::CorruptBits(vec![150]),
        Action::CorruptBits(vec![230]),
        Action::CorruptBits(vec![1_500]),
        Action::DelayUs(5_000),
    ];
    for (seed, case) in (11..).zip(CASES) {
        let plan = hurt(seed, &actions);
        let Some(bench) = Bench::new(&plan) else { return };
        let (own, theirs) = connection(&bench, case, &[], |_| {});
        exchange(&own, &theirs, MEBIBYTE);
        bench.close();
    }
}
