#![forbid(unsafe_code)]
//! What TCP and UDP promise, settled by experiment: claims, checks, reports.
//!
//! [`claim`] lists what is claimed; [`study`] says which scenarios settle it; [`check`] what looks at a run;
//! [`engine`] runs them; [`report`] is what comes out; [`lesson`] is the course; [`plot`] draws curves;
//! `figures` measures the kernel's TCP and ours side by side (Linux); [`command`] is the `faultwire` command
//! around it all.

pub mod check;
pub mod claim;
pub mod command;
pub mod engine;
pub mod exit;
pub mod expected;
#[cfg(target_os = "linux")]
pub mod figures;
pub mod interrupt;
pub mod lesson;
pub mod loss;
pub mod plot;
pub mod progress;
pub mod report;
pub mod study;
mod workers;
