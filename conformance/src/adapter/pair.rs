//! Two hosts and the perfect link between them, stepped by hand, with a transcript of what happened.

use std::collections::VecDeque;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use faultwire::errno::Errno;
use faultwire::fault::Rejection;
use faultwire::packet::{PacketView, Transport, rejected};
use faultwire::stack::{
    Domain, Fd, HostStack, How, Kind, OptionName, Protocol, Readiness, Received, SocketOption, StackConfig,
};
use faultwire::time::Time;
use faultwire_sim::testbed::StackSubject;

/// What a trial finds: nothing wrong, or what was expected and what was found.
pub(super) type Trial = Result<(), String>;

/// The hosts, which are called so in a transcript.
pub(super) const A: usize = 0;
pub(super) const B: usize = 1;
const NAMES: [&str; 2] = ["a", "b"];

/// How long a packet travels.
const DELAY: Duration = Duration::from_millis(1);
/// Long enough for whatever a few packets lead to.
pub(super) const SOON: Duration = Duration::from_secs(5);
/// Long enough for timers.
pub(super) const MINUTE: Duration = Duration::from_secs(60);
/// Reports in a row, and timeouts at one moment, after which a stack livelocks.
const REPORTS_MAX: usize = 10_000;
const REPEATS_MAX: usize = 100;
/// Events of a stretch of time after which a stack never rests.
const EVENTS_MAX: usize = 100_000;
/// Lines of a transcript that are kept.
const LINES_MAX: usize = 14;

/// An open socket of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Socket {
    pub(super) host: usize,
    pub(super) fd: Fd,
}

impl fmt::Display for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "fd {} of {}", self.fd.0, NAMES[self.host])
    }
}

/// Bytes, shown short.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Data(pub(super) Vec<u8>);

impl fmt::Debug for Data {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            0..=20 => write!(f, "{:?}", Bytes::copy_from_slice(&self.0)),
            len => write!(f, "{len} bytes"),
        }
    }
}

/// A value as messages show it.
pub(super) fn told(value: &impl fmt::Debug) -> String {
    let text = format!("{value:?}");
    let inner = text.strip_prefix("Ok(").or(text.strip_prefix("Err("));
    match inner.and_then(|inner| inner.strip_suffix(')')).unwrap_or(&text) {
        "()" => "ok".to_owned(),
        inner => inner.to_owned(),
    }
}

/// Holds what was found against what was expected.
pub(super) fn want<T: PartialEq + fmt::Debug>(found: T, expected: T, what: &str) -> Trial {
    holds(found == expected, || format!("{what}: expected {}, found {}", told(&expected), told(&found)))
}

/// Holds a condition.
pub(super) fn holds(condition: bool, otherwise: impl FnOnce() -> String) -> Trial {
    if condition { Ok(()) } else { Err(otherwise()) }
}

struct Host {
    stack: Box<dyn HostStack>,
    reports: usize,
    /// What `poll_changed` reported since it was last forgotten.
    changed: Vec<Fd>,
    /// When which packet left.
    sent: Vec<(Time, Bytes)>,
}

/// Two hosts on a link.
pub(super) struct Pair<'a> {
    subject: &'a StackSubject,
    /// The last of what happened.
    transcript: VecDeque<String>,
    /// Why a stack was cut off, if one was. Nothing happens from then on.
    cut: Option<String>,
    /// The family of the addresses that the trial uses.
    pub(super) domain: Domain,
    /// Whether there are streams.
    pub(super) streams: bool,
    pub(super) now: Time,
    hosts: [Host; 2],
    flying: VecDeque<(Time, usize, Bytes)>,
}

impl<'a> Pair<'a> {
    pub(super) fn new(subject: &'a StackSubject, (domain, streams): (Domain, bool)) -> Self {
        let hosts = [A, B].map(|index| host(subject, index, 1500));
        Pair {
            subject,
            transcript: VecDeque::new(),
            cut: None,
            domain,
            streams,
            now: Time::ZERO,
            hosts,
            flying: VecDeque::new(),
        }
    }

