//! What the hosts of these studies do.

use std::io;
use std::time::Duration;

use faultwire::fault::{
    Action, Class, Cut, Direction, EventKind, Fault, FaultPlan, Link, LinkNumbers, Packet, PlanEvent, When,
};
use faultwire::network::{Network, Stream};
use faultwire::stack::SocketOption;
use faultwire_sim::testbed::TestbedRef;
use faultwire_sim::{Net, Scenario};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::check::tcp::pattern::pattern;
use crate::check::tcp::programs::{
    DATA, OTHER, Programs, QUIET, accept, calling, connect, listen, read_to_end, say, serving,
};

/// How long a client works at most: longer than any timeout waits, so that what never comes is told from what
/// is late.
const PATIENCE: Duration = Duration::from_secs(400);
/// A full segment over an MTU of 1500, in bytes.
pub(super) const SEGMENT: usize = 1460;
/// A small receive buffer, in bytes: three segments.
pub(super) const SMALL_BUFFER: usize = 3 * SEGMENT;
/// A larger one, in bytes.
pub(super) const LARGE_BUFFER: usize = 12 * SEGMENT;

/// A scenario whose runs all have the link, the faults and the events of `base`.
fn over<P: Programs>(base: FaultPlan) -> Scenario {
    faultwire_sim::scenario(P::NAME)
        .base_plan(base)
        .server(|net: Net| serving(P::serve(net)))
        .client(|net: Net| calling(net.clone(), PATIENCE, P::call(net)))
}

/// A scenario over the usual link.
pub(super) fn plain<P: Programs>(_: TestbedRef) -> Scenario {
    over::<P>(FaultPlan::default())
}

fn upward() -> Direction {
    Direction::new("client", "server")
}

/// A question of five segments and an answer of two; then both close.
#[derive(Debug)]
pub(super) struct Dialogue;

const QUESTION: (u8, usize) = (20, 5 * SEGMENT);
const ANSWER: (u8, usize) = (21, 2 * SEGMENT);

impl Programs for Dialogue {
    const NAME: &'static str = "tcp-dialogue";

    async fn serve<N: Network>(net: N) -> io::Result<()> {
        let listener = listen(&net, DATA, &[]).await?;
        let mut stream = accept::<N>(&listener).await?;
        stream.read_exact(&mut vec![0; QUESTION.1]).await?;
        say(&mut stream, &pattern(ANSWER.0, ANSWER.1)).await?;
        read_to_end(&mut stream, 4096).await?;
        stream.shutdown().await
    }

    async fn call<N: Network>(net: N) -> io::Result<()> {
        let mut stream = connect(&net, DATA).await?;
        say(&mut stream, &pattern(QUESTION.0, QUESTION.1)).await?;
        stream.read_exact(&mut vec![0; ANSWER.1]).await?;
        stream.shutdown().await?;
        read_to_end(&mut stream, 16).await
    }
}

/// Many bytes one way.
#[derive(Debug)]
pub(super) struct Transfer;

const BULK: (u8, usize) = (22, 40 * SEGMENT);

impl Programs for Transfer {
    const NAME: &'static str = "tcp-transfer";

    async fn serve<N: Network>(net: N) -> io::Result<()> {
        let listener = listen(&net, DATA, &[]).await?;
        let mut stream = accept::<N>(&listener).await?;
        read_to_end(&mut stream, 16 * 1024).await
    }

    async fn call<N: Network>(net: N) -> io::Result<()> {
        let mut stream = connect(&net, DATA).await?;
        say(&mut stream, &pattern(BULK.0, BULK.1)).await?;
        stream.shutdown().await?;
        read_to_end(&mut stream, 16).await
    }
}

/// Short questions, one after the other; one is answered late.
#[derive(Debug)]
pub(super) struct Questions;

const QUESTIONS: usize = 5;
const SHORT: usize = 100;
/// How long the first answer takes: longer than an acknowledgement may wait.
const THOUGHT: Duration = Duration::from_millis(600);

impl Programs for Questions {
    const NAME: &'static str = "tcp-questions";

    async fn serve<N: Network>(net: N) -> io::Result<()> {
        let listener = listen(&net, DATA, &[]).await?;
        let mut stream = accept::<N>(&listener).await?;
        for question in 0..QUESTIONS {
            stream.read_exact(&mut [0; SHORT]).await?;
            if question == 0 {
                net.sleep(THOUGHT).await;
            }
            say(&mut stream, &pattern(23, SHORT)).await?;
        }
        read_to_end(&mut stream, 16).await
    }

    async fn call<N: Network>(net: N) -> io::Result<()> {
        let mut stream = connect(&net, DATA).await?;
        for _ in 0..QUESTIONS {
            say(&mut stream, &pattern(24, SHORT)).await?;
            stream.read_exact(&mut [0; SHORT]).await?;
        }
        stream.shutdown().await?;
        read_to_end(&mut stream, 16).await
    }
}

