//! The list of claims.
//!
//! Wording of our own, after the sources. Where what is commonly said is wrong or needs a condition, the text says so.

use super::Claim;
use super::Modality::{self, Guaranteed, Possible};

const fn claim(id: &'static str, modality: Modality, text: &'static str, source: &'static str) -> Claim {
    Claim { id, modality, text, conditions: "", source, over_plans: false }
}

impl Claim {
    const fn given(self, conditions: &'static str) -> Claim {
        Claim { conditions, ..self }
    }

    const fn over_plans(self) -> Claim {
        Claim { over_plans: true, ..self }
    }
}

/// Every claim, in the order of lists and reports.
pub const CLAIMS: &[Claim] = &[
    claim(
        "udp/no-connection",
        Guaranteed,
        "The first packet on the wire is already the data: nothing is agreed beforehand, and the server has done \
         nothing but bind and wait.",
        "RFC 768",
    )
    .over_plans(),
    claim(
        "udp/may-lose",
        Possible,
        "A datagram that was sent without an error never arrives, and neither side is told.",
        "RFC 768; RFC 1122 4.1.1",
    )
    .over_plans(),
    claim(
        "udp/may-reorder",
        Possible,
        "A datagram that was sent later is received earlier.",
        "RFC 768; RFC 791 1.4",
    )
    .over_plans(),
    claim(
        "udp/may-duplicate",
        Possible,
        "One send is received twice. UDP never does this by itself (see udp/never-repeats): the network does.",
        "RFC 768",
    )
    .over_plans(),
    claim(
        "udp/never-repeats",
        Guaranteed,
        "One send puts one packet on the wire, or one set of fragments, whatever becomes of it: what was lost is not \
         sent again unless the program does so.",
        "RFC 768; RFC 1122 4.1.1",
    )
    .over_plans(),
    claim(
        "udp/sender-never-knows",
        Guaranteed,
        "A send succeeds although nothing arrives and nobody is there: success says only that the datagram was \
         handed over for sending.",
        "RFC 768; udp(7), send(2)",
    )
    .given(
        "The socket is not connected, and the error is not a local one: EMSGSIZE, ENETUNREACH, EAGAIN, EPERM, EACCES.",
    )
    .over_plans(),
    claim(
        "udp/refused-when-connected",
        Possible,
        "A connected socket learns of a closed port: the ICMP error comes back as ECONNREFUSED, once, from a call \
         after the send. It is a hint and no acknowledgement: the ICMP message can be lost as well, and none is sent \
         for a datagram that was lost.",
        "RFC 1122 4.1.3.3; udp(7)",
    ),
    claim(
        "udp/connected-filters",
        Guaranteed,
        "A connected socket receives from the address and port of its peer alone. Connecting sends nothing: it sets \
         the default destination and the filter. What was queued before is still handed out.",
        "connect(2), udp(7)",
    )
    .over_plans(),
    claim(
        "udp/keeps-boundaries",
        Guaranteed,
        "One receive gives one datagram as it was sent: never two, never a part of one. Where the buffer is too short \
         the rest of that datagram is gone, and the next receive gives the next datagram.",
        "RFC 768; recv(2)",
    )
    .over_plans(),
    claim(
        "udp/length-and-sender",
        Guaranteed,
        "A receive tells the datagram's length and its sender's address and port; a datagram of length zero is a \
         datagram, not an end.",
        "RFC 768; recvfrom(2)",
    )
    .over_plans(),
    claim(
        "udp/nothing-altered",
        Guaranteed,
        "What is received is what was sent: a datagram with a flipped bit is dropped without a word, and not sent \
         again. Commonly said of TCP only; the checksum is the same one.",
        "RFC 768; RFC 1122 4.1.3.4; RFC 8200 8.1",
    )
    .given(
        "At most one bit of a packet is flipped (see udp/checksum-can-miss), and the sender did not switch the \
         checksum off, which IPv4 allows.",
    )
    .over_plans(),
    claim(
        "udp/checksum-can-miss",
        Possible,
        "Two flipped bits cancel in the 16-bit ones' complement sum, and the program receives altered data.",
        "RFC 768; RFC 1071",
    )
    .over_plans(),
    claim(
        "udp/lightweight",
        Guaranteed,
        "A message costs eight bytes of header beside IP's and one packet, and no packet is sent that no send caused: \
         no handshake, no acknowledgement, no farewell.",
        "RFC 768",
    )
    .given("The message fits the MTU, and a port that nobody has bound (an ICMP error) is not involved.")
    .over_plans(),
    claim(
        "udp/no-flow-control",
        Possible,
        "A sender that is faster than the reader loses datagrams in the receiver's full buffer, on a network that \
         loses nothing.",
        "RFC 768; udp(7), socket(7)",
    ),
    claim(
        "udp/size-limit",
        Guaranteed,
        "A datagram carries up to 65 507 bytes over IPv4 and 65 527 over IPv6 (without jumbograms), in fragments \
         where that is above the MTU; one byte more is EMSGSIZE and sends nothing.",
        "RFC 768; RFC 791 3.1; RFC 8200 4.5; udp(7)",
    )
    .over_plans(),
    claim(
        "udp/one-fragment-lost",
        Guaranteed,
        "If one fragment of a datagram is lost the whole datagram is: no part of it is delivered.",
        "RFC 791 3.2; RFC 1122 3.3.2",
    )
    .over_plans(),
    claim(
        "udp/many-peers",
        Guaranteed,
        "One unconnected socket receives from any number of peers and answers each of them.",
        "RFC 768; recvfrom(2), sendto(2)",
    )
    .given("What the link loses or damages does not arrive, as with any datagram.")
    .over_plans(),
    claim(
        "udp/broadcast-needs-asking",
        Guaranteed,
        "A send to the broadcast address fails with EACCES until SO_BROADCAST is set; then it reaches every host of \
         the link.",
        "RFC 919; socket(7), ip(7)",
    )
    .given("A copy that the link loses or damages does not arrive, as with any datagram.")
    .over_plans(),
    claim(
        "udp/multicast",
        Guaranteed,
        "A datagram to a group is received by the hosts that joined it, and not by the others.",
        "RFC 1112 6, 7; ip(7)",
    )
    .given(
        "The receiver's socket is bound to the port, and its host joined the group on the link's interface. A copy \
         that the link loses or damages does not arrive, as with any datagram.",
    )
    .over_plans(),
    claim(
        "tcp/listens-and-connects",
        Guaranteed,
        "One side waits in LISTEN, the other opens, and both are ESTABLISHED; where nobody listens the open is \
         refused with ECONNREFUSED.",
        "RFC 9293 3.5, 3.10.7.1; connect(2)",
    )
    .over_plans(),
    claim(
        "tcp/simultaneous-open",
        Guaranteed,
        "Both sides may open at once, each to the other's port from its own: their SYNs cross, and one connection comes \
         of it, without a listener.",
        "RFC 9293 3.5",
    )
    .given("The SYNs cross: neither has arrived when the other is sent.")
    .over_plans(),
    claim(
        "tcp/simultaneous-close",
        Guaranteed,
        "Both sides may close at once: their FINs cross, both see the end of the stream, and neither is told of an \
         error.",
        "RFC 9293 3.6",
    )
    .given("The FINs cross: neither has arrived when the other is sent.")
    .over_plans(),
    claim(
        "tcp/handshake-first",
        Guaranteed,
        "No program gets a connection, or a byte, before the three-way handshake is complete: each side has sent its \
         SYN, has the other's, and has its own acknowledged.",
        "RFC 9293 3.5, 3.10.7",
    )
    .over_plans(),
    claim(
        "tcp/connected-before-accept",
        Possible,
        "A connect and the sends after it succeed before the server's program has called accept: the system completes \
         the handshake. To be connected does not mean that somebody has noticed.",
        "listen(2), accept(2)",
    ),
    claim(
        "tcp/both-ways",
        Guaranteed,
        "Both sides send and receive at once over one connection, and neither direction waits for the other.",
        "RFC 9293 3.1",
    )
    .over_plans(),
    claim(
        "tcp/every-byte",
        Guaranteed,
        "What was read is at all times a prefix of what was written; after an orderly close it is all of it.",
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
        "RFC 9293 3.1, 3.4",
    )
    .over_plans(),
    claim(
        "tcp/no-duplicates",
        Guaranteed,
        "No byte that was written once is read twice.",
        "RFC 9293 3.4",
    )
    .over_plans(),
    claim(
        "tcp/nothing-altered",
        Guaranteed,
        "Bytes are read as they were written.",
        "RFC 9293 3.1",
    )
    .given("At most one bit of a segment is flipped: the checksum is the same 16-bit sum as UDP's, and can miss two.")
    .over_plans(),
    claim(
        "tcp/no-boundaries",
        Possible,
        "One write is read in several pieces, and several writes are read as one: TCP carries a stream of bytes and \
         no messages.",
        "RFC 9293 3.1, 3.8; recv(2)",
    ),
    claim(
        "tcp/acked-is-not-read",
        Possible,
        "Data that was acknowledged never reaches the peer's program: an acknowledgement says that the peer's system has \
         the data, and the program may close, or die, before it reads.",
        "RFC 9293 3.8, 3.9.1.4; RFC 1122 4.2.2.13",
    ),
    claim(
        "tcp/flow-control",
        Guaranteed,
        "A reader that stops makes the writer stop: after a bounded number of bytes a write waits (or is EAGAIN); \
         nothing is lost, and the flow goes on when the reader does. Never is more sent than the reader's host offered \
         room for, but for one octet that probes a closed window.",
        "RFC 9293 3.8.6",
    )
    .given("A window that was offered may be filled even if less is offered later.")
    .over_plans(),
    claim(
        "tcp/window-is-the-buffer",
        Guaranteed,
        "How much can be written to a peer that does not read is bounded by the buffers of both sides, and grows with \
         the receive buffer: what is on offer and what waits to be read fit into it together.",
        "RFC 9293 3.8.6; socket(7), tcp(7)",
    )
    .given(
        "SO_RCVBUF is set before the connection is made, which also ends Linux's automatic sizing. The buffer in force is \
         what getsockopt reads: Linux has twice what was asked for.",
    )
    .over_plans(),
    claim(
        "tcp/retransmits",
        Guaranteed,
        "A segment that is lost, SYN and FIN included, is sent again without the program doing anything.",
        "RFC 9293 3.8.1; RFC 6298 5.4",
    )
    .given("The connection is not reset, and the loss ends before the sender gives up.")
    .over_plans(),
    claim(
        "tcp/waits-longer",
        Guaranteed,
        "Repeats of the same data, with nothing heard in between, wait about twice as long each time, up to a bound of \
         a minute or more.",
        "RFC 6298 5.5, 2.5",
    )
    .given(
        "The timer drives the repeats. Linux sends its first SYNs again at equal distances, and its tail loss probe is \
         no repeat of the timer's.",
    )
    .over_plans(),
    claim(
        "tcp/measures-rtt",
        Guaranteed,
        "The retransmission timeout follows the round trips that were measured. An acknowledgement of what was sent \
         twice measures nothing: a timeout that was doubled stays so until something that was sent once is acknowledged.",
        "RFC 6298 2, 3, 5.7",
    )
    .given("The least timeout is the implementation's choice, up to a second.")
    .over_plans(),
    claim(
        "tcp/fast-retransmit",
        Guaranteed,
        "The third duplicate acknowledgement has the first unacknowledged segment sent again at once, without waiting for \
         the timer.",
        "RFC 5681 3.2; RFC 6582 3.2",
    )
    .given(
        "Duplicates as RFC 5681 defines them, once more is acknowledged than was sent when the last loss was found. Fewer \
         than four segments under way bring no three duplicates: then it is the timer.",
    )
    .over_plans(),
    claim(
        "tcp/initial-window",
        Guaranteed,
        "Before anything is acknowledged no more is sent than ten segments or 14 600 bytes, whichever is less (two \
         segments where they are longer); after a SYN that the timer sent again twice, one segment.",
        "RFC 6928 2; RFC 5681 3.1",
    )
    .over_plans(),
    claim(
        "tcp/slow-start",
        Guaranteed,
        "Until something is lost, what is under way grows by one segment at most for each acknowledgement of new data.",
        "RFC 5681 3.1",
    )
    .over_plans(),
    claim(
        "tcp/backs-off-on-loss",
        Guaranteed,
        "After a timeout one segment goes out until something is acknowledged; after a fast retransmit half of what was \
         under way. From that half on the growth is one segment for each round trip.",
        "RFC 5681 3.1, 3.2; RFC 6582 3.2; RFC 3042",
    )
    .given("The probe of a closed window is no loss.")
    .over_plans(),
    claim(
        "tcp/acknowledges",
        Guaranteed,
        "Data that came in order is acknowledged within half a second, whatever the program does.",
        "RFC 9293 3.8.6.3; RFC 1122 4.2.3.2",
    )
    .over_plans(),
    claim(
        "tcp/every-second-segment",
        Guaranteed,
        "Of segments of full size at least every second is acknowledged at once. The RFC only recommends it: a TCP that \
         waits for more breaks no rule, but slows its sender's start.",
        "RFC 9293 3.8.6.3; RFC 5681 4.2",
    )
    .over_plans(),
    claim(
        "tcp/zero-window-probe",
        Guaranteed,
        "A window update that is lost does not stop a connection for ever: who has something to send to a closed window \
         asks again.",
        "RFC 9293 3.8.6.1",
    )
    .over_plans(),
    claim(
        "tcp/checksum-can-miss",
        Possible,
        "Two flipped bits cancel in the 16-bit ones' complement sum, and the program reads altered data.",
        "RFC 9293 3.1; RFC 1071",
    )
    .over_plans(),
    claim(
        "tcp/nagle-delays",
        Possible,
        "A small write waits until an earlier one is acknowledged, which the receiver may put off; with TCP_NODELAY it \
         leaves at once.",
        "RFC 9293 3.7.4; tcp(7)",
    ),
    claim(
        "tcp/head-of-line",
        Possible,
        "One lost segment holds back all that came after it: what has arrived is not handed out before what is missing.",
        "RFC 9293 3.1, 3.10.7.4",
    )
    .over_plans(),
    claim(
        "tcp/half-close",
        Guaranteed,
        "Closing one direction leaves the other open: the peer's reader sees the end of the stream and can still \
         answer.",
        "RFC 9293 3.6; shutdown(2)",
    )
    .over_plans(),
    claim(
        "tcp/close-flushes",
        Guaranteed,
        "A close delivers all that was written before it, and then the end of the stream.",
        "RFC 9293 3.6; RFC 1122 4.2.2.13",
    )
    .given("The closing side has read all that it received (else it sends a reset), and linger is not zero.")
    .over_plans(),
    claim(
        "tcp/reset",
        Guaranteed,
        "A reset that arrives ends the connection: a connect is refused, later a call fails with ECONNRESET once. On \
         Linux data that is already queued is handed out first, and a send after the error is EPIPE.",
        "RFC 9293 3.5.2, 3.5.3, 3.10.7; RFC 5961 3.2",
    )
    .given("The reset arrives: a lost one is not repeated.")
    .over_plans(),
    claim(
        "tcp/silence-is-not-noticed",
        Possible,
        "A reader waits for ever for a peer that is gone: a reset that was lost is not repeated, and to read sends \
         nothing that would bring about another.",
        "RFC 9293 3.5.1, 3.5.2",
    )
    .over_plans(),
    claim(
        "tcp/first-send-after-close-succeeds",
        Possible,
        "The first send to a peer that has closed succeeds, since it only queues bytes; the reset that answers it makes \
         a later call fail.",
        "RFC 9293 3.6; RFC 1122 4.2.2.13; send(2)",
    ),
    claim(
        "tcp/gives-up",
        Guaranteed,
        "With something outstanding, a peer that falls silent ends in ETIMEDOUT after a bounded number of retries, and \
         not before 100 s. RFC 9293 asks for three minutes where it is a SYN: Linux's default is a minute short of that.",
        "RFC 9293 3.8.3; connect(2), tcp(7)",
    )
    .given(
        "Data or a SYN is outstanding. An idle reader is never told, nor is a writer whose probes of a closed window are \
         answered.",
    )
    .over_plans(),
    claim(
        "tcp/half-open",
        Guaranteed,
        "After the peer lost power and started again, the next send succeeds, provokes a reset, and a later call fails \
         with ECONNRESET.",
        "RFC 9293 3.5.1",
    )
    .given("Nothing was outstanding when the peer lost power, and it is up again when the send arrives.")
    .over_plans(),
    claim(
        "tcp/backlog",
        Guaranteed,
        "Connections beyond the backlog wait or are tried again by their clients' systems, and none that was accepted \
         is harmed. The backlog bounds connections that wait for accept, not connections in all.",
        "listen(2)",
    )
    .over_plans(),
    claim(
        "tcp/time-wait",
        Guaranteed,
        "An old duplicate never enters a later connection between the same two addresses and ports.",
        "RFC 9293 3.4.1, 3.6.1; RFC 6528; RFC 1337",
    )
    .given("Nothing is delayed for longer than the maximum segment lifetime; resets aside (RFC 1337).")
    .over_plans(),
    claim(
        "tcp/finite-faults-finite-delay",
        Guaranteed,
        "Any plan of faults that come to their end costs time, never data and never the end of the stream: all that \
         was written is read, and no call fails.",
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
        "RFC 9293 3.1, 3.3.1; accept(2)",
    )
    .over_plans(),
];
