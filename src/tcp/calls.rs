//! What a program may ask of its connection (RFC 9293, section 3.10.2 to 3.10.5), with Linux's answers.

use super::connection::Connection;
use crate::model::{Errno, Readiness, State, Time};
use crate::mutant::Mutant;

impl Connection {
    /// Takes what there is room for.
    ///
    /// # Errors
    /// `EAGAIN` while there is no room, or no connection yet; the pending error; `EPIPE` after the end of
    /// this direction.
    pub(crate) fn send(&mut self, data: &[u8]) -> Result<usize, Errno> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        match self.state {
            State::SynSent | State::SynReceived => return Err(Errno::EAGAIN),
            State::Established | State::CloseWait => {}
            _ => return Err(Errno::EPIPE),
        }
        let len = data.len().min(self.send_space());
        if len == 0 && !data.is_empty() {
            return Err(Errno::EAGAIN);
        }
        self.buffer.push(&data[..len]);
        Ok(len)
    }

    /// Hands out what came; 0 is the end of the stream.
    ///
    /// # Errors
    /// `EAGAIN` while there is nothing; the pending error, after what came before it.
    pub(crate) fn receive(&mut self, into: &mut [u8]) -> Result<usize, Errno> {
        if self.rcv.readable() > 0 {
            let len = self.rcv.read(into);
            let has_news = self.rcv.has_news(self.mss) && !self.is(Mutant::TellsNoNews);
            if self.state.receives() && (has_news || self.is(Mutant::AcknowledgesReads)) {
                self.ack_due = true;
            }
            return Ok(len);
        }
        self.nothing_received(into)
    }

    /// What the next receive would give, which stays where it is.
    pub(crate) fn peek(&mut self, into: &mut [u8]) -> Result<usize, Errno> {
        match self.rcv.readable() {
            0 => self.nothing_received(into),
            _ => Ok(self.rcv.peek(into)),
        }
    }

    /// The answer to a receive when no bytes are there.
    fn nothing_received(&mut self, into: &[u8]) -> Result<usize, Errno> {
        // A clean end stays one (Linux's SOCK_DONE): what happened later is for a send to be told.
        if self.rcv.ended {
            return Ok(0);
        }
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        if self.is_at_end() || into.is_empty() {
            return Ok(0);
        }
        Err(Errno::EAGAIN)
    }

    /// Nothing will come any more.
    fn is_at_end(&self) -> bool {
        self.rcv.ended || self.read_shut || self.state == State::Closed
    }

    /// SHUT_WR: the FIN goes out behind what is queued.
    pub(crate) fn shut_write(&mut self) {
        match self.state {
            // RFC 9293, section 3.10.4: "queue for processing after entering ESTABLISHED state".
            State::SynReceived => self.close_follows = true,
            State::Established => self.enter(State::FinWait1),
            State::CloseWait => self.enter(State::LastAck),
            _ => {}
        }
        if self.is(Mutant::CutsAtShutdown) && !self.orphan {
            self.forget_unsent();
        }
        self.woken = true;
    }

    /// A connect is given up by `shutdown`: the pending error is Linux's.
    pub(crate) fn give_up(&mut self) {
        self.end(Some(Errno::ECONNRESET));
    }

    /// SHUT_RD: what is queued can still be read, then comes the end. The peer hears nothing of it, as in
    /// Linux.
    pub(crate) fn shut_read(&mut self) {
        self.read_shut = true;
        self.woken = true;
    }

    /// `close(2)`. With unread data, or with `at_once` (linger 0), it is a reset (RFC 9293,
    /// section 3.6.1; RFC 2525, section 2.17).
    pub(crate) fn close(&mut self, at_once: bool, now: Time) {
        self.orphan = true;
        if self.state != State::TimeWait && (at_once || self.rcv.readable() > 0) {
            self.rcv.clear();
            return self.abort(None);
        }
        if self.is(Mutant::ClosesAtOnce) {
            self.forget_unsent();
        }
        if self.state == State::SynSent {
            return self.end(None);
        }
        self.shut_write();
        self.limit_fin_wait_2(now);
    }

    /// For [`Mutant::ClosesAtOnce`] and [`Mutant::CutsAtShutdown`].
    fn forget_unsent(&mut self) {
        let sent = self.snd.nxt.past(self.snd.text) as usize;
        self.buffer.truncate(sent);
    }

    /// An ICMP error about something that is outstanding. A hard one ends the attempt to connect (RFC 9293,
    /// section 3.9.2.2). Any other is remembered, in case the connection gives up: a soft one ends nothing
    /// (MUST-56; Linux lets it end a connect), and no error ends a connection that exists, as in Linux.
    pub(crate) fn unreachable(&mut self, error: Errno, is_hard: bool) {
        match self.state {
            State::SynSent | State::SynReceived if is_hard => self.end(Some(error)),
            State::Closed => {}
            _ => self.soft_error = Some(error),
        }
    }

    /// The pending error, once.
    pub(crate) fn take_error(&mut self) -> Option<Errno> {
        self.error.take()
    }

    /// SO_ERROR: the pending error, or the soft one; once.
    pub(crate) fn take_any_error(&mut self) -> Option<Errno> {
        self.error.take().or_else(|| self.soft_error.take())
    }

    fn send_space(&self) -> usize {
        self.options.send_buffer.saturating_sub(self.buffer.len())
    }

    /// A third of the buffer must be free (Linux's `sk_stream_is_writeable`).
    pub(super) fn is_writable(&self) -> bool {
        self.send_space() * 3 >= self.options.send_buffer
    }

    /// As Linux's `tcp_poll`.
    pub(crate) fn readiness(&self) -> Readiness {
        let opening = matches!(self.state, State::SynSent | State::SynReceived);
        let closed = self.state == State::Closed;
        let write_shut = self.state.has_closed() || closed;
        Readiness {
            readable: self.rcv.readable() > 0 || self.is_at_end() || self.error.is_some(),
            writable: !opening && (write_shut || self.is_writable()),
            error: self.error.is_some(),
            hang_up: closed || (write_shut && (self.rcv.ended || self.read_shut)),
        }
    }

    /// SO_SNDBUF, halved: what may be written ahead.
    pub(crate) fn set_send_buffer(&mut self, bytes: usize) {
        let before = self.is_writable();
        self.options.send_buffer = bytes;
        self.woken |= self.is_writable() && !before;
    }

    /// SO_RCVBUF, halved. What was offered stays on offer.
    pub(crate) fn set_recv_buffer(&mut self, bytes: usize) {
        self.rcv.set_capacity(bytes);
        if self.state.receives() && self.rcv.has_news(self.mss) {
            self.ack_due = true;
        }
    }

    /// TCP_NODELAY.
    pub(crate) fn set_no_delay(&mut self, on: bool) {
        self.options.no_delay = on;
    }

    /// TCP_MAXSEG, as it is in force.
    pub(crate) fn max_segment(&self) -> u16 {
        self.mss.min(u16::MAX.into()) as u16
    }
}