/// The questions over a slow link that loses two of them: the timeout of the second is the one that the first
/// left behind.
pub(super) fn questions(_: TestbedRef) -> Scenario {
    let lost = |nth| Fault::new(upward(), Packet::nth(Class::Data, nth), Action::Drop);
    over::<Questions>(FaultPlan::new().link(LinkNumbers::new(400_000, 1500)).faults([lost(3), lost(4)]))
}

/// The dialogue while the link is cut for some repeats.
pub(super) fn outage(_: TestbedRef) -> Scenario {
    let after = |nth| When::after(upward(), Packet::nth(Class::Any, nth));
    over::<Dialogue>(FaultPlan::new().events([
        PlanEvent::new(EventKind::Partition(Cut::ALL), after(4)),
        PlanEvent::new(EventKind::Heal(Cut::ALL), after(9)),
    ]))
}

/// A client that writes now and then, to a server that is busy with something else and reads it all later.
#[derive(Debug)]
pub(super) struct BusyReader;

/// Over a link so slow that no repeat comes within the time that an acknowledgement may take: a repeat is
/// answered at once.
pub(super) fn busy_reader(_: TestbedRef) -> Scenario {
    let link = Link::Numbers(LinkNumbers::new(400_000, 1500));
    over::<BusyReader>(FaultPlan::new().link(link))
}

/// How long the server reads nothing: longer than an acknowledgement may wait, several times.
const BUSY: Duration = Duration::from_secs(2);

impl Programs for BusyReader {
    const NAME: &'static str = "tcp-busy-reader";

    async fn serve<N: Network>(net: N) -> io::Result<()> {
        let listener = listen(&net, DATA, &[]).await?;
        let mut stream = accept::<N>(&listener).await?;
        net.sleep(BUSY).await;
        read_to_end(&mut stream, 4096).await?;
        stream.shutdown().await
    }

    async fn call<N: Network>(net: N) -> io::Result<()> {
        let mut stream = connect(&net, DATA).await?;
        for _ in 0..3 {
            say(&mut stream, &pattern(30, SHORT)).await?;
            net.sleep(BUSY / 4).await;
        }
        stream.shutdown().await?;
        read_to_end(&mut stream, 16).await
    }
}

/// A server that speaks first. Its client sends nothing that would show that the handshake is complete.
#[derive(Debug)]
pub(super) struct ServerFirst;

impl Programs for ServerFirst {
    const NAME: &'static str = "tcp-server-first";

    async fn serve<N: Network>(net: N) -> io::Result<()> {
        let listener = listen(&net, DATA, &[]).await?;
        let mut stream = accept::<N>(&listener).await?;
        say(&mut stream, &pattern(31, SHORT)).await?;
        read_to_end(&mut stream, 16).await
    }

    async fn call<N: Network>(net: N) -> io::Result<()> {
        let mut stream = connect(&net, DATA).await?;
        stream.read_exact(&mut [0; SHORT]).await?;
        stream.shutdown().await
    }
}

/// A client that writes more than the server's buffer holds, to a server that pauses twice before it reads.
#[derive(Debug)]
pub(super) struct SlowReader;

/// How long the server pauses.
const PAUSE: Duration = Duration::from_millis(500);

impl Programs for SlowReader {
    const NAME: &'static str = "tcp-slow-reader";

    async fn serve<N: Network>(net: N) -> io::Result<()> {
        let listener = listen(&net, DATA, &[SocketOption::RecvBuffer(SMALL_BUFFER)]).await?;
        let mut stream = accept::<N>(&listener).await?;
        net.sleep(PAUSE).await;
        stream.read_exact(&mut vec![0; SMALL_BUFFER]).await?;
        net.sleep(PAUSE).await;
        read_to_end(&mut stream, 16 * 1024).await
    }

    async fn call<N: Network>(net: N) -> io::Result<()> {
        let mut stream = connect(&net, DATA).await?;
        say(&mut stream, &pattern(25, 2 * SMALL_BUFFER + SEGMENT)).await?;
        stream.shutdown().await?;
        read_to_end(&mut stream, 16).await
    }
}

/// A slow reader over a link whose segments could be larger than the whole buffer.
pub(super) fn small_window(_: TestbedRef) -> Scenario {
    let link = Link::Numbers(LinkNumbers::new(10_000, 9_000));
    over::<SlowReader>(FaultPlan::new().link(link))
}

/// A client that fills the window and writes more later; meanwhile the server says something while its window
/// is closed, and then reads.
#[derive(Debug)]
pub(super) struct LateWindow;

impl Programs for LateWindow {
    const NAME: &'static str = "tcp-late-window";

    async fn serve<N: Network>(net: N) -> io::Result<()> {
        let listener = listen(&net, DATA, &[SocketOption::RecvBuffer(SMALL_BUFFER)]).await?;
        let mut stream = accept::<N>(&listener).await?;
        net.sleep(QUIET).await;
        say(&mut stream, b"wait").await?;
        stream.read_exact(&mut vec![0; SMALL_BUFFER]).await?;
        read_to_end(&mut stream, 16 * 1024).await
    }