    /// Two new hosts at the beginning of time.
    pub(super) fn begin_again(&mut self, mtu: u16) {
        self.log(format!("two new hosts, MTU {mtu}"));
        (self.hosts, self.now) = ([A, B].map(|index| host(self.subject, index, mtu)), Time::ZERO);
        self.flying.clear();
    }

    /// The last of what happened, and why a stack was cut off.
    pub(super) fn end(mut self) -> (Vec<String>, Option<String>) {
        for host in [A, B] {
            self.look_for_trouble(host);
        }
        (self.transcript.into(), self.cut)
    }

    pub(super) fn log(&mut self, line: String) {
        if self.cut.is_some() {
            return;
        }
        if self.transcript.len() == LINES_MAX {
            self.transcript.pop_front();
        }
        self.transcript.push_back(format!("{}  {line}", self.now));
    }

    /// A host's address with a port.
    pub(super) fn addr(&self, host: usize, port: u16) -> SocketAddr {
        (addrs(host)[usize::from(self.domain == Domain::Inet6)], port).into()
    }

    /// An address on the link that no host has.
    pub(super) fn stranger(&self, port: u16) -> SocketAddr {
        self.addr(8, port)
    }

    pub(super) fn any(&self, port: u16) -> SocketAddr {
        let any: IpAddr = match self.domain {
            Domain::Inet => Ipv4Addr::UNSPECIFIED.into(),
            Domain::Inet6 => Ipv6Addr::UNSPECIFIED.into(),
        };
        (any, port).into()
    }

    /// A host's stack, for what the calls below do not do. Its reports are not collected.
    pub(super) fn stack(&mut self, host: usize) -> &mut dyn HostStack {
        &mut *self.hosts[host].stack
    }

    /// The packets that a host sent, each with its time.
    pub(super) fn sent(&self, host: usize) -> &[(Time, Bytes)] {
        &self.hosts[host].sent
    }

    /// Tells a host the time and collects its reports.
    pub(super) fn tick(&mut self, host: usize) {
        let now = self.now;
        self.stack(host).handle_timeout(now);
        self.collect(host);
    }

    /// Hands a packet to a host at this moment.
    pub(super) fn input(&mut self, host: usize, packet: &Bytes) {
        self.log(format!("{} is handed {}", NAMES[host], described(packet)));
        let now = self.now;
        self.stack(host).handle_timeout(now);
        self.stack(host).handle_input(packet);
        self.collect(host);
    }

    /// Collects a host's reports, each kind until there is no more.
    pub(super) fn collect(&mut self, host: usize) {
        self.hosts[host].reports = 0;
        while let Some(packet) = self.report(host, "a packet", |stack| stack.poll_transmit()) {
            self.log(format!("{} sends {}", NAMES[host], described(&packet)));
            let to = addrs(1 - host);
            if PacketView::parse(&packet).is_some_and(|view| to.contains(&view.to)) {
                self.flying.push_back((self.now + DELAY, 1 - host, packet.clone()));
            }
            self.hosts[host].sent.push((self.now, packet));
        }
        while self.report(host, "a note", |stack| stack.poll_note()).is_some() {}
        while let Some(fd) = self.report(host, "a changed descriptor", |stack| stack.poll_changed()) {
            self.log(format!("{}: poll_changed reports fd {}", NAMES[host], fd.0));
            self.hosts[host].changed.push(fd);
        }
        self.look_for_trouble(host);
    }

    /// A stack that cannot go on is cut off.
    fn look_for_trouble(&mut self, host: usize) {
        if self.cut.is_none()
            && let Some(why) = self.stack(host).trouble()
        {
            self.cut = Some(format!("the stack cannot go on: {why}"));
        }
    }

    fn report<T>(
        &mut self,
        host: usize,
        kind: &str,
        poll: impl FnOnce(&mut dyn HostStack) -> Option<T>,
    ) -> Option<T> {
        if self.cut.is_some() {
            return None;
        }
        let report = poll(self.stack(host))?;
        self.hosts[host].reports += 1;
        if self.hosts[host].reports == REPORTS_MAX {
            self.livelocks(format!("{REPORTS_MAX} reports in a row while nothing happened, {kind} last"));
        }
        Some(report)
    }

