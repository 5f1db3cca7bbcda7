//! Where a run leaves another, by what the programs could see and not by when: a fault's first consequence.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use super::diagram::Payloads;
use super::{Call, HostId, ProgramCall, SocketId, Trace, What};
use crate::model::Time;

/// From here on ports are drawn at random.
const PORT_EPHEMERAL: u16 = 32_768;

/// The first call of a program that did not come back as it did in another run, or did so in one run only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Divergence<'a> {
    /// Until when the runs are alike but for times: the earlier of both calls.
    pub at: Time,
    /// Whose program made the call.
    pub host: HostId,
    /// The call in this run; `None` if no call stands in the place of the other run's.
    pub found: Option<ProgramCall<'a>>,
    /// The call in the other run; `None` if it has none in the place of this run's.
    pub expected: Option<ProgramCall<'a>>,
}

impl Divergence<'_> {
    /// `recv the end instead of recv 5 B: "hello"`; `nothing` stands for no call.
    pub fn words(&self, payloads: &Payloads) -> String {
        let words = |call: Option<ProgramCall<'_>>| {
            call.map_or_else(|| "nothing".to_owned(), |call| payloads.call(call.call, call.error))
        };
        format!("{} instead of {}", words(self.found), words(self.expected))
    }
}

impl Trace {
    /// Where this run leaves another run of the same programs; `None` if all calls came back alike.
    ///
    /// Calls are compared one by one for each socket, what it received, what it sent, and the rest on their
    /// own: so their order among sockets and directions, and their times, do not matter. Of a stream the
    /// bytes are compared, and not how calls divide them. Where several calls differ it is the one that
    /// either run made first; a call that one run lacks because it ended earlier comes last.
    ///
    /// ```
    /// use faultwire::trace::Trace;
    ///
    /// let (one, other) = (Trace::new(["client", "server"]), Trace::new(["client", "server"]));
    /// assert_eq!(one.divergence_from(&other), None);
    /// ```
    pub fn divergence_from<'a>(&'a self, other: &'a Trace) -> Option<Divergence<'a>> {
        let (mine, theirs) = (Calls::of(self), Calls::of(other));
        let keys: BTreeSet<Key> = mine.by_key.keys().chain(theirs.by_key.keys()).copied().collect();
        let ends = [self, other].map(|trace| trace.events().last().map_or(Time::ZERO, |event| event.at));
        let differs = |key: Key| {
            let is_stream = [&mine, &theirs].iter().any(|calls| calls.streams.contains(&key.socket));
            let of = |calls: &Calls<'a>| calls.by_key.get(&key).cloned().unwrap_or_default();
            let (found, expected) = first_difference(is_stream, &of(&mine), &of(&theirs))?;
            let at = [found, expected].into_iter().flatten().map(|call| call.at).min()?;
            // Where one of them ended earlier, nothing is known of what it would have done.
            let is_cut = match (found, expected) {
                (None, Some(expected)) => expected.at >= ends[0],
                (Some(found), None) => found.at >= ends[1],
                _ => false,
            };
            Some((is_cut, Divergence { at, host: key.socket.host, found, expected }))
        };
        let first = keys.into_iter().filter_map(differs).min_by_key(|(is_cut, it)| (*is_cut, it.at));
        first.map(|(_, divergence)| divergence)
    }
}

/// A socket of a host that may have started anew.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Socket {
    host: HostId,
    incarnation: u32,
    id: SocketId,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Direction {
    In,
    Out,
    Neither,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    socket: Socket,
    direction: Direction,
}

/// The calls of a run.
#[derive(Default)]
struct Calls<'a> {
    by_key: BTreeMap<Key, Vec<ProgramCall<'a>>>,
    streams: BTreeSet<Socket>,
}

