//! What happened in a run: events in order, from which checks, diagrams and replays are made.

mod event;

pub use event::{Call, DropReason, Event, HostId, LossReason, Note, PacketId, SocketId, Trace, What};
