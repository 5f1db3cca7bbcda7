//! Claims of stream sockets, TCP: how connections end, what outlives faults, and many connections at once.

use super::claim;
use crate::claim::Claim;
use crate::claim::Modality::{Guaranteed, Possible};

pub(super) const CLAIMS: &[Claim] = &[
    claim(
        "tcp/half-close",
        Guaranteed,
        "Closing one direction leaves the other open: the peer's reader sees the end of the stream and can still \
         answer.",
        "A FIN says \"I shall send no more\", and nothing of receiving. Who got it is in CLOSE-WAIT, and may send as \
         long as it likes; the other side, in FIN-WAIT-2, receives. To ask for it a program calls shutdown with \
         SHUT_WR: close gives up both directions at once, and data that comes after that is answered with a reset. So \
         a connection is not closed once but twice, once for each direction.",
        "RFC 9293 3.6.1; shutdown(2)",
    )
    .over_plans(),
    claim(
        "tcp/close-flushes",
        Guaranteed,
        "A close delivers all that was written before it, and then the end of the stream.",
        "The FIN has the number behind the last byte that was written, so it cannot count before all of them have \
         come. The system goes on sending, and repeating, after close has returned: close waits for nothing, and \
         cannot tell of a failure. If something that was received lies unread, a reset goes out in place of the FIN \
         (RFC 1122, 4.2.2.13), and may destroy what was written before: many a last answer has been lost like that.",
        "RFC 9293 3.6.1; RFC 1122 4.2.2.13",
    )
    .given("The closing side has read all that it received (else it sends a reset), and linger is not zero.")
    .over_plans(),
    claim(
        "tcp/reset",
        Guaranteed,
        "A reset that fits ends the connection: a connect is refused, later a call fails with ECONNRESET \
         once. On Linux data that is already queued is handed out first, and a send after the error is \
         EPIPE. A reset that does not fit changes nothing, nor does a SYN: in the window either is answered \
         with an acknowledgement, outside of it a reset is dropped.",
        "A reset says that there is no such connection, and its receiver forgets the connection at once: it \
         answers nothing, and waits for nothing. To be believed it must fit: in SYN-SENT it acknowledges the \
         SYN, later its number is the one that is expected next. A stranger who wants to cut the connection \
         would have to guess that number; the answer to one that is only near lets a peer that is really \
         gone send a better one. The error is told once, since no connection is left that could have \
         another; after it a read gives the end. A reset is not acknowledged, so a lost one is not repeated: \
         it is an answer and no farewell that could be relied on.",
        "RFC 9293 3.5.2, 3.5.3, 3.10.7; RFC 5961 3.2",
    )
    .given("The reset arrives: a lost one is not repeated.")
    .over_plans(),
    claim(
        "tcp/silence-is-not-noticed",
        Possible,
        "A reader waits for ever for a peer that is gone: a reset that was lost is not repeated, and to read sends \
         nothing that would bring about another.",
        "TCP sends nothing when there is nothing to send, so a quiet connection costs no packet, and a peer \
         that is quiet looks just like one that is gone. A reset occupies no sequence number: it is not \
         acknowledged, and nobody learns that it was lost. Only a send of its own would bring the reader \
         another one. \"A broken connection gives an error\" is true for writers alone; a reader needs a \
         timeout, or keep-alive, which is off by default and waits two hours.",
        "RFC 9293 3.5.1, 3.5.2, 3.8.4",
    )
    .over_plans(),
    claim(
        "tcp/first-send-after-close-succeeds",
        Possible,
        "The first send to a peer that has closed succeeds, since it only queues bytes; the reset that answers it makes \
         a later call fail.",
        "The peer's FIN says that it will send no more. It may still read, for all TCP knows (see tcp/half-close), so \
         the send puts bytes into the buffer and returns. They go out, and are answered with a reset since no program \
         can read them any more; by then the call has long succeeded. Who reads before writing sees the end of the \
         stream, and knows.",
        "RFC 9293 3.6.1; RFC 1122 4.2.2.13; send(2)",
    ),
    claim(
        "tcp/gives-up",
        Guaranteed,
        "With something outstanding, a peer that falls silent ends in ETIMEDOUT after a bounded number of retries, and \
         not before 100 s. RFC 9293 asks for three minutes where it is a SYN: Linux's default is a minute short of that.",
        "Repeats cannot go on for ever, so a TCP has a bound, which RFC 9293 wants to be no less than 100 \
         s, and more for a SYN. As each wait is twice the last, a dozen repeats fill many minutes: by \
         default Linux gives up on data after about a quarter of an hour, not after the half minute that \
         users expect. If routers reported meanwhile that the network or the host is unreachable, that is \
         the error, in place of ETIMEDOUT. Only who has something outstanding has a timer running, and gives \
         up: an idle reader waits on.",
        "RFC 9293 3.8.3, 3.9.2.2; connect(2), tcp(7)",
    )
    .given(
        "Data or a SYN is outstanding, and no router reports an error. An idle reader is never told, nor is \
         a writer whose probes of a closed window are answered.",
    )
    .over_plans(),
    claim(
        "tcp/half-open",
        Guaranteed,
        "After the peer lost power and started again, the next send succeeds, provokes a reset, and a later call fails \
         with ECONNRESET.",
        "A host that started anew knows nothing of its old connections, and nobody tells the other end: it still \
         takes itself for connected. What it sends finds no connection over there and is answered with a reset. So \
         the first send succeeds, since it only queues bytes, and the call after it fails: one sends in order to find \
         out. An end that sends nothing never does (see tcp/silence-is-not-noticed).",
        "RFC 9293 3.5.1",
    )
    .given("Nothing was outstanding when the peer lost power, and it is up again when the send arrives.")
    .over_plans(),
    claim(
        "tcp/backlog",
        Guaranteed,
        "Connections beyond the backlog wait or are tried again by their clients' systems, and none that was accepted \
         is harmed. The backlog bounds connections that wait for accept, not connections in all.",
        "The system completes handshakes before accept is called, and puts the connections into a queue, whose length \
         the backlog bounds. Where it is full Linux does not refuse but drops the SYN: to the client that is a loss, \
         and its system tries again. The backlog is often taken for the number of clients that a server can have: \
         what was accepted has left the queue and counts no more.",
        "listen(2)",
    )
    .over_plans(),
    claim(
        "tcp/time-wait",
        Guaranteed,
        "An old duplicate never enters a later connection between the same two addresses and ports. The side \
         that closed first stays in TIME-WAIT for twice the maximum segment lifetime, which Linux and ours \
         make a minute, and acknowledges a FIN that comes again meanwhile.",
        "A segment that was held up may turn up when its connection is over, and a later connection between the same \
         two ends would take it for its own if its number fits. So the side that closed first keeps the pair of \
         addresses and ports to itself for twice the longest life of a segment. A new SYN may end that sooner, if its \
         number lies beyond all that the old connection used; initial numbers that follow a clock see to that. \
         TIME-WAIT also answers a FIN whose acknowledgement was lost: it is no leak, and not to be tuned away.",
        "RFC 9293 3.4.1, 3.6.1; RFC 6528; RFC 1337",
    )
    .given("Nothing is delayed for longer than the maximum segment lifetime; resets aside (RFC 1337).")
    .over_plans(),
    claim(
        "tcp/finite-faults-finite-delay",
        Guaranteed,
        "Any plan of faults that come to their end costs time, never data and never the end of the stream: all that \
         was written is read, and no call fails.",
        "SYN, data and FIN are sent again until they are acknowledged: a loss costs one more repeat, and an outage as \
         many as fit into it. Copies and disorder are undone by sequence numbers, damage becomes a loss by the \
         checksum. So after the last fault something comes through, and the connection goes on from there. The \
         conditions are not idle: a TCP gives up in the end, a checksum can be fooled, and what is never repeated (a \
         reset) may be lost for good. \"Reliable\" means late rather than never, and only within these bounds.",
        "RFC 9293 3.8",
    )
    .given(
        "Every outage ends, and before a side gives up; no packet is hit as often as it is repeated (at most five times); \
         at most one bit of a copy is flipped.",
    )
    .over_plans(),
    claim(
        "tcp/many-clients",
        Guaranteed,
        "Each connection that a listener accepts is a stream of its own to its own peer.",
        "A connection is named by two addresses and two ports. All clients of a server share the server's, and differ \
         in their own, so each segment belongs to one connection, with its own sequence numbers, window and timers. \
         The listening socket only brings forth new ones, one for each accept. The server needs no port for each \
         client, as is often believed: 65 535 bounds the connections from one client's address, and not those of the \
         server.",
        "RFC 9293 3.1, 3.3.1; accept(2)",
    )
    .over_plans(),
];
