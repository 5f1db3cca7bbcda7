//! Two stacks joined by a link that loses, repeats, delays and overtakes: whatever it does to some packets,
//! and whatever the programs do, the bytes that are read are those that were written, nothing stalls, and
//! nothing is left.
//!
//! The programs act only when they were told that their socket may be ready, or when a pause of theirs is
//! over.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use proptest::prelude::*;

use super::super::testing::{addr, config};
use super::super::{Domain, Fd, How, Kind, Protocol, SocketOption, Sockets, Stack};
use crate::model::{Errno, HostStack, Time};

/// No run takes longer than this, nor more events.
const LONGEST: Time = Time::from_millis(3_600_000);
const EVENTS_MAX: usize = 50_000;

/// What the link does to a packet.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Lost,
    Twice(u64),
    LateMs(u64),
}

/// What the writing half of a program does next.
#[derive(Clone, Copy, Debug)]
enum Step {
    Write(usize),
    PauseMs(u64),
    SendBuffer(usize),
    RecvBuffer(usize),
    NoDelay(bool),
}

/// How a program ends, after all that it has to write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// It shuts its direction down, reads to the end, and closes.
    Orderly,
    /// It closes, whatever may still come.
    Close,
    /// It closes with a linger time of zero.
    Reset,
}

/// A program.
#[derive(Clone, Debug)]
struct Script {
    steps: Vec<Step>,
    /// How much each read asks for, and how long it is until the next; then it reads as it can.
    reads: Vec<(usize, u64)>,
    recv_buffer: Option<usize>,
    ending: Ending,
}

fn buffer() -> impl Strategy<Value = usize> {
    prop_oneof![Just(0), 1_000_usize..6_000, Just(65_536)]
}

fn script() -> impl Strategy<Value = Script> {
    let step = prop_oneof![
        5 => (1_usize..4_000).prop_map(Step::Write),
        1 => Just(Step::Write(40_000)),
        2 => (1_u64..2_000).prop_map(Step::PauseMs),
        1 => buffer().prop_map(Step::SendBuffer),
        1 => buffer().prop_map(Step::RecvBuffer),
        1 => any::<bool>().prop_map(Step::NoDelay),
    ];
    let ending = prop_oneof![4 => Just(Ending::Orderly), 1 => Just(Ending::Close), 1 => Just(Ending::Reset)];
    (
        prop::collection::vec(step, 0..8),
        prop::collection::vec((1_usize..3_000, 0_u64..1_500), 0..8),
        prop::option::of(buffer()),
        ending,
    )
        .prop_map(|(steps, reads, recv_buffer, ending)| Script { steps, reads, recv_buffer, ending })
}

/// Initial sequence numbers of both hosts: as they come, or such that what they send passes 2^31 or 2^32.
fn numbers() -> impl Strategy<Value = Option<u32>> {
    let edge = prop_oneof![Just(1_u32 << 31), Just(0)];
    let before = prop_oneof![0_u32..4, 0_u32..40_000];
    prop::option::of((edge, before).prop_map(|(edge, before)| edge.wrapping_sub(before)))
}

/// By direction, and by the packet's number in it.
fn fates() -> impl Strategy<Value = BTreeMap<(usize, u32), Fate>> {
    let fate = prop_oneof![
        3 => Just(Fate::Lost),
        1 => (0_u64..500).prop_map(Fate::Twice),
        2 => prop_oneof![1_u64..20, 100_u64..4_000].prop_map(Fate::LateMs),
    ];
    prop::collection::btree_map((0_usize..2, 0_u32..60), fate, 0..25)
}

/// The byte that stands at a place of the stream from a host.
fn byte(host: usize, at: usize) -> u8 {
    (at * 31 + at / 251 + host * 101) as u8
}

/// A program at work.
#[derive(Debug)]
struct Program {
    script: Script,
    fd: Option<Fd>,
    connected: bool,
    told: bool,
    /// When it goes on to write, and to read.
    pauses: [Time; 2],
    written: usize,
    read: usize,
    /// All was written; and the end was read, or the connection is over.
    done: [bool; 2],
    /// It read the end of the stream.
    saw_end: bool,
    failed: Option<Errno>,
}

impl Program {
    fn new(script: &Script) -> Program {
        let mut script = script.clone();
        script.steps.reverse();
        script.reads.reverse();
        Program {
            script,
            fd: None,
            connected: false,
            told: true,
            pauses: [Time::ZERO; 2],
            written: 0,
            read: 0,
            done: [false; 2],
            saw_end: false,
            failed: None,
        }
    }

    fn fail(&mut self, error: Errno) {
        self.failed.get_or_insert(error);
        self.done = [true; 2];
    }

