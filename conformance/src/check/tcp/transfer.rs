//! Whole conversations under plans: they cost time, never data and never the end.
//!
//! The programs wait as long as it takes: where a plan of finitely many faults makes them wait forever, the
//! run stalls, which is told with what the sockets were at.

use std::io;
use std::time::Duration;

use faultwire::fault::{Action, Class, Cut, Direction, EventKind, Fault, FaultPlan, Packet, PlanEvent, When};
use faultwire::network::{Network, Stream};
use faultwire::stack::SocketOption;
use faultwire_sim::search::{Family, Member, RandomFaults};
use faultwire_sim::testbed::{Clock, TestbedRef};
use faultwire_sim::{Net, Scenario};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::pattern::pattern;
use super::programs::{DATA, accept, address_of, read_to_end};
use super::streams::Streams;

/// Virtual time after which a run counts as stalled: longer than any plan here makes a transfer take.
const TIME_MAX: Duration = Duration::from_secs(3_600);
/// The longest delay of random faults, in microseconds: twice the longest of the grid.
const DELAY_US_MAX: u64 = 802_000;
/// A segment's data at the default MTU, in bytes.
const SEGMENT: usize = 1_460;

/// Two segments each way.
#[derive(Debug)]
pub(super) struct Short;

impl Streams for Short {
    const UP: (u8, usize) = (11, 2 * SEGMENT);
    const DOWN: (u8, usize) = (12, 2 * SEGMENT);
}

/// Ten segments each way.
#[derive(Debug)]
pub(super) struct Long;

impl Streams for Long {
    const UP: (u8, usize) = (11, 10 * SEGMENT);
    const DOWN: (u8, usize) = (12, 10 * SEGMENT);
}

/// What is echoed.
#[derive(Debug)]
pub(super) struct Echo;

impl Streams for Echo {
    const UP: (u8, usize) = (13, 20_000);
    const DOWN: (u8, usize) = Self::UP;
}

/// Much both ways at once.
#[derive(Debug)]
pub(super) struct Bulk;

impl Streams for Bulk {
    const UP: (u8, usize) = (14, 60_000);
    const DOWN: (u8, usize) = (15, 60_000);
}

/// Buffer sizes in bytes; the system's own, if `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Buffers {
    rcv: Option<usize>,
    snd: Option<usize>,
}

/// The buffer sizes that vary, beside the system's own.
fn buffers(testbed: TestbedRef) -> Family {
    let sizes = || {
        let kib = [4, 8, 16, 32, 64, 128, 256].map(|kib: u32| (kib * 1024).to_string());
        std::iter::once("own".to_owned()).chain(kib)
    };
    let family = Family::new().axis("rcv", sizes()).axis("snd", sizes());
    match testbed.clock() {
        Clock::Ticks(_) => family.runs_max(20),
        Clock::Real => family.runs_max(2),
        Clock::Virtual => family,
    }
}

impl Buffers {
    fn of(member: &Member<'_>) -> Buffers {
        Buffers { rcv: member.get("rcv"), snd: member.get("snd") }
    }

    fn options(self) -> Vec<SocketOption> {
        let rcv = self.rcv.map(SocketOption::RecvBuffer);
        rcv.into_iter().chain(self.snd.map(SocketOption::SendBuffer)).collect()
    }
}

/// What a side does with its connection.
trait Side: 'static {
    const NAME: &'static str;

    fn serve<N: Network>(net: N, stream: N::Stream) -> impl Future<Output = io::Result<()>> + Send;
    fn call<N: Network>(net: N, stream: N::Stream) -> impl Future<Output = io::Result<()>> + Send;
}

/// A scenario whose run ends when both sides have ended. What failed is in the trace.
fn scenario<S: Side>(buffers: Buffers) -> Scenario {
    let server = move |net: Net| async move {
        let _ = serve::<S, Net>(net, buffers).await;
        Ok(())
    };
    let client = move |net: Net| async move {
        let _ = call::<S, Net>(net, buffers).await;
        Ok(())
    };
    faultwire_sim::scenario(S::NAME).client_on("server", server).client(client).time_max(TIME_MAX)
}

