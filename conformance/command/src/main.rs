//! The command `faultwire`, with the third-party subjects of `fixtures/stacks`.

use std::process::ExitCode;

use faultwire_conformance::third_party::ThirdParty;

fn main() -> ExitCode {
    faultwire_command::main(third_parties())
}

/// The subjects, each with the failures that are expected of it.
fn third_parties() -> Vec<ThirdParty> {
    let turmoil_net = ThirdParty::sockets(faultwire_turmoil_net::TURMOIL_NET);
    vec![
        expecting(ThirdParty::stack(faultwire_smoltcp::subject()), faultwire_smoltcp::EXPECTED_FAILURES),
        expecting(turmoil_net, faultwire_turmoil_net::EXPECTED_FAILURES),
    ]
}

/// With a list that is part of this program.
fn expecting(third_party: ThirdParty, list: &'static str) -> ThirdParty {
    let name = third_party.name();
    third_party.expecting(name, list).unwrap_or_else(|error| panic!("the list of {name}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_list_can_be_read() {
        for third_party in third_parties() {
            assert!(!third_party.expected().is_empty(), "{}", third_party.name());
        }
    }
}
