//! A stack that reports on and on while no time passes, or that panics, ends its run with a reason, on every
//! testbed that drives one.

use std::net::SocketAddr;

use bytes::{Bytes, BytesMut};
use faultwire::Errno;
use faultwire::fault::{FaultPlan, Link, LinkNumbers};
use faultwire::network::{Datagram as _, Network as _};
use faultwire::stack::{
    Domain, Fd, HostStack, How, Kind, OptionName, Protocol, Readiness, Received, SocketOption, Sockets,
    Stack, StackConfig,
};
use faultwire::time::Time;
use faultwire::trace::{DropReason, Note};
use faultwire_sim::{End, Net, Result, Scenario, Settings, scenario, testbed};

/// What a stack does wrong: on and on, unless it panics.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Wrong {
    Transmit,
    Note,
    Change,
    /// It reports a change after each call that would block.
    ChangeWhenTried,
    Timeout,
    /// It sends back each packet that arrives.
    Echo,
    /// It panics when a packet arrives.
    PanicAtInput,
    /// It panics when it is asked for its next timeout, once a call would have blocked.
    PanicWhenAsked,
    PanicInCall,
    PanicWhenDropped,
}

type MakeStack = fn(StackConfig) -> Box<dyn HostStack>;

/// A stack that does so.
#[derive(Debug)]
struct Restless {
    stack: Stack,
    wrong: Wrong,
    tried: Option<Fd>,
    echoes: Vec<Bytes>,
}

impl Restless {
    fn boxed(config: StackConfig, wrong: Wrong) -> Box<dyn HostStack> {
        Box::new(Restless { stack: Stack::new(config), wrong, tried: None, echoes: Vec::new() })
    }
}

impl Drop for Restless {
    fn drop(&mut self) {
        assert!(self.wrong != Wrong::PanicWhenDropped, "dropped");
    }
}

impl HostStack for Restless {
    fn handle_input(&mut self, packet: &Bytes) {
        assert!(self.wrong != Wrong::PanicAtInput, "length {} was not expected", packet.len());
        if self.wrong != Wrong::Echo {
            return self.stack.handle_input(packet);
        }
        let mut echo = BytesMut::from(&packet[..]);
        let (from, to) = echo[12..20].split_at_mut(4);
        from.swap_with_slice(to);
        self.echoes.push(echo.freeze());
    }

    fn poll_transmit(&mut self) -> Option<Bytes> {
        match self.wrong {
            Wrong::Transmit => Some(Bytes::from_static(&[0x45; 40])),
            _ => self.echoes.pop().or_else(|| self.stack.poll_transmit()),
        }
    }

    fn poll_timeout(&self) -> Option<Time> {
        assert!(self.wrong != Wrong::PanicWhenAsked || self.tried.is_none(), "no timer");
        if self.wrong == Wrong::Timeout { Some(Time::ZERO) } else { self.stack.poll_timeout() }
    }

    fn handle_timeout(&mut self, now: Time) {
        self.stack.handle_timeout(now);
    }

    fn poll_changed(&mut self) -> Option<Fd> {
        match self.wrong {
            Wrong::Change => Some(Fd(3)),
            Wrong::ChangeWhenTried => self.tried.take(),
            _ => self.stack.poll_changed(),
        }
    }

    fn poll_note(&mut self) -> Option<Note> {
        match self.wrong {
            Wrong::Note => Some(Note::Dropped(DropReason::NoSocket)),
            _ => self.stack.poll_note(),
        }
    }
}

/// Sockets calls that the stack inside answers.
macro_rules! forward {
    ($(fn $call:ident(&mut $this:ident $(, $arg:ident: $type:ty)*) -> $answer:ty;)*) => {
        $(fn $call(&mut $this $(, $arg: $type)*) -> std::result::Result<$answer, Errno> {
            $this.stack.$call($($arg),*)
        })*
    };
    ($(fn $call:ident(&$this:ident $(, $arg:ident: $type:ty)*) -> $answer:ty;)*) => {
        $(fn $call(&$this $(, $arg: $type)*) -> std::result::Result<$answer, Errno> {
            $this.stack.$call($($arg),*)
        })*
    };
}

impl Sockets for Restless {
    fn recv_from(&mut self, fd: Fd, buffer: &mut [u8]) -> std::result::Result<Received, Errno> {
        let answer = self.stack.recv_from(fd, buffer);
        if answer == Err(Errno::EAGAIN) {
            self.tried = Some(fd);
        }
        answer
    }

    fn socket(&mut self, domain: Domain, kind: Kind, protocol: Protocol) -> std::result::Result<Fd, Errno> {
        assert!(self.wrong != Wrong::PanicInCall, "not yet");
        self.stack.socket(domain, kind, protocol)
    }

    forward! {
        fn bind(&mut self, fd: Fd, addr: SocketAddr) -> ();
        fn listen(&mut self, fd: Fd, backlog: u32) -> ();
        fn accept(&mut self, fd: Fd) -> (Fd, SocketAddr);
        fn connect(&mut self, fd: Fd, addr: Option<SocketAddr>) -> ();
        fn send(&mut self, fd: Fd, data: &[u8]) -> usize;
        fn send_to(&mut self, fd: Fd, data: &[u8], to: SocketAddr) -> usize;
        fn recv(&mut self, fd: Fd, buffer: &mut [u8]) -> usize;
        fn shutdown(&mut self, fd: Fd, how: How) -> ();
        fn close(&mut self, fd: Fd) -> ();
        fn set_option(&mut self, fd: Fd, option: SocketOption) -> ();
        fn take_error(&mut self, fd: Fd) -> Option<Errno>;
    }

