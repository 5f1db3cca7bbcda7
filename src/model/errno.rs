//! The error numbers that the Berkeley calls answer with, as Linux names and numbers them.

use std::fmt;
use std::io;

macro_rules! errnos {
    ($($name:ident = $number:literal, $text:literal;)*) => {
        /// An error number of a socket call: its name and number are Linux's.
        ///
        /// Converts into an [`io::Error`] whose `raw_os_error` is the number that this platform uses for the
        /// same name, so that a program cannot tell our stack's error from the operating system's.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Errno {
            $(#[doc = $text] $name = $number,)*
        }

        impl Errno {
            /// Every error number known here, in the order of their numbers.
            pub const ALL: &'static [Errno] = &[$(Errno::$name,)*];

            /// The symbolic name, such as `ECONNREFUSED`.
            pub const fn name(self) -> &'static str {
                match self { $(Errno::$name => stringify!($name),)* }
            }

            /// What the number means, in words.
            pub const fn text(self) -> &'static str {
                match self { $(Errno::$name => $text,)* }
            }

            /// The number that this platform uses for the name.
            #[cfg(unix)]
            pub const fn raw(self) -> i32 {
                match self { $(Errno::$name => libc::$name,)* }
            }
        }
    };
}

errnos! {
    EPERM = 1, "operation not permitted";
    EINTR = 4, "interrupted system call";
    EIO = 5, "input/output error";
    EBADF = 9, "bad file descriptor";
    EAGAIN = 11, "resource temporarily unavailable";
    ENOMEM = 12, "out of memory";
    EACCES = 13, "permission denied";
    ENODEV = 19, "no such device";
    EINVAL = 22, "invalid argument";
    ENFILE = 23, "too many open files in the system";
    EMFILE = 24, "too many open files";
    EPIPE = 32, "broken pipe";
    EPROTO = 71, "protocol error";
    ENOTSOCK = 88, "not a socket";
    EDESTADDRREQ = 89, "destination address required";
    EMSGSIZE = 90, "message too long";
    EPROTOTYPE = 91, "protocol wrong type for socket";
    ENOPROTOOPT = 92, "protocol not available";
    EPROTONOSUPPORT = 93, "protocol not supported";
    ESOCKTNOSUPPORT = 94, "socket type not supported";
    EOPNOTSUPP = 95, "operation not supported";
    EAFNOSUPPORT = 97, "address family not supported";
    EADDRINUSE = 98, "address already in use";
    EADDRNOTAVAIL = 99, "cannot assign requested address";
    ENETDOWN = 100, "network is down";
    ENETUNREACH = 101, "network is unreachable";
    ECONNABORTED = 103, "connection aborted";
    ECONNRESET = 104, "connection reset by peer";
    ENOBUFS = 105, "no buffer space available";
    EISCONN = 106, "already connected";
    ENOTCONN = 107, "not connected";
    ETIMEDOUT = 110, "connection timed out";
    ECONNREFUSED = 111, "connection refused";
    EHOSTDOWN = 112, "host is down";
    EHOSTUNREACH = 113, "no route to host";
    EALREADY = 114, "already in progress";
    EINPROGRESS = 115, "operation now in progress";
}

impl Errno {
    /// Linux's number.
    pub const fn number(self) -> i32 {
        self as i32
    }

    /// The number that this platform uses for the name (Linux's, where the platform has none).
    #[cfg(not(unix))]
    pub const fn raw(self) -> i32 {
        self.number()
    }

    /// Whether a call that answers so has to wait and says nothing yet: EAGAIN, EINPROGRESS, EALREADY.
    pub const fn is_pending(self) -> bool {
        matches!(self, Errno::EAGAIN | Errno::EINPROGRESS | Errno::EALREADY)
    }

    /// The error number inside an [`io::Error`], if it has one that is known here.
    ///
    /// Errors without a number (turmoil's own sockets make such) are read by their kind.
    pub fn of(error: &io::Error) -> Option<Errno> {
        if let Some(raw) = error.raw_os_error() {
            return Errno::ALL.iter().copied().find(|e| e.raw() == raw);
        }
        Some(match error.kind() {
            io::ErrorKind::PermissionDenied => Errno::EACCES,
            io::ErrorKind::WouldBlock => Errno::EAGAIN,
            io::ErrorKind::InvalidInput => Errno::EINVAL,
            io::ErrorKind::BrokenPipe => Errno::EPIPE,
            io::ErrorKind::AddrInUse => Errno::EADDRINUSE,
            io::ErrorKind::AddrNotAvailable => Errno::EADDRNOTAVAIL,
            io::ErrorKind::ConnectionAborted => Errno::ECONNABORTED,
            io::ErrorKind::ConnectionReset => Errno::ECONNRESET,
            io::ErrorKind::ConnectionRefused => Errno::ECONNREFUSED,
            io::ErrorKind::NotConnected => Errno::ENOTCONN,
            io::ErrorKind::TimedOut => Errno::ETIMEDOUT,
            io::ErrorKind::NetworkUnreachable => Errno::ENETUNREACH,
            io::ErrorKind::HostUnreachable => Errno::EHOSTUNREACH,
            io::ErrorKind::Unsupported => Errno::EOPNOTSUPP,
            _ => return None,
        })
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.text(), self.name())
    }
}

impl std::error::Error for Errno {}

impl From<Errno> for io::Error {
    fn from(errno: Errno) -> Self {
        io::Error::from_raw_os_error(errno.raw())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_survives_the_way_through_io_error() {
        for &errno in Errno::ALL {
            assert_eq!(Errno::of(&errno.into()), Some(errno));
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn linuxs_numbers_are_linuxs() {
        for &errno in Errno::ALL {
            assert_eq!(errno.raw(), errno.number(), "{errno}");
        }
        assert!(Errno::ALL.is_sorted());
    }
}
