//! A stack from outside, whose panic is its own failure and not one of the simulation.

use std::cell::RefCell;
use std::fmt;
use std::net::SocketAddr;

use bytes::Bytes;
use faultwire::errno::Errno;
use faultwire::stack::{
    Domain, Fd, HostStack, How, Kind, OptionName, Protocol, Readiness, Received, SocketOption, Sockets,
};
use faultwire::time::Time;
use faultwire::trace::Note;

use crate::program::caught;

/// A stack that is left alone from its first panic on: its calls answer `EIO`, and nothing comes from it.
pub(super) struct Caught {
    /// `None` if making it panicked.
    stack: Option<Box<dyn HostStack>>,
    panic: RefCell<Option<String>>,
}

impl Caught {
    pub(super) fn new(make: impl FnOnce() -> Box<dyn HostStack>) -> Caught {
        match caught(make) {
            Ok(stack) => Caught { stack: Some(stack), panic: RefCell::default() },
            Err(panic) => Caught { stack: None, panic: RefCell::new(Some(panic)) },
        }
    }

    /// What the stack says; `None` once it panicked.
    fn with<T>(&mut self, call: impl FnOnce(&mut dyn HostStack) -> T) -> Option<T> {
        let panic = self.panic.get_mut();
        let stack = self.stack.as_mut().filter(|_| panic.is_none())?;
        caught(|| call(&mut **stack)).map_err(|text| *panic = Some(text)).ok()
    }

    /// Like `with`, but for what changes nothing.
    fn ask<T>(&self, call: impl FnOnce(&dyn HostStack) -> T) -> Option<T> {
        let stack = self.stack.as_ref().filter(|_| self.panic.borrow().is_none())?;
        caught(|| call(&**stack)).map_err(|text| *self.panic.borrow_mut() = Some(text)).ok()
    }

    fn call<T>(&mut self, call: impl FnOnce(&mut dyn HostStack) -> Result<T, Errno>) -> Result<T, Errno> {
        self.with(call).unwrap_or(Err(Errno::EIO))
    }
}

impl Drop for Caught {
    fn drop(&mut self) {
        let stack = self.stack.take();
        let _ = caught(|| drop(stack));
    }
}

impl fmt::Debug for Caught {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.stack {
            Some(stack) => stack.fmt(f),
            None => f.write_str("a stack that panicked as it was made"),
        }
    }
}

impl Sockets for Caught {
    fn socket(&mut self, domain: Domain, kind: Kind, protocol: Protocol) -> Result<Fd, Errno> {
        self.call(|stack| stack.socket(domain, kind, protocol))
    }
    fn bind(&mut self, fd: Fd, addr: SocketAddr) -> Result<(), Errno> {
        self.call(|stack| stack.bind(fd, addr))
    }
    fn listen(&mut self, fd: Fd, backlog: u32) -> Result<(), Errno> {
        self.call(|stack| stack.listen(fd, backlog))
    }
    fn accept(&mut self, fd: Fd) -> Result<(Fd, SocketAddr), Errno> {
        self.call(|stack| stack.accept(fd))
    }
    fn connect(&mut self, fd: Fd, addr: Option<SocketAddr>) -> Result<(), Errno> {
        self.call(|stack| stack.connect(fd, addr))
    }
    fn send(&mut self, fd: Fd, data: &[u8]) -> Result<usize, Errno> {
        self.call(|stack| stack.send(fd, data))
    }
    fn send_to(&mut self, fd: Fd, data: &[u8], to: SocketAddr) -> Result<usize, Errno> {
        self.call(|stack| stack.send_to(fd, data, to))
    }
    fn recv(&mut self, fd: Fd, buffer: &mut [u8]) -> Result<usize, Errno> {
        self.call(|stack| stack.recv(fd, buffer))
    }
    fn recv_from(&mut self, fd: Fd, buffer: &mut [u8]) -> Result<Received, Errno> {
        self.call(|stack| stack.recv_from(fd, buffer))
    }
    fn peek(&mut self, fd: Fd, buffer: &mut [u8]) -> Result<Received, Errno> {
        self.call(|stack| stack.peek(fd, buffer))
    }
    fn shutdown(&mut self, fd: Fd, how: How) -> Result<(), Errno> {
        self.call(|stack| stack.shutdown(fd, how))
    }
    fn close(&mut self, fd: Fd) -> Result<(), Errno> {
        self.call(|stack| stack.close(fd))
    }
    fn local_addr(&self, fd: Fd) -> Result<SocketAddr, Errno> {
        self.ask(|stack| stack.local_addr(fd)).unwrap_or(Err(Errno::EIO))
    }
    fn peer_addr(&self, fd: Fd) -> Result<SocketAddr, Errno> {
        self.ask(|stack| stack.peer_addr(fd)).unwrap_or(Err(Errno::EIO))
    }
    fn set_option(&mut self, fd: Fd, option: SocketOption) -> Result<(), Errno> {
        self.call(|stack| stack.set_option(fd, option))
    }
    fn option(&self, fd: Fd, name: OptionName) -> Result<SocketOption, Errno> {
        self.ask(|stack| stack.option(fd, name)).unwrap_or(Err(Errno::EIO))
    }
    fn take_error(&mut self, fd: Fd) -> Result<Option<Errno>, Errno> {
        self.call(|stack| stack.take_error(fd))
    }
    fn poll(&self, fd: Fd) -> Result<Readiness, Errno> {
        self.ask(|stack| stack.poll(fd)).unwrap_or(Err(Errno::EIO))
    }
}

impl HostStack for Caught {
    fn handle_input(&mut self, packet: &Bytes) {
        self.with(|stack| stack.handle_input(packet));
    }
    fn poll_transmit(&mut self) -> Option<Bytes> {
        self.with(|stack| stack.poll_transmit()).flatten()
    }
    fn poll_timeout(&self) -> Option<Time> {
        self.ask(|stack| stack.poll_timeout()).flatten()
    }
    fn handle_timeout(&mut self, now: Time) {
        self.with(|stack| stack.handle_timeout(now));
    }
    fn poll_changed(&mut self) -> Option<Fd> {
        self.with(|stack| stack.poll_changed()).flatten()
    }
    fn poll_note(&mut self) -> Option<Note> {
        self.with(|stack| stack.poll_note()).flatten()
    }
    fn trouble(&self) -> Option<String> {
        let panic = self.panic.borrow().clone();
        panic.or_else(|| self.ask(|stack| stack.trouble()).unwrap_or_else(|| self.panic.borrow().clone()))
    }
}
