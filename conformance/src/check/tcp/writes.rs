//! One conversation in many cuts: writes of every size and number, readers of every pace, either side closing
//! first, links of every delay. The outcome is the same each time: all bytes, then the end, and no call
//! fails.

use std::io;
use std::time::Duration;

use faultwire::network::Network;
use faultwire::stack::SocketOption;
use faultwire::trace::Call;
use faultwire_sim::search::{Family, Member};
use faultwire_sim::testbed::{self, Capability, Clock, TestbedRef};
use faultwire_sim::{Net, Run, Scenario};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};

use super::broken_transport::{Bug, Mangled};
use super::calls::{Side, connections, passed, side};
use super::pattern::{difference, pattern};
use super::programs::{DATA, accept, calling, connect_with, listen};
use crate::study::Seen;

/// The study's name.
pub(super) const NAME: &str = "tcp-writes";
/// A side writes no more bytes than that: fewer writes, if they are large.
const BYTES_MAX: usize = 256 * 1024;
/// A slow reader takes this many bytes at once, and waits for [`SLOW`] before each read.
const SIP: usize = 1_000;
const SLOW: Duration = Duration::from_millis(1);
/// One that was stopped takes this many: no single read of it frees half of a common buffer.
const GULP: usize = 16 * 1024;
/// The ordinary number of writes: a broken transport spoils the fourth.
const ORDINARY: u64 = 4;
/// The keys of what the client and the server write.
const KEYS: (u8, u8) = (18, 19);
/// Bytes of a full segment's data at an MTU of 576 and of 1500.
const SEGMENTS: [u64; 2] = [536, 1_460];

/// Who closes its direction before it has seen the other one's end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Closes {
    Client,
    Server,
    Both,
}

/// When a side reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reader {
    Now,
    Slow,
    /// Not before so long.
    Stopped(Duration),
}

/// A member of the family.
#[derive(Clone, Copy, Debug)]
struct Case {
    count: usize,
    size: usize,
    reader: Reader,
    closes: Closes,
    /// The receive buffer, in bytes; the system's own, if `None`.
    buffer: Option<usize>,
    /// How long a side works at most: only if something is lost does it take that long.
    patience: Duration,
}

/// What varies on a testbed.
fn family(testbed: TestbedRef) -> Family {
    let powers = (0..=16).map(|power| 1 << power);
    let family = Family::new()
        .axis("count", [ORDINARY].into_iter().chain((1..=200).filter(|count| *count != ORDINARY)))
        .axis("size", Family::around(powers.chain(SEGMENTS)))
        .axis("reader", ["now", "slow", "stopped"])
        .axis("closes", ["client", "server", "both"])
        .link_delays([Duration::from_millis(50), Duration::from_millis(300)]);
    if !testbed.has(Capability::Options) {
        return family.runs_max(400);
    }
    family.axis("buffer", ["own", "4096", "65536"]).runs_max(match testbed.clock() {
        Clock::Virtual => 700,
        Clock::Ticks(_) => 100,
        Clock::Real if testbed.is_live() => 3,
        Clock::Real => 40,
    })
}

impl Case {
    fn of(member: &Member<'_>, testbed: TestbedRef) -> Option<Case> {
        let (stop, patience) = match testbed.is_simulated() {
            // Time passes in ticks, whatever happens in them.
            true if !testbed.has(Capability::Packets) => (3_000, 20),
            true => (5_000, 200),
            false => (300, 10),
        };
        Some(Case {
            count: member.get("count")?,
            size: member.get("size")?,
            reader: match member.get::<String>("reader")?.as_str() {
                "now" => Reader::Now,
                "slow" => Reader::Slow,
                _ => Reader::Stopped(Duration::from_millis(stop)),
            },
            closes: match member.get::<String>("closes")?.as_str() {
                "client" => Closes::Client,
                "server" => Closes::Server,
                _ => Closes::Both,
            },
            buffer: member.get("buffer"),
            patience: Duration::from_secs(patience),
        })
    }

    /// What a side writes.
    fn bytes(&self, key: u8) -> Vec<u8> {
        let writes = self.count.min((BYTES_MAX / self.size.max(1)).max(1));
        pattern(key, writes * self.size)
    }

    fn options(&self) -> Vec<SocketOption> {
        self.buffer.map(SocketOption::RecvBuffer).into_iter().collect()
    }

    /// Reads to the end.
    async fn read<N: Network>(&self, net: &N, input: &mut (impl AsyncRead + Unpin)) -> io::Result<()> {
        if let Reader::Stopped(pause) = self.reader {
            net.sleep(pause).await;
        }
        let size = match self.reader {
            Reader::Now => 64 * 1024,
            Reader::Slow => SIP,
            Reader::Stopped(_) => GULP,
        };
        let mut buffer = vec![0; size];
        loop {
            if self.reader == Reader::Slow {
                net.sleep(SLOW).await;
            }
            if input.read(&mut buffer).await? == 0 {
                return Ok(());
            }
        }
    }

    /// Does one side's part: the side that closes first writes before it reads.
    async fn talk<N: Network>(&self, net: &N, stream: N::Stream, key: u8, own: Closes) -> io::Result<()> {
        let bytes = self.bytes(key);
        let (mut input, mut output) = tokio::io::split(stream);
        let write = async {
            for piece in bytes.chunks(self.size.max(1)) {
                output.write_all(piece).await?;
            }
            output.shutdown().await
        };
        let read = self.read(net, &mut input);
        if self.closes == Closes::Both {
            tokio::try_join!(biased; write, read).map(|_| ())
        } else if self.closes == own {
            write.await?;
            read.await
        } else {
            read.await?;
            write.await
        }
    }