    fn livelocks(&mut self, why: String) {
        self.cut = Some(format!("expected the stack to come to rest, found {why}: it livelocks"));
    }

    /// Lets this much time pass: packets arrive, and timers fire when they are due.
    pub(super) fn run(&mut self, span: Duration) {
        let end = self.now + span;
        for _ in 0..EVENTS_MAX {
            if !self.step(end) {
                self.now = end;
                return;
            }
        }
        self.livelocks(format!("{EVENTS_MAX} packets and timeouts within {} s", span.as_secs()));
    }

    /// Moves on to the next event; false if there is none until `end`.
    pub(super) fn step(&mut self, end: Time) -> bool {
        let timeouts = [A, B].map(|host| self.hosts[host].stack.poll_timeout());
        let arrival = self.flying.front().map(|(due, ..)| *due);
        let next = timeouts.into_iter().chain([arrival]).flatten().min();
        let Some(due) = next.filter(|due| *due <= end && self.cut.is_none()) else {
            return false;
        };
        self.now = self.now.max(due);
        if arrival.is_some_and(|due| due <= self.now)
            && let Some((_, to, packet)) = self.flying.pop_front()
        {
            self.input(to, &packet);
        }
        for host in [A, B] {
            self.fire(host);
        }
        true
    }

    /// Fires a host's timers that are due, until it asks for a later moment.
    fn fire(&mut self, host: usize) {
        for _ in 0..REPEATS_MAX {
            if self.hosts[host].stack.poll_timeout().is_none_or(|due| due > self.now) {
                return;
            }
            self.tick(host);
        }
        self.livelocks(format!("{REPEATS_MAX} timeouts at one moment"));
    }

    /// Forgets what was reported as changed.
    pub(super) fn forget(&mut self) {
        self.hosts.iter_mut().for_each(|host| host.changed.clear());
    }

    /// How often a socket was reported as changed since that was last forgotten.
    pub(super) fn changes(&self, socket: Socket) -> usize {
        self.hosts[socket.host].changed.iter().filter(|fd| **fd == socket.fd).count()
    }

    /// Whether a socket was reported as changed, so that a program that waits for it is woken.
    pub(super) fn woken(&mut self, socket: Socket, why: &str) -> Trial {
        let is_told = self.changes(socket) > 0;
        let ready = told(&self.poll(socket));
        holds(is_told, || {
            format!(
                "{why}: expected poll_changed to report {socket}, found that it did not (poll says {ready})"
            )
        })
    }

    /// The network's answer to the last packet of a host: an ICMP error, or a reset.
    pub(super) fn reject(&mut self, host: usize, rejection: Rejection) -> Trial {
        let answer = self.sent(host).last().and_then(|(_, packet)| rejected(packet, rejection));
        let answer = answer.ok_or(format!("{} sent nothing that could be refused", NAMES[host]))?;
        self.input(host, &answer);
        Ok(())
    }
}

/// Calls that a trial makes as they are.
macro_rules! calls {
    ($($call:ident($($arg:ident: $type:ty)?) -> $answer:ty;)*) => {
        $(pub(super) fn $call(&mut self, it: Socket $(, $arg: $type)?) -> Result<$answer, Errno> {
            self.on(it, stringify!($call), &[$(&$arg)?], |stack, fd| stack.$call(fd $(, $arg)?))
        })*
    };
}

