//! What happened in a run: events in order, from which checks, diagrams and replays are made.
//!
//! `query` asks a trace what became of a packet, `divergence` where it leaves another, `diagram` draws the
//! trace for people, `pcapng` writes it for Wireshark, `text` line by line for golden files, `hash` boils it
//! down to 128 bits.

mod diagram;
mod divergence;
mod event;
mod hash;
#[cfg(feature = "pcapng")]
mod pcapng;
mod query;
#[cfg(test)]
mod sample;
mod text;
mod words;

pub use diagram::{DiagramOptions, Payloads, SVG_STYLE, SvgOptions};
pub use divergence::Divergence;
pub use event::{CongestionWindow, Event, Trace};
pub use hash::TraceHash;
#[cfg(feature = "pcapng")]
pub use pcapng::Captured;
pub use query::{Arrival, Fate, Noted, ProgramCall, Sending};

pub use crate::model::{
    Call, DropReason, HostId, LossReason, Note, PacketId, Recorder, SocketId, TcpNote, What,
};
