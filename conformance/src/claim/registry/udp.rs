//! Claims of datagram sockets: UDP.

use super::claim;
use crate::claim::Claim;
use crate::claim::Modality::{Guaranteed, Possible};

/// The condition of claims that a checksum which fits by chance would break.
const UNDAMAGED: &str =
    "At most one bit of a datagram is flipped, all its fragments taken together (see udp/checksum-can-miss).";

pub(super) const CLAIMS: &[Claim] = &[
    claim(
        "udp/no-connection",
        Guaranteed,
        "The first packet on the wire is already the data: nothing is agreed beforehand, and the server has done \
         nothing but bind and wait.",
        "A UDP header holds two ports, a length and a checksum: it has no field in which the state of a conversation \
         could be kept, so there is nothing to agree on. A bound port is all that a host needs to hand a datagram to \
         a program. Calling connect on a datagram socket opens nothing either: it only notes an address. What the \
         link does first to find its neighbour (ARP) is the link's affair, and comes before TCP's packets just the \
         same.",
        "RFC 768",
    )
    .over_plans(),
    claim(
        "udp/may-lose",
        Possible,
        "A datagram that was sent without an error never arrives, and neither side is told.",
        "IP only tries: a router whose queue is full throws packets away, and so does a host whose receive buffer is \
         full. UDP adds no acknowledgement by which the sender could learn of it, and no number by which the receiver \
         could see a gap. \"UDP loses packets\" has it the wrong way round: the network loses them, TCP's too, and \
         UDP does nothing about it.",
        "RFC 768; RFC 1122 4.1.1",
    )
    .over_plans(),
    claim(
        "udp/may-reorder",
        Possible,
        "A datagram that was sent later is received earlier.",
        "IP treats every packet by itself (RFC 791, 1.4): two of them may take different ways, or wait in different \
         queues. A UDP header has no sequence number, so the receiver hands out what comes in the order in which it \
         comes. No long detour is needed: it is enough that the first is held up by a little more than the time \
         between the two sends. On one quiet link that hardly ever happens, which is why programs that rely on the \
         order pass their tests.",
        "RFC 768; RFC 791 1.4",
    )
    .over_plans(),
    claim(
        "udp/may-duplicate",
        Possible,
        "One send is received twice. UDP never does this by itself (see udp/never-repeats): the network does.",
        "A link that repeats a frame because only its acknowledgement was lost, or two ways to the same host, put two \
         equal packets on the way. Nothing in a UDP header tells a copy from another datagram with the same data, so \
         both are handed out. A program that must do a thing once has to number its requests: TCP has such numbers, \
         and drops copies by them.",
        "RFC 768",
    )
    .over_plans(),
    claim(
        "udp/never-repeats",
        Guaranteed,
        "One send puts one packet on the wire, or one set of fragments, whatever becomes of it: what was lost is not \
         sent again unless the program does so.",
        "To send something again a stack would have to keep it and to learn that it is missing. UDP does neither: it \
         keeps no copy, and it hears no acknowledgement. Where a datagram is seen to be sent again after a while, as \
         with questions to a name server, that is the program's work. Some programs want just this: live sound that \
         comes late is worth nothing.",
        "RFC 768; RFC 1122 4.1.1",
    )
    .over_plans(),
    claim(
        "udp/sender-never-knows",
        Guaranteed,
        "A send succeeds although nothing arrives and nobody is there: success says only that the datagram was \
         handed over for sending.",
        "The call is over when the own host has taken the datagram; all that becomes of it comes later. An ICMP error \
         may come back, but a socket that is not connected may have sent to many addresses, so the error of one send \
         would fail a call that has nothing to do with it. The manual page udp(7) says that such sockets are told of \
         errors all the same: Linux does that only where the program asks for it with IP_RECVERR.",
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
        "A host on which nobody has the port should answer with the ICMP message \"port unreachable\" (RFC 1122, \
         4.1.3.1). That message quotes the header of the datagram that it is about, so its addresses and ports lead \
         to the one connected socket that sent it. The send itself was over by then: the error is kept, and the next \
         call takes it. It can show that nobody was there, and never that somebody is: a firewall that drops the \
         datagram or the ICMP message looks just like a program that does not answer.",
        "RFC 1122 4.1.3.3; udp(7)",
    ),
    claim(
        "udp/connected-filters",
        Guaranteed,
        "A connected socket receives from the address and port of its peer alone. Connecting sends nothing: it sets \
         the default destination and the filter. What was queued before is still handed out.",
        "To connect a datagram socket is to store an address and a port in it; the stack compares the source of what \
         arrives with them, and passes over that socket if they differ. The word \"connected\" misleads: nothing is \
         sent, the peer does not hear of it, and it may not even exist. The filter believes what a packet says of its \
         source, and that can be forged: it is no proof of who sent it.",
        "connect(2), udp(7)",
    )
    .over_plans(),
    claim(
        "udp/keeps-boundaries",
        Guaranteed,
        "One receive gives one datagram as it was sent: never two, never a part of one. Where the buffer is too short \
         the rest of that datagram is gone, and the next receive gives the next datagram.",
        "A receive queue of UDP holds datagrams and not bytes, and one receive takes one entry out of it. Fragments \
         change nothing, since IP puts them together before UDP sees anything. A buffer that is too short gets the \
         beginning of the entry, and the rest of it is thrown away (MSG_TRUNC tells of it), where a stream would keep \
         it for the next call. So boundaries are kept at the cost of what did not fit.",
        "RFC 768; recv(2)",
    )
    .given(UNDAMAGED)
    .over_plans(),
    claim(
        "udp/length-and-sender",
        Guaranteed,
        "A receive tells the datagram's length and its sender's address and port; a datagram of length zero is a \
         datagram, not an end.",
        "Source port and length stand in the UDP header, the source address in IP's, and recvfrom hands them out with \
         the data. The length counts the eight bytes of the header: 8 is the least, and stands for a datagram without \
         data, which is delivered like any other. On a stream a read of no byte is the end; a loop that takes it for \
         that on a datagram socket can be stopped by anybody with one empty datagram.",
        "RFC 768; recvfrom(2)",
    )
    .over_plans(),
    claim(
        "udp/nothing-altered",
        Guaranteed,
        "What is received is what was sent: a datagram with a flipped bit is dropped without a word, and not \
         sent again; a damaged ICMP error tells nobody anything. Commonly said of TCP only; the checksum is \
         the same one.",
        "The checksum covers the data, the UDP header and the addresses, and one flipped bit always changes such a \
         sum. The receiver drops a datagram whose sum is wrong, and must do so silently (RFC 1122, 4.1.3.4): damage \
         looks like loss. \"UDP has no error checking\" is wrong: over IPv6 the checksum is required, over IPv4 it is \
         there unless its sender writes a zero in its place. What UDP lacks is the repair: nothing is sent again.",
        "RFC 768; RFC 1122 4.1.3.4; RFC 8200 8.1",
    )
    .given(
        "At most one bit of a datagram is flipped, all its fragments taken together (see udp/checksum-can-miss), and the \
         sender did not switch the checksum off, which IPv4 allows.",
    )
    .over_plans(),
    claim(
        "udp/checksum-can-miss",
        Possible,
        "Two flipped bits cancel in the 16-bit ones' complement sum, and the program receives altered data.",
        "The checksum is a sum of 16-bit words. Flip a bit from 0 to 1 in one word and the bit at the same place from \
         1 to 0 in another: what the one adds the other takes away, and the sum stays the same. Links have stronger \
         checks of their own (Ethernet a CRC of 32 bits), so such damage is mostly done inside a machine, between two \
         links. A program that must be sure puts a stronger check into its data.",
        "RFC 768; RFC 1071",
    )
    .over_plans(),
    claim(
        "udp/lightweight",
        Guaranteed,
        "A message costs eight bytes of header beside IP's and one packet, and no packet is sent that no send caused: \
         no handshake, no acknowledgement, no farewell.",
        "The header is four numbers of 16 bits: source port, destination port, length and checksum. Nothing in it \
         asks for an answer, so the receiving stack gives none; nobody is registered as a peer, so a close has nobody \
         to take leave of. The one packet that a stack sends of its own accord is the ICMP error for a port that \
         nobody has bound. Light is not fast: whoever sends a lot must see to losses and to congestion himself (RFC \
         8085).",
        "RFC 768",
    )
    .given("The message fits the MTU, and a port that nobody has bound (an ICMP error) is not involved.")
    .over_plans(),
    claim(
        "udp/no-flow-control",
        Possible,
        "A sender that is faster than the reader loses datagrams in the receiver's full buffer, on a network that \
         loses nothing.",
        "TCP's receiver tells with every segment how much room it has. UDP has no such field, and sends nothing back \
         in which it could stand. A datagram that finds the receive buffer full is dropped on the very host that it \
         was meant for, and neither program is told. So datagrams get lost on a network that loses nothing, the \
         loopback interface included; a larger SO_RCVBUF only puts it off.",
        "RFC 768; udp(7), socket(7)",
    ),
    claim(
        "udp/size-limit",
        Guaranteed,
        "A datagram carries up to 65 507 bytes over IPv4 and 65 527 over IPv6 (without jumbograms), in fragments \
         where that is above the MTU; one byte more is EMSGSIZE and sends nothing.",
        "IPv4 counts the whole packet in 16 bits: of 65 535 bytes its header takes 20 and UDP's 8. IPv6 does not \
         count its own header, so 65 527 are left. The limit has nothing to do with the MTU: above that, IP cuts the \
         datagram into fragments. The numbers 512 and 1 472 that are often named are the limit of an old DNS and what \
         Ethernet carries in one piece; to stay below them is wise, since one lost fragment loses all, but nothing \
         forces it.",
        "RFC 768; RFC 791 3.1; RFC 8200 3, 4.5; udp(7)",
    )
    .over_plans(),
    claim(
        "udp/one-fragment-lost",
        Guaranteed,
        "If one fragment of a datagram is lost, no part of the datagram is delivered. If none is lost, it \
         is delivered whole, in whatever order the fragments come.",
        "Only the first fragment has the UDP header, and the length and the checksum in it are those of the whole. \
         The receiving host collects the fragments, hands the datagram up when none is missing, and otherwise throws \
         away what it has after a while: a minute or two by RFC 1122 (3.3.2), half a minute on Linux. Nobody sends a \
         fragment again. So a datagram in ten fragments, over a way that loses one packet in a hundred, is lost \
         nearly one time in ten.",
        "RFC 791 3.2; RFC 1122 3.3.2",
    )
    .given(UNDAMAGED)
    .over_plans(),
    claim(
        "udp/many-peers",
        Guaranteed,
        "One unconnected socket receives from any number of peers and answers each of them.",
        "A socket that is not connected is bound to a port of its own and to no peer: what comes for the port is \
         queued, whoever sent it. Each receive says who that was, each send says where to, so one socket and one loop \
         serve everybody. A TCP server has a socket for each connection because each has a state; with UDP the \
         program keeps what state there is.",
        "RFC 768; recvfrom(2), sendto(2)",
    )
    .given("What the link loses or damages does not arrive, as with any datagram.")
    .over_plans(),
    claim(
        "udp/broadcast-needs-asking",
        Guaranteed,
        "A send to the broadcast address fails with EACCES until SO_BROADCAST is set on that socket, and \
         again once it is taken back; while it is set the datagram reaches every host of the link.",
        "A broadcast makes work for every host of a link, so the system wants to be told that it is meant: a program \
         that got such an address by mistake is stopped. Only the sender needs the option; to receive, a socket at \
         the port is enough. The address 255.255.255.255 is never forwarded (RFC 919): it reaches the link and not \
         the network behind it. IPv6 has no broadcast at all, multicast takes its place.",
        "RFC 919; socket(7), ip(7)",
    )
    .given(
        "The host has a way to the address: Linux looks for one first. A socket that is bound to an address \
         of the link has it; another one needs a route, such as a default route over an Ethernet, and else \
         is told ENETUNREACH whether it asked or not. A copy that the link loses or damages does not arrive, \
         as with any datagram.",
    )
    .over_plans(),
    claim(
        "udp/multicast",
        Guaranteed,
        "The hosts that joined a group receive a datagram to it, the sender's own host included; the \
         others do not.",
        "A host says which groups it wants; what comes for another one it drops below its programs. Only receiving \
         takes membership: anybody may send to a group, and is not told who is in it. Membership is that of a host on \
         an interface and not of one socket: on Linux a socket at the port gets what comes for any group that any \
         program of the host has joined, unless IP_MULTICAST_ALL is switched off. That is why the claim speaks of \
         hosts.",
        "RFC 1112 6, 7; ip(7)",
    )
    .given(
        "The receiver's socket is bound to the port, and its host joined the group on the link's interface. A copy \
         that the link loses or damages does not arrive, as with any datagram.",
    )
    .over_plans(),
];