async fn serve<S: Side, N: Network>(net: N, buffers: Buffers) -> io::Result<()> {
    let listener = net.listen(&format!("0.0.0.0:{DATA}"), 16, &buffers.options()).await?;
    let stream = accept::<N>(&listener).await?;
    S::serve(net, stream).await
}

async fn call<S: Side, N: Network>(net: N, buffers: Buffers) -> io::Result<()> {
    let server = address_of(&net, "server", DATA).await?;
    let stream = net.connect(&server, &buffers.options()).await?;
    S::call(net, stream).await
}

/// Writes all, closes its direction, reads to the end.
async fn tell<S: Stream>(mut stream: S, (key, len): (u8, usize)) -> io::Result<()> {
    stream.write_all(&pattern(key, len)).await?;
    stream.shutdown().await?;
    read_to_end(&mut stream, 4096).await
}

impl Side for Short {
    const NAME: &'static str = "tcp-exchange";

    async fn serve<N: Network>(_: N, stream: N::Stream) -> io::Result<()> {
        tell(stream, Self::DOWN).await
    }

    async fn call<N: Network>(_: N, stream: N::Stream) -> io::Result<()> {
        tell(stream, Self::UP).await
    }
}

impl Side for Long {
    const NAME: &'static str = "tcp-exchange-long";

    async fn serve<N: Network>(_: N, stream: N::Stream) -> io::Result<()> {
        tell(stream, Self::DOWN).await
    }

    async fn call<N: Network>(_: N, stream: N::Stream) -> io::Result<()> {
        tell(stream, Self::UP).await
    }
}

impl Side for Echo {
    const NAME: &'static str = "tcp-echo";

    async fn serve<N: Network>(_: N, mut stream: N::Stream) -> io::Result<()> {
        let mut buffer = vec![0; 4096];
        loop {
            match stream.read(&mut buffer).await? {
                0 => return stream.shutdown().await,
                len => stream.write_all(&buffer[..len]).await?,
            }
        }
    }

    async fn call<N: Network>(net: N, stream: N::Stream) -> io::Result<()> {
        both_at_once(&net, stream, Self::UP, Duration::ZERO).await
    }
}

impl Side for Bulk {
    const NAME: &'static str = "tcp-bulk";

    async fn serve<N: Network>(net: N, stream: N::Stream) -> io::Result<()> {
        both_at_once(&net, stream, Self::DOWN, Duration::from_millis(3)).await
    }

    async fn call<N: Network>(net: N, stream: N::Stream) -> io::Result<()> {
        both_at_once(&net, stream, Self::UP, Duration::from_millis(7)).await
    }
}

/// Writes all and closes its direction while it reads to the end, with a pause after each read.
async fn both_at_once<N: Network>(
    net: &N,
    stream: N::Stream,
    (key, len): (u8, usize),
    pause: Duration,
) -> io::Result<()> {
    let (mut input, mut output) = tokio::io::split(stream);
    let written = pattern(key, len);
    let write = async {
        output.write_all(&written).await?;
        output.shutdown().await
    };
    let read = async {
        let mut buffer = vec![0; 4096];
        while input.read(&mut buffer).await? > 0 {
            net.sleep(pause).await;
        }
        Ok(())
    };
    tokio::try_join!(biased; write, read).map(|_| ())
}

pub(super) fn short(_: TestbedRef) -> Scenario {
    scenario::<Short>(Buffers::default())
}

pub(super) fn long(_: TestbedRef) -> Scenario {
    scenario::<Long>(Buffers::default())
}

/// With random faults, and with a member for each choice of buffers.
fn with_random_faults<S: Side + Streams>(testbed: TestbedRef, every: &'static [u32]) -> Scenario {
    let (_, up) = S::UP;
    let random_faults = RandomFaults {
        mtus: &[576, 1500, 9000],
        bytes: u32::try_from(up).unwrap_or(u32::MAX),
        every,
        delay_us_max: DELAY_US_MAX,
    };
    scenario::<S>(Buffers::default())
        .family(buffers(testbed), |member| Some(scenario::<S>(Buffers::of(member))))
        .random_faults(random_faults)
}

