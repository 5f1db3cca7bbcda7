//! Socket options under tokio's names.

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

pub(super) use socket_options;
