//! Open descriptors: numbered in the order of being opened, never reused, at most 1024 at a time.

use crate::model::{Errno, Fd};

/// Open descriptors of one process at most (Linux's default `RLIMIT_NOFILE`).
pub(super) const MAX_OPEN: usize = 1_024;

/// The numbers of a process's descriptors, of whatever kind.
#[derive(Debug)]
pub(super) struct Numbers {
    next: u32,
    open: usize,
}

impl Numbers {
    pub(super) fn new() -> Self {
        // 0, 1 and 2 are taken in every process.
        Numbers { next: 3, open: 0 }
    }

    /// # Errors
    /// `EMFILE` where 1024 are open, or every number was used.
    fn take(&mut self) -> Result<Fd, Errno> {
        if self.open >= MAX_OPEN {
            return Err(Errno::EMFILE);
        }
        let fd = Fd(self.next);
        self.next = self.next.checked_add(1).ok_or(Errno::EMFILE)?;
        self.open += 1;
        Ok(fd)
    }

    /// One was closed.
    fn give_back(&mut self) {
        self.open = self.open.saturating_sub(1);
    }
}

/// Sockets of one kind by descriptor, in the order of being opened.
#[derive(Debug)]
pub(super) struct Table<T> {
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
        Table { slots: Vec::new() }
    }

    /// # Errors
    /// `EMFILE` where there is no number for it.
    pub(super) fn open(&mut self, numbers: &mut Numbers, socket: T) -> Result<Fd, Errno> {
        let fd = numbers.take()?;
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
    pub(super) fn close(&mut self, numbers: &mut Numbers, fd: Fd) -> Result<T, Errno> {
        let index = self.index(fd)?;
        numbers.give_back();
        Ok(*self.slots.remove(index).socket)
    }

    pub(super) fn is_open(&self, fd: Fd) -> bool {
        self.index(fd).is_ok()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (Fd, &T)> {
        self.slots.iter().map(|slot| (slot.fd, &*slot.socket))
    }

    /// Descriptors that are marked as being in the list of changed ones.
    pub(super) fn told(&self) -> impl Iterator<Item = Fd> {
        self.slots.iter().filter(|slot| slot.told).map(|slot| slot.fd)
    }

    /// Sets whether the descriptor is in the list of changed ones, and gives what it was; `None` if it is not
    /// open.
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
        let (mut numbers, mut table) = (Numbers::new(), Table::new());
        let first = table.open(&mut numbers, 'a').unwrap();
        assert_eq!(table.close(&mut numbers, first), Ok('a'));
        let second = table.open(&mut numbers, 'b').unwrap();
        assert_ne!(first, second);
        assert_eq!(table.get(first), Err(Errno::EBADF));
        assert_eq!(table.get(second), Ok(&'b'));
    }

    #[test]
    fn the_table_is_full_at_1024_and_closing_makes_room() {
        let (mut numbers, mut table) = (Numbers::new(), Table::new());
        let fds: Vec<Fd> = (0..MAX_OPEN).map(|n| table.open(&mut numbers, n).unwrap()).collect();
        assert_eq!(table.open(&mut numbers, 0), Err(Errno::EMFILE));
        assert_eq!(table.close(&mut numbers, fds[500]), Ok(500));
        assert_eq!(table.get(fds[501]), Ok(&501));
        assert!(table.open(&mut numbers, 0).is_ok());
    }
}
