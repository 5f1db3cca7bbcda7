//! How programs use a host with our stack in a lab, on the real clock.

use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use faultwire::errno::Errno;
use faultwire::lab::LabStack;
use faultwire::network::Network as _;
use faultwire::network::os::OsNetwork;
use faultwire::stack::{Fd, HostStack};
use faultwire::time::Time;

use super::address;
use super::host_net::StackHost;
use super::recorded::Log;
use crate::program::calls_at;

/// The names and addresses of a run's hosts.
pub(crate) type Names = Arc<Vec<(String, [IpAddr; 2])>>;

/// One incarnation of a host with our stack in a lab.
#[derive(Clone, Debug)]
pub(crate) struct LabHost {
    pub(crate) host: LabStack,
    pub(crate) log: Log,
    pub(crate) clock: OsNetwork,
    pub(crate) names: Names,
}

impl StackHost for LabHost {
    type Record<'a> = &'a Log;

    fn call<T>(&self, call: impl FnOnce(&mut dyn HostStack, &mut &Log) -> T) -> Option<T> {
        calls_at(self.log.host());
        self.host.call(|stack| call(stack, &mut &self.log))
    }

    fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        fd: Fd,
        call: impl FnOnce(&mut dyn HostStack, &mut &Log) -> Result<T, Errno>,
    ) -> Poll<Result<T, Errno>> {
        calls_at(self.log.host());
        self.host.poll(cx, fd, |stack| call(stack, &mut &self.log))
    }

    fn addrs(&self, name: &str) -> io::Result<[IpAddr; 2]> {
        let found = self.names.iter().find(|(host, _)| host == name);
        found.map(|(_, addrs)| *addrs).ok_or_else(|| {
            let hosts: Vec<String> = self.names.iter().map(|(host, _)| host.clone()).collect();
            address::unknown(name, &hosts)
        })
    }

    fn sleep(&self, span: Duration) -> impl Future<Output = ()> + Send {
        tokio::time::sleep(span)
    }

    fn now(&self) -> Time {
        self.clock.now()
    }
}