/// The calls, each as a driver makes it, and with a line of the transcript.
impl Pair<'_> {
    fn call<T: fmt::Debug>(
        &mut self,
        host: usize,
        words: String,
        call: impl FnOnce(&mut dyn HostStack) -> Result<T, Errno>,
    ) -> Result<T, Errno> {
        self.log(format!("{}: {words}", NAMES[host]));
        let now = self.now;
        self.stack(host).handle_timeout(now);
        let result = call(self.stack(host));
        if self.cut.is_none()
            && let Some(line) = self.transcript.back_mut()
        {
            *line += &format!(" → {}", told(&result));
        }
        self.collect(host);
        result
    }

    fn on<T: fmt::Debug>(
        &mut self,
        it: Socket,
        name: &str,
        args: &[&dyn fmt::Debug],
        call: impl FnOnce(&mut dyn HostStack, Fd) -> Result<T, Errno>,
    ) -> Result<T, Errno> {
        let args: String = args.iter().map(|arg| format!(", {arg:?}")).collect();
        self.call(it.host, format!("{name}(fd {}{args})", it.fd.0), |stack| call(stack, it.fd))
    }

    calls! {
        bind(addr: SocketAddr) -> ();
        listen(backlog: u32) -> ();
        shutdown(how: How) -> ();
        close() -> ();
        local_addr() -> SocketAddr;
        peer_addr() -> SocketAddr;
        set_option(option: SocketOption) -> ();
        option(name: OptionName) -> SocketOption;
        take_error() -> Option<Errno>;
    }

    pub(super) fn socket(&mut self, host: usize, kind: Kind) -> Result<Socket, Errno> {
        let (domain, words) = (self.domain, format!("socket({kind:?})"));
        let opened = self.call(host, words, |stack| stack.socket(domain, kind, Protocol::Default));
        opened.map(|fd| Socket { host, fd })
    }

    pub(super) fn accept(&mut self, it: Socket) -> Result<(Socket, SocketAddr), Errno> {
        let accepted = self.on(it, "accept", &[], |stack, fd| stack.accept(fd));
        accepted.map(|(fd, peer)| (Socket { fd, ..it }, peer))
    }

    pub(super) fn connect(&mut self, it: Socket, addr: SocketAddr) -> Result<(), Errno> {
        self.on(it, "connect", &[&addr], |stack, fd| stack.connect(fd, Some(addr)))
    }

    pub(super) fn disconnect(&mut self, it: Socket) -> Result<(), Errno> {
        self.on(it, "connect", &[&None::<SocketAddr>], |stack, fd| stack.connect(fd, None))
    }

    pub(super) fn send(&mut self, it: Socket, data: &[u8]) -> Result<usize, Errno> {
        self.on(it, "send", &[&Data(data.to_vec())], |stack, fd| stack.send(fd, data))
    }

    pub(super) fn send_to(&mut self, it: Socket, data: &[u8], to: SocketAddr) -> Result<usize, Errno> {
        self.on(it, "send_to", &[&Data(data.to_vec()), &to], |stack, fd| stack.send_to(fd, data, to))
    }

    pub(super) fn recv(&mut self, it: Socket, room: usize) -> Result<Data, Errno> {
        let mut buffer = vec![0; room];
        let len = self.on(it, "recv", &[&room], |stack, fd| stack.recv(fd, &mut buffer))?;
        // More than there was room for is kept as an answer that is longer than expected.
        buffer.resize(len.min(room + 1), 0);
        Ok(Data(buffer))
    }

    /// The bytes, the datagram's length, and who sent it.
    pub(super) fn recv_from(&mut self, it: Socket, room: usize) -> Result<(Data, usize, SocketAddr), Errno> {
        let mut buffer = vec![0; room];
        let Received { len, full_len, from } =
            self.on(it, "recv_from", &[&room], |stack, fd| stack.recv_from(fd, &mut buffer))?;
        buffer.resize(len.min(room + 1), 0);
        Ok((Data(buffer), full_len, from))
    }

    pub(super) fn poll(&mut self, it: Socket) -> Result<Ready, Errno> {
        self.on(it, "poll", &[], |stack, fd| stack.poll(fd).map(Ready))
    }
}