impl<'a> Calls<'a> {
    fn of(trace: &'a Trace) -> Calls<'a> {
        let mut calls = Calls::default();
        let mut incarnations: BTreeMap<HostId, u32> = BTreeMap::new();
        for event in trace.events() {
            if let What::Restarted(host) = event.what {
                *incarnations.entry(host).or_default() += 1;
            }
            let Some(call) = event.program_call() else { continue };
            let incarnation = incarnations.get(&call.host).copied().unwrap_or_default();
            let socket = Socket { host: call.host, incarnation, id: call.socket };
            let direction = match call.call {
                Call::Recv { .. } => Direction::In,
                Call::Send { .. } | Call::Shutdown | Call::Close => Direction::Out,
                _ => Direction::Neither,
            };
            match (call.call, call.error) {
                (Call::Accept { socket: id, .. }, None) => {
                    calls.streams.extend([Socket { id: *id, ..socket }]);
                }
                (Call::Recv { from: None, .. } | Call::Shutdown, None) => calls.streams.extend([socket]),
                _ => {}
            }
            calls.by_key.entry(Key { socket, direction }).or_default().push(call);
        }
        calls
    }
}

type Pair<'a> = (Option<ProgramCall<'a>>, Option<ProgramCall<'a>>);

/// The first calls that differ, on one socket in one direction.
fn first_difference<'a>(
    is_stream: bool,
    mine: &[ProgramCall<'a>],
    theirs: &[ProgramCall<'a>],
) -> Option<Pair<'a>> {
    let (mut mine, mut theirs) = (mine.iter().copied(), theirs.iter().copied());
    let (mut one, mut other) = (mine.next(), theirs.next());
    // How many bytes of each call were compared before.
    let (mut of_one, mut of_other) = (0, 0);
    loop {
        let (Some(found), Some(expected)) = (one, other) else {
            return (one.is_some() || other.is_some()).then_some((one, other));
        };
        match (carried(&found), carried(&expected)) {
            (Some(a), Some(b)) if is_stream => {
                let len = (a.len() - of_one).min(b.len() - of_other);
                if a[of_one..of_one + len] != b[of_other..of_other + len] {
                    return Some((one, other));
                }
                (of_one, of_other) = (of_one + len, of_other + len);
                if of_one == a.len() {
                    (one, of_one) = (mine.next(), 0);
                }
                if of_other == b.len() {
                    (other, of_other) = (theirs.next(), 0);
                }
            }
            _ if of_one + of_other > 0 || !are_alike(&found, &expected) => return Some((one, other)),
            _ => (one, other) = (mine.next(), theirs.next()),
        }
    }
}

/// The bytes that a call sent or received.
fn carried<'a>(call: &ProgramCall<'a>) -> Option<&'a [u8]> {
    match call.call {
        Call::Send { data, .. } | Call::Recv { data, .. } if call.error.is_none() && !data.is_empty() => {
            Some(data)
        }
        _ => None,
    }
}

/// Whether two calls came back alike. Ports that are drawn may differ, and so may the numbers of sockets.
fn are_alike(one: &ProgramCall<'_>, other: &ProgramCall<'_>) -> bool {
    let fixed = |addr: &SocketAddr| (addr.ip(), Some(addr.port()).filter(|port| *port < PORT_EPHEMERAL));
    let are_same =
        |a: &Option<SocketAddr>, b: &Option<SocketAddr>| a.as_ref().map(fixed) == b.as_ref().map(fixed);
    let same_calls = match (one.call, other.call) {
        (Call::Bind(a), Call::Bind(b))
        | (Call::Connect(a), Call::Connect(b))
        | (Call::Listen(a), Call::Listen(b)) => fixed(a) == fixed(b),
        (Call::Accept { peer: a, .. }, Call::Accept { peer: b, .. }) => are_same(a, b),
        (Call::Send { to, data }, Call::Send { to: to_other, data: data_other }) => {
            are_same(to, to_other) && data == data_other
        }
        (
            Call::Recv { from, data, full_len },
            Call::Recv { from: from_other, data: data_other, full_len: len_other },
        ) => are_same(from, from_other) && (data, full_len) == (data_other, len_other),
        (a, b) => a == b,
    };
    same_calls && one.error == other.error
}

#[cfg(test)]
mod tests;