pub(super) fn echo(testbed: TestbedRef) -> Scenario {
    with_random_faults::<Echo>(testbed, &[5, 10, 20, 50, 100])
}

pub(super) fn bulk(testbed: TestbedRef) -> Scenario {
    with_random_faults::<Bulk>(testbed, &[5, 10, 20, 50, 100])
}

/// A byte more than the receiver has room for, and a receiver that is in no hurry.
#[derive(Debug)]
pub(super) struct Pause;

/// The receiver's buffer, in bytes.
const ROOM: usize = 4096;
/// How long it does not read: longer than an unanswered sender goes on.
const PAUSE: Duration = Duration::from_secs(1_800);

impl Streams for Pause {
    const UP: (u8, usize) = (16, ROOM + 1);
    const DOWN: (u8, usize) = (17, 0);
}

impl Side for Pause {
    const NAME: &'static str = "tcp-long-pause";

    async fn serve<N: Network>(net: N, mut stream: N::Stream) -> io::Result<()> {
        net.sleep(PAUSE).await;
        read_to_end(&mut stream, 4096).await?;
        stream.shutdown().await
    }

    async fn call<N: Network>(_: N, stream: N::Stream) -> io::Result<()> {
        tell(stream, Self::UP).await
    }
}

pub(super) fn pause(_: TestbedRef) -> Scenario {
    scenario::<Pause>(Buffers { rcv: Some(ROOM), snd: None })
}

/// Two short writes that leave at once, and an answer once both have come.
#[derive(Debug)]
pub(super) struct Overlap;

impl Streams for Overlap {
    const UP: (u8, usize) = (18, 200);
    const DOWN: (u8, usize) = (19, 100);
}

impl Side for Overlap {
    const NAME: &'static str = "tcp-overlap";

    async fn serve<N: Network>(_: N, mut stream: N::Stream) -> io::Result<()> {
        let (key, len) = Self::DOWN;
        stream.read_exact(&mut [0; Self::UP.1]).await?;
        stream.write_all(&pattern(key, len)).await?;
        read_to_end(&mut stream, 16).await?;
        stream.shutdown().await
    }

    async fn call<N: Network>(_: N, mut stream: N::Stream) -> io::Result<()> {
        stream.set_option(SocketOption::NoDelay(true))?;
        let (key, len) = Self::UP;
        for half in pattern(key, len).chunks(len / 2) {
            stream.write_all(half).await?;
        }
        stream.read_exact(&mut [0; Self::DOWN.1]).await?;
        stream.shutdown().await?;
        read_to_end(&mut stream, 16).await
    }
}

pub(super) fn overlap(_: TestbedRef) -> Scenario {
    scenario::<Overlap>(Buffers::default())
}

/// The acknowledgement of the first write is lost, and the second write: both are sent again as one, of which
/// the first half has come before.
pub(super) fn lost_halves(_: &Scenario) -> Vec<FaultPlan> {
    let lost =
        |from: &str, to: &str, class, nth| Fault::new([from, to], Packet::nth(class, nth), Action::Drop);
    let faults = vec![lost("client", "server", Class::Data, 2), lost("server", "client", Class::Ack, 1)];
    vec![FaultPlan::new().faults(faults)]
}

