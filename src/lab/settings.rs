//! The kernel's settings and counters of a network namespace.

use std::fs;
use std::io;
use std::net::Ipv6Addr;

use rustix::event::{Timespec, poll};
use serde::{Deserialize, Serialize};

use super::refusal::{Refusal, Step};

/// Settings that every host gets before its device exists, where its kernel has them: so that an idle link is
/// silent, no run teaches the next one, and programs need no root.
pub(super) const QUIET: &[(&str, &str)] = &[
    ("ipv6/conf/default/disable_ipv6", "0"),
    // No link-local address, no router solicitation: nothing goes over the link that no program asked for.
    ("ipv6/conf/default/addr_gen_mode", "1"),
    ("ipv6/conf/default/router_solicitations", "0"),
    ("ipv6/conf/default/accept_ra", "0"),
    ("ipv6/conf/default/accept_dad", "0"),
    // What one connection learnt of the path is not for the next one.
    ("ipv4/tcp_no_metrics_save", "1"),
    // Each closed port is told of.
    ("ipv4/icmp_ratelimit", "0"),
    ("ipv6/icmp/ratelimit", "0"),
    // Ports below 1024 as well: a program has no more rights than its user.
    ("ipv4/ip_unprivileged_port_start", "0"),
];

/// Sets one of the calling thread's network namespace.
///
/// # Errors
/// The system's: `ENOENT` where this kernel has no such setting, `EROFS` where `/proc` is read-only.
pub(super) fn set(name: &str, value: &str) -> io::Result<()> {
    if name.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err(io::Error::from_raw_os_error(libc::EINVAL));
    }
    fs::write(format!("/proc/sys/net/{name}"), value)
}

/// Like [`set`], where this kernel has such a setting: some are younger than others, and a kernel without
/// IPv6 has no settings of IPv6.
///
/// # Errors
/// [`Refusal`] for any other reason.
pub(super) fn set_if_there(name: &str, value: &str) -> Result<(), Refusal> {
    match set(name, value) {
        Err(error) if error.raw_os_error() != Some(libc::ENOENT) => Err(Refusal::new(Step::Settings, &error)),
        _ => Ok(()),
    }
}

/// How often it is looked for an address, a millisecond apart: it is there after a few, but the kernel makes
/// it after all that other namespaces have asked for, and where many come and go at once that takes seconds.
const LOOKS: usize = 20_000;

/// Waits until the calling thread's network namespace takes packets to an IPv6 address.
///
/// It has the address at once, and sends from it; but the route that leads packets for it to the host itself
/// is made some time later, and what comes before that is thrown away.
///
/// # Errors
/// The system's; `ETIMEDOUT` after twenty seconds.
pub(super) fn wait_for_address(addr: Ipv6Addr) -> io::Result<()> {
    let millisecond = Timespec { tv_sec: 0, tv_nsec: 1_000_000 };
    for _ in 0..LOOKS {
        if is_local(&fs::read_to_string("/proc/thread-self/net/ipv6_route")?, addr) {
            return Ok(());
        }
        poll(&mut [], Some(&millisecond))?;
    }
    Err(io::Error::from_raw_os_error(libc::ETIMEDOUT))
}

/// Whether the table of IPv6 routes, as /proc shows it, has one to the host itself for that address.
fn is_local(routes: &str, addr: Ipv6Addr) -> bool {
    // RTF_LOCAL of linux/ipv6_route.h, among the flags, which are the last but one.
    const LOCAL: u32 = 0x8000_0000;
    let wanted = format!("{:032x} 80 ", addr.to_bits());
    routes.lines().filter(|line| line.starts_with(&wanted)).any(|line| {
        let flags = line.split_whitespace().nth_back(1).and_then(|flags| u32::from_str_radix(flags, 16).ok());
        flags.is_some_and(|flags| flags & LOCAL != 0)
    })
}

/// What a device has counted, in packets. `received` and `sent` are as the host sees it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DeviceCounters {
    /// Packets that the host got.
    pub received: u64,
    /// Packets to the host that were in error.
    pub receive_errors: u64,
    /// Packets to the host that it threw away.
    pub receive_dropped: u64,
    /// Packets that the host sent.
    pub sent: u64,
    /// Packets from the host that were in error.
    pub send_errors: u64,
    /// Packets from the host that the device threw away: its queue was full.
    pub send_dropped: u64,
}

