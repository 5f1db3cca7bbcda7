//! A host's stack as a process, in any language, in lock step with the run's time.
//!
//! The driver writes a request to the process's standard input: the time, and a packet or a call. The process
//! writes an answer to its standard output: what the request gave, and all that it led to. In between it
//! waits. `fixtures/stacks/README.md` describes the frames, for those who write such a process; beside it is
//! a small one in Python.
//!
//! A process that ends, writes what is no answer, or gives none in time leaves its host without a stack:
//! calls answer `EIO`, and the run fails ([`End::Failed`](crate::End::Failed)) with the reason.

mod child;
mod frame;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::ffi::OsString;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use faultwire::errno::Errno;
use faultwire::stack::{
    Domain, Fd, HostStack, How, Kind, OptionName, Protocol, Readiness, Received, SocketOption, Sockets,
    StackConfig,
};
use faultwire::text::shell_word;
use faultwire::time::Time;

use child::{Fault, Process};
use frame::{Answer, DATA_MAX, Fields, REPORTS_MAX, Request, VERSION};

/// How long a process has for an answer, by default.
const PATIENCE: Duration = Duration::from_secs(10);
/// Processes that are kept for the next host.
const IDLE_MAX: usize = 16;

/// A program that is a host's stack: what to call it, and its command line.
///
/// A process serves one host, and then, if it says that it can, another one. Clones share the processes that
/// wait for that; they end with the last clone.
///
/// ```no_run
/// use faultwire_sim::{process::Program, scenario};
///
/// let mine = Program::new("mine", ["python3", "stack.py"]);
/// scenario("over my stack").stack(move |host| mine.stack(host.config));
/// ```
#[derive(Clone)]
pub struct Program {
    shared: Arc<Shared>,
    patience: Duration,
}

struct Shared {
    name: String,
    command: Vec<OsString>,
    folder: Option<PathBuf>,
    idle: Mutex<Vec<Process>>,
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shared { name, command, .. } = &*self.shared;
        f.debug_struct("Program").field("name", name).field("command", command).finish_non_exhaustive()
    }
}

impl fmt::Display for Program {
    /// Its name and its command line, as a shell would read it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.shared.command.iter().map(|word| shell_word(&word.to_string_lossy()));
        write!(f, "{} (`{}`)", self.shared.name, words.collect::<Vec<_>>().join(" "))
    }
}

impl Program {
    /// The program that this command line starts: its file, found like a shell does, and its arguments.
    pub fn new(name: impl Into<String>, command: impl IntoIterator<Item = impl Into<OsString>>) -> Program {
        let command = command.into_iter().map(Into::into).collect();
        let shared = Shared { name: name.into(), command, folder: None, idle: Mutex::default() };
        Program { shared: Arc::new(shared), patience: PATIENCE }
    }

    /// The folder that it works in; by default that of this process.
    #[must_use]
    pub fn in_folder(self, folder: impl Into<PathBuf>) -> Program {
        let Shared { name, command, .. } = &*self.shared;
        let (name, command, folder) = (name.clone(), command.clone(), Some(folder.into()));
        Program { shared: Arc::new(Shared { name, command, folder, idle: Mutex::default() }), ..self }
    }