    async fn serve<N: Network>(&self, net: N) -> io::Result<()> {
        let listener = listen(&net, DATA, &self.options()).await?;
        let stream = accept::<N>(&listener).await?;
        self.talk(&net, stream, KEYS.1, Closes::Server).await
    }

    async fn call<N: Network>(&self, net: N) -> io::Result<()> {
        let stream = connect_with(&net, DATA, &self.options()).await?;
        self.talk(&net, stream, KEYS.0, Closes::Client).await
    }

    fn scenario(self) -> Scenario {
        self.scenario_over(|net| net)
    }

    /// A run lasts until both sides have ended. The client uses the network that `over` returns.
    fn scenario_over<N: Network>(self, over: impl Fn(Net) -> N + Send + Sync + 'static) -> Scenario {
        let serve = move |net: Net| calling(net.clone(), self.patience, async move { self.serve(net).await });
        let call = move |net: Net| {
            let over = over(net.clone());
            calling(net, self.patience, async move { self.call(over).await })
        };
        faultwire_sim::scenario(NAME).client_on("server", serve).client(call)
    }
}

pub(super) fn scenario(testbed: TestbedRef) -> Scenario {
    let family = family(testbed);
    let ordinary = Case::of(&family.ordinary(), testbed).map(Case::scenario);
    let ordinary = ordinary.unwrap_or_else(|| faultwire_sim::scenario(NAME));
    ordinary.family(family, move |member| Case::of(member, testbed).map(Case::scenario))
}

/// The ordinary member with a broken transport under the client.
pub(super) fn broken(testbed: TestbedRef, bug: Bug) -> Scenario {
    let Some(case) = Case::of(&family(testbed).ordinary(), testbed) else {
        return faultwire_sim::scenario(NAME);
    };
    case.scenario_over(move |net| Mangled::new(net, bug))
}

/// A direction of the connection.
struct Way {
    name: &'static str,
    written: Vec<u8>,
    writer: Side,
    reader: Side,
}

/// Both directions, if there was a connection: what was to be written follows from the member that the plan
/// names.
fn ways(run: &Run) -> Vec<Way> {
    // It has all axes.
    let family = family(testbed::VIRTUAL);
    let words = run.plan.scenario.as_deref().and_then(|name| name.split_once('/'));
    let member = words.map_or_else(|| Some(family.ordinary()), |(_, words)| family.parse(words));
    let case = member.and_then(|member| Case::of(&member, testbed::VIRTUAL));
    let Some((case, connection)) = case.zip(connections(&run.trace, DATA).first().copied()) else {
        return Vec::new();
    };
    let (client, server) = (connection.client, connection.server);
    let way = |name, key, writer, reader| Way { name, written: case.bytes(key), writer, reader };
    vec![way("client->server", KEYS.0, client, server), way("server->client", KEYS.1, server, client)]
}

/// tcp/every-byte: however the bytes are cut, whenever they are read.
pub(super) fn every_byte(run: &Run) -> Seen {
    let mut reads = 0;
    for Way { name, written, reader, .. } in ways(run) {
        let read = passed(&run.trace, reader);
        let (got, all) = (read.received.len(), written.len());
        if let Some(found) = difference(&written, &read.received) {
            return Seen::broken(reads, format!("{name}: {found}"));
        }
        if read.ended && got < all {
            return Seen::broken(reads, format!("{name}: the stream ended after {got} of {all} bytes"));
        }
        if read.ended {
            reads += read.reads;
        }
    }
    Seen::fine(reads)
}

/// tcp/close-flushes: however the bytes are cut, whenever they are read, the closing side's reader gets all
/// of them and then the end, and no call fails. A conversation that does not come that far is broken too:
/// nothing is lost here.
pub(super) fn close_flushes(run: &Run) -> Seen {
    if !run.end.is_finished() {
        return Seen::NOTHING;
    }
    if let Some((failed, errno)) = run.trace.calls().find_map(|call| Some((call, call.error?))) {
        return Seen::broken(1, format!("a call of {} failed: {errno}", run.trace.host_name(failed.host)));
    }
    let (mut closed, mut stuck) = (0, None);
    for Way { name, written, writer, reader } in ways(run) {
        let read = passed(&run.trace, reader);
        let (got, all) = (read.received.len(), written.len());
        let mut calls = run.trace.calls().filter(|call| side(call) == writer);
        if !calls.any(|call| matches!(call.call, Call::Shutdown)) {
            stuck.get_or_insert(format!("{name}: it stood still after {got} of {all} bytes"));
            continue;
        }
        closed += 1;
        if got < all || !read.ended {
            let end = if read.ended { "the end" } else { "no end" };
            return Seen::broken(
                closed,
                format!(
                    "{name}: {all} bytes were written and the direction closed; {got} bytes and {end} came"
                ),
            );
        }
    }
    // Where one direction has no end, the other may wait for it.
    if let Some(how) = stuck {
        return Seen::broken(closed, how);
    }
    Seen::fine(closed)
}
