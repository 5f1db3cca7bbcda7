//! The functions of libc that programs draw random numbers from. The dynamic linker and the static one prefer
//! a program's function to that of a library, so each caller in the process comes here.

use std::cell::Cell;
use std::ffi::{c_int, c_long, c_uint, c_void};
use std::sync::OnceLock;

/// More than this `getentropy` does not give.
const ENTROPY_MAX: usize = 256;

thread_local! {
    /// The state of this thread's generator, if it has one. Without a destructor and a first value to
    /// compute: it can be read at any time in a thread's life.
    static STATE: Cell<Option<u64>> = const { Cell::new(None) };
}

pub(crate) fn seed_thread(seed: u64) {
    static IS_FIRST: OnceLock<bool> = OnceLock::new();
    assert!(
        IS_FIRST.get_or_init(is_first),
        "random numbers do not come from faultwire-seeded here: another `getrandom` comes first"
    );
    STATE.set(Some(seed));
}

/// Whether who asks the dynamic linker for `getrandom`, as the crate of that name does, gets ours.
fn is_first() -> bool {
    #[expect(unsafe_code, reason = "a function of libc")]
    // SAFETY: the name is a C string, and the handle one that dlsym takes.
    let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"getrandom".as_ptr()) };
    let ours: unsafe extern "C" fn(*mut c_void, usize, c_uint) -> isize = getrandom;
    std::ptr::eq(found, ours as *mut c_void)
}

/// The next number of this thread's generator, SplitMix64, if it has one.
fn next() -> Option<u64> {
    let state = STATE.get()?.wrapping_add(0x9e37_79b9_7f4a_7c15);
    STATE.set(Some(state));
    let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    Some(mixed ^ (mixed >> 31))
}

/// Writes numbers of this thread's generator, if it has one; says whether it has.
///
/// # Safety
/// `length` bytes can be written at `buffer`; it may be any pointer where `length` is 0.
#[expect(unsafe_code, reason = "it fills a buffer of C")]
unsafe fn fill(buffer: *mut c_void, length: usize) -> bool {
    let mut at = buffer.cast::<u8>();
    let mut left = length;
    while left > 0 {
        let Some(number) = next() else { return false };
        let bytes = number.to_le_bytes();
        let count = left.min(bytes.len());
        // SAFETY: the caller says that the `left` bytes from `at` on can be written, and `count` is no more
        // than that and than what `bytes` has. So the pointer behind them is within the buffer or at its end.
        at = unsafe {
            std::ptr::copy_nonoverlapping(bytes.as_ptr(), at, count);
            at.add(count)
        };
        left -= count;
    }
    STATE.get().is_some()
}

/// getrandom(2).
///
/// # Safety
/// `length` bytes can be written at `buffer`.
#[expect(unsafe_code, reason = "it takes the place of libc's function of that name and type")]
// SAFETY: it does what libc's function does for those who call it.
#[unsafe(no_mangle)]
unsafe extern "C" fn getrandom(buffer: *mut c_void, length: usize, flags: c_uint) -> isize {
    // SAFETY: our caller's promise is that of `fill`, and of the kernel's call as its manual page has it.
    unsafe {
        if fill(buffer, length) {
            return length.cast_signed();
        }
        let arguments = [buffer as usize, length, flags as usize, 0, 0, 0];
        result(kernel_call(libc::SYS_getrandom, arguments))
    }
}

/// getentropy(3).
///
/// # Safety
/// `length` bytes can be written at `buffer`.
#[expect(unsafe_code, reason = "it takes the place of libc's function of that name and type")]
// SAFETY: it does what libc's function does for those who call it.
#[unsafe(no_mangle)]
unsafe extern "C" fn getentropy(buffer: *mut c_void, length: usize) -> c_int {
    if length > ENTROPY_MAX {
        set_errno(libc::EIO);
        return -1;
    }
    let mut done = 0;
    while done < length {
        // SAFETY: our caller says that `length` bytes can be written at `buffer`; the first `done` are.
        let got = unsafe { getrandom(buffer.byte_add(done), length - done, 0) };
        match usize::try_from(got) {
            Ok(got) => done += got,
            // SAFETY: the pointer that libc gives is this thread's errno.
            Err(_) if unsafe { *libc::__errno_location() } == libc::EINTR => {}
            Err(_) => return -1,
        }
    }
    0
}

/// syscall(2), which `getrandom` 0.2 and many others draw random numbers by. In C it takes any number of
/// arguments; the kernel takes six at most, which are in the same registers as those of a function with six.
///
/// # Safety
/// That of the call with this number.
#[expect(unsafe_code, reason = "it takes the place of libc's function of that name and type")]
// SAFETY: it does what libc's function does for those who call it.
#[unsafe(no_mangle)]
unsafe extern "C" fn syscall(
    number: c_long,
    first: usize,
    second: usize,
    third: usize,
    fourth: usize,
    fifth: usize,
    sixth: usize,
) -> c_long {
    // SAFETY: our caller's promise is that of the call with this number: for getrandom, that of `fill`.
    unsafe {
        if number == libc::SYS_getrandom && fill(first as *mut c_void, second) {
            return second.cast_signed() as c_long;
        }
        result(kernel_call(number, [first, second, third, fourth, fifth, sixth])) as c_long
    }
}

