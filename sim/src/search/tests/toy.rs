//! A small world to search in: a stop-and-wait sender and its receiver over the real wire, with bugs to
//! plant.

use std::time::Duration;

use bytes::Bytes;
use faultwire::Time;
use faultwire::fault::{DueWhat, FaultPlan, Wire};
use faultwire::packet::{datagram, parts};
use faultwire::trace::{Event, HostId, Trace, What};

use crate::run::{End, Run};

pub(super) const CLIENT: HostId = HostId(0);
pub(super) const SERVER: HostId = HostId(1);
pub(super) const TIMEOUT: Duration = Duration::from_millis(50);

/// What is wrong with the programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bug {
    /// Nothing.
    None,
    /// The server does not know a message again that it has had.
    TakesRepeats,
    /// The client gives up after the second try: two losses of one message break it, one does not.
    GivesUpEarly,
    /// The client takes any acknowledgement for that of its current message.
    TakesAnyAck,
}

/// Runs `messages` messages and their acknowledgements under a plan.
pub(crate) fn run(plan: &FaultPlan, messages: u8, bug: Bug) -> Run {
    let hosts = ["client".to_owned(), "server".to_owned()];
    let mut trace = Trace::new(hosts.clone());
    let mut wire = match Wire::new(plan, &hosts) {
        Ok(wire) => wire,
        Err(error) => {
            let why = error.to_string();
            return Run::new(
                plan.clone(),
                trace,
                End::Refused { why, is_trouble: false },
                Default::default(),
                Time::ZERO,
            );
        }
    };
    let tries_max = if bug == Bug::GivesUpEarly { 2 } else { 12 };
    let mut now = Time::ZERO;
    let (mut message, mut tries) = (1, 1);
    let mut timer = now + TIMEOUT;
    let mut delivered = Vec::new();
    wire.send(now, CLIENT, SERVER, packet(CLIENT, message), &mut trace);
    let end = loop {
        if message > messages {
            let wanted: Vec<u8> = (1..=messages).collect();
            break if delivered == wanted {
                End::Finished
            } else {
                failed(format!("delivered {delivered:?}"))
            };
        }
        now = wire.next_due().map_or(timer, |due| due.min(timer));
        while let Some(due) = wire.poll(now, &mut trace) {
            let DueWhat::Packet(delivery) = due.what else {
                continue;
            };
            let (packet, copy, to) = (delivery.packet, delivery.copy, delivery.to);
            let altered = delivery.altered.then(|| delivery.bytes.clone());
            trace.push(now, What::Arrived { packet, copy, to, altered });
            if delivery.altered {
                // The checksum finds every single flipped bit.
                continue;
            }
            let [_, _, payload] = parts(&delivery.bytes);
            let Some(&number) = delivery.bytes[payload].first() else {
                continue;
            };
            if to == SERVER {
                if bug == Bug::TakesRepeats || !delivered.contains(&number) {
                    delivered.push(number);
                }
                wire.send(now, SERVER, CLIENT, self::packet(SERVER, number), &mut trace);
            } else if number == message || bug == Bug::TakesAnyAck {
                (message, tries, timer) = (message + 1, 1, now + TIMEOUT);
                if message <= messages {
                    wire.send(now, CLIENT, SERVER, self::packet(CLIENT, message), &mut trace);
                }
            }
        }
        if now >= timer && message <= messages {
            if tries == tries_max {
                break failed(format!("no answer to message {message}"));
            }
            tries += 1;
            timer = now + TIMEOUT;
            wire.send(now, CLIENT, SERVER, packet(CLIENT, message), &mut trace);
        }
    };
    Run::new(plan.clone(), trace, end, wire.fired(), now)
}

fn failed(message: String) -> End {
    End::Failed { host: None, message }
}

fn packet(from: HostId, number: u8) -> Bytes {
    let address = |host: u16| ([10, 0, 0, 1 + host as u8], 7000).into();
    datagram(address(from.0), address(1 - from.0), 64, &[number, 0, 0, 0]).unwrap()
}

/// The names and bytes of the packets that were sent.
pub(super) fn sent(trace: &Trace) -> Vec<&Event> {
    let is_sent = |event: &&Event| matches!(event.what, What::Sent { .. });
    trace.events().iter().filter(is_sent).collect()
}
