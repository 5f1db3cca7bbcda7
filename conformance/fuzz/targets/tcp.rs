//! Random and mutated segments against TCP, in every state that a connection can be in: no panic, no
//! invariant broken, and memory within its bounds throughout.
//!
//! An episode brings a connection into a situation, segment by segment. Then a peer that lies sends segments,
//! a program makes calls, and time passes. The input's bytes decide what happens; in the test it is the
//! episode's number, so that a failure names what replays it.

mod peer;
mod situation;

use std::collections::BTreeMap;
use std::time::Duration;

use faultwire::stack::{HostStack as _, How, SocketOption, Sockets};
use faultwire::tcp::State;

use self::peer::Peer;
use self::situation::{SITUATIONS, Situation};
use super::forge::Choice;

/// Segments of one episode.
const EPISODE: usize = 40;
/// For each of the two sockets and of the listener's five connections: twice the send buffer, the receive
/// buffer, the window beyond it with its 1024 pieces; and what waits for the wire and to be told.
const BOUND: usize = 7 * (2 * 212_992 + 212_992 + 65_535 + 1_024 * 48) + 4_096 * 1_500 + 64 * 1_024;

/// What a state was met in, and how often.
type Counts = BTreeMap<String, u64>;

fn count(counts: &mut Counts, what: impl Into<String>) {
    *counts.entry(what.into()).or_default() += 1;
}

/// An episode: how many segments arrived, in which states.
fn episode(n: u64, choice: &mut Choice<'_>, situation: Situation, counts: &mut Counts) -> u64 {
    let mut peer = Peer::new(choice);
    situation.play(&mut peer, choice);
    let mut arrived = 0;
    let mut over = 0;
    for _ in 0..EPISODE {
        if choice.is_over() {
            break;
        }
        // Enough of what is over, unless it is what is tried.
        let live = !matches!(peer.state(), None | Some(State::Closed));
        over += u32::from(!live && !matches!(situation, Situation::Listen | Situation::Closed));
        if over > 3 {
            break;
        }
        if situation == Situation::Listen {
            peer.from = 1_000 + choice.below(20_000) as u16;
        }
        let bytes = peer.mutated(choice);
        let (state, orphan) = (peer.state(), peer.fd.is_none());
        match state {
            None => count(counts, "LISTEN, or nothing"),
            Some(state) => {
                count(counts, state.name());
                if orphan {
                    count(counts, format!("{state}, an orphan or not accepted"));
                }
                if state == State::Established && peer.window == 0 {
                    count(counts, "ESTABLISHED, no window on offer");
                }
                if state == State::Established && peer.offered == 0 {
                    count(counts, "ESTABLISHED, no window to send into");
                }
                if state == State::SynReceived && situation == Situation::SynReceivedActive {
                    count(counts, "SYN-RECEIVED, both opened");
                }
            }
        }
        peer.stack.handle_input(&bytes);
        arrived += 1;
        inspect(n, situation, &mut peer);
        if choice.below(3) == 0 {
            act(&mut peer, choice);
            inspect(n, situation, &mut peer);
        }
        if choice.below(4) == 0 {
            step(&mut peer, choice);
            inspect(n, situation, &mut peer);
        }
    }
    comes_to_an_end(n, situation, peer);
    arrived
}

/// What must hold after each thing that happens.
fn inspect(n: u64, situation: Situation, peer: &mut Peer) {
    peer.hear();
    if let Err(what) = peer.stack.check() {
        panic!("episode {n}, {situation:?}: {what}");
    }
    let held = peer.stack.memory();
    assert!(held <= BOUND, "episode {n}, {situation:?}: {held} bytes held, {BOUND} allowed");
}

