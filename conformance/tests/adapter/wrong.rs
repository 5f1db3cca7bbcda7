//! Adapters with one mistake each, as authors of adapters make them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::iter::from_fn;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use faultwire::errno::Errno;
use faultwire::packet::{PacketView, Strictness, TcpFlags, Transport, UdpDatagram, datagram, parse};
use faultwire::stack::{
    Domain, Fd, HostStack, How, Kind, OptionName, Protocol, Readiness, Received, SocketOption, Sockets,
    Stack, StackConfig,
};
use faultwire::time::Time;

macro_rules! mistakes {
    ($($name:ident: $text:literal,)*) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Mistake { $(#[doc = $text] $name,)* }

        impl Mistake {
            pub(crate) const ALL: &'static [Mistake] = &[$(Mistake::$name,)*];
        }
    };
}

mistakes! {
    TimeBack: "The time that the driver tells is taken as it is, also if it is earlier.",
    SlowTimers: "poll_timeout is in microseconds where milliseconds are asked for.",
    NoTimeout: "poll_timeout is not forwarded.",
    DeadTimer: "The timer of a closed socket stays in the list of timers.",
    NeverIdle: "poll_timeout names the next tick of a millisecond.",
    CutAtMtu: "The buffer for packets is a byte shorter than the MTU.",
    WrongChecksum: "The checksum over IPv6 is that over IPv4.",
    LastInFirstOut: "Packets wait on a stack, not in a queue.",
    LateInput: "Packets are kept until the next timeout.",
    TakesAll: "Packets are taken whatever address they are for.",
    RandomPorts: "The seed is another one each time.",
    LateChanges: "Changes are collected in handle_timeout alone.",
    LevelTriggered: "What is readable is reported after each handle_timeout.",
    EndlessChanges: "What is readable is reported on and on.",
    WokenByItself: "A recv that would block marks its socket as changed.",
    LostAccept: "Listeners are not looked at for changes.",
    LostRoom: "Only what becomes readable is a change.",
    LostEnd: "The end of a stream is no change.",
    LostReset: "A reset is no change.",
    AlwaysWritable: "poll says writable, always.",
    FailedNotWritable: "poll says writable of what is connected alone.",
    UnreadableQueue: "poll says readable of a listener never.",
    WouldBlockConnect: "EAGAIN in place of EINPROGRESS.",
    NotConnectedRefused: "ENOTCONN in place of ECONNREFUSED.",
    NotConnectedPipe: "ENOTCONN in place of EPIPE.",
    ErrorKept: "take_error does not take the error away.",
    ResetIsEnd: "recv after a reset is the end of the stream.",
    InvalidDescriptor: "EINVAL in place of EBADF.",
    CloseAborts: "close resets the connection.",
    CloseForgets: "close leaves the socket open.",
    NumberReused: "The number of a closed socket is used again while it is in the list of changes.",
    ShutCloses: "shutdown of both directions closes the descriptor.",
    ZeroForWouldBlock: "recv with nothing queued is 0 bytes.",
    EndOnce: "The end of a stream is told once, then EAGAIN.",
    NoFullLen: "full_len is the length that was copied.",
    EmptyIsNothing: "A datagram of 0 bytes is taken for none.",
    ClaimsMore: "send claims all of its bytes.",
    WrongPeer: "accept tells the listener's address.",
    OneWaits: "One connection may wait, whatever the backlog.",
    OptionForgotten: "set_option does nothing.",
    PortShared: "bind takes a port that is taken.",
    PortZero: "local_addr tells the address that bind was given.",
    TableFull: "A table of 100 sockets whose rows are not used again.",
    Padded: "The length of the buffer is taken for that of the packet.",
    Hoards: "Datagrams wait in a list without a bound.",
    PanicsWhenShort: "A slice of a packet that may be too short for it.",
    PanicsWhenQuoted: "The ports in the quote of an ICMP error are taken to be there.",
    Small: "It has no streams, no IPv6 and no ICMP, and does not say so.",
}

/// Our stack behind an adapter with a mistake.
#[derive(Debug)]
pub(crate) struct Wrong {
    inner: Box<dyn HostStack>,
    mistake: Mistake,
    config: StackConfig,
    state: State,
}

/// What some of the mistakes remember. Descriptors are those inside.
#[derive(Debug, Default)]
struct State {
    now: Time,
    /// How far time went back.
    skew: Duration,
    /// When the timer of a closed socket is due.
    dead: Option<Time>,
    arrived: VecDeque<Bytes>,
    leaving: Vec<Bytes>,
    changes: VecDeque<Fd>,
    is_mute: bool,
    rows: usize,
    open: BTreeSet<Fd>,
    listeners: BTreeSet<Fd>,
    ended: BTreeSet<Fd>,
    errors: BTreeMap<Fd, Errno>,
    bound: BTreeMap<Fd, SocketAddr>,
    /// The descriptors inside, by those outside.
    numbers: Vec<Option<Fd>>,
}

impl Wrong {
    pub(crate) fn new(mut config: StackConfig, mistake: Mistake) -> Self {
        static SEED: AtomicU64 = AtomicU64::new(0);
        if mistake == Mistake::RandomPorts {
            config.seed = SEED.fetch_add(1, Ordering::Relaxed);
        }
        Wrong { inner: Box::new(Stack::new(config.clone())), mistake, config, state: State::default() }
    }

    fn is(&self, mistake: Mistake) -> bool {
        self.mistake == mistake
    }

    /// Makes a call on the descriptor inside.
    fn on<T>(
        &mut self,
        fd: Fd,
        call: impl FnOnce(&mut dyn HostStack, Fd) -> Result<T, Errno>,
    ) -> Result<T, Errno> {
        let fd = self.inside(fd);
        call(&mut *self.inner, fd).map_err(|errno| self.error(errno))
    }

    fn inside(&self, fd: Fd) -> Fd {
        let inside = || self.state.numbers.get(fd.0 as usize).copied().flatten();
        if self.is(Mistake::NumberReused) { inside().unwrap_or(Fd(u32::MAX)) } else { fd }
    }

    fn outside(&self, fd: Fd) -> Fd {
        self.state.numbers.iter().position(|it| *it == Some(fd)).map_or(fd, |at| Fd(at as u32))
    }

    /// The descriptor outside of a new socket.
    fn opened(&mut self, fd: Fd) -> Fd {
        self.state.open.insert(fd);
        if !self.is(Mistake::NumberReused) {
            return fd;
        }
        let numbers = &mut self.state.numbers;
        let free = numbers.iter().position(Option::is_none).unwrap_or(numbers.len());
        numbers.resize(numbers.len().max(free + 1), None);
        numbers[free] = Some(fd);
        Fd(free as u32)
    }

    fn error(&self, errno: Errno) -> Errno {
        match (self.mistake, errno) {
            (Mistake::WouldBlockConnect, Errno::EINPROGRESS) => Errno::EAGAIN,
            (Mistake::NotConnectedRefused, Errno::ECONNREFUSED) => Errno::ENOTCONN,
            (Mistake::NotConnectedPipe, Errno::EPIPE) => Errno::ENOTCONN,
            (Mistake::InvalidDescriptor, Errno::EBADF) => Errno::EINVAL,
            _ => errno,
        }
    }

    /// Hands on what arrived while nothing else waits for a program.
    fn feed(&mut self) {
        while self.state.open.iter().all(|fd| !self.is_readable(*fd))
            && let Some(packet) = self.state.arrived.pop_front()
        {
            self.inner.handle_input(&packet);
        }
    }

    /// A datagram with all that is behind it.
    fn padded(&self, packet: &Bytes) -> Option<Bytes> {
        let ip = parse(packet, Strictness::Full).ok().filter(|ip| ip.payload.end < packet.len())?;
        let udp = UdpDatagram::read(&packet[ip.payload.clone()])?;
        let (from, to) = (ip.path.src(), ip.path.dst());
        datagram((from, udp.src).into(), (to, udp.dst).into(), 64, &packet[ip.payload.start + 8..])
    }

    fn is_readable(&self, fd: Fd) -> bool {
        self.inner.poll(fd).is_ok_and(|ready| ready.readable)
    }
}

impl Sockets for Wrong {
    fn socket(&mut self, domain: Domain, kind: Kind, protocol: Protocol) -> Result<Fd, Errno> {
        match self.mistake {
            Mistake::Small if domain == Domain::Inet6 => return Err(Errno::EAFNOSUPPORT),
            Mistake::Small if kind == Kind::Stream => return Err(Errno::EPROTONOSUPPORT),
            Mistake::TableFull if self.state.rows == 100 => return Err(Errno::EMFILE),
            _ => self.state.rows += 1,
        }
        let fd = self.inner.socket(domain, kind, protocol)?;
        Ok(self.opened(fd))
    }

    fn bind(&mut self, fd: Fd, addr: SocketAddr) -> Result<(), Errno> {
        self.state.bound.insert(fd, addr);
        match self.on(fd, |stack, fd| stack.bind(fd, addr)) {
            Err(Errno::EADDRINUSE) if self.is(Mistake::PortShared) => Ok(()),
            answer => answer,
        }
    }

    fn listen(&mut self, fd: Fd, backlog: u32) -> Result<(), Errno> {
        self.state.listeners.insert(self.inside(fd));
        let backlog = if self.is(Mistake::OneWaits) { 0 } else { backlog };
        self.on(fd, |stack, fd| stack.listen(fd, backlog))
    }

    fn accept(&mut self, fd: Fd) -> Result<(Fd, SocketAddr), Errno> {
        let (accepted, peer) = self.on(fd, |stack, fd| stack.accept(fd))?;
        let peer = if self.is(Mistake::WrongPeer) { self.local_addr(fd)? } else { peer };
        Ok((self.opened(accepted), peer))
    }

    fn connect(&mut self, fd: Fd, addr: Option<SocketAddr>) -> Result<(), Errno> {
        self.on(fd, |stack, fd| stack.connect(fd, addr))
    }

    fn send(&mut self, fd: Fd, data: &[u8]) -> Result<usize, Errno> {
        let sent = self.on(fd, |stack, fd| stack.send(fd, data))?;
        Ok(if self.is(Mistake::ClaimsMore) { data.len() } else { sent })
    }

    fn send_to(&mut self, fd: Fd, data: &[u8], to: SocketAddr) -> Result<usize, Errno> {
        self.on(fd, |stack, fd| stack.send_to(fd, data, to))
    }

    fn recv(&mut self, fd: Fd, buffer: &mut [u8]) -> Result<usize, Errno> {
        self.recv_from(fd, buffer).map(|received| received.len)
    }

    fn recv_from(&mut self, fd: Fd, buffer: &mut [u8]) -> Result<Received, Errno> {
        let nothing = Received { len: 0, full_len: 0, from: ([0, 0, 0, 0], 0).into() };
        let answer = self.on(fd, |stack, fd| stack.recv_from(fd, buffer));
        if self.is(Mistake::Hoards) {
            self.feed();
        }
        let is_empty = answer.is_ok_and(|received| received.full_len == 0);
        match (self.mistake, answer) {
            (Mistake::ZeroForWouldBlock, Err(Errno::EAGAIN)) => Ok(nothing),
            (Mistake::ResetIsEnd, Err(Errno::ECONNRESET)) => Ok(nothing),
            (Mistake::EmptyIsNothing, _) if is_empty && self.peer_addr(fd).is_err() => Err(Errno::EAGAIN),
            (Mistake::EndOnce, _) if is_empty && !self.state.ended.insert(fd) => Err(Errno::EAGAIN),
            (Mistake::NoFullLen, Ok(it)) => Ok(Received { full_len: it.len, ..it }),
            (Mistake::WokenByItself, Err(Errno::EAGAIN)) => {
                self.state.changes.push_back(fd);
                answer
            }
            _ => answer,
        }
    }

    fn shutdown(&mut self, fd: Fd, how: How) -> Result<(), Errno> {
        match how {
            How::Both if self.is(Mistake::ShutCloses) => self.close(fd),
            how => self.on(fd, |stack, fd| stack.shutdown(fd, how)),
        }
    }

    fn close(&mut self, fd: Fd) -> Result<(), Errno> {
        if self.is(Mistake::CloseForgets) {
            return self.poll(fd).map(drop);
        }
        if self.is(Mistake::CloseAborts) {
            let _ = self.set_option(fd, SocketOption::Linger(Some(Duration::ZERO)));
        }
        self.on(fd, |stack, fd| stack.close(fd))?;
        self.state.open.remove(&self.inside(fd));
        self.state.dead.get_or_insert(self.state.now + Duration::from_secs(1));
        if let Some(number) = self.state.numbers.get_mut(fd.0 as usize) {
            *number = None;
        }
        Ok(())
    }

    fn local_addr(&self, fd: Fd) -> Result<SocketAddr, Errno> {
        let addr = self.inner.local_addr(self.inside(fd)).map_err(|errno| self.error(errno))?;
        let given = self.state.bound.get(&fd).filter(|_| self.is(Mistake::PortZero));
        Ok(given.copied().unwrap_or(addr))
    }

    fn peer_addr(&self, fd: Fd) -> Result<SocketAddr, Errno> {
        self.inner.peer_addr(self.inside(fd)).map_err(|errno| self.error(errno))
    }

    fn set_option(&mut self, fd: Fd, option: SocketOption) -> Result<(), Errno> {
        match self.is(Mistake::OptionForgotten) {
            true => self.poll(fd).map(drop),
            false => self.on(fd, |stack, fd| stack.set_option(fd, option)),
        }
    }

    fn option(&self, fd: Fd, name: OptionName) -> Result<SocketOption, Errno> {
        self.inner.option(self.inside(fd), name).map_err(|errno| self.error(errno))
    }

    fn take_error(&mut self, fd: Fd) -> Result<Option<Errno>, Errno> {
        let error = self.on(fd, |stack, fd| stack.take_error(fd))?.map(|errno| self.error(errno));
        if let Some(error) = error.filter(|_| self.is(Mistake::ErrorKept)) {
            self.state.errors.insert(fd, error);
        }
        Ok(error.or(self.state.errors.get(&fd).copied()))
    }

    fn poll(&self, fd: Fd) -> Result<Readiness, Errno> {
        let fd = self.inside(fd);
        let mut ready = self.inner.poll(fd).map_err(|errno| self.error(errno))?;
        ready.writable |= self.is(Mistake::AlwaysWritable);
        ready.writable &= !(self.is(Mistake::FailedNotWritable) && ready.error);
        ready.readable &= !(self.is(Mistake::UnreadableQueue) && self.state.listeners.contains(&fd));
        Ok(ready)
    }
}

impl HostStack for Wrong {
    fn handle_input(&mut self, packet: &Bytes) {
        assert!(!self.is(Mistake::PanicsWhenShort) || packet.len() >= 20, "range end index 20 out of range");
        let is_error =
            packet.first() == Some(&0x45) && packet.get(9) == Some(&1) && packet.get(20) == Some(&3);
        assert!(
            !self.is(Mistake::PanicsWhenQuoted) || !is_error || packet.len() >= 52,
            "index out of bounds"
        );
        let transport = PacketView::parse(packet).map(|view| view.transport);
        let has = |flag| matches!(transport, Some(Transport::Tcp { flags, .. }) if flags.has(flag));
        match self.mistake {
            Mistake::LostEnd => self.state.is_mute = has(TcpFlags::FIN),
            Mistake::LostReset => self.state.is_mute = has(TcpFlags::RST),
            Mistake::Padded => {
                return self.inner.handle_input(&self.padded(packet).unwrap_or(packet.clone()));
            }
            Mistake::Hoards if matches!(transport, Some(Transport::Udp { .. })) => {
                self.state.arrived.push_back(packet.clone());
                return self.feed();
            }
            Mistake::LateInput => return self.state.arrived.push_back(packet.clone()),
            Mistake::Small if packet.get(9) == Some(&1) => return,
            Mistake::TakesAll if packet.len() >= 40 && packet[0] == 0x45 => {
                let mut mine = BytesMut::from(&packet[..]);
                // What the destination loses the source gains: all checksums stay right.
                mine[19] = self.config.v4.octets()[3];
                mine[15] = packet[15].wrapping_add(packet[19]).wrapping_sub(mine[19]);
                return self.inner.handle_input(&mine.freeze());
            }
            _ => {}
        }
        self.inner.handle_input(packet);
        if self.is(Mistake::NumberReused) {
            let changed: Vec<Fd> = from_fn(|| self.inner.poll_changed()).collect();
            self.state.changes.extend(changed.into_iter().map(|fd| self.outside(fd)).collect::<Vec<_>>());
        }
    }

    fn poll_transmit(&mut self) -> Option<Bytes> {
        let packet = match self.mistake {
            Mistake::LastInFirstOut => {
                self.state.leaving.extend(from_fn(|| self.inner.poll_transmit()));
                self.state.leaving.pop()?
            }
            _ => self.inner.poll_transmit()?,
        };
        Some(match self.mistake {
            Mistake::CutAtMtu => packet.slice(..packet.len().min(usize::from(self.config.mtu) - 1)),
            Mistake::WrongChecksum if packet[0] == 0x60 => {
                let mut packet = BytesMut::from(&packet[..]);
                let at = if packet[6] == 6 { 56 } else { 46 };
                packet[at] ^= 1;
                packet.freeze()
            }
            _ => packet,
        })
    }

    fn poll_timeout(&self) -> Option<Time> {
        let (due, State { now, skew, dead, .. }) = (self.inner.poll_timeout(), &self.state);
        match self.mistake {
            Mistake::NoTimeout => None,
            Mistake::TimeBack => due.map(|due| Time::ZERO + (due - (Time::ZERO + *skew))),
            Mistake::SlowTimers => due.map(|due| *now + (due - *now) * 1_000),
            Mistake::DeadTimer => due.into_iter().chain(*dead).min(),
            Mistake::NeverIdle => Some(*now + Duration::from_millis(1)),
            _ => due,
        }
    }

    fn handle_timeout(&mut self, now: Time) {
        if self.is(Mistake::TimeBack) {
            self.state.skew += self.state.now - now;
        }
        self.state.now = now;
        self.inner.handle_timeout(now + self.state.skew);
        while self.is(Mistake::LateInput)
            && let Some(packet) = self.state.arrived.pop_front()
        {
            self.inner.handle_input(&packet);
        }
        match self.mistake {
            Mistake::LateChanges => self.state.changes.extend(from_fn(|| self.inner.poll_changed())),
            Mistake::LevelTriggered => {
                let open = self.state.open.iter().copied();
                self.state.changes = open.filter(|fd| self.is_readable(*fd)).collect();
            }
            _ => {}
        }
    }

    fn poll_changed(&mut self) -> Option<Fd> {
        if let Some(fd) = self.state.changes.pop_front() {
            return Some(fd);
        }
        while !self.is(Mistake::LateChanges)
            && let Some(fd) = self.inner.poll_changed()
        {
            let is_lost = match self.mistake {
                Mistake::LostAccept => self.state.listeners.contains(&fd),
                Mistake::LostRoom => !self.is_readable(fd),
                _ => self.state.is_mute,
            };
            if !is_lost {
                return Some(self.outside(fd));
            }
        }
        let readable = self.state.open.iter().find(|fd| self.is_readable(**fd));
        readable.filter(|_| self.is(Mistake::EndlessChanges)).copied()
    }
}
