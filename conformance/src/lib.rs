#![forbid(unsafe_code)]
//! What TCP and UDP promise, settled by experiment: claims, checks, reports.
//!
//! [`claim`] lists what is claimed; [`study`] says which scenarios settle it; [`check`] what looks at a run.

pub mod check;
pub mod claim;
pub mod engine;
pub mod exit;
pub mod known;
pub mod progress;
pub mod report;
pub mod study;
