#![forbid(unsafe_code)]
//! What TCP and UDP promise, settled by experiment: claims, checks, reports.
//!
//! [`claim`] lists what is claimed; [`study`] says which scenarios settle it; [`check`] what looks at a run;
//! [`engine`] runs them; [`report`] is what comes out; `figures` measures Linux's TCP and faultwire's side by
//! side (Linux). The course and the `faultwire` command are crates beside this one.

pub mod check;
pub mod claim;
pub mod engine;
pub mod exit;
pub mod expected;
#[cfg(target_os = "linux")]
pub mod figures;
pub mod loss;
pub mod progress;
pub mod report;
pub mod study;