fn set_errno(errno: c_int) {
    #[expect(unsafe_code, reason = "errno is a pointer in C")]
    // SAFETY: the pointer that libc gives is this thread's errno, which no reference is held to.
    unsafe {
        *libc::__errno_location() = errno;
    }
}

/// What a function of libc returns for what the kernel did: -1 and errno for its errors.
fn result(returned: isize) -> isize {
    if (-4095..0).contains(&returned) {
        set_errno(-returned as c_int);
        return -1;
    }
    returned
}

/// A call of the kernel. Not by libc's `syscall`: to look that up takes memory, and what allocates memory may
/// call here.
///
/// # Safety
/// That of the call with this number.
#[expect(unsafe_code, reason = "a call of the kernel")]
#[cfg(target_arch = "x86_64")]
unsafe fn kernel_call(number: c_long, [one, two, three, four, five, six]: [usize; 6]) -> isize {
    let returned;
    // SAFETY: the registers are those of the kernel's calling convention (syscall(2)), which changes rax, rcx
    // and r11 and does not use the stack; the caller answers for what the call does.
    unsafe {
        std::arch::asm!(
            "syscall",
            inlateout("rax") number as isize => returned,
            in("rdi") one,
            in("rsi") two,
            in("rdx") three,
            in("r10") four,
            in("r8") five,
            in("r9") six,
            lateout("rcx") _,
            lateout("r11") _,
            options(nostack),
        );
    }
    returned
}

/// A call of the kernel, as above.
///
/// # Safety
/// That of the call with this number.
#[expect(unsafe_code, reason = "a call of the kernel")]
#[cfg(target_arch = "aarch64")]
unsafe fn kernel_call(number: c_long, [one, two, three, four, five, six]: [usize; 6]) -> isize {
    let returned;
    // SAFETY: the registers are those of the kernel's calling convention (syscall(2)), which changes x0 and
    // does not use the stack; the caller answers for what the call does.
    unsafe {
        std::arch::asm!(
            "svc 0",
            in("x8") number,
            inlateout("x0") one.cast_signed() => returned,
            in("x1") two,
            in("x2") three,
            in("x3") four,
            in("x4") five,
            in("x5") six,
            options(nostack),
        );
    }
    returned
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What libc's function of that name writes.
    #[expect(unsafe_code, reason = "functions of libc are called")]
    fn drawn(length: usize) -> [Vec<u8>; 3] {
        let [mut one, mut two, mut three] = [(); 3].map(|()| vec![0; length]);
        // SAFETY: each buffer has `length` bytes.
        unsafe {
            assert_eq!(libc::getrandom(one.as_mut_ptr().cast(), length, 0), length.cast_signed());
            let made = libc::syscall(libc::SYS_getrandom, two.as_mut_ptr(), length, 0);
            assert_eq!(made, length.cast_signed() as c_long);
            assert_eq!(libc::getentropy(three.as_mut_ptr().cast(), length), 0);
        }
        [one, two, three]
    }

    fn on_a_new_thread<T: Send>(work: impl FnOnce() -> T + Send) -> T {
        std::thread::scope(|scope| scope.spawn(work).join().expect("it ends"))
    }

    #[test]
    fn each_function_goes_on_where_the_one_before_ended() {
        let of = |seed| {
            on_a_new_thread(|| {
                seed_thread(seed);
                [drawn(13), drawn(0), drawn(256)]
            })
        };
        assert_eq!(of(7), of(7));
        let mut all: Vec<Vec<u8>> = [of(7), of(8)].into_iter().flatten().flatten().collect();
        all.retain(|drawn| !drawn.is_empty());
        // A repetition within a draw shows as well.
        let mut words: Vec<&[u8]> = all.iter().flat_map(|drawn| drawn.chunks_exact(8)).collect();
        let count = words.len();
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), count);
    }

    #[test]
    fn without_a_seed_all_comes_from_the_kernel() {
        let [one, two, three] = drawn(100);
        assert!(one != two && two != three && three != one);
        assert_ne!(on_a_new_thread(|| drawn(16)), drawn(16));
    }

    #[test]
    #[expect(unsafe_code, reason = "functions of libc are called")]
    fn errors_are_those_of_libc() {
        let errno = || std::io::Error::last_os_error().raw_os_error();
        // SAFETY: there is no such descriptor, and no memory is touched.
        let closed = unsafe { libc::syscall(libc::SYS_close, -1) };
        assert_eq!((closed, errno()), (-1, Some(libc::EBADF)));
        // SAFETY: the buffer is as long as said, and no such flags exist.
        let drawn = unsafe { libc::getrandom([0_u8; 8].as_mut_ptr().cast(), 8, c_uint::MAX) };
        assert_eq!((drawn, errno()), (-1, Some(libc::EINVAL)));
        // SAFETY: the buffer is as long as said.
        let drawn = unsafe { libc::getentropy([0_u8; 300].as_mut_ptr().cast(), 300) };
        assert_eq!((drawn, errno()), (-1, Some(libc::EIO)));
    }
}
