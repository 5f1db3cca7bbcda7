//! `faultwire lab-helper`: this binary as a lab starts it again, to make the lab's hosts.

use faultwire::lab::{HelperError, serve};

use super::live;
use faultwire_conformance::exit;

/// Make the hosts of a lab, and open sockets in them; started by the lab itself
#[derive(Clone, Debug, clap::Args)]
pub(super) struct Args {}

pub(super) fn run(_: &Args) -> u8 {
    match serve() {
        Ok(()) => exit::AS_CLAIMED,
        Err(error) => {
            live::tell(format_args!("error: {error}"));
            match error {
                HelperError::NoChannel(_) => exit::USAGE,
                _ => exit::INTERNAL,
            }
        }
    }
}
