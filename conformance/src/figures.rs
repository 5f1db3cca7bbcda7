//! The kernel's own figures beside those of our stack, measured under the same plans.
//!
//! An *experiment* has two hosts in the kernel lab: the *tried* one, which is the kernel in one run and our
//! stack in the other, and its *peer*, which is the kernel in both. Programs and plan are the same; the
//! *figures* are read from what was on the wire. Where two figures differ by more than their tolerance, one
//! of the figure's *sentences* must allow both: what an RFC says, with a condition that is checked on the
//! values. A difference that none allows is *not explained*, and a failure.
//!
//! Read on in this order: `value`, `figure`, `seen` (a trace, read), `bench` and `socket` (the hosts),
//! `experiments` (what is done and measured), `sentences` (what allows a difference), `compare`, `table`.

mod bench;
mod compare;
mod experiments;
mod figure;
mod seen;
mod sentences;
mod socket;
mod table;
mod value;

pub use compare::{CompareError, Comparison, FORMAT, Line, Options, Verdict, compare, names};
pub use figure::{Allowed, Sentence};
pub use value::Value;
