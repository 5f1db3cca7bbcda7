//! Names and addresses, as `tokio::net` takes them.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

use super::here::host_net;
use super::host_net::HostNet;
use super::sim_host::SimHost;
use sealed::{Addrs, Given};

/// What stands for one or more socket addresses: the shape of [`tokio::net::ToSocketAddrs`]. Names are those
/// of the scenario's hosts, and `localhost`.
pub trait ToSocketAddrs: Addrs {}

impl<T: Addrs + ?Sized> ToSocketAddrs for T {}

/// The addresses of `host:port`, as [`tokio::net::lookup_host`] gives them.
///
/// ```
/// use faultwire_sim::net::lookup_host;
///
/// faultwire_sim::scenario("names")
///     .client(|_| async {
///         let addrs: Vec<_> = lookup_host("client:80").await?.collect();
///         assert_eq!(addrs, ["10.0.0.1:80".parse()?, "[fd00::1]:80".parse()?]);
///         Ok(())
///     })
///     .check();
/// ```
///
/// # Errors
/// `InvalidInput` where the text is not an address, `NotFound` where no host of the scenario has the name.
pub async fn lookup_host<T: ToSocketAddrs>(host: T) -> io::Result<impl Iterator<Item = SocketAddr>> {
    Ok(resolve(host, &host_net().await?)?.into_iter())
}

/// Calls `attempt` with each address until it succeeds.
pub(super) async fn first<T, F: Future<Output = io::Result<T>>>(
    addrs: Vec<SocketAddr>,
    attempt: impl Fn(SocketAddr) -> F,
) -> io::Result<T> {
    let mut last = None;
    for addr in addrs {
        match attempt(addr).await {
            Ok(value) => return Ok(value),
            Err(error) => last = Some(error),
        }
    }
    let nothing = || io::Error::new(io::ErrorKind::InvalidInput, "could not resolve to any addresses");
    Err(last.unwrap_or_else(nothing))
}

/// The addresses that `addr` stands for, on a host.
pub(super) fn resolve(addr: impl ToSocketAddrs, net: &HostNet<SimHost>) -> io::Result<Vec<SocketAddr>> {
    match addr.given() {
        Given::Addrs(addrs) => Ok(addrs),
        Given::Text(text) => net.lookup(text),
        Given::Name(name, port) => net.lookup_name(name, port),
    }
}

mod sealed {
    use super::SocketAddr;

    /// What a program gave.
    #[derive(Debug)]
    pub enum Given<'a> {
        Addrs(Vec<SocketAddr>),
        Text(&'a str),
        Name(&'a str, u16),
    }

    pub trait Addrs: Send + Sync {
        #[doc(hidden)]
        fn given(&self) -> Given<'_>;
    }
}

/// Says for a type what its values give.
macro_rules! gives {
    ($($type:ty: |$this:ident| $given:expr;)*) => {$(
        impl Addrs for $type {
            fn given(&self) -> Given<'_> {
                let $this = self;
                $given
            }
        }
    )*};
}

gives! {
    str: |it| Given::Text(it);
    String: |it| Given::Text(it);
    (&str, u16): |it| Given::Name(it.0, it.1);
    (String, u16): |it| Given::Name(&it.0, it.1);
    [SocketAddr]: |it| Given::Addrs(it.to_vec());
    SocketAddr: |it| Given::Addrs(vec![*it]);
    SocketAddrV4: |it| Given::Addrs(vec![(*it).into()]);
    SocketAddrV6: |it| Given::Addrs(vec![(*it).into()]);
    (IpAddr, u16): |it| Given::Addrs(vec![(*it).into()]);
    (Ipv4Addr, u16): |it| Given::Addrs(vec![(*it).into()]);
    (Ipv6Addr, u16): |it| Given::Addrs(vec![(*it).into()]);
}

impl<T: Addrs + ?Sized> Addrs for &T {
    fn given(&self) -> Given<'_> {
        (**self).given()
    }
}
