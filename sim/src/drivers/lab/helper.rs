//! Labs: hosts of the real kernel, for the testbed [`LAB`](crate::testbed::LAB) and its like. Linux only,
//! behind the feature `lab`.
//!
//! The hosts of a lab are made by a helper, a process that calls [`faultwire::lab::serve`] first thing. The
//! command `faultwire lab-helper` is one: [`set_helper`] names it, or the environment variable
//! [`HELPER_VARIABLE`] does.

use std::io;
use std::process::Command;
use std::sync::OnceLock;

use faultwire::lab::{DeviceKind, LabError, Profile, Setting};

use super::pool;

/// The environment variable that names the program whose command `lab-helper` is to make the hosts.
pub const HELPER_VARIABLE: &str = "FAULTWIRE_LAB_HELPER";

/// The environment variable that says how hosts meet the wire: `tun` or `packet`; the best available one,
/// without it.
pub const DEVICE_VARIABLE: &str = "FAULTWIRE_LAB_DEVICE";

type Make = Box<dyn Fn() -> io::Result<Command> + Send + Sync>;

static HELPER: OnceLock<Make> = OnceLock::new();

/// Names the command that makes the hosts of labs. The first one counts, and it goes before the
/// environment's.
pub fn set_helper(make: impl Fn() -> io::Result<Command> + Send + Sync + 'static) {
    // A second one has nothing to add.
    let _ = HELPER.set(Box::new(make));
}

/// The command that makes hosts.
pub(crate) fn helper() -> io::Result<Command> {
    if let Some(make) = HELPER.get() {
        return make();
    }
    let path = std::env::var_os(HELPER_VARIABLE).ok_or_else(|| {
        let text = format!("no command that makes hosts was named: set {HELPER_VARIABLE} to a `faultwire`");
        io::Error::new(io::ErrorKind::NotFound, text)
    })?;
    let mut command = Command::new(path);
    command.arg("lab-helper");
    Ok(command)
}

/// The kind of device that the environment asks for.
pub(crate) fn device() -> Option<DeviceKind> {
    match std::env::var(DEVICE_VARIABLE).as_deref() {
        Ok("tun") => Some(DeviceKind::Tun),
        Ok("packet") => Some(DeviceKind::Packet),
        _ => None,
    }
}

/// The profile of kernel settings that the hosts of labs have, and those of its settings that this machine's
/// kernel does not take, each with its error. A lab is made for that, which is kept for the first run.
///
/// # Errors
/// As [`probe`].
pub fn settings() -> Result<(Profile, Vec<Setting>), LabError> {
    Ok((pool::PROFILE, pool::look(|bench| bench.lab.unset().to_vec())?))
}

/// Makes a lab, which is kept for the first run, and says how its hosts meet the wire.
///
/// # Errors
/// [`LabError::Refused`] where the machine refuses a step; [`LabError::Start`] where no helper was named.
pub fn probe() -> Result<DeviceKind, LabError> {
    pool::look(|bench| bench.device.unwrap_or(DeviceKind::Packet))
}

/// Makes each of the next `runs` runs of the named scenario lose a packet outside of its plan, to test that
/// such runs are discarded.
#[cfg(feature = "mutants")]
pub fn lose_packets(scenario: &str, runs: u32) {
    super::lossy::lose(scenario, runs);
}
