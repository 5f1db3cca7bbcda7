//! Initial sequence numbers (RFC 6528): a clock of 4 microseconds, and a keyed hash of the connection.

use std::hash::{Hash, Hasher};

use siphasher::sip::SipHasher13;

use super::seq::Seq;
use crate::model::Time;

/// ISN = M + F(local address, remote address, secret key).
pub(crate) fn initial_sequence_number(key: u64, connection: &impl Hash, now: Time) -> Seq {
    let mut hasher = SipHasher13::new_with_keys(key, 0x6528);
    connection.hash(&mut hasher);
    Seq((hasher.finish() as u32).wrapping_add((now.as_micros() / 4) as u32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_grows_with_time_and_differs_by_connection_and_key() {
        let isn = |key, connection: &str, micros| {
            initial_sequence_number(key, &connection, Time::from_micros(micros))
        };
        assert_eq!(isn(1, "a", 4_000) - isn(1, "a", 0), 1_000);
        assert_ne!(isn(1, "a", 0), isn(1, "b", 0));
        assert_ne!(isn(1, "a", 0), isn(2, "a", 0));
        assert_eq!(isn(1, "a", 7), isn(1, "a", 7));
    }
}
