//! Addresses as programs write them: `host:port`.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Splits `host:port`; an IPv6 literal stands in brackets.
pub(crate) fn split(addr: &str) -> io::Result<(&str, u16)> {
    let wrong = || {
        let text =
            format!("`{addr}` is not an address: expected host:port, such as server:7000 or [::]:7000");
        io::Error::new(io::ErrorKind::InvalidInput, text)
    };
    let (host, port) = addr.rsplit_once(':').ok_or_else(wrong)?;
    let port = port.parse().map_err(|_| wrong())?;
    let host = match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').ok_or_else(wrong)?,
        None if host.contains(':') || host.is_empty() => return Err(wrong()),
        None => host,
    };
    Ok((host, port))
}

/// The name of the host itself, for its own programs.
pub(crate) const LOCALHOST: &str = "localhost";

/// The addresses that stand for every host: the one that the text spells out, or those of `localhost`.
pub(crate) fn literal(host: &str) -> Option<Vec<IpAddr>> {
    match host {
        LOCALHOST => Some(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()]),
        _ => host.parse().ok().map(|ip| vec![ip]),
    }
}

pub(crate) fn unknown(name: &str, hosts: &[String]) -> io::Error {
    let text = format!("no host is named `{name}`; the hosts of this run are {}", hosts.join(", "));
    io::Error::new(io::ErrorKind::NotFound, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_and_port_are_split_and_the_rest_refused() {
        assert_eq!(split("server:7000").ok(), Some(("server", 7000)));
        assert_eq!(split("[fd00::1]:7").ok(), Some(("fd00::1", 7)));
        for wrong in ["server", "server:", "server:70000", ":7", "fd00::1:7", "[fd00::1:7", ""] {
            assert!(split(wrong).is_err(), "{wrong}");
        }
    }
}
