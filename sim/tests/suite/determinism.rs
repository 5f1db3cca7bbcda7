//! Nothing but the plan and the seed decides a run: not the process, not the time of day, not the order of a
//! map.

use std::io::Write as _;
use std::process::Command;
use std::time::Duration;

use faultwire::fault::{Action, Class, Fault, FaultPlan, Packet};
use faultwire::network::{Datagram as _, Network as _};
use faultwire_sim::{Net, Result, Scenario, scenario, testbed};

/// Two clients race for a server that answers whoever comes.
fn race() -> Scenario {
    let client = |net: Net| async move {
        let socket = net.datagram("0.0.0.0:0", &[]).await?;
        socket.connect("server:7000").await?;
        let mut buffer = [0; 64];
        for n in 0..5u8 {
            socket.send(&[n; 40]).await?;
            let _ = net.timeout(Duration::from_millis(50), socket.recv_from(&mut buffer)).await;
        }
        Result::Ok(())
    };
    scenario("race").server(echo).client_on("left", client).client_on("right", client)
}

async fn echo(net: Net) -> std::io::Result<()> {
    let socket = net.datagram("0.0.0.0:7000", &[]).await?;
    let mut buffer = [0; 64];
    loop {
        let received = socket.recv_from(&mut buffer).await?;
        socket.send_to(&buffer[..received.len], received.from).await?;
    }
}

fn hashes() -> String {
    let actions = [Action::Drop, Action::Duplicate, Action::HoldFor(2), Action::DelayUs(60_000)];
    let fault = |action| Fault::new(["left", "server"], Packet::nth(Class::Datagram, 2), action);
    let plans = actions.map(|action| FaultPlan::new().faults([fault(action)]));
    let mut lines = String::new();
    for testbed in [testbed::VIRTUAL, testbed::TURMOIL] {
        for plan in &plans {
            let run = race().on(testbed).run(plan);
            assert!(run.fired.all() && run.end.is_finished());
            lines += &format!("trace {}\n", run.trace.hash());
        }
    }
    lines
}

/// Runs itself in two further processes.
#[test]
fn another_process_sees_the_same() {
    let own = hashes();
    if std::env::var_os("PRINT_HASHES").is_some() {
        std::io::stdout().write_all(own.as_bytes()).unwrap();
        return;
    }
    for _ in 0..2 {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "determinism::another_process_sees_the_same", "--nocapture"])
            .env("PRINT_HASHES", "1")
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let printed: String =
            text.lines().filter(|line| line.starts_with("trace ")).map(|line| format!("{line}\n")).collect();
        assert_eq!(printed, own, "{text}");
    }
}

fn choosing(biased: bool) -> Scenario {
    scenario("choosing").server(echo).client(move |net: Net| async move {
        let socket = net.datagram("0.0.0.0:0", &[]).await?;
        let server = net.resolve("server:7000").await?[0];
        let (one, two) = (socket.send_to(b"one", server), socket.send_to(b"two", server));
        if biased {
            tokio::select! { biased; _ = one => {} _ = two => {} }
        } else {
            tokio::select! { _ = one => {} _ = two => {} }
        }
        Ok(())
    })
}

#[test]
fn an_unbiased_choice_is_noticed() {
    assert_eq!(choosing(true).difference(), None);
    // Missed once in 128: not sixteen times in a row.
    let noticed = (0..16).find_map(|_| choosing(false).difference()).expect("the runs differ");
    assert!(noticed.contains("select!"), "{noticed}");
    assert!(noticed.contains("send 3 B"), "{noticed}");
}

#[test]
fn the_order_of_a_hash_map_is_noticed() {
    #[expect(clippy::disallowed_types, reason = "it is what must be noticed")]
    let forgetful = scenario("hash map").server(echo).client(|net: Net| async move {
        let socket = net.datagram("0.0.0.0:0", &[]).await?;
        let server = net.resolve("server:7000").await?[0];
        let messages: std::collections::HashMap<u8, u8> = (0..32).map(|n| (n, n)).collect();
        for message in messages.into_values().collect::<Vec<u8>>() {
            socket.send_to(&[message], server).await?;
        }
        Ok(())
    });
    assert!(forgetful.difference().is_some());
}

/// What a run leaves behind is nothing: a circle of references would show as memory that only grows.
#[test]
fn a_run_leaves_no_program_behind() {
    let marker = std::sync::Arc::new(());
    let held = marker.clone();
    let holding = scenario("holding").server(move |net: Net| {
        let held = held.clone();
        async move {
            let result = echo(net).await;
            drop(held);
            result
        }
    });
    let holding = holding.client(|net: Net| async move {
        net.sleep(Duration::from_millis(5)).await;
        Ok(())
    });
    for testbed in
        [testbed::VIRTUAL, testbed::TURMOIL, testbed::TURMOIL_SOCKETS, testbed::LOOPBACK, testbed::RELAY]
    {
        for _ in 0..10 {
            assert!(holding.clone().on(testbed).run(&FaultPlan::default()).end.is_finished());
        }
    }
    drop(holding);
    assert_eq!(std::sync::Arc::strong_count(&marker), 1);
}
