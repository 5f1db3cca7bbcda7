//! Claims of stream sockets, TCP: repeats, timers, windows and acknowledgements.

use super::claim;
use crate::claim::Claim;
use crate::claim::Modality::{Guaranteed, Possible};

pub(super) const CLAIMS: &[Claim] = &[
    claim(
        "tcp/retransmits",
        Guaranteed,
        "A segment that is lost, SYN and FIN included, is sent again without the program doing anything.",
        "The sender keeps what is not acknowledged, and a timer runs while there is anything; when it \
         expires, the earliest segment goes out again. SYN and FIN have a sequence number each, so they are \
         acknowledged and repeated like data. It is often said that the receiver asks for what is missing: \
         it only says how far it has everything. A bare acknowledgement and a reset occupy no number: they \
         are never repeated, and what a lost acknowledgement said the next one says again.",
        "RFC 9293 3.8.1; RFC 6298 5.4",
    )
    .given("The connection is not reset, and the loss ends before the sender gives up.")
    .over_plans(),
    claim(
        "tcp/waits-longer",
        Guaranteed,
        "Repeats of the same data, with nothing heard in between, wait about twice as long each time, up to a bound of \
         a minute or more.",
        "An expired timer may mean that the network is overloaded, and repeats at the same pace would make that \
         worse: so the timeout is doubled with each of them. It may have a bound, of at least a minute. The timeout \
         becomes short again when a measurement of something that was sent once comes in. So there is no such thing \
         as TCP's retransmission interval: after an outage of a minute it may take another minute until the next try.",
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
        "The retransmission timeout follows the round trips that were measured; before any was, it is one \
         second, or three by an older rule. An acknowledgement of what was sent twice measures nothing: a \
         timeout that was doubled stays so until something that was sent once is acknowledged.",
        "A timeout that is too short repeats what is only slow, one that is too long leaves the line idle. So the \
         sender measures the time from a segment to its acknowledgement, and waits for their mean plus four times \
         their variation. Of a segment that was sent twice nobody can tell which copy was acknowledged, so it is not \
         measured (Karn's algorithm). Before there is any measurement the timeout is one second; the three seconds of \
         many textbooks come from an older RFC.",
        "RFC 6298 2, 3, 5.7; RFC 7323 4",
    )
    .given(
        "The connection is without timestamps (RFC 7323), with which an acknowledgement says which copy it \
         answers. The least timeout is the implementation's choice, up to a second.",
    )
    .over_plans(),
    claim(
        "tcp/fast-retransmit",
        Guaranteed,
        "The third duplicate acknowledgement has the first unacknowledged segment sent again at once, without waiting for \
         the timer.",
        "A segment that arrives behind a gap is answered at once, with the number where the gap begins: a duplicate \
         acknowledgement. One or two of them may come of packets that overtook each other; three are taken for a \
         loss, and what is missing is sent again without waiting for the timer. The last segments of a transfer have \
         too few behind them for three duplicates, so a loss at the very end costs a whole timeout.",
        "RFC 5681 3.2; RFC 6582 3.2",
    )
    .given(
        "Duplicates as RFC 5681 defines them, once more is acknowledged than was sent when the last loss was found. Fewer \
         than four segments under way bring no three duplicates: then it is the timer.",
    )
    .over_plans(),
    claim(
        "tcp/sends-once",
        Guaranteed,
        "Where nothing is lost, late or out of order, each SYN, each byte and each FIN is sent once.",
        "Only two things make a sender repeat: the timer, and three duplicate acknowledgements. Neither comes up while \
         acknowledgements arrive in time and in order, so reliability costs headers and acknowledgements and no second \
         copy of the data. The minimum of one second that RFC 6298 recommends for the timer is there to avoid repeats \
         of what is only slow. On a real path a spurious repeat is allowed and harmless: it costs capacity.",
        "RFC 6298 2.4, 5.4; RFC 5681 3.2",
    )
    .given("No round trip takes as long as the timeout, and no window is closed: its probe may be repeated."),
    claim(
        "tcp/initial-window",
        Guaranteed,
        "Before anything is acknowledged no more is sent than ten segments or 14 600 bytes, whichever is less (two \
         segments where they are longer); after a SYN that the timer sent again twice, one segment.",
        "At the start the sender knows how much room the receiver has, but nothing of the way between, which may hold \
         far less. So it begins with few segments, and looks whether they come through. Textbooks say one; RFC 6928 \
         allows ten. Where even the SYN had to be repeated more than once the way is in trouble already, and one must \
         do; a single repeat is forgiven, since on a long way a first timeout of one second may just be too short.",
        "RFC 6928 2; RFC 5681 3.1",
    )
    .over_plans(),
    claim(
        "tcp/slow-start",
        Guaranteed,
        "Until something is lost, what is under way grows by one segment at most for each acknowledgement of new data.",
        "An acknowledgement of new data says that something has left the network: so as much may enter it, and one \
         segment more. That makes what is under way double with each round trip: slow start is slow only beside \
         sending all at once, as was done before it. One segment for each round trip, with which it is often \
         confused, is what comes after it, congestion avoidance.",
        "RFC 5681 3.1",
    )
    .over_plans(),
    claim(
        "tcp/backs-off-on-loss",
        Guaranteed,
        "After a timeout one segment goes out until something is acknowledged; after a fast retransmit half of what was \
         under way. From that half on the growth is one segment for each round trip.",
        "TCP takes a loss for the sign that a queue on the way is full, so it sends less. After three duplicates \
         something still comes through: it goes on with half. After a timeout nothing came back: it starts again from \
         one segment, fast up to half of what was under way and slowly from there on. It is half of what was under \
         way and not, as is often written, of the congestion window, which may be far larger. Other rules are in use: \
         the CUBIC of Linux (RFC 9438) goes on with seven tenths.",
        "RFC 5681 3.1, 3.2; RFC 6582 3.2; RFC 3042",
    )
    .given("The probe of a closed window is no loss.")
    .over_plans(),
    claim(
        "tcp/acknowledges",
        Guaranteed,
        "Data that came in order is acknowledged within half a second, whatever the program does. Data that \
         came behind a gap, or that fills one, is answered at once.",
        "An acknowledgement may wait for data to travel with, or for a second segment to cover, but the sender's \
         timer runs meanwhile, and its measurements suffer. So RFC 9293 (3.8.6.3) bounds the wait: less than half a \
         second. The stack acknowledges and not the program, which may sleep as long as there is room in its buffer.",
        "RFC 9293 3.8.6.3; RFC 1122 4.2.3.2; RFC 5681 4.2",
    )
    .over_plans(),
    claim(
        "tcp/every-second-segment",
        Guaranteed,
        "Of segments of full size at least every second is acknowledged at once. The RFC only recommends it: a TCP that \
         waits for more breaks no rule, but slows its sender's start.",
        "One acknowledgement for two segments saves packets and costs little. Fewer make the sender's flow come in \
         jerks, and since slow start grows with each acknowledgement they slow its start. RFC 5681 says SHOULD, and \
         there are reasons to differ: Linux acknowledges in larger steps what its network card has put together. That \
         every second segment *must* be acknowledged is a common misreading.",
        "RFC 9293 3.8.6.3; RFC 5681 4.2",
    )
    .over_plans(),
    claim(
        "tcp/restarts-after-idle",
        Guaranteed,
        "After a pause longer than the retransmission timeout a sender sends at most the initial window \
         until something is acknowledged.",
        "Acknowledgements pace a sender: each lets out about as much as has left the network. After a \
         pause none is under way. A sender that kept its window would send all of it as one burst, into a \
         network that it last saw a while ago. So it starts again with the initial window and slow start. \
         RFC 5681 says SHOULD; Linux gives up half of the window for each timeout that has passed.",
        "RFC 5681 4.1",
    )
    .over_plans(),
    claim(
        "tcp/segment-size",
        Guaranteed,
        "No segment carries more data than the peer's SYN announced, or than the MTU takes. A sender with \
         enough data fills its segments.",
        "Each side says in its SYN how much data it takes in one segment: over IPv4 the MTU of its link \
         less 40 bytes of headers. Nothing is negotiated: each direction may use another size, and a \
         sender that hears no size sends at most 536 bytes. Options count: with timestamps, 1448 of 1460 \
         bytes are left for data.",
        "RFC 9293 3.7.1; RFC 6691; tcp(7)",
    )
    .over_plans(),
    claim(
        "tcp/no-silly-windows",
        Guaranteed,
        "A receiver whose program reads a little at a time offers more room only by a whole segment, or \
         by half of its buffer, and never takes back an offer. A sender whose program writes a little at \
         a time sends no short segment while data is unacknowledged.",
        "If every small read were offered, and every small offer used, a connection would end up sending \
         tiny segments for good: the silly window syndrome. So the receiver waits until the offer is \
         worth a segment. The sender waits until it can fill one or has nothing unacknowledged (Nagle's \
         algorithm).",
        "RFC 9293 3.7.4, 3.8.6, 3.8.6.2",
    )
    .given("TCP_NODELAY is off, and the sending program has not closed.")
    .over_plans(),
    claim(
        "tcp/push",
        Guaranteed,
        "The segment that carries the last byte of what was written has the PSH bit.",
        "PSH tells the receiver not to wait for more before it hands the data to the program. A TCP whose \
         programs cannot ask for it must set it in the last segment that it has. It is no boundary of a \
         message: the receiver's program does not see it.",
        "RFC 9293 3.9.1.2",
    )
    .over_plans(),
    claim(
        "tcp/zero-window-probe",
        Guaranteed,
        "A window update that is lost does not stop a connection for ever: who has something to send to a closed window \
         asks again.",
        "The word that a closed window is open again comes in a bare acknowledgement, and those are never repeated. \
         If it is lost, the receiver believes that the sender knows, and the sender waits for the word: both wait for \
         ever. So a sender that has data must ask again from time to time, with one octet of it, and each answer \
         tells the window anew. As long as answers come this may go on for hours: a peer that does not read is not a \
         peer that is gone.",
        "RFC 9293 3.8.6.1",
    )
    .over_plans(),
    claim(
        "tcp/checksum-can-miss",
        Possible,
        "Two flipped bits cancel in the 16-bit ones' complement sum, and the program reads altered data.",
        "TCP's checksum is the same as UDP's: if in two 16-bit words the bit at the same place flips, once up and \
         once down, the sum stays the same. To the receiver the segment is whole: it is acknowledged, so it will \
         never be sent again. \"Reliable\" means safe from loss, disorder and copies, and from nearly all damage. TLS \
         brings a check that neither chance nor a forger gets past.",
        "RFC 9293 3.1; RFC 1071",
    )
    .over_plans(),
    claim(
        "tcp/nagle-delays",
        Possible,
        "A small write waits until an earlier one is acknowledged, which the receiver may put off; with TCP_NODELAY it \
         leaves at once.",
        "Nagle's algorithm holds back a segment that is not full while something is unacknowledged, lest a program \
         that writes byte by byte fill the network with headers. The receiver may put off its acknowledgement in the \
         hope of data to send it with. So each waits for the other, until the receiver's timer ends it. It does not \
         hit the first small write, as is often said, but the second: to write a message in one call is as good a \
         cure as TCP_NODELAY.",
        "RFC 9293 3.7.4; tcp(7)",
    ),
    claim(
        "tcp/head-of-line",
        Possible,
        "One lost segment holds back all that came after it: what has arrived is not handed out before what is missing.",
        "A stream has one order, so nobody can be given what lies behind a gap, even if it belongs to a message of \
         its own. What has arrived waits in the receive buffer until the gap is filled, a round trip later at best \
         and a timeout later at worst, and is then handed out at once. Several connections, or the streams of QUIC \
         (RFC 9000), do not wait for each other so; UDP has no order that could hold anything back.",
        "RFC 9293 3.1, 3.10.7.4",
    )
    .over_plans(),
];
