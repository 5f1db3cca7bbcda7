//! Closed ports.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use faultwire::fault::Class;
use faultwire::packet::{IcmpMessage, TcpFlags};
use faultwire::stack::{Domain, Kind};

use super::super::bench::{Bench, SOON, nobody_at_peer, nobody_at_tried, pause};
use super::super::figure::Figure;
use super::super::seen::{Packet, Seen};
use super::super::sentences::{QUOTE_V4, QUOTE_V6};
use super::super::socket::{Host, kernel_socket};
use super::super::value::Value;
use super::{Experiment, plan};

/// The peer calls a closed port with TCP and with UDP in both families; the tried host calls one of the
/// peer's.
pub(super) const CLOSED_PORTS: Experiment = Experiment {
    name: "closed-ports",
    plan: || plan(1_000, None, Vec::new()),
    hosts: call_nobody,
    figures: &[
        Figure {
            id: "closed-tcp-answer",
            title: "answer to a SYN to a closed port",
            read: |seen| {
                let syn = seen.peer().find(|packet| packet.label.class == Class::Syn)?.tcp()?;
                let answer = seen.tried().filter_map(Packet::tcp).find(|tcp| tcp.src == syn.dst)?;
                let named = [(TcpFlags::RST, "RST"), (TcpFlags::SYN, "SYN"), (TcpFlags::ACK, "ACK")];
                let flags =
                    named.into_iter().filter(|(flag, _)| answer.flags.has(*flag)).map(|(_, name)| name);
                let flags: Vec<&str> = flags.collect();
                let ahead = answer.ack.wrapping_sub(syn.seq);
                Some(Value::Text(format!("{} {}, acks {ahead}", flags.join(" "), answer.seq)))
            },
            sentences: &[],
        },
        Figure {
            id: "closed-tcp-connect",
            title: "a connect to a closed port gives",
            read: |seen| Some(Value::Text(seen.said.first()?.clone())),
            sentences: &[],
        },
        Figure {
            id: "closed-udp-answer",
            title: "answer to a datagram to a closed port",
            read: |seen| {
                let (message, _) = errors(seen).next()?;
                let is_port = message == IcmpMessage::PortUnreachable;
                Some(Value::Text(if is_port {
                    "port unreachable".to_owned()
                } else {
                    format!("{message:?}")
                }))
            },
            sentences: &[],
        },
        Figure {
            id: "closed-udp-quote",
            title: "bytes it quotes of 1 028",
            read: |seen| Some(Value::Count(errors(seen).next()?.1 as u64)),
            sentences: &[QUOTE_V4],
        },
        Figure {
            id: "closed-udp6-quote",
            title: "the same in IPv6, of 1 348",
            read: |seen| Some(Value::Count(errors(seen).nth(1)?.1 as u64)),
            sentences: &[QUOTE_V6],
        },
    ],
};

fn errors(seen: &Seen) -> impl Iterator<Item = (IcmpMessage, usize)> {
    seen.tried().filter_map(|packet| packet.icmp())
}

fn call_nobody(bench: &Bench) -> io::Result<Vec<String>> {
    let [v4, v6] = nobody_at_tried();
    let refused = bench.peer.stream()?.connect(v4, SOON);
    if refused.is_ok() {
        return Err(io::Error::other("a closed port took a connection"));
    }
    datagram(bench, v4, 1_000)?;
    datagram(bench, v6, 1_300)?;
    let said = match bench.tried.stream()?.connect(nobody_at_peer(), SOON) {
        Ok(()) => "a connection".to_owned(),
        Err(error) => error.kind().to_string(),
    };
    Ok(vec![said])
}

/// The peer sends a datagram of `length` bytes, and waits a little for an answer.
fn datagram(bench: &Bench, to: SocketAddr, length: usize) -> io::Result<()> {
    let Host::Kernel(peer) = &bench.peer else { return Err(io::Error::other("the peer is the kernel")) };
    let socket = kernel_socket(peer, Domain::of(&to), Kind::Datagram)?;
    UdpSocket::from(socket).send_to(&vec![b'u'; length], to)?;
    pause(Duration::from_millis(100));
    Ok(())
}
