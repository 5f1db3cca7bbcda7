//! What a connection is brought into before the segments come.

use faultwire::stack::{How, Sockets};
use faultwire::tcp::State;

use super::super::forge::Choice;
use super::peer::{ACK, FIN, Peer, RST, SYN};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Situation {
    Listen,
    SynSent,
    SynReceivedPassive,
    SynReceivedActive,
    Established,
    /// What was sent is not acknowledged.
    InFlight,
    /// Text waits for the program.
    Unread,
    /// So much that no window is on offer.
    WindowClosed,
    /// The peer offers none, and there is something to send.
    PeerWindowClosed,
    NotAccepted,
    FinWait1,
    /// The FIN waits behind text that the peer's window does not take.
    FinBehindText,
    FinWait2,
    CloseWait,
    Closing,
    LastAck,
    TimeWait,
    Closed,
}

pub(crate) const SITUATIONS: [Situation; 18] = [
    Situation::Listen,
    Situation::SynSent,
    Situation::SynReceivedPassive,
    Situation::SynReceivedActive,
    Situation::Established,
    Situation::InFlight,
    Situation::Unread,
    Situation::WindowClosed,
    Situation::PeerWindowClosed,
    Situation::NotAccepted,
    Situation::FinWait1,
    Situation::FinBehindText,
    Situation::FinWait2,
    Situation::CloseWait,
    Situation::Closing,
    Situation::LastAck,
    Situation::TimeWait,
    Situation::Closed,
];

impl Situation {
    /// Brings the connection there.
    pub(crate) fn play(self, peer: &mut Peer, choice: &mut Choice<'_>) {
        let recv_buffer = match self {
            Situation::WindowClosed => [0, 2_000][choice.below(2)],
            _ => [0, 2_000, 65_536, 1 << 20][choice.below(4)],
        };
        let state = match self {
            Situation::Listen => {
                peer.listen(recv_buffer);
                None
            }
            Situation::SynSent => {
                peer.connect(recv_buffer);
                Some(State::SynSent)
            }
            Situation::SynReceivedPassive => {
                peer.listen(recv_buffer);
                peer.say(SYN, 0);
                Some(State::SynReceived)
            }
            Situation::SynReceivedActive => {
                peer.connect(recv_buffer);
                peer.say(SYN, 0);
                Some(State::SynReceived)
            }
            _ => {
                self.establish(peer, choice, recv_buffer);
                self.go_on(peer, choice)
            }
        };
        assert_eq!(peer.state(), state, "{self:?}");
    }

    fn establish(self, peer: &mut Peer, choice: &mut Choice<'_>, recv_buffer: usize) {
        if matches!(self, Situation::PeerWindowClosed | Situation::FinBehindText) {
            peer.offered = 0;
        }
        if self != Situation::NotAccepted && choice.below(2) == 0 {
            peer.connect(recv_buffer);
            peer.say(SYN | ACK, 0);
            return;
        }
        peer.listen(recv_buffer);
        peer.say(SYN, 0);
        peer.say(ACK, 0);
        if self != Situation::NotAccepted {
            let (fd, _) = peer.stack.accept(peer.listener.unwrap()).unwrap();
            peer.fd = Some(fd);
        }
    }

    /// From ESTABLISHED on; gives the state that it ends in.
    fn go_on(self, peer: &mut Peer, choice: &mut Choice<'_>) -> Option<State> {
        let text = vec![b'x'; 1 + choice.below(5_000)];
        match self {
            Situation::InFlight | Situation::PeerWindowClosed => {
                peer.stack.send(peer.fd.unwrap(), &text).unwrap();
                peer.hear();
            }
            Situation::Unread => peer.say(ACK, 500),
            Situation::WindowClosed => {
                while peer.window > 0 {
                    peer.say(ACK, peer.window.min(700) as usize);
                }
            }
            Situation::FinBehindText => {
                peer.stack.send(peer.fd.unwrap(), &text).unwrap();
                self.close(peer, choice);
                return Some(State::FinWait1);
            }
            Situation::FinWait1 => {
                self.close(peer, choice);
                return Some(State::FinWait1);
            }
            Situation::FinWait2 => {
                self.close(peer, choice);
                peer.say(ACK, 0);
                return Some(State::FinWait2);
            }
            Situation::CloseWait => {
                peer.say(ACK | FIN, 0);
                return Some(State::CloseWait);
            }
            Situation::Closing => {
                self.close(peer, choice);
                peer.say_but_acknowledge_nothing(ACK | FIN);
                return Some(State::Closing);
            }
            Situation::LastAck => {
                peer.say(ACK | FIN, 0);
                self.close(peer, choice);
                return Some(State::LastAck);
            }
            Situation::TimeWait => {
                self.close(peer, choice);
                peer.say(ACK | FIN, 0);
                return Some(State::TimeWait);
            }
            Situation::Closed => {
                peer.say(ACK | RST, 0);
                return Some(State::Closed);
            }
            _ => {}
        }
        Some(State::Established)
    }

    /// The program closes this direction, or the whole socket.
    fn close(self, peer: &mut Peer, choice: &mut Choice<'_>) {
        let fd = peer.fd.unwrap();
        if choice.below(2) == 0 {
            peer.stack.shutdown(fd, How::Write).unwrap();
        } else {
            peer.stack.close(fd).unwrap();
            peer.fd = None;
        }
        peer.hear();
    }
}