    /// Writes until there is no room.
    fn write(&mut self, host: usize, stack: &mut Stack, fd: Fd, now: Time) {
        while !self.done[0] && self.pauses[0] <= now {
            let Some(step) = self.script.steps.pop() else {
                self.done[0] = true;
                if self.script.ending == Ending::Orderly
                    && let Err(error) = stack.shutdown(fd, How::Write)
                {
                    self.fail(error);
                }
                return;
            };
            match step {
                Step::Write(len) => {
                    let data: Vec<u8> = (self.written..self.written + len).map(|at| byte(host, at)).collect();
                    match stack.send(fd, &data) {
                        Ok(taken) => {
                            self.written += taken;
                            if taken < len {
                                self.script.steps.push(Step::Write(len - taken));
                            }
                        }
                        Err(Errno::EAGAIN) => return self.script.steps.push(step),
                        Err(error) => self.fail(error),
                    }
                }
                Step::PauseMs(ms) => self.pauses[0] = now + Duration::from_millis(ms),
                Step::SendBuffer(bytes) => stack.set_option(fd, SocketOption::SendBuffer(bytes)).unwrap(),
                Step::RecvBuffer(bytes) => stack.set_option(fd, SocketOption::RecvBuffer(bytes)).unwrap(),
                Step::NoDelay(on) => stack.set_option(fd, SocketOption::NoDelay(on)).unwrap(),
            }
        }
    }

    /// Reads until there is nothing; what comes is what the other host wrote.
    fn read(&mut self, host: usize, stack: &mut Stack, fd: Fd, now: Time) {
        while !self.done[1] && self.pauses[1] <= now {
            let (most, pause) = self.script.reads.last().copied().unwrap_or((5_000, 0));
            let mut buffer = vec![0; most];
            match stack.recv(fd, &mut buffer) {
                Ok(0) => (self.done[1], self.saw_end) = (true, true),
                Ok(len) => {
                    for (at, read) in (self.read..).zip(&buffer[..len]) {
                        assert_eq!(*read, byte(1 - host, at), "at {at} of what host {host} reads");
                    }
                    self.read += len;
                    self.script.reads.pop();
                    self.pauses[1] = now + Duration::from_millis(pause);
                }
                Err(Errno::EAGAIN) => return,
                Err(error) => self.fail(error),
            }
        }
    }

    /// Does all that it can do now.
    fn act(&mut self, host: usize, stack: &mut Stack, now: Time) {
        let Some(fd) = self.fd else { return };
        if !self.connected {
            match stack.connect(fd, Some(addr("10.0.0.2:7"))) {
                Ok(()) => self.connected = true,
                Err(Errno::EALREADY) => return,
                Err(error) => self.fail(error),
            }
        }
        self.write(host, stack, fd, now);
        self.read(host, stack, fd, now);
        let over = match self.script.ending {
            Ending::Orderly => self.done == [true; 2],
            Ending::Close | Ending::Reset => self.done[0],
        };
        if over {
            if self.script.ending == Ending::Reset {
                stack.set_option(fd, SocketOption::Linger(Some(Duration::ZERO))).unwrap();
            }
            stack.close(fd).unwrap();
            self.fd = None;
        }
    }

    fn next_pause(&self, now: Time) -> Option<Time> {
        let open = self.fd.is_some();
        self.pauses.into_iter().filter(|pause| open && *pause > now).min()
    }
}

/// Host 0 connects to host 1.
#[derive(Debug)]
struct Run {
    stacks: [Stack; 2],
    programs: [Program; 2],
    listener: Fd,
    now: Time,
    fates: BTreeMap<(usize, u32), Fate>,
    /// Every connection has the same initial sequence numbers.
    numbers_repeat: bool,
    sent: [u32; 2],
    /// Packets on their way, by when they arrive and the order in which they were sent.
    flying: BTreeMap<(Time, u32, usize), Bytes>,
}

impl Run {
    fn new(scripts: &[Script; 2], fates: &BTreeMap<(usize, u32), Fate>, iss: Option<u32>) -> Run {
        let mut stacks = [1, 2].map(|n| {
            let mut config = config(n);
            // A plan may hit one segment many times.
            (config.tcp.syn_retries, config.tcp.syn_ack_retries) = (60, 60);
            config.tcp.retries = 60;
            config.tcp.rto_max = Duration::from_secs(5);
            config.tcp.initial_sequence_number = iss;
            Stack::new(config)
        });
        let mut programs = scripts.each_ref().map(Program::new);
        let [client, listener] = [0, 1].map(|host| {
            let fd = stacks[host].socket(Domain::Inet, Kind::Stream, Protocol::Tcp).unwrap();
            if let Some(bytes) = scripts[host].recv_buffer {
                stacks[host].set_option(fd, SocketOption::RecvBuffer(bytes)).unwrap();
            }
            fd
        });
        stacks[1].bind(listener, addr("0.0.0.0:7")).unwrap();
        stacks[1].listen(listener, 4).unwrap();
        assert_eq!(stacks[0].connect(client, Some(addr("10.0.0.2:7"))), Err(Errno::EINPROGRESS));
        programs[0].fd = Some(client);
        programs[1].connected = true;
        Run {
            stacks,
            programs,
            listener,
            now: Time::ZERO,
            fates: fates.clone(),
            numbers_repeat: iss.is_some(),
            sent: [0; 2],
            flying: BTreeMap::new(),
        }
    }

