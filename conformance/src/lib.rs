#![forbid(unsafe_code)]
//! What TCP and UDP promise, settled by experiment: claims, checks, reports.
//!
//! [`claim`] lists the claims; [`study`] says which scenarios settle them; [`check`] holds the checks of a
//! run; [`engine`] runs them; [`report`] writes the results; `figures` measures Linux's TCP and faultwire's
//! side by side (Linux). [`third_party`] puts stacks and sockets of others under the claims, whose adapters
//! [`adapter`] tests. The course and the `faultwire` command are crates beside this one.

pub mod adapter;
pub mod check;
pub mod claim;
pub mod engine;
pub mod exit;
pub mod expected;
#[cfg(target_os = "linux")]
pub mod figures;
pub mod progress;
pub mod report;
pub mod study;
pub mod third_party;
