#![forbid(unsafe_code)]
//! Deterministic network simulation with faults as data.

mod run;

pub use run::{End, Run};
