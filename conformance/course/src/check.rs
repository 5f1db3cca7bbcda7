//! What the checks of the lessons are made of. Each says in words what is wrong.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use faultwire::fault::Action;
use faultwire::time::Time;
use faultwire::trace::{Call, ProgramCall, What};

use super::{Delivery, TIMEOUT, Transfer};

/// The most deliveries that are shown.
const SHOWN_MAX: usize = 16;

/// A longer message, in bytes, is shown by its beginning,
const LONGEST_SHOWN: usize = 60;
/// this many bytes of it.
const BEGINNING: usize = 10;

/// Checks that only whole messages that were handed over are delivered.
///
/// # Errors
/// The message that was delivered but never handed over.
pub fn intact(run: &Transfer<'_>) -> Result<(), String> {
    let strange = run.delivered.iter().find(|delivery| !run.messages.contains(&delivery.message));
    match strange {
        None => Ok(()),
        Some(delivery) => Err(format!("{} was delivered but never sent", shown(&delivery.message))),
    }
}

/// A message in quotation marks; of a long one what it begins with.
pub(super) fn shown(message: &[u8]) -> String {
    if message.len() > LONGEST_SHOWN {
        let start = &message[..BEGINNING.min(message.len())];
        format!("\"{}…\" ({} bytes)", start.escape_ascii(), message.len())
    } else {
        format!("\"{}\"", message.escape_ascii())
    }
}

/// Each message is delivered, at least once: as often, at least, as it was handed over.
///
/// # Errors
/// The first that is not.
pub fn all_delivered(run: &Transfer<'_>) -> Result<(), String> {
    let numbers: BTreeSet<usize> = numbers(run).into_iter().flatten().collect();
    let missing = (0..run.messages.len()).find(|index| !numbers.contains(index));
    missing.map_or(Ok(()), |index| Err(format!("message {} was never delivered ({})", index + 1, order(run))))
}

/// No message is delivered twice: none more often than it was handed over.
///
/// # Errors
/// The first that is.
pub fn none_twice(run: &Transfer<'_>) -> Result<(), String> {
    for (index, message) in run.messages.iter().enumerate() {
        let (count, given) = (delivered(run, index), run.messages.iter().filter(|it| *it == message).count());
        if count > given {
            let number = index + 1;
            let how = match given {
                1 => format!("message {number} was delivered {count} times"),
                _ => format!(
                    "message {number} and its like were delivered {count} times, and sent {given} times"
                ),
            };
            return Err(format!("{how} ({})", order(run)));
        }
    }
    Ok(())
}

/// Messages are delivered in the order in which they were handed over.
///
/// # Errors
/// The first that comes before one that it follows.
pub fn in_order(run: &Transfer<'_>) -> Result<(), String> {
    let numbers: Vec<usize> = numbers(run).into_iter().flatten().collect();
    match numbers.windows(2).find(|pair| pair[0] > pair[1]) {
        None => Ok(()),
        Some([before, after]) => {
            let order = order(run);
            Err(format!("message {} was delivered after message {} ({order})", after + 1, before + 1))
        }
        Some(_) => Ok(()),
    }
}

/// How often a message was delivered.
fn delivered(run: &Transfer<'_>, index: usize) -> usize {
    run.delivered.iter().filter(|delivery| delivery.message == run.messages[index]).count()
}

/// Which message each delivery is of, by its index. Of messages that are alike it is the next one behind the
/// delivery before, else the first that was not delivered yet, else the last.
fn numbers(run: &Transfer<'_>) -> Vec<Option<usize>> {
    let mut left: BTreeMap<&[u8], BTreeSet<usize>> = BTreeMap::new();
    for (index, message) in run.messages.iter().enumerate() {
        left.entry(message).or_default().insert(index);
    }
    let mut before = 0;
    let number = |delivery: &Delivery| {
        let left = left.get_mut(delivery.message.as_slice())?;
        let next = left.range(before..).next().or_else(|| left.first()).copied();
        if let Some(next) = next {
            left.remove(&next);
        }
        let number =
            next.or_else(|| run.messages.iter().rposition(|message| *message == delivery.message))?;
        before = number + 1;
        Some(number)
    };
    run.delivered.iter().map(number).collect()
}

/// Each message is delivered once, whole and in order: what a stream of messages promises.
///
/// # Errors
/// The first that is wrong.
pub fn reliable(run: &Transfer<'_>) -> Result<(), String> {
    intact(run)?;
    none_twice(run)?;
    in_order(run)?;
    all_delivered(run)
}

/// What was delivered, by the numbers of the messages.
fn order(run: &Transfer<'_>) -> String {
    if run.delivered.is_empty() {
        return "nothing was delivered".to_owned();
    }
    let number = |index: Option<usize>| index.map_or_else(|| "?".to_owned(), |index| (index + 1).to_string());
    let mut numbers: Vec<String> = numbers(run).into_iter().take(SHOWN_MAX).map(number).collect();
    if run.delivered.len() > SHOWN_MAX {
        numbers.push("…".to_owned());
    }
    format!("delivered: {}", numbers.join(", "))
}

/// In a run in which nothing goes wrong, each message is delivered.
///
/// # Errors
/// The first that is not.
pub fn all_delivered_without_faults(run: &Transfer<'_>) -> Result<(), String> {
    let is_fault = |what: &What| matches!(what, What::Fault { .. } | What::Lost { .. });
    match run.trace.events().iter().any(|event| is_fault(&event.what)) {
        true => Ok(()),
        false => all_delivered(run),
    }
}

