//! Runs that lost packets outside of their plans.

use faultwire::fault::FaultPlan;
use faultwire::network::{Datagram as _, Network as _};
use faultwire_sim::testbed::{self, TestbedRef};
use faultwire_sim::{End, Net, Run, scenario};

use crate::bench::helper;

/// Whether this machine has a lab; says why not.
fn is_here() -> bool {
    faultwire_sim::lab::set_helper(|| Ok(helper()));
    faultwire_sim::lab::probe().inspect_err(|error| crate::require::skipped("lab", error)).is_ok()
}

/// A client sends datagrams to a server, in a run that loses one of them outside of any plan as often as
/// `lossy` says.
fn run(name: &str, testbed: TestbedRef, lossy: u32) -> Run {
    faultwire_sim::lab::lose_packets(name, lossy);
    scenario(name)
        .server(|net: Net| async move {
            let socket = net.datagram("0.0.0.0:7000", &[]).await?;
            loop {
                let asked = socket.recv_from(&mut [0; 8]).await?;
                socket.send_to(b"!", asked.from).await?;
            }
            #[expect(unreachable_code, reason = "it says what the error is")]
            Ok::<(), std::io::Error>(())
        })
        .client(|net: Net| async move {
            let socket = net.datagram("0.0.0.0:0", &[]).await?;
            let server = net.resolve("server:7000").await?;
            let server = *server.iter().find(|addr| addr.is_ipv4()).expect("it has one");
            // The first host of the kernel, whichever that is, does not get the first packet that is for it.
            loop {
                socket.send_to(b"?", server).await?;
                let answered =
                    net.timeout(std::time::Duration::from_millis(300), socket.recv_from(&mut [0; 8])).await;
                if let Ok(answered) = answered {
                    answered?;
                    return Ok(());
                }
            }
        })
        .on(testbed)
        .run(&FaultPlan::default())
}

#[test]
fn a_run_that_lost_packets_outside_of_its_plan_is_made_again_twice_at_most() {
    if !is_here() {
        return;
    }
    for testbed in [testbed::LAB, testbed::LAB_FAULTWIRE_CLIENT, testbed::LAB_FAULTWIRE_SERVER] {
        for lossy in 0..=2 {
            let run = run(&format!("lossy {lossy} {testbed}"), testbed, lossy);
            assert!(run.end.is_finished(), "{testbed}: {:?}", run.end);
            assert_eq!(run.retries, lossy, "{testbed}: it is retried, and that is counted");
        }
        let run = run(&format!("lossy {testbed}"), testbed, 9);
        let End::Refused { why, is_trouble: true } = &run.end else {
            panic!("{testbed}: what was never clean is no evidence: {:?}", run.end)
        };
        assert!(why.contains("1 packets were lost outside of the plan, and in two more runs"), "{why}");
        assert_eq!((run.retries, run.trace.events().len()), (2, 0), "{testbed}");
    }
}
