#![forbid(unsafe_code)]
//! Deterministic network simulation with faults as data.
//!
//! [`scenario`] is where to start: it says what the hosts do. A [`testbed`] is where it runs; a [`Run`] is
//! what is known afterwards. An [`Explorer`] searches for the plans of faults under which it fails.

pub mod berkeley;
mod cancel;
mod disk;
mod drivers;
mod explorer;
pub mod failure;
pub mod net;
mod new_host;
#[cfg(unix)]
pub mod process;
mod program;
mod programs;
mod run;
mod run_state;
mod scenario;
pub mod search;
pub mod seed;
mod settings;
mod skew;
mod subject;
pub mod workers;
mod world;

pub use cancel::CancellationToken;
pub use disk::Disk;
pub use explorer::{Difference, Event, Exploration, Explorer, Failure, Rate, Repeats, Signature};
pub use net::{Net, NetDatagram, NetListener, NetStream};
pub use new_host::NewHost;
pub use program::handled;
pub use programs::Programs;
pub use run::{End, Run};
pub use scenario::{BoxError, Ending, Moment, Result, Scenario};
pub use settings::Settings;
pub use skew::Skew;

#[cfg(all(feature = "lab", target_os = "linux"))]
pub use drivers::lab::helper as lab;

/// What a test and its programs need.
///
/// ```
/// use faultwire_sim::prelude::*;
///
/// async fn ask(net: impl Network) -> std::io::Result<()> {
///     let socket = net.datagram("0.0.0.0:0", &[]).await?;
///     socket.send_to(b"there?", "10.0.0.1:7000".parse().expect("an address")).await?;
///     net.timeout(Duration::from_secs(1), socket.recv_from(&mut [0; 16])).await??;
///     Ok(())
/// }
/// ```
pub mod prelude {
    pub use std::time::Duration;

    pub use faultwire::fault::FaultPlan;
    pub use faultwire::network::{Datagram, Listener, Network, Stream};
    pub use tokio::io::{AsyncReadExt, AsyncWriteExt};

    pub use crate::{Net, Scenario, scenario};
}

/// Where scenarios run, and whose sockets their programs have there.
pub mod testbed {
    pub use crate::drivers::{
        ALL, LAB, LAB_FAULTWIRE_CLIENT, LAB_FAULTWIRE_SERVER, LOOPBACK, RELAY, TURMOIL, TURMOIL_SOCKETS,
        VIRTUAL,
    };
    pub use crate::scenario::{Capabilities, Capability, Clock, Subject, Testbed, TestbedRef, Unavailable};
    pub use crate::subject::StackSubject;
}

/// A scenario of that name, with no hosts yet.
///
/// ```
/// use faultwire::network::{Datagram as _, Network as _};
///
/// faultwire_sim::scenario("one datagram")
///     .server(|net| async move {
///         let socket = net.datagram("0.0.0.0:7000", &[]).await?;
///         let mut buffer = [0; 16];
///         let received = socket.recv_from(&mut buffer).await?;
///         socket.send_to(b"yes", received.from).await
///     })
///     .client(|net| async move {
///         let socket = net.datagram("0.0.0.0:0", &[]).await?;
///         socket.connect("server:7000").await?;
///         socket.send(b"there?").await?;
///         let mut buffer = [0; 16];
///         assert_eq!(socket.recv_from(&mut buffer).await?.len, 3);
///         Ok(())
///     })
///     .check();
/// ```
pub fn scenario(name: impl Into<String>) -> Scenario {
    Scenario::new(name.into(), testbed::VIRTUAL)
}