    /// Puts what the stacks send on the link.
    fn carry(&mut self) {
        for host in 0..2 {
            while let Some(packet) = self.stacks[host].poll_transmit() {
                let number = self.sent[host];
                self.sent[host] += 1;
                let arrival = |ms| (self.now + Duration::from_millis(1 + ms), number, 1 - host);
                let (first, second) = match self.fates.get(&(host, number)) {
                    None => (Some(0), None),
                    Some(Fate::Lost) => (None, None),
                    Some(Fate::Twice(ms)) => (Some(0), Some(ms + 1)),
                    Some(Fate::LateMs(ms)) => (Some(*ms), None),
                };
                for ms in [first, second].into_iter().flatten() {
                    self.flying.insert(arrival(ms), packet.clone());
                }
            }
        }
    }

    /// Lets the programs act that were told to, or whose pause is over.
    fn act(&mut self) {
        while let Some(fd) = self.stacks[1].poll_changed() {
            if fd == self.listener {
                let accepted = self.stacks[1].accept(fd);
                if let (Ok((fd, _)), program) = (accepted, &mut self.programs[1]) {
                    if program.fd.is_none() && program.written == 0 {
                        (program.fd, program.told) = (Some(fd), true);
                        continue;
                    }
                    // Where all connections have one initial sequence number, late duplicates can open again
                    // what the server has reset.
                    assert!(self.numbers_repeat, "one connection");
                    self.stacks[1].close(fd).unwrap();
                }
            } else {
                self.programs[1].told = true;
            }
        }
        while self.stacks[0].poll_changed().is_some() {
            self.programs[0].told = true;
        }
        for (host, (program, stack)) in self.programs.iter_mut().zip(&mut self.stacks).enumerate() {
            let resumes = program.pauses.contains(&self.now);
            if std::mem::take(&mut program.told) || resumes {
                program.act(host, stack, self.now);
            }
        }
    }

    /// The next thing happens; `false` if there is none.
    fn step(&mut self) -> bool {
        self.act();
        self.carry();
        for stack in &self.stacks {
            stack.check().unwrap();
        }
        let arrival = self.flying.first_key_value().map(|((at, ..), _)| *at);
        let timers = self.stacks.iter().filter_map(Stack::poll_timeout);
        let pauses = self.programs.iter().filter_map(|program| program.next_pause(self.now));
        let Some(next) = timers.chain(pauses).chain(arrival).min() else {
            return !self.stacks.iter().all(|stack| stack.changed.is_empty());
        };
        self.now = self.now.max(next);
        for stack in &mut self.stacks {
            stack.handle_timeout(self.now);
        }
        while let Some(entry) = self.flying.first_entry().filter(|entry| entry.key().0 <= self.now) {
            let (_, _, host) = *entry.key();
            let packet = entry.remove();
            self.stacks[host].handle_input(&packet);
        }
        true
    }

    fn run(&mut self) {
        for _ in 0..EVENTS_MAX {
            if !self.step() {
                return;
            }
            assert!(self.now < LONGEST, "it takes too long: {:?}", self.programs);
        }
        panic!("it never comes to rest: {:?}", self.programs);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn what_is_read_is_what_was_written_and_nothing_stalls_or_is_left(
        scripts in [script(), script()],
        fates in fates(),
        iss in numbers(),
    ) {
        let mut run = Run::new(&scripts, &fates, iss);
        run.run();
        let [client, server] = &run.programs;
        prop_assert!(client.read <= server.written && server.read <= client.written);
        if scripts.iter().all(|script| script.ending == Ending::Orderly) {
            for program in [client, server] {
                let at_end = (program.fd, program.failed, program.saw_end);
                prop_assert_eq!(at_end, (None, None, true), "{:?}", run);
            }
            prop_assert_eq!((client.read, server.read), (server.written, client.written));
        }
        // One that nobody speaks to any more may wait forever, as keep-alive is off; its program lets go.
        for (program, stack) in run.programs.iter_mut().zip(&mut run.stacks) {
            if let Some(fd) = program.fd.take() {
                stack.close(fd).unwrap();
            }
        }
        run.stacks[1].close(run.listener).unwrap();
        run.run();
        for mut stack in run.stacks {
            while stack.poll_note().is_some() {}
            prop_assert_eq!((stack.connections.len(), stack.memory()), (0, 0));
        }
    }
}
