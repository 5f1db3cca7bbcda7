//! The frames between the driver and a stack's process: what is asked, and what is answered.
//!
//! `fixtures/stacks/README.md` has the format.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use faultwire::errno::Errno;
use faultwire::stack::{
    Domain, Fd, How, KeepAlive, Kind, OptionName, Protocol, Readiness, SocketOption, StackConfig,
};
use faultwire::time::Time;

/// The version of the protocol.
pub(super) const VERSION: u16 = 1;
/// Bytes of a frame at most, without its length.
pub(super) const FRAME_MAX: usize = 4 << 20;
/// Bytes that one call sends or receives at most.
pub(super) const DATA_MAX: usize = 1 << 17;
/// Packets of an answer at most, and descriptors.
pub(super) const REPORTS_MAX: usize = 4_096;

/// A number or a span that is not there.
const ABSENT: u64 = u64::MAX;

/// What the driver asks.
#[derive(Clone, Copy, Debug)]
pub(super) enum Request<'a> {
    Init(&'a StackConfig),
    Timeout,
    Input(&'a [u8]),
    Socket(Domain, Kind, Protocol),
    Bind(Fd, SocketAddr),
    Listen(Fd, u32),
    Accept(Fd),
    Connect(Fd, Option<SocketAddr>),
    Send(Fd, &'a [u8]),
    SendTo(Fd, SocketAddr, &'a [u8]),
    Recv(Fd, usize),
    RecvFrom(Fd, usize),
    Shutdown(Fd, How),
    Close(Fd),
    LocalAddr(Fd),
    PeerAddr(Fd),
    SetOption(Fd, SocketOption),
    GetOption(Fd, OptionName),
    TakeError(Fd),
    Poll(Fd),
}

impl Request<'_> {
    /// Its number on the wire, and its name in texts.
    pub(super) fn kind(&self) -> (u8, &'static str) {
        match self {
            Request::Init(_) => (0, "init"),
            Request::Timeout => (1, "timeout"),
            Request::Input(_) => (2, "input"),
            Request::Socket(..) => (3, "socket"),
            Request::Bind(..) => (4, "bind"),
            Request::Listen(..) => (5, "listen"),
            Request::Accept(_) => (6, "accept"),
            Request::Connect(..) => (7, "connect"),
            Request::Send(..) => (8, "send"),
            Request::SendTo(..) => (9, "send_to"),
            Request::Recv(..) => (10, "recv"),
            Request::RecvFrom(..) => (11, "recv_from"),
            Request::Shutdown(..) => (12, "shutdown"),
            Request::Close(_) => (13, "close"),
            Request::LocalAddr(_) => (14, "local_addr"),
            Request::PeerAddr(_) => (15, "peer_addr"),
            Request::SetOption(..) => (16, "set_option"),
            Request::GetOption(..) => (17, "option"),
            Request::TakeError(_) => (18, "take_error"),
            Request::Poll(_) => (19, "poll"),
        }
    }

    /// Writes it as a frame, in place of what is in `out`.
    pub(super) fn encode(&self, number: u32, now: Time, out: &mut Vec<u8>) {
        out.clear();
        out.extend([0; 4]);
        out.extend(number.to_be_bytes());
        out.extend(now.as_nanos().to_be_bytes());
        out.push(self.kind().0);
        self.encode_arguments(out);
        let len = u32::try_from(out.len() - 4).unwrap_or(u32::MAX);
        out[..4].copy_from_slice(&len.to_be_bytes());
    }

    fn encode_arguments(&self, out: &mut Vec<u8>) {
        match *self {
            Request::Init(config) => {
                out.extend(VERSION.to_be_bytes());
                put_addr(out, Some(SocketAddr::new(config.v4.into(), config.v4_prefix.into())));
                put_addr(out, Some(SocketAddr::new(config.v6.into(), config.v6_prefix.into())));
                out.extend(config.mtu.to_be_bytes());
                out.extend(config.seed.to_be_bytes());
            }
            Request::Timeout => {}
            Request::Input(packet) => out.extend(packet),
            Request::Socket(domain, kind, protocol) => out.extend(socket_numbers(domain, kind, protocol)),
            Request::Bind(fd, addr) => {
                put_fd(out, fd);
                put_addr(out, Some(addr));
            }
            Request::Connect(fd, addr) => {
                put_fd(out, fd);
                put_addr(out, addr);
            }
            Request::Send(fd, data) => {
                put_fd(out, fd);
                out.extend(data);
            }
            Request::SendTo(fd, to, data) => {
                put_fd(out, fd);
                put_addr(out, Some(to));
                out.extend(data);
            }
            Request::Listen(fd, number) => {
                put_fd(out, fd);
                out.extend(number.to_be_bytes());
            }
            Request::Recv(fd, len) | Request::RecvFrom(fd, len) => {
                put_fd(out, fd);
                out.extend(u32::try_from(len).unwrap_or(u32::MAX).to_be_bytes());
            }
            Request::Shutdown(fd, how) => {
                put_fd(out, fd);
                out.push(how_number(how));
            }
            Request::SetOption(fd, option) => {
                put_fd(out, fd);
                put_option(out, option);
            }
            Request::GetOption(fd, name) => {
                put_fd(out, fd);
                out.push(option_number(name));
            }
            Request::Accept(fd)
            | Request::Close(fd)
            | Request::LocalAddr(fd)
            | Request::PeerAddr(fd)
            | Request::TakeError(fd)
            | Request::Poll(fd) => put_fd(out, fd),
        }
    }
}

fn put_fd(out: &mut Vec<u8>, fd: Fd) {
    out.extend(fd.0.to_be_bytes());
}

/// Family, address in 16 bytes, port.
fn put_addr(out: &mut Vec<u8>, addr: Option<SocketAddr>) {
    let mut bytes = [0; 16];
    let family = match addr.map(|addr| addr.ip()) {
        None => 0,
        Some(IpAddr::V4(v4)) => {
            bytes[..4].copy_from_slice(&v4.octets());
            4
        }
        Some(IpAddr::V6(v6)) => {
            bytes = v6.octets();
            6
        }
    };
    out.push(family);
    out.extend(bytes);
    out.extend(addr.map_or(0, |addr| addr.port()).to_be_bytes());
}

fn socket_numbers(domain: Domain, kind: Kind, protocol: Protocol) -> [u8; 3] {
    let domain = match domain {
        Domain::Inet => 4,
        Domain::Inet6 => 6,
    };
    let kind = match kind {
        Kind::Stream => 1,
        Kind::Datagram => 2,
        _ => 3,
    };
    let protocol = match protocol {
        Protocol::Default => 0,
        Protocol::Tcp => 6,
        Protocol::Udp => 17,
        _ => 1,
    };
    [domain, kind, protocol]
}

fn how_number(how: How) -> u8 {
    match how {
        How::Read => 0,
        How::Write => 1,
        _ => 2,
    }
}

fn option_number(name: OptionName) -> u8 {
    match name {
        OptionName::RecvBuffer => 1,
        OptionName::SendBuffer => 2,
        OptionName::ReuseAddress => 3,
        OptionName::Broadcast => 4,
        OptionName::KeepAlive => 5,
        OptionName::Linger => 6,
        OptionName::NoDelay => 7,
        OptionName::MaxSegment => 8,
        OptionName::Ttl => 9,
        OptionName::V6Only => 10,
        OptionName::MulticastTtl => 11,
        OptionName::MulticastLoop => 12,
        _ => 0,
    }
}

const JOIN_GROUP: u8 = 13;
const LEAVE_GROUP: u8 = 14;

fn put_option(out: &mut Vec<u8>, option: SocketOption) {
    let mut put = |name: u8, values: &[u64]| {
        out.push(name);
        values.iter().for_each(|value| out.extend(value.to_be_bytes()));
    };
    let number = |len: usize| u64::try_from(len).unwrap_or(u64::MAX);
    let nanos = |span: Option<Duration>| span.map_or(ABSENT, |span| Time::from(span).as_nanos());
    match option {
        SocketOption::RecvBuffer(len) => put(1, &[number(len)]),
        SocketOption::SendBuffer(len) => put(2, &[number(len)]),
        SocketOption::ReuseAddress(on) => put(3, &[on.into()]),
        SocketOption::Broadcast(on) => put(4, &[on.into()]),
        SocketOption::KeepAlive(it) => {
            let KeepAlive { idle, interval, probes, .. } = it.unwrap_or_default();
            let probes = probes.map_or(ABSENT, u64::from);
            put(5, &[it.is_some().into(), nanos(idle), nanos(interval), probes]);
        }
        SocketOption::Linger(span) => put(6, &[nanos(span)]),
        SocketOption::NoDelay(on) => put(7, &[on.into()]),
        SocketOption::MaxSegment(len) => put(8, &[len.into()]),
        SocketOption::Ttl(ttl) => put(9, &[ttl.into()]),
        SocketOption::V6Only(on) => put(10, &[on.into()]),
        SocketOption::MulticastTtl(ttl) => put(11, &[ttl.into()]),
        SocketOption::MulticastLoop(on) => put(12, &[on.into()]),
        SocketOption::JoinGroup(group) => {
            put(JOIN_GROUP, &[]);
            put_addr(out, Some(SocketAddr::new(group, 0)));
        }
        SocketOption::LeaveGroup(group) => {
            put(LEAVE_GROUP, &[]);
            put_addr(out, Some(SocketAddr::new(group, 0)));
        }
        // A later option, which no process has.
        _ => put(0, &[0]),
    }
}

/// What a process answered.
#[derive(Debug)]
pub(super) struct Answer {
    /// Which request it answers.
    pub(super) number: u32,
    /// When the stack's next timer is due.
    pub(super) timeout: Option<Time>,
    pub(super) changed: Vec<Fd>,
    pub(super) packets: Vec<Bytes>,
    /// What the request gave, or its error.
    pub(super) result: Result<Fields, Errno>,
}

/// Reads an answer; the error says which part of it is wrong.
pub(super) fn decode(frame: Bytes) -> Result<Answer, String> {
    let mut fields = Fields(frame);
    let short = || "it ends before its result".to_owned();
    let number = fields.u32().ok_or_else(short)?;
    let errno = fields.u16().ok_or_else(short)?;
    let timeout = fields.u64().ok_or_else(short)?;
    let changed = (0..fields.count("changed descriptors")?).map(|_| fields.u32().map(Fd));
    let changed = changed.collect::<Option<_>>().ok_or_else(short)?;
    let packets = (0..fields.count("packets")?).map(|_| {
        let len = fields.u16()?;
        fields.bytes(len.into())
    });
    let packets = packets.collect::<Option<_>>().ok_or_else(short)?;
    let result = match errno {
        0 => Ok(fields),
        _ if !fields.0.is_empty() => return Err(format!("after the error {errno} comes a result")),
        _ => Err(errno_of(errno).ok_or_else(|| format!("its error number {errno} is unknown"))?),
    };
    let timeout = (timeout != ABSENT).then(|| Time::from_nanos(timeout));
    Ok(Answer { number, timeout, changed, packets, result })
}

fn errno_of(number: u16) -> Option<Errno> {
    Errno::ALL.iter().copied().find(|errno| errno.number() == i32::from(number))
}

/// What is left to read of an answer.
#[derive(Debug)]
pub(super) struct Fields(Bytes);

impl Fields {
    pub(super) fn u8(&mut self) -> Option<u8> {
        self.0.try_get_u8().ok()
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.0.try_get_u16().ok()
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.0.try_get_u32().ok()
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.0.try_get_u64().ok()
    }

    fn bytes(&mut self, len: usize) -> Option<Bytes> {
        (len <= self.0.len()).then(|| self.0.split_to(len))
    }

    fn count(&mut self, of: &str) -> Result<usize, String> {
        let count = usize::from(self.u16().ok_or("it ends before its result")?);
        if count > REPORTS_MAX {
            return Err(format!("it has {count} {of}, more than {REPORTS_MAX}"));
        }
        Ok(count)
    }

    /// All that is left.
    pub(super) fn rest(self) -> Bytes {
        self.0
    }

    /// Nothing is left.
    pub(super) fn end(self) -> Option<()> {
        self.0.is_empty().then_some(())
    }

    pub(super) fn addr(&mut self) -> Option<SocketAddr> {
        let family = self.u8()?;
        let bytes = self.bytes(16)?;
        let port = self.u16()?;
        let ip = match family {
            4 => IpAddr::from(<[u8; 4]>::try_from(&bytes[..4]).ok()?),
            6 => IpAddr::from(<[u8; 16]>::try_from(&bytes[..]).ok()?),
            _ => return None,
        };
        Some(SocketAddr::new(ip, port))
    }

    /// An error number, 0 for none.
    pub(super) fn errno(&mut self) -> Option<Option<Errno>> {
        match self.u16()? {
            0 => Some(None),
            number => errno_of(number).map(Some),
        }
    }

    pub(super) fn readiness(&mut self) -> Option<Readiness> {
        let bits = self.u8()?;
        let has = |bit: u8| bits & bit != 0;
        let readiness = Readiness { readable: has(1), writable: has(2), error: has(4), hang_up: has(8) };
        (bits < 16).then_some(readiness)
    }

    pub(super) fn option(&mut self) -> Option<SocketOption> {
        let name = self.u8()?;
        let value = self.u64()?;
        let span = |nanos: u64| (nanos != ABSENT).then(|| Duration::from_nanos(nanos));
        let on = match value {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        };
        Some(match name {
            1 => SocketOption::RecvBuffer(value.try_into().ok()?),
            2 => SocketOption::SendBuffer(value.try_into().ok()?),
            3 => SocketOption::ReuseAddress(on?),
            4 => SocketOption::Broadcast(on?),
            5 => {
                let mut keep_alive = KeepAlive::default();
                keep_alive.idle = span(self.u64()?);
                keep_alive.interval = span(self.u64()?);
                let probes = self.u64()?;
                keep_alive.probes = if probes == ABSENT { None } else { Some(probes.try_into().ok()?) };
                SocketOption::KeepAlive(on?.then_some(keep_alive))
            }
            6 => SocketOption::Linger(span(value)),
            7 => SocketOption::NoDelay(on?),
            8 => SocketOption::MaxSegment(value.try_into().ok()?),
            9 => SocketOption::Ttl(value.try_into().ok()?),
            10 => SocketOption::V6Only(on?),
            11 => SocketOption::MulticastTtl(value.try_into().ok()?),
            12 => SocketOption::MulticastLoop(on?),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The frames of the example in the document: each line is hexadecimal digits, and after two spaces
    /// words.
    fn documented() -> Vec<Bytes> {
        let document = include_str!("../../../fixtures/stacks/README.md");
        let (_, example) = document.split_once("```text\n").unwrap();
        let (example, _) = example.split_once("```").unwrap();
        let digits = |line: &str| line.split("  ").next().unwrap().replace(' ', "");
        let frame = |lines: &str| {
            let digits: String = lines.lines().map(digits).collect();
            let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
            (0..digits.len()).step_by(2).map(byte).collect()
        };
        example.split("\n\n").map(frame).collect()
    }

    #[test]
    fn the_documented_frames_are_those_of_the_code() {
        let [init, started, send, sent] = &documented()[..] else { panic!("four frames") };
        let mut config = StackConfig::new([10, 0, 0, 1].into(), "fd00::1".parse().unwrap());
        config.seed = 7;
        let mut frame = Vec::new();
        Request::Init(&config).encode(1, Time::ZERO, &mut frame);
        assert_eq!(frame[..], init[..]);
        let to = "10.0.0.2:7".parse().unwrap();
        Request::SendTo(Fd(4), to, b"hi").encode(3, Time::from_millis(3), &mut frame);
        assert_eq!(frame[..], send[..]);

        let answer = decode(started.slice(4..)).unwrap();
        assert_eq!((answer.number, answer.timeout, answer.changed.len()), (1, None, 0));
        assert_eq!(answer.result.unwrap().rest(), [0, 1, 1][..]);
        let answer = decode(sent.slice(4..)).unwrap();
        assert_eq!((answer.number, answer.packets.len()), (3, 1));
        assert_eq!(answer.result.unwrap().u32(), Some(2));
        assert!(answer.packets[0].ends_with(b"hi"));
    }

    #[test]
    fn every_request_and_error_is_documented() {
        let document = include_str!("../../../fixtures/stacks/README.md");
        let (fd, addr) = (Fd(0), "10.0.0.2:7".parse().unwrap());
        let config = StackConfig::new([10, 0, 0, 1].into(), "fd00::1".parse().unwrap());
        for (kind, request) in [
            Request::Init(&config),
            Request::Timeout,
            Request::Input(&[]),
            Request::Socket(Domain::Inet, Kind::Stream, Protocol::Default),
            Request::Bind(fd, addr),
            Request::Listen(fd, 0),
            Request::Accept(fd),
            Request::Connect(fd, None),
            Request::Send(fd, &[]),
            Request::SendTo(fd, addr, &[]),
            Request::Recv(fd, 0),
            Request::RecvFrom(fd, 0),
            Request::Shutdown(fd, How::Both),
            Request::Close(fd),
            Request::LocalAddr(fd),
            Request::PeerAddr(fd),
            Request::SetOption(fd, SocketOption::NoDelay(true)),
            Request::GetOption(fd, OptionName::NoDelay),
            Request::TakeError(fd),
            Request::Poll(fd),
        ]
        .into_iter()
        .enumerate()
        {
            let (number, name) = request.kind();
            assert_eq!(usize::from(number), kind);
            assert!(document.contains(&format!("\n| {kind} | {name} |")), "{name}");
        }
        let words = document.replace('\n', " ");
        let is_listed = |errno: &Errno| words.contains(&format!("{} {}", errno.number(), errno.name()));
        assert!(Errno::ALL.iter().all(is_listed));
    }

    #[test]
    fn an_option_comes_back_as_it_went() {
        let mut keep_alive = KeepAlive::default();
        (keep_alive.idle, keep_alive.probes) = (Some(Duration::from_secs(3)), Some(4));
        for option in [
            SocketOption::RecvBuffer(1 << 20),
            SocketOption::SendBuffer(7),
            SocketOption::ReuseAddress(true),
            SocketOption::Broadcast(false),
            SocketOption::KeepAlive(None),
            SocketOption::KeepAlive(Some(keep_alive)),
            SocketOption::Linger(None),
            SocketOption::Linger(Some(Duration::ZERO)),
            SocketOption::NoDelay(true),
            SocketOption::MaxSegment(536),
            SocketOption::Ttl(1),
            SocketOption::V6Only(true),
            SocketOption::MulticastTtl(2),
            SocketOption::MulticastLoop(false),
        ] {
            let mut bytes = Vec::new();
            put_option(&mut bytes, option);
            let mut fields = Fields(bytes.into());
            assert_eq!(fields.option(), Some(option));
            assert_eq!(fields.end(), Some(()));
        }
    }
}
