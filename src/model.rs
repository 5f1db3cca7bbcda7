//! The vocabulary that all of the crate shares: numbers, times, error numbers, the Berkeley calls, packets'
//! names and events. It depends on nothing else here; the modules that own a topic make its names public.

mod change;
mod cut;
pub mod errno;
mod event;
mod id;
mod packet;
mod sockets;
mod state;
pub mod time;

pub use change::{Change, Field, Rejection, Value};
pub use cut::Cut;
pub use errno::Errno;
pub use event::{Call, DropReason, LossReason, Note, Recorder, TcpNote, What};
pub use id::{HostId, PacketId, SocketId};
pub use packet::{Action, Class, Label, Packet};
pub use sockets::{
    Domain, Fd, HostStack, How, KeepAlive, Kind, OptionName, Protocol, Readiness, Received, SocketOption,
    Sockets,
};
pub use state::State;
pub use time::Time;
