//! What textbooks draw of TCP: each picture is a run of our stack on the virtual clock under the plan that
//! brings it about, and right by RFC 9293.

#[expect(dead_code, reason = "shared with the tests of the pictures themselves")]
#[path = "../../../src/trace/diagram/svg/tests/boxes.rs"]
mod boxes;

use std::time::Duration;

use faultwire::errno::Errno;
use faultwire::fault::{Action, Class, Direction, EventKind, Fault, FaultPlan, Packet, PlanEvent, When};
use faultwire::network::{Listener as _, Network as _, Stream};
use faultwire::stack::SocketOption;
use faultwire::trace::{DiagramOptions, SvgOptions};
use faultwire_sim::{BoxError, Net, Result, Run, Scenario, scenario};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// The most lines of a picture.
const LINES_MAX: usize = 60;

fn fault(direction: &str, class: Class, nth: u32, action: Action) -> Fault {
    Fault::new(direction.parse::<Direction>().expect("a direction"), Packet::nth(class, nth), action)
}

fn plan(faults: impl IntoIterator<Item = Fault>) -> FaultPlan {
    FaultPlan::new().faults(faults)
}

/// The picture at 80 columns in ASCII; the wide one in Unicode says the same and must fit as well.
fn picture(scenario: &Scenario, plan: &FaultPlan) -> String {
    let run: Run = scenario.run(plan);
    assert!(run.end.is_finished() && run.fired.all(), "{:?}: {:?}", run.end, run.fired);
    let draw = |width, ascii| {
        let mut options = DiagramOptions::default();
        (options.width, options.lines_max, options.ascii) = (width, LINES_MAX, ascii);
        run.trace.diagram(&options)
    };
    let (narrow, wide) = (draw(80, true), draw(100, false));
    assert!(narrow.is_ascii(), "{narrow}");
    for (text, width) in [(&narrow, 80), (&wide, 100)] {
        assert!(text.lines().all(|line| line.chars().count() <= width), "{text}");
        assert!(text.lines().count() < LINES_MAX, "{text}");
    }
    let svg = run.trace.svg(&SvgOptions::default());
    let seen = boxes::seen(&svg);
    assert_eq!(seen.faults(), [""; 0], "words on words: {svg}");
    wide
}

/// Reads to the end, then closes.
async fn read_all(net: Net) -> Result {
    let listener = net.listen("0.0.0.0:7000", 1, &[]).await?;
    let (mut stream, _) = listener.accept().await?;
    let mut buffer = [0; 8192];
    while stream.read(&mut buffer).await? > 0 {}
    Ok(())
}

/// Sends so many segments of 1024 bytes, waits a while, and closes.
async fn send(net: Net, segments: usize, wait: Duration) -> Result {
    let options = [SocketOption::MaxSegment(1024), SocketOption::NoDelay(true)];
    let mut stream = net.connect("server:7000", &options).await?;
    stream.write_all(&vec![7; 1024 * segments]).await?;
    net.sleep(wait).await;
    end(net, stream).await
}

/// Closes, waits for the other side's end, and stays until all packets have arrived.
async fn end(net: Net, mut stream: impl Stream) -> Result {
    stream.shutdown().await?;
    assert_eq!(stream.read(&mut [0; 1]).await?, 0, "the end");
    drop(stream);
    net.sleep(Duration::from_millis(5)).await;
    Ok(())
}

/// Longer than any timer of these pictures.
const LONG: Duration = Duration::from_millis(500);

fn sending(segments: usize) -> Scenario {
    scenario("textbook").client(move |net| send(net, segments, LONG)).server(read_all)
}

#[test]
fn a_connection_opens_carries_data_and_ends() {
    let at_once = scenario("textbook").client(|net| send(net, 3, Duration::ZERO)).server(read_all);
    insta::assert_snapshot!(picture(&at_once, &plan([])));
}

#[test]
fn lost_data() {
    let lost = fault("client->server", Class::Data, 1, Action::Drop);
    insta::assert_snapshot!(picture(&sending(1), &plan([lost])));
}

#[test]
fn lost_acknowledgement() {
    let lost = fault("server->client", Class::Ack, 1, Action::Drop);
    insta::assert_snapshot!(picture(&sending(1), &plan([lost])));
}

#[test]
fn duplicate() {
    let doubled = fault("client->server", Class::Data, 1, Action::Duplicate);
    insta::assert_snapshot!(picture(&sending(1), &plan([doubled])));
}

#[test]
fn reordering() {
    let held = fault("client->server", Class::Data, 1, Action::HoldFor(1));
    insta::assert_snapshot!(picture(&sending(2), &plan([held])));
}

#[test]
fn three_duplicate_acknowledgements() {
    let lost = fault("client->server", Class::Data, 2, Action::Drop);
    insta::assert_snapshot!(picture(&sending(6), &plan([lost])));
}

#[test]
fn damaged_data() {
    // The first bit behind the IP and the TCP header.
    let damaged = fault("client->server", Class::Data, 1, Action::CorruptBits(vec![320]));
    insta::assert_snapshot!(picture(&sending(1), &plan([damaged])));
}

