//! The plan file: a fault plan as text that a person can write (TOML, `format = 1`).
//!
//! The format stands in the documentation of [`fault`](super).
//!
//! Nothing is guessed: an unknown key, a number out of its bounds ([`bounds`]) or two faults on one packet
//! are refused, with the place, what was found and what was expected.

mod change;
mod hosts;
mod link;
mod mistake;
mod plan;
mod section;
mod serial;
mod write;

use std::io::Read;
use std::path::Path;

pub use self::mistake::{Mistake, PlanError};
use self::section::Wrong;
use super::FaultPlan;

/// The bounds of a plan file. What lies outside is refused.
pub mod bounds {
    use std::ops::RangeInclusive;

    /// Bytes of a file.
    pub const FILE_BYTES_MAX: usize = 16 * 1024 * 1024;
    /// Faults of a plan.
    pub const FAULTS_MAX: usize = 10_000;
    /// Events of a plan.
    pub const EVENTS_MAX: usize = 1_000;
    /// Links between two hosts.
    pub const LINKS_MAX: usize = 10_000;
    /// Characters of a title.
    pub const TITLE_CHARS_MAX: usize = 1_000;
    /// Characters of a scenario's name, none of them a control character.
    pub const SCENARIO_CHARS_MAX: usize = 200;
    /// Characters of a claim's name: a family and a name in it, each of `a`-`z`, `0`-`9` and `-`, with a `/`
    /// between.
    pub const CLAIM_CHARS_MAX: usize = 100;
    /// Characters of a host's name (`a`-`z`, `0`-`9` and `-`), as in a DNS label.
    pub const HOST_CHARS_MAX: usize = 63;
    /// Characters of a command of `[lab]`.
    pub const COMMAND_CHARS_MAX: usize = 10_000;
    /// The timeout of `[lab]`, in milliseconds: up to a day.
    pub const TIMEOUT_MS: RangeInclusive<u64> = 1..=86_400_000;
    /// A link's one-way delay, in microseconds.
    pub const LINK_DELAY_US: RangeInclusive<u64> = 0..=600_000_000;
    /// A link's largest packet, in bytes: from the least that IPv4 allows (RFC 791). Below 1280, what IPv6
    /// requires of a link (RFC 8200, section 5), IPv6 packets of full size are lost as too big.
    pub const MTU: RangeInclusive<u64> = 68..=65_535;
    /// A link's rate, in kilobits per second.
    pub const RATE_KBPS: RangeInclusive<u64> = 1..=1_000_000_000;
    /// The nth of a packet.
    pub const NTH: RangeInclusive<u64> = 1..=1_000_000;
    /// The number of a flow: as many as are told apart.
    pub const FLOW: RangeInclusive<u64> = 1..=4_096;
    /// The transmission of a data segment.
    pub const TRANSMISSION: RangeInclusive<u64> = 1..=1_000;
    /// A fault's delay, in microseconds. None at all is no fault.
    pub const DELAY_US: RangeInclusive<u64> = 1..=600_000_000;
    /// Packets that a fault holds a packet back for.
    pub const HOLD_FOR: RangeInclusive<u64> = 1..=1_000;
    /// A bit of an IP packet.
    pub const BIT: RangeInclusive<u64> = 0..=65_535 * 8 - 1;
    /// How many bits `corrupt_bits` takes; a single one is `corrupt_bit`.
    pub const BITS: RangeInclusive<usize> = 2..=8;
    /// The time of an event, in microseconds: up to a day.
    pub const AT_US: RangeInclusive<u64> = 0..=86_400_000_000;
    /// How much later than its packet an event comes, in microseconds: up to a day.
    pub const WAIT_US: RangeInclusive<u64> = 1..=86_400_000_000;
    /// Bytes of an IP packet that a cut for longer ones lets pass.
    pub const LONGER_THAN: RangeInclusive<u64> = 0..=65_534;
    /// How long an outage lasts, in microseconds: up to a day.
    pub const FOR_US: RangeInclusive<u64> = 1..=86_400_000_000;
    /// How many retransmissions are lost in an outage.
    pub const RETRANSMISSIONS: RangeInclusive<u64> = 1..=1_000;
    /// Bytes of an injected packet, or of a payload.
    pub const PACKET_BYTES_MAX: usize = 65_535;
    /// Bytes of TCP's options.
    pub const OPTIONS_BYTES_MAX: usize = 40;
}

