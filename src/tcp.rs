//! TCP (RFC 9293) as a pure machine: segments in, segments out, the time told from outside.
//!
//! Beside RFC 9293 in hand, read on in this order: `state` (section 3.3.2), `connection` (3.3.1, the
//! transmission control block), `segment` (3.1), `seq` (3.4), `isn` (3.4.1, RFC 6528), `calls` (3.10.2 to
//! 3.10.5), `arrives` (3.10.7, by state), `timers` (3.10.8, RFC 6298), `output` (3.7.4, 3.8.6: what is sent
//! next), `receive` and `reassembly` (the window on offer), `congestion` (RFC 5681, RFC 6582), `rtt` (RFC
//! 6298), `invariants` (what holds between any two calls). LISTEN, the table of connections and the sockets
//! above them are the stack's ([`crate::stack`]).
//!
//! Policies where the RFC leaves room: urgent data stays in line; text beside a SYN is not kept; after a
//! timeout all that is outstanding is sent again in slow start (there is no SACK); a closed window is probed
//! with one octet; a reset does not end TIME-WAIT (RFC 1337); a reset or a SYN in the window that does not
//! fit is answered with a challenge acknowledgement (RFC 5961, sections 3 and 4); soft ICMP errors are
//! remembered until the connection gives up.
//!
//! Left out, with their places marked: window scaling, timestamps and PAWS (RFC 7323), SACK (RFC 2018, RFC
//! 6675), keep-alive. Left out altogether: the check of old acknowledgements (RFC 5961, section 5), ECN (RFC
//! 3168), the notification of urgent data, DSCP, the user timeout (RFC 5482).

mod arrives;
mod calls;
mod config;
mod congestion;
mod connection;
mod invariants;
mod isn;
mod output;
mod reassembly;
mod receive;
mod rtt;
mod segment;
mod send_buffer;
mod seq;
#[cfg(test)]
mod tests;
mod timers;

pub use crate::model::State;
pub use config::Config;

pub(crate) use arrives::Outcome;
pub(crate) use connection::{Connection, MSS_DEFAULT, Options};
pub(crate) use isn::initial_sequence_number;
pub(crate) use rtt::Rtt;
pub(crate) use segment::Segment;
pub(crate) use seq::Seq;
