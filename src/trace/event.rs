//! The events of a run.

use crate::model::{HostId, Note, PacketId, Recorder, TcpNote, Time, What};

/// All events of a run, in order.
///
/// ```
/// use faultwire::time::Time;
/// use faultwire::trace::{Call, HostId, SocketId, Trace, What};
///
/// let mut trace = Trace::new(["client", "server"]);
/// let call = Call::Connect("10.0.0.2:80".parse()?);
/// let what = What::Call { host: HostId(0), socket: SocketId(0), call, error: None };
/// trace.push(Time::from_millis(2), what);
/// assert_eq!(trace.calls_of(HostId(0)).count(), 1);
/// assert!(trace.text().ends_with("client s0 connect 10.0.0.2:80\n"), "{}", trace.text());
/// println!("{}", trace.diagram(&Default::default()));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    hosts: Vec<String>,
    events: Vec<Event>,
    windows: Vec<CongestionWindow>,
    packets: u32,
    /// Events are not kept.
    is_silent: bool,
}

/// What a connection's congestion window became.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub struct CongestionWindow {
    /// When.
    pub at: Time,
    /// How many events of the trace came before.
    pub place: usize,
    /// The host.
    pub host: HostId,
    /// The connection's port at this host.
    pub port: u16,
    /// The peer's port.
    pub peer: u16,
    /// The window, in bytes.
    pub bytes: u32,
}

impl CongestionWindow {
    /// The note that said so.
    pub fn what(&self) -> What {
        let note = TcpNote::CongestionWindow(self.bytes);
        What::Note { host: self.host, note: Note::Tcp { port: self.port, peer: self.peer, note } }
    }
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event {
    /// When.
    pub at: Time,
    /// What.
    pub what: What,
}

/// Events that a new trace has room for: most runs are short, and growing step by step costs a copy each
/// time.
const ROOM: usize = 128;

impl Trace {
    /// An empty trace of a run between these hosts.
    pub fn new(hosts: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Trace {
            hosts: hosts.into_iter().map(Into::into).collect(),
            events: Vec::with_capacity(ROOM),
            windows: Vec::new(),
            packets: 0,
            is_silent: false,
        }
    }

    /// A trace that numbers packets and keeps no event: for a run of which nothing is asked but how it ended.
    pub fn silent(hosts: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let hosts = hosts.into_iter().map(Into::into).collect();
        Trace { hosts, is_silent: true, ..Trace::default() }
    }

    /// Whether events are kept. Where they are not, there is no need to build one.
    pub fn keeps_events(&self) -> bool {
        !self.is_silent
    }

    /// The names of the hosts.
    pub fn hosts(&self) -> &[String] {
        &self.hosts
    }

    /// The name of a host; `?` for one that is not in this run.
    pub fn host_name(&self, host: HostId) -> &str {
        self.hosts.get(usize::from(host.0)).map_or("?", String::as_str)
    }

    /// The host of that name.
    pub fn host(&self, name: &str) -> Option<HostId> {
        let index = self.hosts.iter().position(|host| host == name)?;
        u16::try_from(index).ok().map(HostId)
    }

    /// The events, in order.
    pub fn events(&self) -> &[Event] {
        &self.events
    }

    /// What the congestion windows of the hosts' connections became, in order. They change with every
    /// acknowledgement, and are no events: neither diagrams nor golden traces show them, but the
    /// [`hash`](Trace::hash) counts them.
    pub fn congestion_windows(&self) -> &[CongestionWindow] {
        &self.windows
    }

    /// Adds an event, where events are kept. The note of a congestion window goes to
    /// [`congestion_windows`](Trace::congestion_windows).
    pub fn push(&mut self, at: Time, what: What) {
        if !self.keeps_events() {
            return;
        }
        match what {
            What::Note { host, note: Note::Tcp { port, peer, note: TcpNote::CongestionWindow(bytes) } } => {
                let place = self.events.len();
                self.windows.push(CongestionWindow { at, place, host, port, peer, bytes });
            }
            what => self.events.push(Event { at, what }),
        }
    }

    /// Forgets all events behind the first `len`, and the congestion windows behind those; the numbering of
    /// packets goes on.
    pub fn truncate(&mut self, len: usize) {
        self.events.truncate(len);
        let kept = self.windows.partition_point(|window| window.place <= len);
        self.windows.truncate(kept);
    }