/// Each bit of the TCP header of the first SYN and the first bare acknowledgement of either host is flipped:
/// no text that is missing or wrong shows such damage.
pub(super) fn damaged_headers(scenario: &Scenario) -> Vec<FaultPlan> {
    /// IPv4's header, and TCP's, in bits.
    const HEADER: u32 = 20 * 8;
    if scenario.testbed().clock() != Clock::Virtual {
        // Elsewhere so many runs take too long.
        return Vec::new();
    }
    let run = scenario.run(&FaultPlan::default());
    let trace = &run.trace;
    let mut plans = Vec::new();
    for sending in trace.sendings() {
        let Some(packet) = sending.label.map(|label| label.packet()) else { continue };
        if !matches!(packet.class, Class::Syn | Class::Ack) || packet.nth > 1 {
            continue;
        }
        let direction = Direction::new(trace.host_name(sending.from), trace.host_name(sending.to));
        plans
            .extend((HEADER..2 * HEADER).map(|bit| {
                FaultPlan::new().fault(direction.clone(), packet, Action::CorruptBits(vec![bit]))
            }));
    }
    plans
}

/// When the hosts of the partition's scenario end at the earliest: later than most partitions do, which then
/// heal while the run goes on.
const STAYS: Duration = Duration::from_millis(3_500);
/// How long partitions last, in microseconds.
const OUTAGES_US: [u64; 3] = [50_000, 600_000, 3_000_000];
/// An outage that outlasts the programs' stay: only from where they cannot end meanwhile.
const LONG_OUTAGE_US: u64 = 20_000_000;

/// The short exchange, after which the programs stay for a while.
pub(super) fn partition(_: TestbedRef) -> Scenario {
    let server = move |net: Net| async move {
        let _ = serve::<Short, Net>(net.clone(), Buffers::default()).await;
        stay(&net).await
    };
    let client = move |net: Net| async move {
        let _ = call::<Short, Net>(net.clone(), Buffers::default()).await;
        stay(&net).await
    };
    faultwire_sim::scenario("tcp-partition").client_on("server", server).client(client).time_max(TIME_MAX)
}

async fn stay(net: &Net) -> faultwire_sim::Result {
    let gone = net.now().since(faultwire::time::Time::ZERO);
    net.sleep(STAYS.saturating_sub(gone)).await;
    Ok(())
}

/// Partitions of every length from every packet of a fault-free exchange on, as far as it goes before the
/// close; and the same with a packet lost before them.
pub(super) fn partitions(_: &Scenario) -> Vec<FaultPlan> {
    let ways = [("client", "server"), ("server", "client")].map(|(from, to)| Direction::new(from, to));
    let packets = [
        Packet::nth(Class::Syn, 1),
        Packet::nth(Class::Data, 1),
        Packet::nth(Class::Data, 2),
        Packet::nth(Class::Ack, 1),
    ];
    let event = |kind, when| PlanEvent { kind, when };
    let mut plans = Vec::new();
    for direction in &ways {
        for packet in packets {
            let is_early = packet.class == Class::Syn || packet == Packet::nth(Class::Data, 1);
            let outages = OUTAGES_US.iter().chain(is_early.then_some(&LONG_OUTAGE_US));
            for outage in outages {
                let after = When::after(direction.clone(), packet);
                let cut = event(EventKind::Partition(Cut::ALL), after);
                let mended = event(EventKind::Heal(Cut::ALL), When::AtUs(*outage));
                let plan = FaultPlan::new().events([cut, mended]);
                let lost = Fault::new(direction.clone(), packet, Action::Drop);
                plans.push(FaultPlan { faults: vec![lost], ..plan.clone() });
                plans.push(plan);
            }
        }
    }
    plans
}

#[cfg(test)]
mod tests {
    use super::*;
    use faultwire_sim::testbed;

    #[test]
    fn a_member_says_its_buffers() {
        let family = buffers(testbed::VIRTUAL);
        let of = |words: &str| family.parse(words).map(|member| Buffers::of(&member));
        assert_eq!(of("rcv=4096/snd=65536"), Some(Buffers { rcv: Some(4_096), snd: Some(65_536) }));
        assert_eq!(of("snd=8192"), Some(Buffers { rcv: None, snd: Some(8_192) }));
        assert_eq!(Buffers::of(&family.ordinary()), Buffers::default());
        for wrong in ["", "rcv=0/snd=1", "rcv=4096/snd=16384/", "rcv=9999999999/snd=1"] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }
}
