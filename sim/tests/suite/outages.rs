//! What only an outage breaks, and what it does not.

use std::io;
use std::ops::ControlFlow;
use std::time::Duration;

use faultwire::fault::{EventKind, Lasts};
use faultwire::network::{Listener as _, Network as _};
use faultwire_sim::{Net, Scenario, scenario};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// Takes orders, one connection after another, until one comes twice.
async fn shop(net: Net) -> io::Result<()> {
    let listener = net.listen("0.0.0.0:7000", 4, &[]).await?;
    let mut orders = Vec::new();
    loop {
        let (mut stream, _) = listener.accept().await?;
        let Ok(order) = stream.read_u8().await else { continue };
        if orders.contains(&order) {
            return Err(io::Error::other(format!("order {order} came twice")));
        }
        orders.push(order);
        let _ = stream.write_u8(order).await;
    }
}

/// Orders, and orders again over a new connection where no answer comes for `patience`: with the same number,
/// which the shop may know already, or with none.
fn buyer(patience: Duration) -> Scenario {
    scenario("buyer").server(shop).client(move |net: Net| async move {
        loop {
            let mut stream = net.connect("server:7000", &[]).await?;
            stream.write_u8(7).await?;
            if let Ok(answer) = net.timeout(patience, stream.read_u8()).await {
                return Ok(answer.map(drop)?);
            }
        }
    })
}

#[test]
fn a_retry_that_one_lost_packet_does_not_break_an_outage_does() {
    let impatient = || buyer(Duration::from_millis(2_500));
    assert!(
        impatient().exhaustive(1).explore().failures.is_empty(),
        "no single packet keeps an answer for so long"
    );
    let found = impatient().exhaustive(1).outages().explore();
    let failure = found.failures.first().expect("the order is sent twice");
    let [event] = failure.smallest.plan.events.as_slice() else { panic!("{:?}", failure.smallest.plan) };
    assert!(failure.smallest.plan.faults.is_empty());
    assert!(matches!(event.kind, EventKind::Outage { .. }), "{event}");
}

#[test]
fn who_waits_long_enough_is_broken_by_no_outage() {
    let tried = buyer(Duration::from_secs(60)).exhaustive(1).outages().search(&mut |run| {
        assert!(run.end.is_finished(), "{:?} {:?}\n{}", run.end, run.plan.events, run.trace.text());
        ControlFlow::Continue(())
    });
    assert_eq!(tried.singles, tried.singles_of - tried.not_applied);
    assert!(!tried.not_tried().contains(&"outages of a link"));
}

#[test]
fn an_outage_that_counts_retransmissions_ends_with_them() {
    let mut ended = 0;
    buyer(Duration::from_secs(60)).exhaustive(0).outages().search(&mut |run| {
        let counts =
            |kind: &EventKind| matches!(kind, EventKind::Outage { lasts: Lasts::Retransmissions(_), .. });
        ended += u32::from(run.plan.events.iter().any(|event| counts(&event.kind)));
        ControlFlow::Continue(())
    });
    assert!(ended > 8, "{ended} outages of the handshake, the order, the answer and the end");
}