    /// Counts all times from the first packet. What comes before it is at zero then.
    pub fn count_from_first_packet(&mut self) {
        let is_sent = |event: &&Event| matches!(event.what, What::Sent { .. } | What::Injected { .. });
        let Some(first) = self.events.iter().find(is_sent).map(|event| event.at) else { return };
        for at in self.events.iter_mut().map(|event| &mut event.at) {
            *at = Time::from(at.since(first));
        }
        for window in &mut self.windows {
            window.at = Time::from(window.at.since(first));
        }
    }

    /// Gives each fault that took place the number that `number` gives for its own: where a plan has lost
    /// other faults.
    pub fn renumber_faults(&mut self, number: impl Fn(usize) -> usize) {
        for event in &mut self.events {
            if let What::Fault { fault, .. } = &mut event.what {
                *fault = number(*fault);
            }
        }
    }

    /// The number for the next packet. Packets after 2^32 - 1 others, which only a relay that runs for days
    /// can see, share the last number.
    pub fn next_packet(&mut self) -> PacketId {
        let id = PacketId(self.packets);
        self.packets = self.packets.saturating_add(1);
        id
    }

    /// How many packets were put on the wire; 2^32 - 1 where there were more.
    pub fn packet_count(&self) -> u32 {
        self.packets
    }
}

impl Recorder for Trace {
    fn next_packet(&mut self) -> PacketId {
        self.next_packet()
    }

    fn push(&mut self, at: Time, what: What) {
        self.push(at, what);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silent_trace_numbers_packets_and_keeps_nothing() {
        let mut trace = Trace::silent(["client", "server"]);
        assert!(!trace.keeps_events());
        assert_eq!(trace.next_packet(), PacketId(0));
        trace.push(Time::ZERO, What::Crashed(HostId(1)));
        assert_eq!(trace.next_packet(), PacketId(1));
        assert_eq!((trace.events(), trace.host("server")), ([].as_slice(), Some(HostId(1))));
    }

    #[test]
    fn congestion_windows_stand_apart_and_are_forgotten_with_what_came_before_them() {
        let told = |bytes| What::Note {
            host: HostId(1),
            note: Note::Tcp { port: 7, peer: 49_152, note: TcpNote::CongestionWindow(bytes) },
        };
        let mut trace = Trace::new(["client", "server"]);
        for ms in 0..3_u32 {
            trace.push(Time::from_millis(ms.into()), What::Crashed(HostId(0)));
            trace.push(Time::from_millis(ms.into()), told(1_000 * (ms + 1)));
        }
        assert_eq!(trace.events().len(), 3);
        let bytes = |trace: &Trace| -> Vec<u32> {
            trace.congestion_windows().iter().map(|window| window.bytes).collect()
        };
        assert_eq!(bytes(&trace), [1_000, 2_000, 3_000]);
        let (hash, text) = (trace.hash(), trace.text());
        let mut other = trace.clone();
        other.windows[1].bytes += 1;
        assert_ne!(other.hash(), hash, "equal hashes mean equal traces");
        assert_eq!(other.text(), text);
        trace.truncate(2);
        assert_eq!(bytes(&trace), [1_000, 2_000]);
        trace.truncate(0);
        assert_eq!(bytes(&trace), [0; 0]);
        let mut silent = Trace::silent(["client", "server"]);
        silent.push(Time::ZERO, told(1));
        assert_eq!(bytes(&silent), [0; 0]);
    }

    #[test]
    fn times_count_from_the_first_packet() {
        let mut trace = Trace::new(["client", "server"]);
        trace.count_from_first_packet();
        assert_eq!(trace.events(), []);
        let from = HostId(0);
        trace.push(Time::from_millis(5), What::Crashed(HostId(1)));
        let bytes = bytes::Bytes::from_static(&[0x45]);
        trace.push(Time::from_millis(90), What::Injected { from, to: HostId(1), packet: PacketId(0), bytes });
        trace.push(Time::from_millis(92), What::Restarted(HostId(1)));
        trace.count_from_first_packet();
        let at: Vec<Time> = trace.events().iter().map(|event| event.at).collect();
        assert_eq!(at, [Time::ZERO, Time::ZERO, Time::from_millis(2)]);
    }

    #[test]
    fn the_last_number_is_shared() {
        let mut trace = Trace { packets: u32::MAX - 1, ..Trace::default() };
        let numbers = std::array::from_fn(|_| trace.next_packet().0);
        assert_eq!(numbers, [u32::MAX - 1, u32::MAX, u32::MAX]);
        assert_eq!(trace.packet_count(), u32::MAX);
    }
}
