//! What the checks ask of a trace: which sockets belong together, and what went through them.

use std::collections::BTreeMap;

use faultwire::errno::Errno;
use faultwire::trace::{Call, HostId, ProgramCall, SocketId, Trace};

/// A socket of a host.
pub(super) type Side = (HostId, SocketId);

/// The two sockets of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Connection {
    pub(super) client: Side,
    pub(super) server: Side,
}

/// What went through a socket, from its program's view.
#[derive(Clone, Debug, Default)]
pub(super) struct Passed {
    /// All that sends took, one after the other.
    pub(super) sent: Vec<u8>,
    /// All that receives gave, one after the other.
    pub(super) received: Vec<u8>,
    /// How many receives gave something.
    pub(super) reads: u64,
    /// A receive gave the end of the stream.
    pub(super) ended: bool,
    /// The errors of sends and receives.
    pub(super) errors: Vec<Errno>,
}

/// The call's socket.
pub(super) fn side(call: &ProgramCall<'_>) -> Side {
    (call.host, call.socket)
}

/// A call that ended well, or nothing.
fn done<'a>(call: ProgramCall<'a>) -> Option<ProgramCall<'a>> {
    call.error.is_none().then_some(call)
}

/// The sockets that `connect` to this port gave, in the order of success.
pub(super) fn connected(trace: &Trace, port: u16) -> impl Iterator<Item = Side> {
    trace
        .calls()
        .filter_map(done)
        .filter(move |call| matches!(call.call, Call::Connect(to) if to.port() == port))
        .map(|call| side(&call))
}

/// The sockets that `accept` on this port gave, in order.
pub(super) fn accepted(trace: &Trace, port: u16) -> impl Iterator<Item = Side> {
    let listeners: Vec<Side> = trace
        .calls()
        .filter_map(done)
        .filter(|call| matches!(call.call, Call::Listen(at) if at.port() == port))
        .map(|call| side(&call))
        .collect();
    trace.calls().filter_map(done).filter_map(move |call| match call.call {
        Call::Accept { socket, .. } if listeners.contains(&side(&call)) => Some((call.host, *socket)),
        _ => None,
    })
}

/// The connections to a port, for clients that connect one after the other.
pub(super) fn connections(trace: &Trace, port: u16) -> Vec<Connection> {
    connected(trace, port)
        .zip(accepted(trace, port))
        .map(|(client, server)| Connection { client, server })
        .collect()
}

/// What went through a socket.
pub(super) fn passed(trace: &Trace, which: Side) -> Passed {
    trace.calls().filter(|call| side(call) == which).fold(Passed::default(), |passed, call| passed.and(&call))
}

/// What went through each socket that sent or received anything.
pub(super) fn all_passed(trace: &Trace) -> BTreeMap<Side, Passed> {
    let mut all: BTreeMap<Side, Passed> = BTreeMap::new();
    for call in trace.calls() {
        let passed = all.entry(side(&call)).or_default();
        *passed = std::mem::take(passed).and(&call);
    }
    all
}

impl Passed {
    fn and(mut self, call: &ProgramCall<'_>) -> Self {
        match (call.call, call.error) {
            (Call::Send { data, .. }, None) => self.sent.extend_from_slice(data),
            (Call::Recv { data, .. }, None) if data.is_empty() => self.ended = true,
            (Call::Recv { data, .. }, None) => {
                self.received.extend_from_slice(data);
                self.reads += 1;
            }
            (Call::Send { .. } | Call::Recv { .. }, Some(errno)) => self.errors.push(errno),
            _ => {}
        }
        self
    }
}