#[test]
fn zero_window_with_a_probe() {
    let small =
        scenario("textbook").client(|net| send(net, 4, Duration::ZERO)).server(|net: Net| async move {
            let listener = net.listen("0.0.0.0:7000", 1, &[SocketOption::RecvBuffer(2048)]).await?;
            let (mut stream, _) = listener.accept().await?;
            // It does not read for a while: the window closes, and is probed.
            net.sleep(Duration::from_millis(900)).await;
            let mut buffer = [0; 8192];
            while stream.read(&mut buffer).await? > 0 {}
            Ok::<(), BoxError>(())
        });
    insta::assert_snapshot!(picture(&small, &plan([])));
}

/// RFC 9293, figure 7.
#[test]
fn simultaneous_open() {
    let of = |peer: &'static str| {
        move |net: Net| async move {
            let to = net.resolve(peer).await?.into_iter().find(|addr| addr.is_ipv4()).expect("an address");
            let stream = net.connect_from("0.0.0.0:7000", &to.to_string(), &[]).await?;
            net.sleep(Duration::from_millis(5)).await;
            drop(stream);
            Ok::<(), BoxError>(())
        }
    };
    let both = scenario("textbook").client(of("server:7000")).client_on("server", of("client:7000"));
    insta::assert_snapshot!(picture(&both, &plan([])));
}

/// RFC 9293, figure 9: one side has lost its memory, and hears from the other.
#[test]
fn half_open_connection() {
    let waits = scenario("textbook")
        .client(|net: Net| async move {
            let mut stream = net.connect("server:7000", &[]).await?;
            net.sleep(Duration::from_millis(20)).await;
            stream.write_all(b"ping").await?;
            let failed = stream.read(&mut [0; 1]).await.expect_err("a reset is an error");
            assert_eq!(Errno::of(&failed), Some(Errno::ECONNRESET));
            Ok(())
        })
        .server(read_all);
    let event = |kind, at_us| PlanEvent::new(kind, When::AtUs(at_us));
    let events = vec![
        event(EventKind::Crash("server".to_owned()), 10_000),
        event(EventKind::Restart("server".to_owned()), 15_000),
    ];
    insta::assert_snapshot!(picture(&waits, &FaultPlan::new().events(events)));
}

#[test]
fn simultaneous_close() {
    let both = scenario("textbook")
        .client(|net: Net| async move {
            let stream = net.connect("server:7000", &[]).await?;
            net.sleep(Duration::from_millis(10) - net.now().since_start()).await;
            end(net, stream).await
        })
        .server(|net: Net| async move {
            let listener = net.listen("0.0.0.0:7000", 1, &[]).await?;
            let (mut stream, _) = listener.accept().await?;
            net.sleep(Duration::from_millis(10) - net.now().since_start()).await;
            stream.shutdown().await?;
            assert_eq!(stream.read(&mut [0; 1]).await?, 0, "the end");
            Ok::<(), BoxError>(())
        });
    insta::assert_snapshot!(picture(&both, &plan([])));
}

#[test]
fn reset() {
    let gone = scenario("textbook")
        .client(|net: Net| async move {
            let mut stream = net.connect("server:7000", &[]).await?;
            stream.write_all(b"ping").await?;
            let failed = stream.read(&mut [0; 1]).await.expect_err("a reset is an error");
            assert_eq!(Errno::of(&failed), Some(Errno::ECONNRESET));
            Ok(())
        })
        .server(|net: Net| async move {
            let listener = net.listen("0.0.0.0:7000", 1, &[]).await?;
            let (mut stream, _) = listener.accept().await?;
            stream.read_exact(&mut [0; 4]).await?;
            // A close with linger 0 aborts (RFC 9293, section 3.10.5).
            stream.set_option(SocketOption::Linger(Some(Duration::ZERO)))?;
            drop(stream);
            net.sleep(Duration::from_secs(1)).await;
            Ok::<(), BoxError>(())
        });
    insta::assert_snapshot!(picture(&gone, &plan([])));
}

#[test]
fn refused_connection() {
    let nobody = scenario("textbook")
        .client(|net: Net| async move {
            let addr = net.resolve("server:7000").await?.into_iter().find(|addr| addr.is_ipv4());
            let refused = net.connect(&addr.expect("an address").to_string(), &[]).await.map(drop);
            let failed = refused.expect_err("nobody listens");
            assert_eq!(Errno::of(&failed), Some(Errno::ECONNREFUSED));
            Ok(())
        })
        .server(|_: Net| async move { Ok::<(), BoxError>(()) });
    insta::assert_snapshot!(picture(&nobody, &plan([])));
}

#[test]
fn lost_handshake() {
    let lost = [
        fault("client->server", Class::Syn, 1, Action::Drop),
        fault("server->client", Class::Syn, 1, Action::Drop),
    ];
    insta::assert_snapshot!(picture(&sending(1), &plan(lost)));
}