/// What every second trial begins with.
impl Pair<'_> {
    pub(super) fn open(&mut self, host: usize, kind: Kind) -> Result<Socket, String> {
        self.socket(host, kind).map_err(|errno| format!("socket: expected a descriptor, found {errno:?}"))
    }

    /// A datagram socket bound to the host's address.
    pub(super) fn udp(&mut self, host: usize, port: u16) -> Result<Socket, String> {
        let socket = self.open(host, Kind::Datagram)?;
        want(self.bind(socket, self.addr(host, port)), Ok(()), "bind to a free port")?;
        Ok(socket)
    }

    /// A listening socket bound to the host's address.
    pub(super) fn listener(&mut self, host: usize, port: u16, backlog: u32) -> Result<Socket, String> {
        let socket = self.open(host, Kind::Stream)?;
        want(self.bind(socket, self.addr(host, port)), Ok(()), "bind to a free port")?;
        want(self.listen(socket, backlog), Ok(()), "listen")?;
        Ok(socket)
    }

    /// A connection: its side at a, its side at b, and the listener at port 7 of b.
    pub(super) fn connected(&mut self) -> Result<[Socket; 3], String> {
        let listener = self.listener(B, 7, 8)?;
        let client = self.open(A, Kind::Stream)?;
        let to = self.addr(B, 7);
        holds(matches!(self.connect(client, to), Ok(()) | Err(Errno::EINPROGRESS | Errno::EAGAIN)), || {
            "connect to a listener: expected EINPROGRESS, found another answer".to_owned()
        })?;
        self.run(SOON);
        let accepted = self.accept(listener).map_err(|errno| {
            format!("accept: expected the connection that was made, found {errno:?} (no packet was lost)")
        })?;
        self.run(SOON);
        self.forget();
        Ok([client, accepted.0, listener])
    }

    /// Sends a datagram and lets it arrive.
    pub(super) fn deliver(&mut self, from: Socket, data: &[u8], to: SocketAddr) -> Trial {
        want(self.send_to(from, data, to), Ok(data.len()), "send_to")?;
        self.run(SOON);
        Ok(())
    }

    /// Sends on a stream and lets it arrive.
    pub(super) fn pass(&mut self, from: Socket, data: &[u8]) -> Trial {
        want(self.send(from, data), Ok(data.len()), "send of a few bytes on a fresh stream")?;
        self.run(SOON);
        Ok(())
    }
}

/// What `poll` said, shown short.
pub(super) struct Ready(pub(super) Readiness);

impl fmt::Debug for Ready {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Readiness { readable, writable, error, hang_up } = self.0;
        let words = [(readable, "readable"), (writable, "writable"), (error, "error"), (hang_up, "hang-up")];
        let words: Vec<_> = words.iter().filter(|(is, _)| *is).map(|(_, word)| *word).collect();
        f.write_str(if words.is_empty() { "nothing" } else { "" })?;
        f.write_str(&words.join(", "))
    }
}

fn addrs(host: usize) -> [IpAddr; 2] {
    let n = host as u8 + 1;
    [Ipv4Addr::new(10, 0, 0, n).into(), Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, n.into()).into()]
}

fn host(subject: &StackSubject, index: usize, mtu: u16) -> Host {
    let n = index as u8 + 1;
    let v6 = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, n.into());
    let mut config = StackConfig::new(Ipv4Addr::new(10, 0, 0, n), v6);
    (config.mtu, config.seed) = (mtu, n.into());
    Host { stack: subject.with_config(config), reports: 0, changed: Vec::new(), sent: Vec::new() }
}

/// A packet in a line.
pub(super) fn described(packet: &Bytes) -> String {
    let Some(view) = PacketView::parse(packet) else {
        return format!("{} bytes that are no IP packet", packet.len());
    };
    let (from, to) = (view.source(), view.destination());
    match (view.transport, from.zip(to)) {
        (Transport::Udp { payload, .. }, Some((from, to))) => {
            format!("UDP {from} > {to}, {} bytes", payload.len())
        }
        (Transport::Tcp { flags, payload, .. }, Some((from, to))) => {
            format!("TCP {flags} {from} > {to}, {} bytes", payload.len())
        }
        (Transport::Icmp { .. }, _) => format!("ICMP {} > {}", view.from, view.to),
        _ => format!("IP {} > {}, {} bytes", view.from, view.to, packet.len()),
    }
}
