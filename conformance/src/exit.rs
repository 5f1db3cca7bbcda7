//! The exit codes of the `faultwire` command. Part of its contract.

/// All is as claimed.
pub const AS_CLAIMED: u8 = 0;
/// A claim failed: broken, unwitnessed, unproven or stalled.
pub const CLAIM_FAILED: u8 = 1;
/// Wrong usage, or wrong input.
pub const USAGE: u8 = 2;
/// A testbed that was asked for by name is not to be had.
pub const NO_TESTBED: u8 = 3;
/// An internal fault.
pub const INTERNAL: u8 = 4;
/// Ended early by Ctrl-C, and nothing had failed by then: 128 and the number of the signal, as shells have it.
pub const INTERRUPTED: u8 = 130;
