//! The checks, by protocol: pure functions over one run, and the studies that they belong to.

pub mod tcp;
pub mod udp;
