//! Faults as data: the plan, how it names a packet, the link it applies to, and the wire that applies it.

mod classify;
mod file;
mod plan;
mod profile;
mod wire;
mod words;

pub use file::{Mistake, PlanError, bounds};
pub use plan::{
    Action, Anchor, Class, Direction, EventKind, Fault, FaultPlan, Label, Link, LinkNumbers, Packet,
    PlanEvent, Profile, When,
};
pub use wire::{Delivery, Due, DueWhat, Fired, UnknownHost, Wire};
pub use words::{NotADirection, UnknownWord};
