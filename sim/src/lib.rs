#![forbid(unsafe_code)]
//! Deterministic network simulation with faults as data.
//!
//! [`scenario`] is where to start: it says what the hosts do and how hard to search for a plan of faults that
//! breaks it. A [`Testbed`] is where it runs; a [`Run`] is what is known afterwards.

pub mod failure;
#[cfg(all(feature = "lab", target_os = "linux"))]
pub mod lab;
mod net;
mod program;
mod run;
mod scenario;
pub mod search;
pub mod seed;
mod settings;
mod testbed;
mod world;

pub use net::{Net, NetDatagram, NetListener, NetStream};
pub use program::handled;
pub use run::{End, Run};
pub use scenario::{BoxError, Ending, Failure, Result, Scenario, scenario};
pub use settings::Settings;
pub use testbed::Testbed;
