//! Wrong solutions that look right: each has one idea that does not hold, and is to be rejected for what goes
//! wrong.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::marker::PhantomData;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use faultwire::machine::Machine;
use faultwire::network::Network as _;
use faultwire::time::Time;
use faultwire_sim::{Net, NetStream};

use super::super::{Kind, Verdict, examine_stream};
use super::{of, says};
use crate::streams::{dead_peer_mended, half_close_mended, length};
use crate::{Desk, StreamProgram, TIMEOUT};

/// What a machine that stops and waits may do otherwise. Without, it is the mended one of lessons 2 and 3.
trait Idea: Send + 'static {
    /// Attempts to bring a message across.
    const ATTEMPTS: u32 = u32::MAX;

    /// The number that the nth message goes with, from 0.
    fn number(nth: u32) -> u32 {
        nth
    }

    /// Whether the receiver takes a message for a new one, which has delivered others.
    fn is_new(&self, number: u32, message: &[u8], delivered: &[(u32, Vec<u8>)]) -> bool {
        let _ = message;
        number == Self::number(delivered.len() as u32)
    }

    /// Whether the sender takes an answer for that to its message.
    fn is_answer(number: u32, answered: u32) -> bool {
        number == answered
    }
}

struct StopAndWait<I> {
    idea: I,
    sent: u32,
    waiting: Option<(Vec<u8>, Time, u32)>,
    delivered: Vec<(u32, Vec<u8>)>,
    datagrams: VecDeque<Vec<u8>>,
    messages: VecDeque<Vec<u8>>,
}

impl<I: Default> Default for StopAndWait<I> {
    fn default() -> Self {
        let (delivered, datagrams, messages) = Default::default();
        StopAndWait { idea: I::default(), sent: 0, waiting: None, delivered, datagrams, messages }
    }
}

impl<I: Idea> StopAndWait<I> {
    fn number(&self) -> u32 {
        I::number(self.sent.wrapping_sub(1))
    }
}

impl<I: Idea> Machine for StopAndWait<I> {
    fn is_ready(&self) -> bool {
        self.waiting.is_none()
    }

    fn send(&mut self, now: Time, message: &[u8]) {
        self.sent += 1;
        let datagram = [&[0], &self.number().to_be_bytes()[..], message].concat();
        self.datagrams.push_back(datagram.clone());
        self.waiting = Some((datagram, now + TIMEOUT, 1));
    }

    fn on_datagram(&mut self, _now: Time, datagram: &[u8]) {
        let Some((number, message)) = datagram.get(1..).and_then(|rest| rest.split_first_chunk()) else {
            return;
        };
        let number = u32::from_be_bytes(*number);
        if datagram[0] == 0 {
            if self.idea.is_new(number, message, &self.delivered) {
                self.delivered.push((number, message.to_vec()));
                self.messages.push_back(message.to_vec());
            }
            // One that is ahead never comes from a sender that stops and waits.
            self.datagrams.push_back([&[1], &number.to_be_bytes()[..]].concat());
        } else if datagram[0] == 1 && self.waiting.is_some() && I::is_answer(self.number(), number) {
            self.waiting = None;
        }
    }

    fn next_timer(&self) -> Option<Time> {
        self.waiting.as_ref().map(|(_, again, _)| *again)
    }

    fn on_timer(&mut self, now: Time) {
        let Some((datagram, again, attempts)) = &mut self.waiting else { return };
        if *attempts == I::ATTEMPTS {
            self.waiting = None;
            return;
        }
        (*again, *attempts) = (now + TIMEOUT, *attempts + 1);
        self.datagrams.push_back(datagram.clone());
    }

    fn next_datagram(&mut self) -> Option<Vec<u8>> {
        self.datagrams.pop_front()
    }

    fn next_message(&mut self) -> Option<Vec<u8>> {
        self.messages.pop_front()
    }

    fn is_done(&self) -> bool {
        self.waiting.is_none()
    }
}

/// Nothing is changed.
#[derive(Default)]
struct Right;
impl Idea for Right {}

#[derive(Default)]
struct AnyAnswer;
impl Idea for AnyAnswer {
    fn is_answer(_: u32, _: u32) -> bool {
        true
    }
}

#[derive(Default)]
struct GivesUp;
impl Idea for GivesUp {
    const ATTEMPTS: u32 = 5;
}

/// A repeat is what is like the last message.
#[derive(Default)]
struct LikeTheLast;
impl Idea for LikeTheLast {
    fn is_new(&self, _: u32, message: &[u8], delivered: &[(u32, Vec<u8>)]) -> bool {
        delivered.last().is_none_or(|(_, last)| last != message)
    }
}

/// A repeat is what is like any message before.
#[derive(Default)]
struct LikeAny;
impl Idea for LikeAny {
    fn is_new(&self, _: u32, message: &[u8], delivered: &[(u32, Vec<u8>)]) -> bool {
        let seen: BTreeSet<&[u8]> = delivered.iter().map(|(_, seen)| seen.as_slice()).collect();
        !seen.contains(message)
    }
}

/// A repeat is what has the number of the last message.
#[derive(Default)]
struct NumberOfTheLast;
impl Idea for NumberOfTheLast {
    fn is_new(&self, number: u32, _: &[u8], delivered: &[(u32, Vec<u8>)]) -> bool {
        delivered.last().is_none_or(|(last, _)| *last != number)
    }
}

