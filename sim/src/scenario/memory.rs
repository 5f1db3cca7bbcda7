//! The allocator and runs that follow one another.

use std::hint::black_box;
use std::sync::Once;

/// Larger than what most runs take.
const BLOCK: usize = 4 * 1024 * 1024;

/// Lets the allocator keep what a run gives back, for the next one.
///
/// glibc hands the end of its heap to the system as soon as 128 KiB of it are free; a run that takes more
/// than that (a trace with some ten thousand bytes of data does) would fetch its memory anew page by page
/// each time, for up to half of its time. The limit rises to twice the largest block that had a mapping of
/// its own and was given back (`M_MMAP_THRESHOLD` in mallopt(3)): one such block is given back here. It is
/// never touched, and costs nothing elsewhere.
pub(super) fn keep_for_the_next_run() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| drop(black_box(Vec::<u8>::with_capacity(BLOCK))));
}
