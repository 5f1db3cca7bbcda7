//! A datagram socket that adapts itself: to the round trip, to the room on the way and at the receiver, and
//! to how much reliability each message asks for.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), faultwire::adaptive::Error> {
//! use faultwire::adaptive::{AdaptiveSocket, Config, Delivery, Event, Order};
//! use faultwire::network::os::OsNetwork;
//!
//! let net = OsNetwork::new();
//! let config = Config::default().with_seed(OsNetwork::random_seed());
//! let mut server = AdaptiveSocket::bind(&net, "127.0.0.1:0", config.clone()).await?;
//! let addr = server.local_addr()?.to_string();
//! let client = async {
//!     let mut socket = AdaptiveSocket::bind(&net, "127.0.0.1:0", config).await?;
//!     let peer = socket.connect(&addr).await?;
//!     socket.send(peer, "position 1", Delivery::ONCE).await?;
//!     socket.send(peer, "chat: hello", Delivery::RELIABLE.in_stream(0)).await?;
//!     socket.close(peer).await
//! };
//! // The socket works while one of its calls is waited for.
//! let served = async {
//!     let mut chat = None;
//!     loop {
//!         match server.next().await? {
//!             Event::Message { order: Order::Ordered(0), data, .. } => chat = Some(data),
//!             Event::Closed { .. } => return Ok::<_, faultwire::adaptive::Error>(chat),
//!             _ => {}
//!         }
//!     }
//! };
//! let (closed, chat) = tokio::join!(client, served);
//! assert_eq!(chat?.as_deref(), Some(&b"chat: hello"[..]));
//! closed
//! # }
//! ```
//!
//! # What it does
//!
//! A **message** is bytes with an end; one that is longer than a datagram is sent in pieces and arrives whole
//! or not at all. Each says what it needs ([`Delivery`]): to be sent *once* (it arrives once or never), to be
//! repeated *within* a time (then it is given up, and the sender is told), or to be *reliable* (repeated
//! until it is acknowledged, or the peer is given up). It may be *in a stream*: then it is delivered behind
//! what was sent before it in that stream. Whatever it asks for, it is delivered at most once.
//!
//! ```
//! # use std::time::Duration;
//! # use faultwire::adaptive::{AdaptiveSocket, Config, Delivery, Error};
//! # use faultwire::network::Network;
//! # async fn play<N: Network>(net: N, config: Config) -> Result<(), Error> {
//! # let (position, shot, chat) = ("1 2", "3 4", "hello");
//! let mut socket = AdaptiveSocket::bind(&net, "0.0.0.0:0", config).await?;
//! let peer = socket.connect("server:7000").await?;
//! socket.send(peer, position, Delivery::ONCE).await?;                        // arrives once, or never
//! socket.send(peer, shot, Delivery::within(Duration::from_millis(200))).await?; // else the sender is told
//! socket.send(peer, chat, Delivery::RELIABLE.in_stream(0)).await?;           // in order, whatever is lost
//! socket.close(peer).await?;
//! # Ok(())
//! # }
//! ```
//!
//! It **adapts** by what it measures. The timeout is that of RFC 6298 over measured round trips, with
//! exponential back-off. A packet is lost where a packet sent three later was acknowledged, or one sent later
//! by an eighth more than a round trip (RFC 9002, section 6.1), or where the timeout is over. The congestion
//! window follows slow start and AIMD (RFC 9002, section 7: a loss halves it), and what it allows is paced
//! over the round trip. The receiver's window is the room that it keeps for this peer: it is never more
//! than that, whatever a peer sends.
//!
//! A peer that answers nothing is given up after a bounded number of timeouts; a silent one is asked whether
//! it is still there ([`Config::keep_alive`]). One that was started again, or lost the connection otherwise,
//! says so at once.
//!
//! # What it does not
//!
//! Nothing is encrypted, and no identity is proven: it is for networks that are trusted with the
//! content. What it does against strangers: an address that has not shown that it receives there gets no
//! state and never more bytes than it sent; the peers, and the room for each, have bounds, and no address
//! gets more than its share of them; no packet may panic, hang, or grow memory beyond them. The size of
//! datagrams is configured ([`Config::datagram_max`]) and not discovered.
//!
//! # How it is made
//!
//! [`Machine`] is the protocol as a pure machine: datagrams in and out as bytes, the time told from outside.
//! [`AdaptiveSocket`] runs it over the seam, so in simulation and over real sockets. Read on in this order:
//! `packet` (what is on the wire), `outgoing` and `incoming` (messages, from the two sides), `recovery` and
//! `congestion` (what was lost, and how much may be under way), `connection` (all of these for a peer),
//! `machine` and `ids` (all peers; how a connection begins).

mod config;
mod congestion;
mod connection;
mod event;
mod ids;
mod incoming;
mod machine;
mod numbers;
mod outgoing;
mod packet;
mod recovery;
mod socket;
#[cfg(test)]
mod tests;

pub(crate) use ids::source;

pub use config::{Config, Delivery, Order, Reliability};
pub use event::{Ended, Event, MessageId, PeerId, SendError, Status, Transmit, Vitals};
pub use machine::Machine;
pub use socket::{AdaptiveSocket, Error};
