//! Injected segments: resets, SYNs and acknowledgements that name a connection and do not fit it.
//!
//! Their sequence numbers follow those of the run without faults, so they can be made only where runs repeat.

use std::io;

use bytes::Bytes;
use faultwire::errno::Errno;
use faultwire::fault::{Action, Anchor, Class, Direction, EventKind, FaultPlan};
use faultwire::fault::{Injection, Packet, Rejection, When};
use faultwire::network::Network;
use faultwire::packet::{IcmpMessage, Path, TcpFlags, TcpSegment, Transport, rejected};
use faultwire::time::Time;
use faultwire::trace::{HostId, Sending, Trace};
use faultwire_sim::{Run, Scenario};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::pattern::pattern;
use super::programs::{DATA, Programs, accept, connect, listen, read_to_end, say};
use super::segments::{Happened, Segment, View, flows};
use super::streams::{self, Streams};
use crate::study::Seen;

/// Questions and answers in turns: a stray finds the connection at rest, and the connection is used after it.
#[derive(Debug)]
pub(super) struct Strays;

const TURNS: usize = 4;
/// A question, or an answer, in bytes.
const TEXT: usize = 500;

impl Streams for Strays {
    const UP: (u8, usize) = (41, TURNS * TEXT);
    const DOWN: (u8, usize) = (42, TURNS * TEXT);
}

impl Programs for Strays {
    const NAME: &'static str = "tcp-strays";

    async fn serve<N: Network>(net: N) -> io::Result<()> {
        let listener = listen(&net, DATA, &[]).await?;
        let mut stream = accept::<N>(&listener).await?;
        let (key, len) = Self::DOWN;
        for answer in pattern(key, len).chunks(TEXT) {
            stream.read_exact(&mut [0; TEXT]).await?;
            say(&mut stream, answer).await?;
        }
        read_to_end(&mut stream, 16).await?;
        stream.shutdown().await
    }

    async fn call<N: Network>(net: N) -> io::Result<()> {
        let mut stream = connect(&net, DATA).await?;
        let (key, len) = Self::UP;
        for question in pattern(key, len).chunks(TEXT) {
            say(&mut stream, question).await?;
            stream.read_exact(&mut [0; TEXT]).await?;
        }
        stream.shutdown().await?;
        read_to_end(&mut stream, 16).await
    }
}

/// The addresses, the source port and the destination port of a segment.
type Way = (Path, u16, u16);

/// What a segment says in numbers.
#[derive(Clone, Copy)]
struct Numbers {
    way: Way,
    /// The sequence number behind it.
    end: u32,
    ack: u32,
    window: u32,
}

impl Numbers {
    fn of(sending: &Sending<'_>) -> Option<Numbers> {
        let view = sending.view()?;
        let Transport::Tcp { src, dst, seq, ack, flags, window, payload, .. } = view.transport else {
            return None;
        };
        let way = (Path::new(view.from, view.to)?, src, dst);
        let marks = u32::from(flags.has(TcpFlags::SYN)) + u32::from(flags.has(TcpFlags::FIN));
        let end = seq.wrapping_add(u32::try_from(payload.len()).ok()? + marks);
        Some(Numbers { way, end, ack, window: window.into() })
    }
}

/// A host that a stray is sent to, at the moment when some segment was sent.
struct Target {
    /// The way of the stray.
    direction: Direction,
    way: Way,
    /// What the host expects next, once all that was sent to it by then has come.
    next: u32,
    /// Where the window ends that it has offered.
    edge: u32,
    /// What it has sent so far.
    sent: u32,
}

/// The segment that a stray follows, and the hosts at either end of it: the one that it goes to, then its
/// sender.
struct Moment {
    anchor: Anchor,
    /// The segment that the stray follows.
    segment: Bytes,
    targets: [Target; 2],
}