impl DeviceCounters {
    /// Packets that were lost outside of any plan.
    pub fn lost(&self) -> u64 {
        [self.receive_errors, self.receive_dropped, self.send_errors, self.send_dropped]
            .into_iter()
            .fold(0, u64::saturating_add)
    }

    /// Those of a device of the calling thread's network namespace.
    ///
    /// # Errors
    /// The system's; `ENODEV` where there is no such device.
    pub(super) fn read(device: &str) -> io::Result<DeviceCounters> {
        let text = fs::read_to_string("/proc/thread-self/net/dev")?;
        Self::parse(&text, device).ok_or_else(|| io::Error::from_raw_os_error(libc::ENODEV))
    }

    /// Those of a device that a program has open, from the program's side. What no program was there to take,
    /// and what it wrote that is no packet, it has not lost.
    pub(super) fn of_program_tun(device: &str) -> io::Result<DeviceCounters> {
        let kernel = Self::read(device)?;
        Ok(DeviceCounters {
            received: kernel.sent,
            receive_errors: kernel.send_errors,
            sent: kernel.received,
            send_errors: kernel.receive_errors,
            ..DeviceCounters::default()
        })
    }

    /// Reads the table of proc_pid_net(5): eight numbers of what was received, eight of what was sent.
    fn parse(text: &str, device: &str) -> Option<DeviceCounters> {
        let numbers = text.lines().find_map(|line| {
            let (name, numbers) = line.split_once(':')?;
            (name.trim() == device).then_some(numbers)
        })?;
        let numbers: Vec<u64> = numbers.split_whitespace().map(str::parse).collect::<Result<_, _>>().ok()?;
        let &[
            _,
            received,
            receive_errors,
            receive_dropped,
            _,
            _,
            _,
            _,
            _,
            sent,
            send_errors,
            send_dropped,
            ..,
        ] = numbers.as_slice()
        else {
            return None;
        };
        Some(DeviceCounters { received, receive_errors, receive_dropped, sent, send_errors, send_dropped })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_of_devices_is_read() {
        let text = "\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:       0       0    0    0    0     0          0         0        0       0    0    0    0     0       0          0
 wire0: 1404728    1204    1    2    0     0          0         0   129520    2311    3    4    0     0       0          0
";
        let counters = DeviceCounters::parse(text, "wire0").unwrap();
        let expected = DeviceCounters {
            received: 1204,
            receive_errors: 1,
            receive_dropped: 2,
            sent: 2311,
            send_errors: 3,
            send_dropped: 4,
        };
        assert_eq!(counters, expected);
        assert_eq!(counters.lost(), 10);
        assert_eq!(DeviceCounters::parse(text, "wire1"), None);
        assert_eq!(DeviceCounters::parse("wire0: 1 2 3", "wire0"), None);
        assert_eq!(DeviceCounters::parse("wire0: a b c", "wire0"), None);
    }

    #[test]
    fn the_route_to_the_host_itself_is_found() {
        let line = |prefix: &str, flags: &str| {
            format!(
                "fd000000000000000000000000000002 {prefix} 00000000000000000000000000000000 00 \
                 00000000000000000000000000000000 00000000 00000002 00000000 {flags}    wire0\n"
            )
        };
        let addr = "fd00::2".parse().unwrap();
        assert!(is_local(&line("80", "80200001"), addr));
        assert!(!is_local(&line("80", "80200001"), "fd00::3".parse().unwrap()));
        assert!(!is_local(&line("40", "80200001"), addr));
        assert!(!is_local(&line("80", "00000001"), addr));
        assert!(!is_local("fd000000000000000000000000000002 80 \n", addr));
    }

    #[test]
    fn a_setting_is_below_its_directory() {
        for name in
            ["../kernel/hostname", "ipv4/../../kernel/hostname", "", "/ipv4/ip_forward", "ipv4//x", "."]
        {
            assert_eq!(set(name, "x").unwrap_err().raw_os_error(), Some(libc::EINVAL), "{name}");
        }
    }
}