    async fn call<N: Network>(net: N) -> io::Result<()> {
        let mut stream = connect(&net, DATA).await?;
        say(&mut stream, &pattern(28, SMALL_BUFFER)).await?;
        net.sleep(4 * QUIET).await;
        say(&mut stream, &pattern(29, SEGMENT)).await?;
        stream.shutdown().await?;
        read_to_end(&mut stream, 16).await
    }
}

/// A client that writes to two sockets without a reader, with a small and a larger receive buffer.
#[derive(Debug)]
pub(super) struct Offers;

impl Programs for Offers {
    const NAME: &'static str = "tcp-offers";

    async fn serve<N: Network>(net: N) -> io::Result<()> {
        let small = listen(&net, DATA, &[SocketOption::RecvBuffer(SMALL_BUFFER)]).await?;
        let large = listen(&net, OTHER, &[SocketOption::RecvBuffer(LARGE_BUFFER)]).await?;
        let _small = accept::<N>(&small).await?;
        let _large = accept::<N>(&large).await?;
        std::future::pending().await
    }

    async fn call<N: Network>(net: N) -> io::Result<()> {
        let data = pattern(26, 2 * LARGE_BUFFER);
        let mut streams = Vec::new();
        for port in [DATA, OTHER] {
            let mut stream = connect(&net, port).await?;
            stream.write_all(&data).await?;
            streams.push(stream);
        }
        // Until all that the windows take was sent, and the closed ones were probed.
        net.sleep(10 * QUIET).await;
        Ok(())
    }
}

/// Two small writes in a row, without and with TCP_NODELAY.
#[derive(Debug)]
pub(super) struct SmallWrites;

impl Programs for SmallWrites {
    const NAME: &'static str = "tcp-small-writes";

    async fn serve<N: Network>(net: N) -> io::Result<()> {
        for port in [DATA, OTHER] {
            let listener = listen(&net, port, &[]).await?;
            let mut stream = accept::<N>(&listener).await?;
            read_to_end(&mut stream, 16).await?;
        }
        Ok(())
    }

    async fn call<N: Network>(net: N) -> io::Result<()> {
        for port in [DATA, OTHER] {
            let mut stream = connect(&net, port).await?;
            if port == OTHER {
                stream.set_option(SocketOption::NoDelay(true))?;
            }
            say(&mut stream, b"first").await?;
            say(&mut stream, b"second").await?;
            // Longer than an acknowledgement may be put off: half a second (RFC 9293, section 3.8.6.3).
            net.sleep(10 * QUIET).await;
            stream.shutdown().await?;
            read_to_end(&mut stream, 16).await?;
        }
        Ok(())
    }
}

/// One segment, of which two bits are flipped.
#[derive(Debug)]
pub(super) struct TwoBits;

/// What the segment carries.
pub(super) fn two_bits_data() -> Vec<u8> {
    pattern(27, 64)
}

impl Programs for TwoBits {
    const NAME: &'static str = "tcp-two-bits";

    async fn serve<N: Network>(net: N) -> io::Result<()> {
        let listener = listen(&net, DATA, &[]).await?;
        let mut stream = accept::<N>(&listener).await?;
        read_to_end(&mut stream, 4096).await
    }

    async fn call<N: Network>(net: N) -> io::Result<()> {
        let mut stream = connect(&net, DATA).await?;
        say(&mut stream, &two_bits_data()).await?;
        stream.shutdown().await?;
        read_to_end(&mut stream, 16).await
    }
}

/// Plans of one fault that flips the same bit of two 16-bit words of the data, where the one has it set and
/// the other has not: what the one adds to the sum the other takes away (RFC 1071).
pub(super) fn cancelling_bits(_: &Scenario) -> Vec<FaultPlan> {
    /// IPv4's header and TCP's: where the data begins, in bytes.
    const DATA_AT: usize = 40;
    const PLANS: usize = 8;
    let data = two_bits_data();
    let word = |at: usize| Some(u16::from_be_bytes([*data.get(at)?, *data.get(at + 1)?]));
    let words = (0..data.len()).step_by(2).filter_map(|at| Some((at, word(at)?)));
    let differing = words.clone().zip(words.skip(1)).filter_map(|((one_at, one), (two_at, two))| {
        let bit = (one ^ two).leading_zeros();
        (bit < u16::BITS).then(|| [one_at, two_at].map(|at| ((DATA_AT + at) * 8) as u32 + bit))
    });
    differing
        .take(PLANS)
        .map(|bits| {
            FaultPlan::new().title("two flipped bits cancel in the checksum").fault(
                upward(),
                Packet::nth(Class::Data, 1),
                Action::CorruptBits(bits.to_vec()),
            )
        })
        .collect()
}