    forward! {
        fn local_addr(&self, fd: Fd) -> SocketAddr;
        fn peer_addr(&self, fd: Fd) -> SocketAddr;
        fn option(&self, fd: Fd, name: OptionName) -> SocketOption;
        fn poll(&self, fd: Fd) -> Readiness;
    }
}

/// Sends one datagram to a host where no program answers it, and waits.
async fn waits(net: Net) -> Result {
    let socket = net.datagram("0.0.0.0:0", &[]).await?;
    socket.send_to(b"hello", "10.0.0.1:7".parse()?).await?;
    socket.recv_from(&mut [0; 16]).await?;
    Ok(())
}

async fn sleeps(net: Net) -> std::io::Result<()> {
    loop {
        net.sleep(std::time::Duration::from_secs(1)).await;
    }
}

fn with_stack(stack: MakeStack) -> Scenario {
    let mut settings = Settings::default();
    settings.events_max = 500_000;
    scenario("restless").server(sleeps).client(waits).settings(settings).stack(move |host| stack(host.config))
}

#[test]
fn a_stack_that_livelocks_ends_its_run_with_the_reason() {
    let stacks: [(MakeStack, &str); 5] = [
        (|config| Restless::boxed(config, Wrong::Transmit), "a packet last: it livelocks"),
        (|config| Restless::boxed(config, Wrong::Note), "a note last: it livelocks"),
        (|config| Restless::boxed(config, Wrong::Change), "a changed descriptor last: it livelocks"),
        (|config| Restless::boxed(config, Wrong::ChangeWhenTried), "a changed descriptor last: it livelocks"),
        (|config| Restless::boxed(config, Wrong::Timeout), "a timeout last: it livelocks"),
    ];
    for (stack, why) in stacks {
        for testbed in [testbed::VIRTUAL, testbed::TURMOIL] {
            // turmoil's time goes on whatever the stack asks for.
            if why.contains("timeout") && testbed == testbed::TURMOIL {
                continue;
            }
            let end = with_stack(stack).on(testbed).run(&FaultPlan::default()).end;
            let End::Stalled { limit, .. } = &end else { panic!("{testbed}, {why}: {end:?}") };
            assert!(limit.starts_with("100000 reports of the stack at ") && limit.ends_with(why), "{limit}");
        }
    }
}

#[test]
fn packets_without_end_on_a_link_without_delay_hit_the_limit_of_events() {
    let scenario = with_stack(|config| Restless::boxed(config, Wrong::Echo));
    let link = Link::Numbers(LinkNumbers::new(0, 1500));
    let plan = FaultPlan::new().link(link);
    let end = scenario.run(&plan).end;
    assert!(matches!(&end, End::Stalled { limit, .. } if limit == "500000 events"), "{end:?}");
}

/// A panic is the stack's, not the simulation's: the run fails, and nothing is printed.
#[test]
fn a_stack_that_panics_fails_its_run_with_the_place() {
    let stacks: [(MakeStack, &str); 4] = [
        (|_| panic!("no memory"), "client"),
        (|config| Restless::boxed(config, Wrong::PanicAtInput), "server"),
        (|config| Restless::boxed(config, Wrong::PanicWhenAsked), "client"),
        (|config| Restless::boxed(config, Wrong::PanicInCall), "client"),
    ];
    let here = "its stack cannot go on: it panicked at sim/tests/suite/bad_stacks.rs:";
    for (stack, who) in stacks {
        for testbed in [testbed::VIRTUAL, testbed::TURMOIL] {
            let end = with_stack(stack).on(testbed).run(&FaultPlan::default()).end;
            let End::Failed { host, message } = &end else { panic!("{testbed}, {who}: {end:?}") };
            assert!(
                host.as_deref() == Some(who) && message.starts_with(here),
                "{testbed}: {host:?} {message}"
            );
        }
    }
    let drops = with_stack(|config| Restless::boxed(config, Wrong::PanicWhenDropped));
    assert!(matches!(drops.run(&FaultPlan::default()).end, End::Stalled { .. }));
}

/// 150,000 changes at one moment, each of them used by a call.
#[test]
fn a_busy_moment_is_no_livelock() {
    let mut settings = Settings::default();
    settings.trace = false;
    let busy = scenario("busy").settings(settings).client(|net: Net| async move {
        let socket = net.datagram("127.0.0.1:7", &[]).await?;
        for _ in 0..150_000 {
            socket.send_to(b"again", "127.0.0.1:7".parse()?).await?;
            socket.recv_from(&mut [0; 16]).await?;
        }
        Ok(())
    });
    let end = busy.run(&FaultPlan::default()).end;
    assert!(end.is_finished(), "{end:?}");
}

/// The lab's thread goes on with the rest, and ends when told to.
#[cfg(all(feature = "lab", target_os = "linux"))]
#[test]
fn a_stack_that_livelocks_does_not_stop_the_lab() {
    use faultwire::lab::{End, Forwarder};
    let plan = FaultPlan::default();
    for wrong in [Wrong::Transmit, Wrong::Note, Wrong::Change, Wrong::Timeout, Wrong::Echo] {
        let [a, b] = [1, 2].map(|n| {
            let v6 = std::net::Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, n.into());
            End::Stack(Restless::boxed(StackConfig::new([10, 0, 0, n].into(), v6), wrong))
        });
        let forwarder = Forwarder::start(&plan, [("a", a), ("b", b)]).expect("it starts");
        let host = forwarder.lab_stack(0).expect("a stack");
        for _ in 0..10 {
            let sent = host.call(|stack| {
                let fd = stack.socket(Domain::Inet, Kind::Datagram, Protocol::Default)?;
                stack.send_to(fd, b"hello", SocketAddr::from(([10, 0, 0, 2], 7)))
            });
            assert_eq!(sent, Some(Ok(5)), "{wrong:?}");
        }
        assert_eq!(forwarder.stop().len(), 2);
    }
}
