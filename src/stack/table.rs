//! Open descriptors: numbered in the order of being opened, never reused, at most 1024 at a time.

use super::sockets::Fd;
use crate::errno::Errno;

/// Open descriptors of one process at most (Linux's default `RLIMIT_NOFILE`).
pub(super) const MAX_OPEN: usize = 1_024;

/// Sockets by descriptor, in the order of being opened.
#[derive(Debug)]
pub(super) struct Table<T> {
    next: u32,
    slots: Vec<Slot<T>>,
}

#[derive(Debug)]
struct Slot<T> {
    fd: Fd,
    /// It is in the list of changed descriptors.
    told: bool,
    socket: Box<T>,
}

impl<T> Table<T> {
    pub(super) fn new() -> Self {
        // 0, 1 and 2 are taken in every process.
        Table { next: 3, slots: Vec::new() }
    }

    /// # Errors
    /// `EMFILE` where 1024 are open, or every number was used.
    pub(super) fn open(&mut self, socket: T) -> Result<Fd, Errno> {
        if self.slots.len() >= MAX_OPEN {
            return Err(Errno::EMFILE);
        }
        let fd = Fd(self.next);
        self.next = self.next.checked_add(1).ok_or(Errno::EMFILE)?;
        self.slots.push(Slot { fd, told: false, socket: Box::new(socket) });
        Ok(fd)
    }

    fn index(&self, fd: Fd) -> Result<usize, Errno> {
        // Nearly always a handful: the scan is faster than a search.
        if self.slots.len() <= 8 {
            return self.slots.iter().position(|slot| slot.fd == fd).ok_or(Errno::EBADF);
        }
        self.slots.binary_search_by_key(&fd, |slot| slot.fd).map_err(|_| Errno::EBADF)
    }

    /// # Errors
    /// `EBADF` where it is not open.
    pub(super) fn get(&self, fd: Fd) -> Result<&T, Errno> {
        Ok(&self.slots[self.index(fd)?].socket)
    }

    /// # Errors
    /// `EBADF` where it is not open.
    pub(super) fn get_mut(&mut self, fd: Fd) -> Result<&mut T, Errno> {
        let index = self.index(fd)?;
        Ok(&mut self.slots[index].socket)
    }

    /// # Errors
    /// `EBADF` where it is not open.
    pub(super) fn close(&mut self, fd: Fd) -> Result<T, Errno> {
        let index = self.index(fd)?;
        Ok(*self.slots.remove(index).socket)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Fd, &T)> {
        self.slots.iter().map(|slot| (slot.fd, &*slot.socket))
    }

    /// Sets whether the descriptor is in the list of changed ones, and gives what it was; `None` if it is not open.
    pub(super) fn set_told(&mut self, fd: Fd, told: bool) -> Option<bool> {
        let index = self.index(fd).ok()?;
        Some(std::mem::replace(&mut self.slots[index].told, told))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_never_used_again() {
        let mut table = Table::new();
        let first = table.open('a').unwrap();
        assert_eq!(table.close(first), Ok('a'));
        let second = table.open('b').unwrap();
        assert_ne!(first, second);
        assert_eq!(table.get(first), Err(Errno::EBADF));
        assert_eq!(table.get(second), Ok(&'b'));
    }

    #[test]
    fn the_table_is_full_at_1024_and_closing_makes_room() {
        let mut table = Table::new();
        let fds: Vec<Fd> = (0..MAX_OPEN).map(|n| table.open(n).unwrap()).collect();
        assert_eq!(table.open(0), Err(Errno::EMFILE));
        assert_eq!(table.close(fds[500]), Ok(500));
        assert_eq!(table.get(fds[501]), Ok(&501));
        assert!(table.open(0).is_ok());
    }
}
