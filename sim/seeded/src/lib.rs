//! Random numbers of programs under test that repeat.
//!
//! Programs draw random numbers that are not the network's: the order of a `HashMap`, a UUID, the nonces of
//! TLS. On Linux (x86-64 and AArch64, with glibc) this crate stands in for the process's source of them, the
//! functions `getrandom`, `getentropy` and `syscall`. On the thread of a simulated run they give numbers that
//! follow from its seed, and on all other threads those of the kernel. So a run repeats byte for byte.
//!
//! It takes a dev-dependency and a line:
//!
//! ```
//! use std::collections::HashMap;
//! use faultwire_sim::prelude::*;
//!
//! let forgetful = faultwire_sim::scenario("forgetful")
//!     .randomness(faultwire_seeded::seed_thread)
//!     .client(|net: Net| async move {
//!         let socket = net.datagram("0.0.0.0:0", &[]).await?;
//!         let messages: HashMap<u8, ()> = (0..32).map(|n| (n, ())).collect();
//!         for message in messages.into_keys() {
//!             socket.send_to(&[message], "10.0.0.9:7000".parse()?).await?;
//!         }
//!         Ok(())
//!     });
//! # if cfg!(target_os = "linux") {
//! assert_eq!(forgetful.difference(), None);
//! # }
//! ```
//!
//! What draws from there: `HashMap` and `RandomState` of std; the crate `getrandom` 0.2, 0.3 and 0.4, and
//! with it `rand`, `uuid`, `ring` and rustls with ring.
//!
//! What does not: a backend of `getrandom` without libc (`linux_raw`, `rdrand`); aws-lc, which has other sources;
//! `fastrand`, `ahash` and the default hasher of `hashbrown`, which make their seeds from
//! times and addresses; threads that a program starts. What a program keeps for the whole process is drawn in
//! its first run alone. `tokio::select!` without `biased;` counts the runtimes of the process: it repeats
//! with `RUSTFLAGS="--cfg tokio_unstable"`, with or without this crate. `Scenario::check` says where runs
//! differ.
//!
//! A run on a new thread takes about 50 µs more. The stand-in is part of each program that this crate is
//! linked into: use it in tests alone. Elsewhere than on Linux it does nothing.

#[cfg(all(
    target_os = "linux",
    target_env = "gnu",
    any(target_arch = "x86_64", target_arch = "aarch64"),
    not(miri)
))]
mod stand_in;

#[cfg(not(all(
    target_os = "linux",
    target_env = "gnu",
    any(target_arch = "x86_64", target_arch = "aarch64"),
    not(miri)
)))]
mod stand_in {
    pub(crate) fn seed_thread(_seed: u64) {}
}

/// Makes the random numbers that this thread draws from the system follow from the seed, until the thread
/// ends.
///
/// For `Scenario::randomness`, which calls it at the start of each run, on a new thread: where a thread has
/// made a `HashMap` before, the keys of the next one follow from those.
///
/// # Panics
/// If another library's stand-in for `getrandom` came first, so that this one has no effect.
pub fn seed_thread(seed: u64) {
    stand_in::seed_thread(seed);
}
