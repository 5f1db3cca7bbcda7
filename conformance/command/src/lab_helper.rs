//! `faultwire lab-helper`: this binary as a lab starts it again, to make the lab's hosts.

use faultwire::lab::{HelperError, serve};

use super::error::{CommandError, internal, usage};
use faultwire_conformance::exit;

/// Make the hosts of a lab, and open sockets in them; started by the lab itself
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {}

pub(super) fn run(_: &Args) -> Result<u8, CommandError> {
    match serve() {
        Ok(()) => Ok(exit::AS_CLAIMED),
        Err(error @ HelperError::NoChannel(_)) => Err(usage(error)),
        Err(error) => Err(internal(error)),
    }
}