/// A plan with the file that it stands in: for mistakes that only show where the plan is put to use.
#[derive(Clone, Debug)]
pub struct PlanFile {
    /// The plan.
    pub plan: FaultPlan,
    name: String,
    text: String,
}

impl PlanFile {
    /// Reads a plan file.
    ///
    /// # Errors
    /// [`PlanError::Unreadable`] where the file cannot be read, else as [`FaultPlan::parse`].
    pub fn read(path: impl AsRef<Path>) -> Result<PlanFile, PlanError> {
        let path = path.as_ref();
        let file = path.display().to_string();
        let unreadable = |source| PlanError::Unreadable { file: file.clone(), source };
        PlanFile::read_from(crate::files::open(path).map_err(unreadable)?, &file)
    }

    /// Reads a plan from anything that can be read; `file_name` is what errors call it.
    ///
    /// # Errors
    /// As [`PlanFile::read`].
    pub fn read_from(source: impl Read, file_name: &str) -> Result<PlanFile, PlanError> {
        let name = file_name.to_owned();
        let unreadable = |source| PlanError::Unreadable { file: name.clone(), source };
        let mut bytes = Vec::new();
        // One byte more than allowed is enough to see that there are too many.
        let limit = bounds::FILE_BYTES_MAX as u64 + 1;
        source.take(limit).read_to_end(&mut bytes).map_err(unreadable)?;
        match String::from_utf8(bytes) {
            Ok(text) => FaultPlan::parse(&text, &name).map(|plan| PlanFile { plan, name, text }),
            Err(error) => {
                let good = error.utf8_error().valid_up_to();
                let text = String::from_utf8_lossy(error.as_bytes());
                let wrong = Wrong::new(good..good + 1, "a byte that is not UTF-8", "text in UTF-8");
                Err(wrong.in_file(&name, &text))
            }
        }
    }

    /// Whether the plan names no hosts but these.
    ///
    /// # Errors
    /// [`PlanError::Wrong`]: the first other host, with its place.
    pub fn check_hosts(&self, hosts: &[impl AsRef<str>]) -> Result<(), PlanError> {
        let hosts: Vec<&str> = hosts.iter().map(AsRef::as_ref).collect();
        hosts::check(&self.text, &hosts).map_err(|wrong| wrong.in_file(&self.name, &self.text))
    }
}

impl FaultPlan {
    /// Reads a plan file; [`PlanFile::read`] keeps its text.
    ///
    /// # Errors
    /// [`PlanError::Unreadable`] where the file cannot be read, else as [`parse`](FaultPlan::parse).
    pub fn read(path: impl AsRef<Path>) -> Result<FaultPlan, PlanError> {
        PlanFile::read(path).map(|file| file.plan)
    }

    /// Reads a plan from anything that can be read; `file_name` is what errors call it.
    ///
    /// # Errors
    /// As [`FaultPlan::read`].
    pub fn read_from(source: impl Read, file_name: &str) -> Result<FaultPlan, PlanError> {
        PlanFile::read_from(source, file_name).map(|file| file.plan)
    }

    /// Reads a plan from text; `file_name` is what errors call it.
    ///
    /// # Errors
    /// [`PlanError::Wrong`]: the first mistake, with its place.
    ///
    /// # Examples
    /// ```
    /// use faultwire::fault::FaultPlan;
    ///
    /// let plan = FaultPlan::parse(
    ///     r#"
    /// format = 1
    /// [[fault]]
    /// direction = "client->server"
    /// packet = { class = "datagram", nth = 1 }
    /// action = "drp"
    /// "#,
    ///     "plan.toml",
    /// );
    /// let told = plan.unwrap_err().to_string();
    /// assert!(told.starts_with("plan.toml:6:10: found \"drp\", expected \"drop\""));
    /// ```
    pub fn parse(text: &str, file_name: &str) -> Result<FaultPlan, PlanError> {
        plan::read(text).map_err(|wrong| wrong.in_file(file_name, text))
    }

    /// The plan as the text of a plan file, in the one form that is used for all; comments are not kept.
    ///
    /// What [`parse`](FaultPlan::parse) makes of it is the same plan again, as long as it is within the
    /// [`bounds`].
    pub fn to_toml(&self) -> String {
        write::toml(self)
    }
}

#[cfg(test)]
mod tests;
