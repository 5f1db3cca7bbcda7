//! From text to addresses: literals, the names that a testbed gave, and the system's name service.

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

type Hook = Arc<dyn Fn(&str, u16) -> Option<io::Result<SocketAddr>> + Send + Sync>;

/// The names that a host knows by itself.
#[derive(Clone, Default)]
pub(super) struct Names {
    table: BTreeMap<String, Vec<IpAddr>>,
    hook: Option<Hook>,
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Names").field("table", &self.table).field("hook", &self.hook.is_some()).finish()
    }
}

impl Names {
    pub(super) fn add(&mut self, name: String, addr: IpAddr) {
        self.table.entry(name).or_default().push(addr);
    }

    pub(super) fn set_hook(&mut self, hook: Hook) {
        self.hook = Some(hook);
    }

    /// The addresses of a peer: the hook is asked first.
    pub(super) async fn resolve_peer(&self, addr: &str) -> io::Result<Vec<SocketAddr>> {
        if let Some(hook) = &self.hook {
            let (host, port) = split(addr)?;
            if let Some(answer) = hook(host, port) {
                return answer.map(|addr| vec![addr]);
            }
        }
        self.resolve_own(addr).await
    }

    /// The addresses of a name, without the hook.
    pub(super) async fn resolve_own(&self, addr: &str) -> io::Result<Vec<SocketAddr>> {
        let (host, port) = split(addr)?;
        if let Some(own) = self.table.get(host) {
            return Ok(own.iter().map(|ip| SocketAddr::new(*ip, port)).collect());
        }
        if let Ok(literal) = addr.parse() {
            return Ok(vec![literal]);
        }
        let found: Vec<SocketAddr> = tokio::net::lookup_host((host, port))
            .await
            .map_err(|error| {
                io::Error::new(io::ErrorKind::NotFound, format!("cannot find `{host}`: {error}"))
            })?
            .collect();
        if found.is_empty() {
            return Err(nobody(addr));
        }
        Ok(found)
    }
}

/// The error for a name that has no address.
pub(super) fn nobody(addr: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("`{addr}` has no address"))
}

/// Parts `host:port`; the host of `[IPv6]:port` comes without its brackets.
fn split(addr: &str) -> io::Result<(&str, u16)> {
    let wrong = || {
        io::Error::new(
            io::ErrorKind::InvalidInput,
            format!(
                "`{addr}` is not an address: expected `host:port`, such as `127.0.0.1:7000` or `[::1]:7000`"
            ),
        )
    };
    let (host, port) = addr.rsplit_once(':').ok_or_else(wrong)?;
    let port = if port.bytes().all(|b| b.is_ascii_digit()) {
        port.parse().map_err(|_| wrong())?
    } else {
        return Err(wrong());
    };
    if let Some(inner) = host.strip_prefix('[') {
        let inner = inner.strip_suffix(']').ok_or_else(wrong)?;
        // A scope (`fe80::1%2`) is left to SocketAddr's own parser.
        let bare = inner.split('%').next().unwrap_or(inner);
        bare.parse::<Ipv6Addr>().map_err(|_| wrong())?;
        return Ok((inner, port));
    }
    if host.is_empty() || host.contains([':', ']']) || host.contains(char::is_whitespace) {
        return Err(wrong());
    }
    Ok((host, port))
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn texts_are_parted_or_refused() {
        assert_eq!(split("server:7000").expect("a name"), ("server", 7000));
        assert_eq!(split("127.0.0.1:0").expect("a quad"), ("127.0.0.1", 0));
        assert_eq!(split("[::1]:65535").expect("IPv6"), ("::1", 65535));
        for wrong in [
            "",
            ":",
            "server",
            "server:",
            ":7000",
            "server:65536",
            "server:-1",
            "server:+1",
            "::1:7000",
            "[::1:7000",
            "[x]:7000",
            "a b:7000",
            "[::1]",
        ] {
            let error = split(wrong).expect_err(wrong);
            assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput, "{wrong}");
            assert!(error.to_string().contains(&format!("`{wrong}` is not an address")), "{error}");
        }
    }
}