impl Moment {
    fn of(trace: &Trace, from: &str, to: &str, packet: Packet) -> Option<Moment> {
        let hosts = [trace.host(from)?, trace.host(to)?];
        // What either host has sent last.
        let mut last: [Option<Numbers>; 2] = [None, None];
        for sending in trace.sendings() {
            let (side, numbers) =
                (hosts.iter().position(|host| *host == sending.from)?, Numbers::of(&sending)?);
            last[side] = Some(numbers);
            if side == 1 || !sending.label.is_some_and(|label| label.is(&packet)) {
                continue;
            }
            let sender = last[0]?;
            let (path, src, dst) = sender.way;
            // Before the peer's first segment everything but the addresses is unknown.
            let turned = Numbers { way: (path.reversed(), dst, src), end: 0, ack: sender.end, window: 0 };
            let receiver = last[1].unwrap_or(turned);
            let [there, back] = [Direction::new(from, to), Direction::new(to, from)];
            let target = |direction, of: Numbers, by: Numbers| Target {
                direction,
                way: by.way,
                next: by.end,
                edge: of.ack.wrapping_add(of.window),
                sent: of.end,
            };
            return Some(Moment {
                anchor: Anchor::new(there.clone(), packet),
                segment: sending.bytes.clone(),
                targets: [target(there, receiver, sender), target(back, sender, receiver)],
            });
        }
        None
    }

    /// A plan in which that segment comes to one of the two.
    fn plan(&self, title: &str, target: &Target, flags: &[TcpFlags], seq: u32, ack: u32) -> FaultPlan {
        let flags = flags.iter().fold(0, |all, flag| all | flag.0);
        self.inject(title, target, segment(target.way, TcpFlags(flags), seq, ack))
    }

    /// A plan in which that packet comes to one of the two.
    fn inject(&self, title: &str, target: &Target, packet: Bytes) -> FaultPlan {
        let kind = EventKind::Inject(Injection::Bytes { direction: target.direction.clone(), packet });
        let when = When::After(self.anchor.clone());
        FaultPlan::new().title(format!("{title} comes to the {}", target.direction.to)).event(kind, when)
    }

    /// Like `plan`, but the segment that it follows is lost.
    fn and_lost(&self, plan: FaultPlan) -> FaultPlan {
        let Anchor { direction, packet, .. } = self.anchor.clone();
        plan.fault(direction, packet, Action::Drop)
    }
}

/// The length of a header of IPv4, in bytes.
const HEADER: usize = 20;
const HOP_LIMIT: u8 = 64;

/// A segment without text and options.
fn segment((path, src, dst): Way, flags: TcpFlags, seq: u32, ack: u32) -> Bytes {
    TcpSegment { src, dst, seq, ack, flags, window: 0x4000, options: &[], payload: &[] }
        .packet(path, HOP_LIMIT)
}

const RST: TcpFlags = TcpFlags::RST;
const SYN: TcpFlags = TcpFlags::SYN;
const ACK: TcpFlags = TcpFlags::ACK;

/// Further than any window goes.
const FAR: u32 = 100_000;

