//! The exit codes of the `faultwire` command. Part of its contract.

/// All is as claimed.
pub const AS_CLAIMED: u8 = 0;
/// A claim failed: broken, unwitnessed, unproven or stalled.
pub const CLAIM_FAILED: u8 = 1;
/// Wrong usage, wrong input, or a result that cannot be written where it was asked for.
pub const USAGE: u8 = 2;
/// A testbed requested by name is unavailable, or nothing was tried of a claim or on a testbed requested by
/// name.
pub const NO_TESTBED: u8 = 3;
/// An internal fault, any panic included.
pub const INTERNAL: u8 = 4;
/// Ended early by Ctrl-C or SIGTERM, and nothing had failed by then: 128 and the number of the signal, as
/// shells have it.
pub const INTERRUPTED: u8 = 130;
