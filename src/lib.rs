//! faultwire: what TCP and UDP promise, settled by experiment.
//!
//! A map of the code: [`packet`] reads and writes packets; [`stack`] is a host's network stack, a pure
//! machine, and [`tcp`] the TCP in it; [`fault`] is what goes wrong, as data, and the wire that makes it go
//! wrong; [`network`] is the seam that lets one program run over real sockets and in simulation; [`program`]
//! holds the clients and servers written against it, [`machine`] protocols as pure machines and what runs one
//! over a socket, [`adaptive`] a datagram socket that does as much for each message as that asks for;
//! [`trace`] is what happened; [`files`] reads and writes what a user names; [`relay`] puts the wire between
//! two real UDP sockets, and `lab` (Linux, with the feature of that name) between hosts of the real kernel.

pub mod adaptive;
pub mod fault;
pub mod files;
#[cfg(all(target_os = "linux", feature = "lab"))]
pub mod lab;
pub mod machine;
mod model;
mod mutant;
pub mod network;
pub mod packet;
pub mod program;
pub mod relay;
#[cfg(test)]
mod require;
pub mod stack;
pub mod tcp;
pub mod text;
pub mod trace;

pub use model::{Errno, Time, errno, time};