/// Resets and SYNs around the window of either host in the middle of the conversation, and what the handshake
/// must not take. None in a lab: a real kernel draws its numbers anew in each run.
pub(super) fn plans(scenario: &Scenario) -> Vec<FaultPlan> {
    if !scenario.testbed().is_simulated() {
        return Vec::new();
    }
    let run = scenario.run(&FaultPlan::default());
    let moment = |from, to, class, nth| Moment::of(&run.trace, from, to, Packet::nth(class, nth));
    let mut plans = Vec::new();
    let talking = [("client", "server"), ("server", "client")];
    for moment in talking.iter().filter_map(|(from, to)| moment(from, to, Class::Data, 2)) {
        let target = &moment.targets[0];
        let &Target { next, edge, sent, .. } = target;
        let middle = next.wrapping_add(edge.wrapping_sub(next) / 2);
        let places = [
            ("the next", next),
            ("one after the next", next.wrapping_add(1)),
            ("one in the middle of the window", middle),
            ("the last of the window", edge.wrapping_sub(1)),
            ("the first behind the window", edge),
            ("one far behind the window", edge.wrapping_add(FAR)),
            ("one before the window", next.wrapping_sub(1)),
            ("one half of all numbers away", next.wrapping_add(1 << 31)),
        ];
        for (place, seq) in places {
            let kinds: [(&str, &[TcpFlags]); 3] =
                [("a reset", &[RST]), ("a SYN", &[SYN]), ("a SYN-ACK", &[SYN, ACK])];
            for (what, flags) in kinds {
                plans.push(moment.plan(&format!("{what} whose number is {place}"), target, flags, seq, sent));
            }
        }
        // The sender of a segment that is lost is told that more than that has come.
        let sender = &moment.targets[1];
        for beyond in [1, FAR] {
            let ack = sender.sent.wrapping_add(beyond);
            let title = "an acknowledgement of what was never sent";
            plans.push(moment.and_lost(moment.plan(title, sender, &[ACK], sender.next, ack)));
        }
        // It is at rest: whatever it sends is an answer.
        let seq = sender.edge.wrapping_add(FAR);
        plans.push(moment.and_lost(moment.plan("a reset from far away", sender, &[RST], seq, sender.sent)));
    }
    if let Some(moment) = moment("client", "server", Class::Syn, 1) {
        let client = &moment.targets[1];
        let ack = client.sent.wrapping_add(FAR);
        plans.push(moment.plan("a reset of another SYN", client, &[RST, ACK], 0, ack));
        plans.push(moment.plan("a reset of no SYN", client, &[RST], 0, 0));
        let syn = &moment.segment;
        let mut other = syn.to_vec();
        other[HEADER + 5] ^= 1;
        for (title, about) in [("that the port is unreachable", &syn[..]), ("that of another SYN", &other)] {
            let told = rejected(about, Rejection::PortUnreachable);
            plans.extend(told.map(|told| moment.and_lost(moment.inject(title, client, told))));
        }
    }
    if let Some(moment) = moment("server", "client", Class::Syn, 1) {
        let server = &moment.targets[1];
        let ack = server.sent.wrapping_add(FAR);
        let title = "an acknowledgement of another SYN-ACK";
        plans.push(moment.and_lost(moment.plan(title, server, &[ACK], server.next, ack)));
    }
    plans
}

/// The first bytes of the TCP header that an injected ICMP message quotes.
fn complaint(sending: &Sending<'_>) -> Option<Bytes> {
    let Transport::Icmp { message: IcmpMessage::PortUnreachable, payload } = sending.view()?.transport else {
        return None;
    };
    (sending.label.is_none() && payload.len() >= HEADER + 8).then(|| payload.slice(HEADER..HEADER + 8))
}

/// tcp/listens-and-connects: an ICMP message about the SYN ends the attempt to connect. A message about a
/// segment that was never sent does not (RFC 9293, section 3.9.2.2; RFC 5927, section 4.1). It counts the
/// messages.
pub(super) fn hears_refusals(run: &Run) -> Seen {
    let trace = &run.trace;
    let Some(client) = trace.host("client") else { return Seen::NOTHING };
    let quotes: Vec<Bytes> = trace.sendings().filter_map(|it| complaint(&it)).collect();
    let is_its_own = |quote: &Bytes| {
        let mut sent = trace.sendings().filter(|it| it.label.is_some() && it.from == client);
        sent.any(|it| it.bytes.get(HEADER..HEADER + 8) == Some(&quote[..]))
    };
    let seen = quotes.len() as u64;
    match (quotes.iter().any(is_its_own), first_error(trace, client)) {
        (true, Some((_, Errno::ECONNREFUSED))) | (false, None) => Seen::fine(seen),
        _ if quotes.is_empty() => Seen::NOTHING,
        (true, _) => Seen::broken(seen, "the SYN found no port, and connect did not fail with ECONNREFUSED"),
        (false, Some((_, errno))) => {
            Seen::broken(seen, format!("a call failed, as another segment found no port: {errno}"))
        }
    }
}

/// tcp/every-byte, in runs where no connection was reset: whether a reset was right is the matter of
/// [`only_what_fits`].
pub(super) fn every_byte_without_a_reset(run: &Run) -> Seen {
    let is_reset = |host| {
        first_error(&run.trace, host)
            .is_some_and(|(_, errno)| matches!(errno, Errno::ECONNRESET | Errno::ECONNREFUSED))
    };
    if ["server", "client"].iter().filter_map(|name| run.trace.host(name)).any(is_reset) {
        return Seen::fine(0);
    }
    streams::every_byte::<Strays>(run)
}

