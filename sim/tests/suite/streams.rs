//! Streams of simulated hosts: from a chosen address, stalled, in variants, and under storms.

use std::ops::ControlFlow;
use std::time::Duration;

use faultwire::errno::Errno;
use faultwire::fault::{Action, Class, Fault, FaultPlan, Packet};
use faultwire::network::{Listener as _, Network as _, Stream as _};
use faultwire_sim::search::{Family, RandomFaults};
use faultwire_sim::testbed::{self, TestbedRef};
use faultwire_sim::{End, Explorer, Net, Result, Scenario, scenario};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

const SIMULATED: [TestbedRef; 2] = [testbed::VIRTUAL, testbed::TURMOIL];

/// Sends back what comes.
async fn echo(net: Net) -> Result {
    let listener = net.listen("0.0.0.0:7000", 16, &[]).await?;
    loop {
        let (mut stream, _) = listener.accept().await?;
        let mut buffer = [0; 1024];
        loop {
            match stream.read(&mut buffer).await? {
                0 => break,
                len => stream.write_all(&buffer[..len]).await?,
            }
        }
        stream.shutdown().await?;
    }
}

async fn ask(net: Net, len: usize) -> Result {
    let mut stream = net.connect("server:7000", &[]).await?;
    stream.write_all(&vec![7; len]).await?;
    stream.shutdown().await?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await?;
    assert_eq!(answer, vec![7; len]);
    Ok(())
}

fn echoing(len: usize) -> Scenario {
    scenario("echoing").server(echo).client(move |net| ask(net, len))
}

#[test]
fn a_client_may_choose_where_it_connects_from() {
    for testbed in SIMULATED {
        let chosen = scenario("chosen").on(testbed).server(echo).client(|net: Net| async move {
            let mut stream = net.connect_from("0.0.0.0:5000", "server:7000", &[]).await?;
            assert_eq!(stream.local_addr()?.port(), 5000);
            stream.write_all(b"x").await?;
            assert_eq!(stream.read_u8().await?, b'x');
            let taken = net.connect_from("0.0.0.0:5000", "server:7000", &[]).await;
            let errno = taken.map(drop).map_err(|error| Errno::of(&error));
            assert_eq!(errno, Err(Some(Errno::EADDRINUSE)));
            Ok(())
        });
        let run = chosen.run(&FaultPlan::default());
        assert!(run.end.is_finished(), "{testbed}: {:?}", run.end);
    }
    let lacking =
        scenario("lacking").on(testbed::TURMOIL_SOCKETS).server(echo).client(|net: Net| async move {
            let none = net.connect_from("0.0.0.0:5000", "server:7000", &[]).await;
            assert_eq!(none.map(drop).map_err(|error| Errno::of(&error)), Err(Some(Errno::ENOPROTOOPT)));
            Ok(())
        });
    let run = lacking.run(&FaultPlan::default());
    assert!(run.end.is_finished(), "{:?}", run.end);
}

#[test]
fn a_stall_tells_the_states_of_the_connections() {
    for testbed in SIMULATED {
        let waiting = scenario("waiting").on(testbed).time_max(Duration::from_secs(5)).server(echo).client(
            |net: Net| async move {
                let mut stream = net.connect("server:7000", &[]).await?;
                stream.shutdown().await?;
                // The server's end comes, the rest of the answer never does.
                stream.read_u8().await.ok();
                std::future::pending().await
            },
        );
        let End::Stalled { limit, sockets } = waiting.run(&FaultPlan::default()).end else {
            panic!("it waits forever");
        };
        assert_eq!(limit, "5 s of virtual time");
        let told = sockets.join("\n");
        assert!(
            told.contains("client: port ") && told.contains(" to 7000 in TIME-WAIT"),
            "{testbed}: {told}"
        );
    }
}

/// With the length of the question as a variant.
fn varied() -> Scenario {
    let random_faults = RandomFaults { mtus: &[576, 9000], bytes: 4_000, every: &[5], delay_us_max: 300_000 };
    let family = Family::new().axis("len", [500, 1_000, 2_000, 3_000, 4_000]);
    echoing(500).family(family, |member| Some(echoing(member.get("len")?))).random_faults(random_faults)
}

#[test]
fn a_plan_names_the_variant_that_it_runs() {
    let run = |name: &str| {
        let plan = FaultPlan::new().scenario(name);
        varied().run(&plan)
    };
    let bytes = |run: &faultwire_sim::Run| run.trace.sendings().map(|it| it.bytes.len()).sum::<usize>();
    let plain = varied().run(&FaultPlan::default());
    assert_eq!(bytes(&run("echoing")), bytes(&plain));
    assert!(bytes(&run("echoing/len=4000")) > bytes(&plain) + 6_000);
    let wrong = run("echoing/colour=blue").end;
    assert!(
        matches!(&wrong, End::Refused { why, .. } if why.contains("no variant `colour=blue`")),
        "{wrong:?}"
    );
}

#[test]
fn random_faults_are_the_same_in_every_range_and_replays_from_its_plans() {
    for testbed in SIMULATED {
        let scenario = varied().on(testbed);
        let runs = |first, count| {
            let mut runs = Vec::new();
            let tried = Explorer::from(scenario.clone()).search_random(first, count, &mut |run| {
                runs.push(run.clone());
                ControlFlow::Continue(())
            });
            assert_eq!((tried.random, tried.without_hit, tried.not_applied), (count, 0, 0), "{testbed}");
            runs
        };
        let all = runs(0, 12);
        assert_eq!([runs(0, 5), runs(5, 7)].concat(), all, "{testbed}");
        assert!(all.iter().any(|run| run.plan.faults.len() > 3), "{testbed}");
        assert!(all.iter().any(|run| run.plan.link.numbers().mtu == 9000), "{testbed}");
        for run in all {
            assert!(run.end.is_finished() && run.fired.all(), "{testbed}: {:?}", run.end);
            let plan = FaultPlan::parse(&run.plan.to_toml(), "kept").expect("it can be read");
            assert_eq!(scenario.run(&plan), run, "{testbed}");
        }
    }
}

/// What is hit on the way is retransmitted, whichever variant it is.
#[test]
fn a_lost_segment_of_a_variant_comes_again() {
    let lost = Fault::new(["client", "server"], Packet::nth(Class::Data, 2), Action::Drop);
    let plan = FaultPlan::new().scenario("echoing/len=4000").faults([lost]);
    let run = varied().run(&plan);
    assert!(run.end.is_finished() && run.fired.all(), "{:?}", run.end);
}
