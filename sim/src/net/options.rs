//! Calls and options of sockets under tokio's names, written once for all kinds.

/// Writes a method that reads an option and one that sets it, for a type with a method `socket`. The numbers
/// of tokio's methods are wider than the options': one that does not fit is EINVAL.
macro_rules! socket_options {
    ($($what:literal: $get:ident, $set:ident, $option:ident($type:ty);)*) => {$(
        #[doc = concat!("Reads ", $what, ".")]
        ///
        /// # Errors
        /// As `getsockopt(2)`'s; ENOPROTOOPT for what the stack lacks.
        pub fn $get(&self) -> std::io::Result<$type> {
            use faultwire::stack::{OptionName, SocketOption};
            match self.socket().option(OptionName::$option)? {
                SocketOption::$option(value) => Ok(value.try_into().unwrap_or_default()),
                _ => Err(faultwire::errno::Errno::ENOPROTOOPT.into()),
            }
        }

        #[doc = concat!("Sets ", $what, ".")]
        ///
        /// # Errors
        /// As `setsockopt(2)`'s; ENOPROTOOPT for what the stack lacks.
        pub fn $set(&self, value: $type) -> std::io::Result<()> {
            let value = value.try_into().map_err(|_| faultwire::errno::Errno::EINVAL)?;
            self.socket().set_option(faultwire::stack::SocketOption::$option(value))
        }
    )*};
}

/// Writes the methods that connected sockets of either kind have, for a type with methods `socket` and
/// `ready`.
macro_rules! socket_calls {
    () => {
        /// The address of this end.
        ///
        /// # Errors
        /// As `getsockname(2)`'s.
        pub fn local_addr(&self) -> std::io::Result<std::net::SocketAddr> {
            self.socket().local_addr()
        }

        /// The address of the other end.
        ///
        /// # Errors
        /// As `getpeername(2)`'s: ENOTCONN where there is no peer.
        pub fn peer_addr(&self) -> std::io::Result<std::net::SocketAddr> {
            self.socket().peer_addr()
        }

        /// SO_ERROR: the pending error, which is cleared by asking.
        ///
        /// # Errors
        /// As `getsockopt(2)`'s.
        pub fn take_error(&self) -> std::io::Result<Option<std::io::Error>> {
            self.socket().take_error()
        }

        /// Waits until a receive would not wait.
        ///
        /// # Errors
        /// As [`ready`](Self::ready)'s.
        pub async fn readable(&self) -> std::io::Result<()> {
            self.ready(tokio::io::Interest::READABLE).await.map(drop)
        }

        /// Waits until a send would not wait.
        ///
        /// # Errors
        /// As [`ready`](Self::ready)'s.
        pub async fn writable(&self) -> std::io::Result<()> {
            self.ready(tokio::io::Interest::WRITABLE).await.map(drop)
        }
    };
}

pub(super) use {socket_calls, socket_options};