    /// How long it has for an answer, in real time; 10 s by default.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Program {
        self.patience = patience;
        self
    }

    /// The stack of a host. If the process cannot be started, or is no such stack, the run is told so
    /// ([`HostStack::trouble`]).
    pub fn stack(&self, config: StackConfig) -> Box<dyn HostStack> {
        Box::new(ProcessStack::new(self, &config))
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Process>> {
        self.shared.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A process that waits for a host.
    fn process(&self) -> Result<Process, String> {
        while let Some(mut process) = { self.idle().pop() } {
            if process.is_running() {
                return Ok(process);
            }
        }
        let Shared { command, folder, .. } = &*self.shared;
        Process::start(command, folder.as_deref())
            .map_err(|error| format!("{self} cannot be started: {error}"))
    }

    fn give_back(&self, process: Process) {
        let mut idle = self.idle();
        if process.can_restart && idle.len() < IDLE_MAX {
            idle.push(process);
        } else {
            drop(idle);
            drop(process);
        }
    }
}

/// A host's stack in a process.
#[derive(Debug)]
pub struct ProcessStack {
    program: Program,
    state: RefCell<State>,
}

#[derive(Debug)]
struct State {
    /// `None` once it did something wrong.
    process: Option<Process>,
    trouble: Option<String>,
    now: Time,
    timeout: Option<Time>,
    packets: VecDeque<Bytes>,
    changed: VecDeque<Fd>,
    request: Vec<u8>,
}

impl ProcessStack {
    /// Starts a host in a process of that program.
    pub fn new(program: &Program, config: &StackConfig) -> ProcessStack {
        let started = program.process();
        let state = State {
            trouble: started.as_ref().err().cloned(),
            process: started.ok(),
            now: Time::ZERO,
            timeout: None,
            packets: VecDeque::new(),
            changed: VecDeque::new(),
            request: Vec::new(),
        };
        let stack = ProcessStack { program: program.clone(), state: RefCell::new(state) };
        // Its version, and whether it can become another host.
        let init = stack.ask(Request::Init(config), |it| Some((it.u16()?, it.u8()? != 0)));
        match init {
            Ok((VERSION, can_restart)) => {
                if let Some(process) = &mut stack.state.borrow_mut().process {
                    process.can_restart = can_restart;
                }
            }
            Ok((version, _)) => stack.fail("init", &Fault::OtherVersion(version)),
            Err(errno) => stack.fail("init", &Fault::NoHost(errno)),
        }
        stack
    }

    /// Asks the process, and reads from its answer what `read` does, which must be all of it.
    fn ask<T>(&self, request: Request<'_>, read: impl FnOnce(&mut Fields) -> Option<T>) -> Result<T, Errno> {
        self.ask_all(request, |mut fields| {
            let read = read(&mut fields)?;
            fields.end()?;
            Some(read)
        })
    }

    /// Asks for nothing but success.
    fn tell(&self, request: Request<'_>) -> Result<(), Errno> {
        self.ask(request, |_| Some(()))
    }

    /// Asks the process, and reads all of its answer.
    fn ask_all<T>(&self, request: Request<'_>, read: impl FnOnce(Fields) -> Option<T>) -> Result<T, Errno> {
        let kind = request.kind().1;
        let answered = match &mut *self.state.borrow_mut() {
            State { process: None, .. } => return Err(Errno::EIO),
            state => state.exchange(request, self.program.patience),
        };
        let fault = match answered {
            Ok(Ok(fields)) => match read(fields) {
                Some(result) => return Ok(result),
                None => Fault::OtherResult,
            },
            Ok(Err(errno)) => return Err(errno),
            Err(fault) => fault,
        };
        self.fail(kind, &fault);
        Err(Errno::EIO)
    }

    /// Ends the process, which did something wrong when it was asked this.
    fn fail(&self, request: &str, fault: &Fault) {
        let state = &mut *self.state.borrow_mut();
        if let Some(process) = state.process.take() {
            let (program, number) = (&self.program, process.asked);
            let what = format!("{program} {fault}, at request {number}, {request}");
            state.trouble = Some(format!("{what}; {}", process.end(fault)));
            state.packets.clear();
            state.changed.clear();
        }
    }
}

impl State {
    /// Sends a request to the process, and takes the reports of its answer.
    fn exchange(&mut self, request: Request<'_>, patience: Duration) -> Result<Result<Fields, Errno>, Fault> {
        let process = self.process.as_mut().ok_or(Fault::Ended)?;
        process.asked += 1;
        request.encode(process.asked, self.now, &mut self.request);
        let frame = process.exchange(&self.request, patience)?;
        let answer = frame::decode(frame).map_err(Fault::NoAnswer)?;
        if answer.number != process.asked {
            return Err(Fault::WrongNumber(answer.number));
        }
        let Answer { timeout, changed, packets, result, .. } = answer;
        self.timeout = timeout;
        self.packets.extend(packets);
        self.packets.truncate(REPORTS_MAX);
        for fd in changed {
            if self.changed.len() < REPORTS_MAX && !self.changed.contains(&fd) {
                self.changed.push_back(fd);
            }
        }
        Ok(result)
    }
}

impl Drop for ProcessStack {
    fn drop(&mut self) {
        if let Some(process) = self.state.get_mut().process.take() {
            self.program.give_back(process);
        }
    }
}

/// Copies received data; `None` if it is longer than was asked for.
fn copied(data: &[u8], buffer: &mut [u8]) -> Option<usize> {
    buffer.get_mut(..data.len())?.copy_from_slice(data);
    Some(data.len())
}

impl Sockets for ProcessStack {
    fn socket(&mut self, domain: Domain, kind: Kind, protocol: Protocol) -> Result<Fd, Errno> {
        self.ask(Request::Socket(domain, kind, protocol), |it| it.u32().map(Fd))
    }

    fn bind(&mut self, fd: Fd, addr: SocketAddr) -> Result<(), Errno> {
        self.tell(Request::Bind(fd, addr))
    }

    fn listen(&mut self, fd: Fd, backlog: u32) -> Result<(), Errno> {
        self.tell(Request::Listen(fd, backlog))
    }

    fn accept(&mut self, fd: Fd) -> Result<(Fd, SocketAddr), Errno> {
        self.ask(Request::Accept(fd), |it| Some((Fd(it.u32()?), it.addr()?)))
    }

    fn connect(&mut self, fd: Fd, addr: Option<SocketAddr>) -> Result<(), Errno> {
        self.tell(Request::Connect(fd, addr))
    }

    fn send(&mut self, fd: Fd, data: &[u8]) -> Result<usize, Errno> {
        let data = &data[..data.len().min(DATA_MAX)];
        self.ask(Request::Send(fd, data), |it| taken(it, data))
    }

    fn send_to(&mut self, fd: Fd, data: &[u8], to: SocketAddr) -> Result<usize, Errno> {
        let data = &data[..data.len().min(DATA_MAX)];
        self.ask(Request::SendTo(fd, to, data), |it| taken(it, data))
    }

    fn recv(&mut self, fd: Fd, buffer: &mut [u8]) -> Result<usize, Errno> {
        let len = buffer.len().min(DATA_MAX);
        self.ask_all(Request::Recv(fd, len), |it| copied(&it.rest(), &mut buffer[..len]))
    }

    fn recv_from(&mut self, fd: Fd, buffer: &mut [u8]) -> Result<Received, Errno> {
        let len = buffer.len().min(DATA_MAX);
        self.ask_all(Request::RecvFrom(fd, len), |mut it| {
            let from = it.addr()?;
            let full_len = it.u32()? as usize;
            let len = copied(&it.rest(), &mut buffer[..len])?;
            (len <= full_len).then_some(Received { len, full_len, from })
        })
    }

    fn shutdown(&mut self, fd: Fd, how: How) -> Result<(), Errno> {
        self.tell(Request::Shutdown(fd, how))
    }

    fn close(&mut self, fd: Fd) -> Result<(), Errno> {
        // What it reported of the socket no longer matters.
        self.state.borrow_mut().changed.retain(|changed| *changed != fd);
        self.tell(Request::Close(fd))
    }

    fn local_addr(&self, fd: Fd) -> Result<SocketAddr, Errno> {
        self.ask(Request::LocalAddr(fd), Fields::addr)
    }

    fn peer_addr(&self, fd: Fd) -> Result<SocketAddr, Errno> {
        self.ask(Request::PeerAddr(fd), Fields::addr)
    }

    fn set_option(&mut self, fd: Fd, option: SocketOption) -> Result<(), Errno> {
        self.tell(Request::SetOption(fd, option))
    }

    fn option(&self, fd: Fd, name: OptionName) -> Result<SocketOption, Errno> {
        self.ask(Request::GetOption(fd, name), Fields::option)
    }

    fn take_error(&mut self, fd: Fd) -> Result<Option<Errno>, Errno> {
        self.ask(Request::TakeError(fd), Fields::errno)
    }

    fn poll(&self, fd: Fd) -> Result<Readiness, Errno> {
        self.ask(Request::Poll(fd), Fields::readiness)
    }
}

/// How many bytes of the data were taken: not more than there are.
fn taken(fields: &mut Fields, data: &[u8]) -> Option<usize> {
    fields.u32().map(|taken| taken as usize).filter(|taken| *taken <= data.len())
}

impl HostStack for ProcessStack {
    fn handle_input(&mut self, packet: &Bytes) {
        // An error is in `trouble`: a stack has none for a packet.
        let _ = self.tell(Request::Input(packet));
    }

    fn poll_transmit(&mut self) -> Option<Bytes> {
        self.state.get_mut().packets.pop_front()
    }

    fn poll_timeout(&self) -> Option<Time> {
        let state = self.state.borrow();
        state.process.as_ref().and(state.timeout)
    }

    /// Every request tells the time. So the process is asked only when one of its timers is due.
    fn handle_timeout(&mut self, now: Time) {
        let state = self.state.get_mut();
        state.now = state.now.max(now);
        if state.timeout.is_some_and(|due| due <= state.now) {
            let _ = self.tell(Request::Timeout);
        }
    }

    fn poll_changed(&mut self) -> Option<Fd> {
        self.state.get_mut().changed.pop_front()
    }

    fn trouble(&self) -> Option<String> {
        self.state.borrow().trouble.clone()
    }
}