/// Whether a segment that was heard is a reset that must be believed: one of the SYN (RFC 9293, section
/// 3.10.7.3), or one whose number is the next that is expected (RFC 5961, section 3.2).
fn must_be_believed(view: &View<'_>, segment: &Segment, expected: i64) -> bool {
    let fits = if expected == 0 { segment.ack == Some(view.top) } else { segment.seq == expected };
    segment.is(RST) && fits
}

/// The first call of a host that failed, with its place in the trace.
fn first_error(trace: &Trace, host: HostId) -> Option<(usize, Errno)> {
    trace.events().iter().enumerate().find_map(|(place, event)| {
        let call = event.program_call().filter(|call| call.host == host)?;
        Some((place, call.error?))
    })
}

/// Whether this answers a reset from outside the window, which RFC 9293 (section 3.10.7.4) forbids: a bare
/// acknowledgement right after it that repeats the last one.
fn answers(
    happened: Happened<'_>,
    at: Time,
    outside: &mut Option<Time>,
    said: &mut Option<(i64, i64)>,
) -> bool {
    match happened {
        Happened::Heard { segment, acceptable, .. } => {
            *outside = Some(at).filter(|_| segment.is(RST) && !acceptable);
            false
        }
        Happened::Sent { segment, .. } => {
            let says = segment.ack.map(|ack| (ack, segment.window));
            let before = std::mem::replace(said, says);
            segment.seq == segment.end() && !segment.is(RST) && says == before && *outside == Some(at)
        }
    }
}

/// tcp/reset: no reset ends the connection but one that fits, and no SYN does. Where one did not fit but lay
/// in the window it is answered (RFC 5961, sections 3.2 and 4.2); a reset from outside is not. It counts the
/// resets and SYNs that came.
pub(super) fn only_what_fits(run: &Run) -> Seen {
    let trace = &run.trace;
    // `hears_refusals` judges those.
    if trace.sendings().any(|it| complaint(&it).is_some()) {
        return Seen::NOTHING;
    }
    let mut seen = 0;
    for flow in flows(run).iter().filter(|flow| flow.port() == DATA) {
        for side in [0, 1] {
            let Some(host) = flow.hosts[side] else { continue };
            let mut view = View::new(flow, side);
            let (mut believed, mut unanswered) = (None, None);
            let (mut said, mut outside) = (None, None);
            while let Some((at, happened)) = view.step() {
                if answers(happened, at, &mut outside, &mut said) {
                    return Seen::broken(
                        seen,
                        format!("a reset from outside the window is answered at {at}"),
                    );
                }
                if let Some(came) = unanswered.filter(|came| at > *came) {
                    return Seen::broken(
                        seen,
                        format!("what came into the window at {came} was not answered"),
                    );
                }
                match happened {
                    Happened::Sent { segment, .. } if segment.ack.is_some() => unanswered = None,
                    // A SYN of another number than the connection's is none of its own.
                    Happened::Heard { segment, expected, .. }
                        if segment.is(RST) || (segment.is(SYN) && segment.seq != 0) =>
                    {
                        seen += 1;
                        if believed.is_none() && must_be_believed(&view, segment, expected) {
                            believed = Some(view.place());
                        } else if believed.is_none() && view.in_window(segment.seq) {
                            unanswered = Some(at);
                        }
                    }
                    _ => {}
                }
            }
            let told = first_error(trace, host);
            match (told, believed) {
                (Some((place, errno)), _) if believed.is_none_or(|believed| place < believed) => {
                    let name = trace.host_name(host);
                    let how = format!("a call of {name} failed, and no reset had come that fits: {errno}");
                    return Seen::broken(seen, how);
                }
                (None, Some(_)) => {
                    return Seen::broken(seen, "a reset came that fits, and no call was told of it");
                }
                _ => {}
            }
        }
    }
    Seen::fine(seen)
}
