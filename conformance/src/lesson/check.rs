//! What the checks of the lessons are made of. Each says in words what is wrong.

use faultwire::trace::Call;

use super::Transfer;

/// What is delivered is what was handed over, whole.
///
/// # Errors
/// What was delivered and never handed over.
pub fn intact(run: &Transfer<'_>) -> Result<(), String> {
    let strange = run.delivered.iter().find(|delivery| !run.messages.contains(&delivery.message));
    match strange {
        None => Ok(()),
        Some(delivery) => {
            let shown = delivery.message.escape_ascii();
            Err(format!("\"{shown}\" was delivered, which nobody sent"))
        }
    }
}

/// Each message is delivered, at least once.
///
/// # Errors
/// The first that is not.
pub fn all_delivered(run: &Transfer<'_>) -> Result<(), String> {
    let missing = run.messages.iter().position(|message| !is_among(run, message));
    missing.map_or(Ok(()), |index| Err(format!("message {} was never delivered", index + 1)))
}

/// No message is delivered twice.
///
/// # Errors
/// The first that is.
pub fn none_twice(run: &Transfer<'_>) -> Result<(), String> {
    for (index, message) in run.messages.iter().enumerate() {
        let count = run.delivered.iter().filter(|delivery| delivery.message == *message).count();
        if count > 1 {
            return Err(format!("message {} was delivered {count} times", index + 1));
        }
    }
    Ok(())
}

/// Messages are delivered in the order in which they were handed over.
///
/// # Errors
/// The first that comes before one that it follows.
pub fn in_order(run: &Transfer<'_>) -> Result<(), String> {
    let number = |message: &Vec<u8>| run.messages.iter().position(|it| it == message);
    let numbers: Vec<usize> = run.delivered.iter().filter_map(|it| number(&it.message)).collect();
    match numbers.windows(2).find(|pair| pair[0] > pair[1]) {
        None => Ok(()),
        Some(pair) => Err(format!("message {} was delivered after message {}", pair[1] + 1, pair[0] + 1)),
    }
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

fn is_among(run: &Transfer<'_>, message: &Vec<u8>) -> bool {
    run.delivered.iter().any(|delivery| delivery.message == *message)
}

/// How many datagrams the client sent that carry a message: those that hold its bytes.
pub fn data_sent(run: &Transfer<'_>) -> usize {
    let client = run.trace.host("client");
    let is_data = |data: &[u8]| {
        run.messages.iter().any(|message| data.windows(message.len()).any(|part| part == message))
    };
    let calls = run.trace.events().iter().filter_map(|event| event.program_call());
    calls
        .filter(|call| Some(call.host) == client)
        .filter(|call| matches!(call.call, Call::Send { data, .. } if is_data(data)))
        .count()
}