#[derive(Default)]
struct Modulo<const MODULUS: u32>(PhantomData<()>);
impl<const MODULUS: u32> Idea for Modulo<MODULUS> {
    fn number(nth: u32) -> u32 {
        nth % MODULUS
    }
}

fn broken<I: Idea + Default>(lesson: &str, how: &[&str]) {
    says(&of::<StopAndWait<I>>(lesson), Kind::Broken, how);
}

#[test]
fn without_a_wrong_idea_it_is_right() {
    for lesson in ["1", "2", "3"] {
        says(&of::<StopAndWait<Right>>(lesson), Kind::Holds, &["Not broken: the machine of lesson"]);
    }
}

#[test]
fn of_lesson_1() {
    broken::<AnyAnswer>("1", &["was never delivered"]);
    broken::<GivesUp>("1", &["Case: the first six", "was never delivered"]);
}

#[test]
fn of_lesson_2() {
    let alike = "Case: several messages in a row are alike";
    broken::<LikeTheLast>("2", &[alike, "message 2 was never delivered"]);
    broken::<LikeAny>("2", &[alike, "message 2 was never delivered"]);
    broken::<AnyAnswer>("2", &["was never delivered"]);
    broken::<NumberOfTheLast>("2", &["message 1 was delivered 2 times"]);
}

#[test]
fn of_lesson_3() {
    broken::<Modulo<4>>("3", &["message 1 was delivered 2 times"]);
    broken::<Modulo<10>>("3", &["comes behind the 60th message", "message 1 was delivered 2 times"]);
    broken::<Modulo<256>>("3", &["comes behind the 256th message", "message 1 was delivered 2 times"]);
    broken::<NumberOfTheLast>("3", &["message 1 was delivered 2 times"]);
}

/// One at a time: whose step it is that never comes back is told by the kind of program.
fn of_streams(lesson: &str, program: StreamProgram) -> Verdict {
    examine_stream(lesson, program, 20, Duration::from_secs(60))
}

/// A message is what one read gives behind its length.
async fn reads_once(mut stream: NetStream, desk: Desk) -> io::Result<()> {
    while let Ok(length) = stream.read_u32().await {
        let mut message = vec![0; (length as usize).min(1024)];
        let len = stream.read(&mut message).await?;
        desk.deliver(&message[..len]);
    }
    Ok(())
}

/// What a read gives beyond the last whole message is thrown away.
async fn throws_away(mut stream: NetStream, desk: Desk) -> io::Result<()> {
    let mut buffer = [0; 1024];
    loop {
        let len = stream.read(&mut buffer).await?;
        let mut rest = &buffer[..len];
        if rest.is_empty() {
            return Ok(());
        }
        while let Some((length, more)) = rest.split_first_chunk() {
            let length = u32::from_be_bytes(*length) as usize;
            if more.len() < length {
                break;
            }
            desk.deliver(&more[..length]);
            rest = &more[length..];
        }
    }
}

/// It waits a second, and closes.
async fn waits_and_closes(net: Net, mut stream: NetStream, desk: Desk) -> io::Result<()> {
    let mut question = [0; 14];
    stream.read_exact(&mut question).await?;
    stream.write_all(&desk.messages()[2]).await?;
    net.sleep(Duration::from_secs(1)).await;
    Ok(())
}

/// It gives up after a silence that is hardly longer than the time between two heartbeats.
async fn gives_up_soon(net: Net, mut stream: NetStream, desk: Desk) -> io::Result<()> {
    stream.write_all(&desk.messages()[0]).await?;
    stream.shutdown().await?;
    let (mut buffer, mut answer) = ([0; 64], Vec::new());
    loop {
        let len = net.timeout(Duration::from_millis(5_500), stream.read(&mut buffer)).await??;
        if len == 0 {
            desk.deliver(&answer);
            return Ok(());
        }
        answer.extend(buffer[..len].iter().filter(|byte| **byte != b'.'));
    }
}

#[test]
fn of_the_lessons_on_streams() {
    let length = |server| StreamProgram {
        client: |net, stream, desk| Box::pin(length::client(net, stream, desk)),
        server,
    };
    let once = length(|_, stream, desk| Box::pin(reads_once(stream, desk)));
    says(&of_streams("s1", once), Kind::Broken, &["It fails: "]);
    let throws = length(|_, stream, desk| Box::pin(throws_away(stream, desk)));
    says(&of_streams("s1", throws), Kind::Broken, &["It fails: "]);
    let waits = StreamProgram {
        client: |net, stream, desk| Box::pin(half_close_mended::client(net, stream, desk)),
        server: |net, stream, desk| Box::pin(waits_and_closes(net, stream, desk)),
    };
    says(&of_streams("s3", waits), Kind::Broken, &["the client never got the answer"]);
    let soon = StreamProgram {
        client: |net, stream, desk| Box::pin(gives_up_soon(net, stream, desk)),
        server: |net, stream, desk| Box::pin(dead_peer_mended::server(net, stream, desk)),
    };
    says(&of_streams("s4", soon), Kind::Broken, &["the client never got the answer"]);
}
