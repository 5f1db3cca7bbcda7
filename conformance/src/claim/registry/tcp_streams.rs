//! Claims of stream sockets, TCP: how a connection opens, and what a stream is.

use super::claim;
use crate::claim::Claim;
use crate::claim::Modality::{Guaranteed, Possible};

pub(super) const CLAIMS: &[Claim] = &[
    claim(
        "tcp/listens-and-connects",
        Guaranteed,
        "One side waits in LISTEN, the other opens, and both are ESTABLISHED; where nobody listens the open is \
         refused with ECONNREFUSED.",
        "The passive side waits in LISTEN for a SYN from anywhere; the active side sends one, with the number from \
         which it will count. After SYN, SYN-ACK and ACK each side knows that the other knows its number: that is \
         ESTABLISHED. Where nobody listens the port is CLOSED, a state that answers a SYN with a reset, and a reset \
         that acknowledges the SYN is told as a refusal. \"Refused\" is thus an answer of a living host: a firewall \
         that drops the SYN gives none, and the connect runs into a timeout.",
        "RFC 9293 3.5, 3.10.7.1; connect(2)",
    )
    .over_plans(),
    claim(
        "tcp/simultaneous-open",
        Guaranteed,
        "Both sides may open at once, each to the other's port from its own: their SYNs cross, and one connection comes \
         of it, without a listener.",
        "A SYN that arrives in SYN-SENT is no error: the side answers with SYN-ACK and goes to SYN-RECEIVED. Both do \
         so, and seen from either end the two addresses and ports are the same, so it is one connection and not two. \
         That it takes a client and a server is a habit of programs: TCP only asks that both sides send a SYN and get \
         it acknowledged. It is rare because both must choose their own port beforehand; it is used to get through \
         address translation.",
        "RFC 9293 3.5",
    )
    .given("The SYNs cross: neither has arrived when the other is sent.")
    .over_plans(),
    claim(
        "tcp/simultaneous-close",
        Guaranteed,
        "Both sides may close at once: their FINs cross, both see the end of the stream, and neither is told of an \
         error.",
        "Each direction ends with a FIN of its own, which has a sequence number and is acknowledged like data. A side \
         that gets the peer's FIN before its own is acknowledged acknowledges it, goes to CLOSING, and from there to \
         TIME-WAIT once the acknowledgement has come. The usual picture, with one active and one passive closer, is \
         only one of the cases: here both sides end in TIME-WAIT.",
        "RFC 9293 3.6",
    )
    .given("The FINs cross: neither has arrived when the other is sent.")
    .over_plans(),
    claim(
        "tcp/handshake-first",
        Guaranteed,
        "No program gets a connection, or a byte, before the three-way handshake is complete: each side has sent its \
         SYN, has the other's, and has its own acknowledged.",
        "Sequence numbers begin anywhere, so the number of a byte means nothing before both sides have agreed on \
         where they begin. A SYN may carry data, which is often denied, but its receiver has to keep it until the \
         handshake is complete: the SYN might be an old duplicate, and its data would be delivered a second time. TCP \
         Fast Open (RFC 7413) gives this up on purpose, for programs that can bear a repeated request.",
        "RFC 9293 3.5, 3.10.7",
    )
    .over_plans(),
    claim(
        "tcp/connected-before-accept",
        Possible,
        "A connect and the sends after it succeed before the server's program has called accept: the system completes \
         the handshake. To be connected does not mean that somebody has noticed.",
        "To listen is to ask the system to complete handshakes; accept only takes a finished connection out of a \
         queue. So the SYN-ACK comes from the server's system, and what is sent then waits in a receive buffer, while \
         the server's program may sleep, or hang. Only an answer written by the peer's program shows that the program \
         is there.",
        "listen(2), accept(2)",
    ),
    claim(
        "tcp/both-ways",
        Guaranteed,
        "Both sides send and receive at once over one connection, and neither direction waits for the other.",
        "A connection counts two streams, one for each direction, each with its own sequence numbers, buffers and \
         window. Every segment serves both: it carries data of one and the acknowledgement and window of the other. \
         So a direction that stands still, because its reader does not read, leaves the other alone. Two programs \
         that both write and do not read can still block each other: the windows are independent, the programs are \
         not.",
        "RFC 9293 3.1",
    )
    .over_plans(),
    claim(
        "tcp/every-byte",
        Guaranteed,
        "What was read is at all times a prefix of what was written; after an orderly close it is all of it.",
        "Every byte has a number; the receiver acknowledges as far as it has all of them, and the sender keeps the \
         others and sends them again. What was handed out is therefore always a beginning of the stream, and the FIN, \
         whose number follows the last byte, counts only when all before it is there. \"TCP guarantees delivery\" \
         says too much: nothing can be delivered through a cable that was cut. Then there is an error, the reader has \
         a prefix, and the writer cannot tell how long it is.",
        "RFC 9293 3.1, 3.4, 3.8",
    )
    .given(
        "All of it: only after an orderly close by the writer. A connection that is reset or given up delivers a prefix.",
    )
    .over_plans(),
    claim(
        "tcp/in-order",
        Guaranteed,
        "Bytes are read in the order in which they were written.",
        "The sequence number of a segment says where in the stream its bytes belong. The receiver hands out only what \
         follows on what it handed out before; what comes too early it keeps until the gap is filled. The segments \
         themselves do overtake each other: the order is made at the receiver, and paid for with waiting (see \
         tcp/head-of-line). It holds within one direction of one connection, and not across two connections.",
        "RFC 9293 3.1, 3.4",
    )
    .over_plans(),
    claim(
        "tcp/no-duplicates",
        Guaranteed,
        "No byte that was written once is read twice.",
        "Copies come from the network, and from TCP itself: it sends again what was not acknowledged in time, even if \
         only the acknowledgement was lost. The receiver compares sequence numbers with the one it expects next, cuts \
         off what it has had, and acknowledges again so that the sender stops. This is about bytes of one connection: \
         a program that connects anew and repeats its request may well have it carried out twice.",
        "RFC 9293 3.4",
    )
    .over_plans(),
    claim(
        "tcp/nothing-altered",
        Guaranteed,
        "Bytes are read as they were written.",
        "The checksum covers the addresses, the header and the data, and a single flip is sure to show in it. The receiver \
         drops the segment and acknowledges nothing, so the sender sends it again: damage costs time, where it costs \
         UDP the datagram. \"TCP delivers without errors\" says more than 16 bits can: see tcp/checksum-can-miss.",
        "RFC 9293 3.1",
    )
    .given("At most one bit of a segment is flipped: the checksum is the same 16-bit sum as UDP's, and can miss two.")
    .over_plans(),
    claim(
        "tcp/no-boundaries",
        Possible,
        "One write is read in several pieces, and several writes are read as one: TCP carries a stream of bytes and \
         no messages.",
        "A segment says which bytes of the stream it holds, and nothing of where a write began or ended. The sender \
         may put several writes into one segment and has to cut long ones; the receiver keeps bytes, and a read takes \
         what is there. The PSH bit is no mark of a record: it only asks that data be handed on without delay. That \
         one write comes as one read in a test on one machine is chance: programs need a length before each message, \
         or a mark behind it.",
        "RFC 9293 3.1, 3.8, 3.9.1.2; recv(2)",
    ),
    claim(
        "tcp/acked-is-not-read",
        Possible,
        "Data that was acknowledged never reaches the peer's program: an acknowledgement says that the peer's system has \
         the data, and the program may close, or die, before it reads.",
        "The receiving stack acknowledges what it has put into its buffer: the sender may forget it, and that is all \
         it says. If the program closes without having read it, the data is thrown away and a reset goes out (RFC \
         1122, 4.2.2.13); if the program crashes, the same happens. A write that succeeded says even less: the bytes \
         are in the buffer of the own host. Only an answer by the peer's program shows that it has read something.",
        "RFC 9293 3.8, 3.10.3; RFC 1122 4.2.2.13",
    ),
    claim(
        "tcp/flow-control",
        Guaranteed,
        "A reader that stops makes the writer stop: after a bounded number of bytes a write waits (or is \
         EAGAIN); nothing is lost, and the flow goes on when the reader does: room behind a closed window is \
         told of at once. Never is more sent than the reader's host offered room for, but for one octet that \
         probes a closed window.",
        "Every segment carries the window: for how many bytes behind the acknowledged ones there is room. The sender \
         keeps within it, so its own buffer fills, and then a write waits: the reader sets the writer's pace without \
         a message of its own. A receiver should not take back what it offered, but a sender has to cope with it, \
         hence the condition. It protects the receiver alone: the network between is the business of congestion \
         control (see tcp/slow-start).",
        "RFC 9293 3.8.6",
    )
    .given("A window that was offered may be filled even if less is offered later.")
    .over_plans(),
    claim(
        "tcp/window-is-the-buffer",
        Guaranteed,
        "How much can be written to a peer that does not read is bounded by the buffers of both sides, and grows with \
         the receive buffer: what is on offer and what waits to be read fit into it together.",
        "What a receiver offers it must be able to keep, so the window is what is free in its receive buffer. While \
         nobody reads, what waits grows and the window shrinks, until it is closed and the sender's own buffer fills: \
         the two buffers together are what a writer can get rid of. The number in SO_RCVBUF is no number of bytes of \
         the stream: Linux doubles it and needs a part of it for its own bookkeeping.",
        "RFC 9293 3.8.6; socket(7), tcp(7)",
    )
    .given(
        "SO_RCVBUF is set before the connection is made, which also ends Linux's automatic sizing. The buffer in force is \
         what getsockopt reads: Linux has twice what was asked for.",
    )
    .over_plans(),
];