/// What a program does in between. Whatever it is answered is right.
fn act(peer: &mut Peer, choice: &mut Choice<'_>) {
    let mut buffer = [0; 3_000];
    let Some(fd) = peer.fd else {
        if let (Some(listener), 0) = (peer.listener, choice.below(8)) {
            peer.fd = peer.stack.accept(listener).ok().map(|(fd, _)| fd);
        }
        return;
    };
    match choice.below(24) {
        0..=4 => {
            let len = choice.below(buffer.len());
            let _ = peer.stack.recv(fd, &mut buffer[..len]);
        }
        5..=9 => {
            let len = choice.below(buffer.len());
            let _ = peer.stack.send(fd, &buffer[..len]);
        }
        10 => {
            let _ = peer.stack.send(fd, &vec![7; 100_000]);
        }
        11 => {
            let _ = peer.stack.shutdown(fd, [How::Read, How::Write, How::Both][choice.below(3)]);
        }
        12 => {
            let bytes = [0, 1, 3_000, 100_000, 1 << 20][choice.below(5)];
            let _ = peer.stack.set_option(fd, SocketOption::RecvBuffer(bytes));
        }
        13 => {
            let bytes = [0, 1, 3_000, 100_000, 1 << 20][choice.below(5)];
            let _ = peer.stack.set_option(fd, SocketOption::SendBuffer(bytes));
        }
        14 => {
            let _ = peer.stack.set_option(fd, SocketOption::NoDelay(choice.below(2) == 0));
        }
        15 => {
            let linger = [None, Some(Duration::ZERO), Some(Duration::from_secs(1))][choice.below(3)];
            let _ = peer.stack.set_option(fd, SocketOption::Linger(linger));
        }
        16 => {
            let _ = peer.stack.take_error(fd);
        }
        17 => {
            let _ = peer.stack.connect(fd, Some(peer.theirs()));
        }
        18 if choice.below(4) == 0 => {
            let _ = peer.stack.connect(fd, None);
        }
        19 if choice.below(4) == 0 => {
            peer.stack.close(fd).unwrap();
            peer.fd = None;
        }
        _ => {
            peer.stack.poll(fd).unwrap();
            while peer.stack.poll_changed().is_some() {}
        }
    }
}

/// Some time passes: a moment, up to the next timer, or minutes.
fn step(peer: &mut Peer, choice: &mut Choice<'_>) {
    let until = match choice.below(8) {
        0..=2 => peer.now + Duration::from_micros(choice.below(50_000) as u64),
        3..=6 => peer.stack.poll_timeout().unwrap_or(peer.now),
        _ => peer.now + Duration::from_millis(choice.below(100_000) as u64),
    };
    peer.now = peer.now.max(until);
    peer.stack.handle_timeout(peer.now);
}

/// Once the program has let go of everything and the peer is silent, nothing stays forever.
fn comes_to_an_end(n: u64, situation: Situation, mut peer: Peer) {
    for fd in [peer.fd.take(), peer.listener.take()].into_iter().flatten() {
        peer.stack.close(fd).unwrap();
    }
    for _ in 0..200 {
        inspect(n, situation, &mut peer);
        let Some(due) = peer.stack.poll_timeout() else {
            while peer.stack.poll_note().is_some() || peer.stack.poll_changed().is_some() {}
            assert_eq!(peer.stack.memory(), 0, "episode {n}, {situation:?}: all is let go");
            return;
        };
        peer.stack.handle_timeout(due);
    }
    panic!("episode {n}, {situation:?}: something stays forever");
}

/// The episode that these bytes say.
pub(crate) fn fuzz(data: &[u8]) {
    let mut choice = Choice::Bytes(data);
    let situation = choice.among(&SITUATIONS);
    episode(0, &mut choice, situation, &mut Counts::new());
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Segments in all.
    const SEGMENTS: u64 = 1_000_000;

    #[test]
    fn a_million_segments_in_every_state_break_nothing() {
        let mut counts = Counts::new();
        let mut arrived = 0;
        for n in 0.. {
            let situation = SITUATIONS[n as usize % SITUATIONS.len()];
            arrived += episode(n, &mut Choice::Number(n), situation, &mut counts);
            if arrived >= SEGMENTS {
                break;
            }
        }
        let all = [
            "LISTEN, or nothing",
            "CLOSED",
            "SYN-SENT",
            "SYN-RECEIVED",
            "SYN-RECEIVED, both opened",
            "ESTABLISHED",
            "ESTABLISHED, no window on offer",
            "ESTABLISHED, no window to send into",
            "ESTABLISHED, an orphan or not accepted",
            "FIN-WAIT-1",
            "FIN-WAIT-1, an orphan or not accepted",
            "FIN-WAIT-2",
            "FIN-WAIT-2, an orphan or not accepted",
            "CLOSE-WAIT",
            "CLOSING",
            "CLOSING, an orphan or not accepted",
            "LAST-ACK",
            "LAST-ACK, an orphan or not accepted",
            "TIME-WAIT",
            "TIME-WAIT, an orphan or not accepted",
        ];
        for what in all {
            assert!(counts.get(what).is_some_and(|count| *count > 5_000), "{what} was tried: {counts:#?}");
        }
    }
}
