//! Faults as data: the plan, how it names a packet, the link it applies to, and the wire that applies it.
//!
//! # The plan file
//! TOML; read by [`FaultPlan::read`] and [`FaultPlan::parse`], written by [`FaultPlan::to_toml`].
//! ```toml
//! format = 1
//! title = "the first datagram is overtaken by the second"
//! scenario = "numbered"           # optional: what replay runs
//! claim = "udp/may-reorder"       # optional: what replay looks for
//! [link]
//! profile = "lan"                 # pan, lan, man, wan, or numbers: delay_us, mtu, rate_kbps (if limited),
//!                                 # delay_us_max (where it varies from packet to packet), host_mtu (where
//!                                 # the hosts do not know the link's)
//! [[links]]                       # a link between two hosts that differs from [link]; any of its keys
//! between = ["client", "server"]  # or one way: direction = "client->server"
//! delay_us = 20_000
//! [lab]                           # optional: the commands that `faultwire lab --plan` runs by default
//! server = "python3 server.py"
//! client = "python3 client.py {server}"
//! ipv6 = true                     # optional, as the next three
//! profile = "fast"                # the kernel's settings: own, fast or stock
//! tun = ["server"]                # whose command is a network stack that has a TUN device
//! timeout_ms = 5_000              # how long the client may take
//! [[fault]]
//! direction = "client->server"
//! packet = { class = "datagram", nth = 1 }   # optional: flow; transmission (class data only)
//! action = { hold_for = 1 }       # "drop", "duplicate", delay_us, hold_for, corrupt_bit, corrupt_bits
//! [[fault]]                       # changes header fields, and makes the checksums fit
//! direction = "server->client"
//! packet = { class = "data", nth = 1 }
//! action = { set = { ttl = 1, seq = "+1000" }, checksums = "keep" }   # optional: "mend" or "keep"
//! [[fault]]                       # drops the packet, and its sender is told so
//! direction = "client->server"
//! packet = { class = "datagram", nth = 2 }
//! action = { reject = "too-big", mtu = 1_200 }
//! [[event]]
//! kind = "partition"              # what is sent from now on is lost; `heal` ends it
//! hosts = ["client", "server"]    # one link, or one way of it: direction = "server->client"; else all links
//! flow = 1                        # optional: packets of this flow alone
//! longer_than = 1_200             # optional: IP packets of more bytes alone
//! after = { direction = "server->client", class = "data", nth = 3 }   # optional: wait_us, so much later
//! [[event]]
//! kind = "outage"                 # a partition that ends by itself
//! for_us = 3_000_000              # or retransmissions = 3: until three were lost
//! before = { direction = "client->server", class = "data", nth = 2 }  # this packet is lost too
//! [[event]]
//! kind = "crash"                  # loses power; or kill: its programs die and it closes their sockets
//! host = "server"
//! at_us = 50_000                  # in simulation only
//! [[event]]
//! kind = "restart"                # the host, or after a kill its programs
//! host = "server"
//! at_us = 55_000
//! [[event]]
//! kind = "inject"                 # a copy of a packet of the run, or (with reject) what its sender is told
//! like = { direction = "server->client", class = "data", nth = 1 }
//! set = { seq = "+10", flags = "R", payload = "" }                # optional
//! after = { direction = "server->client", class = "data", nth = 1 }
//! [[event]]
//! kind = "inject"
//! direction = "client->server"
//! bytes = "4500001c…"             # a whole IP packet, in hexadecimal
//! at_us = 60_000
//! ```
//!
//! Unknown keys, numbers out of their [`bounds`] and two faults on one packet are refused, each with its
//! place.
//!
//! Header fields that can be set are those of [`Field`], by [`Field::name`]: to a number, to the packet's own
//! number and one more (`"+1"`, `"-1"`), `src` and `dst` to an address, `flags` to letters of `FSRPAUEW`,
//! `options` and `payload` to bytes in hexadecimal. What can be told to a sender is [`Rejection`].
//!
//! # How a packet is named
//! By direction, class and nth of its class, counted as the packets leave their hosts, before any fault:
//! [`Packet`].

mod classify;
mod file;
mod impair;
mod plan;
mod profile;
mod wire;
mod words;

pub use file::{Mistake, PlanError, PlanFile, bounds};
pub use impair::{
    Chance, Delay, Distribution, Draw, Impairment, Loss, NotAnImpairment, NotDrawn, Reorder, Share,
};
pub use plan::{
    Anchor, Direction, EventKind, Fault, FaultPlan, Injection, LabPair, Lasts, Link, LinkNumbers, PairLink,
    PlanEvent, Profile, When,
};
pub use wire::{Delivery, Due, DueWhat, Fired, UnknownHost, Wire};
pub use words::{NotADirection, UnknownWord};

pub use crate::model::{Action, Change, Class, Cut, Field, Label, Packet, Rejection, Value};
