//! Randomness by what is decided, not by the order of asking: a stateless hash of the seed and a key.

use std::hash::{Hash, Hasher};

use siphasher::sip::SipHasher13;

/// A number that depends on the seed and the key alone.
pub fn derive(seed: u64, key: &impl Hash) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(seed, 0x6661_756c_7477_6972);
    key.hash(&mut hasher);
    hasher.finish()
}