/// All is across and acknowledged in the time that is allowed: `quick`, and `more` for each fault that took
/// place.
///
/// # Errors
/// How long it took.
pub fn within(run: &Transfer<'_>, quick: Duration, more: Duration) -> Result<(), String> {
    let faults = u32::try_from(faults(run).count()).unwrap_or(u32::MAX);
    let allowed = quick.saturating_add(more.saturating_mul(faults));
    if run.done <= Time::from(allowed) {
        return Ok(());
    }
    let (took, allowed) = (run.done.as_millis(), allowed.as_millis());
    Err(format!("it took {took} ms until all messages were acknowledged, and {allowed} ms are allowed"))
}

/// Nothing is sent again without need: once for what was lost or damaged; for what was late, as often as a
/// sender that waits no longer than [`TIMEOUT`] may take it for lost.
///
/// # Errors
/// How much was sent.
pub fn frugal(run: &Transfer<'_>) -> Result<(), String> {
    let per_timeout = |us: u64| us / u64::try_from(TIMEOUT.as_micros()).unwrap_or(u64::MAX);
    let excused = |action: &Action| match action {
        Action::Drop | Action::CorruptBits(_) | Action::Change(_) | Action::Reject(_) => 1,
        Action::Duplicate => 0,
        // An adaptive timeout may be shorter, and doubles: within the longest delay of a search that is six
        // times.
        Action::DelayUs(us) => 6 + per_timeout(*us),
        Action::HoldFor(packets) => u64::from(*packets).max(6),
    };
    let messages = run.messages.len();
    let enough = messages as u64 + faults(run).map(excused).sum::<u64>();
    let sent = data_sent(run).count() as u64;
    if sent <= enough {
        return Ok(());
    }
    Err(format!("{sent} datagrams were sent for {messages} messages, and {enough} are enough"))
}

/// Once a round trip was seen, a loss is noticed soon: within five of the longest round trip that the network
/// can have made (its delay, and that of the faults that took place), or `least`; twice that for each repeat
/// before.
///
/// # Errors
/// Which message was repeated too late.
pub fn notices_losses(run: &Transfer<'_>, least: Duration) -> Result<(), String> {
    let client = run.trace.host("client");
    let mut received = calls(run).filter(|call| Some(call.host) == client);
    let Some(answered) = received.find(|call| matches!(call.call, Call::Recv { .. })).map(|call| call.at)
    else {
        return Ok(());
    };
    let late = |action: &Action| match action {
        Action::DelayUs(us) => Duration::from_micros(*us),
        Action::HoldFor(_) => Duration::from_secs(1),
        _ => Duration::ZERO,
    };
    let longest = 2 * one_way(run) + faults(run).map(late).max().unwrap_or_default();
    let soon = (5 * longest).max(least);
    let mut last: Vec<Option<Time>> = vec![None; run.messages.len()];
    let mut repeats = 0;
    for (at, index) in data_sent(run) {
        let Some(before) = last[index].replace(at) else { continue };
        if at < answered {
            // Of what is repeated before anything was answered no round trip is known.
            return Ok(());
        }
        let allowed = soon.saturating_mul(1 << repeats.min(16));
        repeats += 1;
        if before >= answered && at.since(before) > allowed {
            let (number, waited, allowed) = (index + 1, at.since(before).as_millis(), allowed.as_millis());
            return Err(format!(
                "message {number} was sent again after {waited} ms, and {allowed} ms are enough"
            ));
        }
    }
    Ok(())
}

/// The faults that took place.
fn faults<'a>(run: &Transfer<'a>) -> impl Iterator<Item = &'a Action> + use<'a> {
    run.trace.events().iter().filter_map(|event| match &event.what {
        What::Fault { action, .. } => Some(action),
        _ => None,
    })
}

fn calls<'a>(run: &Transfer<'a>) -> impl Iterator<Item = ProgramCall<'a>> + use<'a> {
    run.trace.events().iter().filter_map(|event| event.program_call())
}

/// The shortest time that a packet took from one host to the other.
fn one_way(run: &Transfer<'_>) -> Duration {
    let sent = run.trace.events().iter().filter_map(|event| event.sending());
    let sent: Vec<(_, Time)> = sent.map(|sending| (sending.packet, sending.at)).collect();
    let arrived = run.trace.events().iter().filter_map(|event| event.arrival());
    let took = arrived.filter_map(|arrival| {
        let (_, at) = sent.iter().find(|(packet, _)| *packet == arrival.packet)?;
        Some(arrival.at.since(*at))
    });
    took.min().unwrap_or_default()
}

/// The datagrams that the client sent and that carry a message, whatever else they carry: when, and which
/// message (by its index).
pub fn data_sent<'a>(run: &Transfer<'a>) -> impl Iterator<Item = (Time, usize)> + use<'a> {
    let client = run.trace.host("client");
    let messages = run.messages;
    let carried = move |data: &[u8]| {
        messages.iter().position(|message| data.windows(message.len()).any(|part| part == message))
    };
    calls(run).filter(move |call| Some(call.host) == client).filter_map(move |call| match call.call {
        Call::Send { data, .. } => Some((call.at, carried(data)?)),
        _ => None,
    })
}

#[cfg(test)]
mod tests;
