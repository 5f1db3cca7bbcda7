//! What a transport protocol does beside bringing all across: lessons 7 to 10.

#[path = "../lessons/10-congestion-control/aimd.rs"]
pub mod aimd;
#[path = "../lessons/08-flow-control/bounded.rs"]
pub mod bounded;
#[path = "../lessons/07-checksum/checked.rs"]
pub mod checked;
#[path = "../lessons/09-opening-and-closing/conversation.rs"]
pub mod conversation;
#[path = "../lessons/10-congestion-control/flow.rs"]
pub mod flow;
#[cfg(test)]
#[path = "../lessons/09-opening-and-closing/generals.rs"]
pub mod generals;
#[path = "../lessons/10-congestion-control/greedy.rs"]
pub mod greedy;
#[path = "../lessons/09-opening-and-closing/segment.rs"]
pub mod segment;
#[path = "../lessons/09-opening-and-closing/unannounced.rs"]
pub mod unannounced;
#[path = "../lessons/08-flow-control/windowed.rs"]
pub mod windowed;

use std::time::Duration;

use faultwire::fault::{Action, Link, LinkNumbers};
use faultwire::machine::Machine;

use super::check::reliable;
use super::datagrams::adaptive::Adaptive;
use super::datagrams::selective_repeat::SelectiveRepeat;
use super::{
    Conversations, Exchange, Flows, Lesson, Narrow, Program, Shares, Talks, Task, Transfer, World,
    numbered_messages,
};

/// How many messages the receiver of lesson 8 keeps for its program.
pub const ROOM: usize = 2;

/// Lesson 6's machine.
type Rung6 = SelectiveRepeat<Adaptive>;

const fn both<M: Machine + Default>() -> Program {
    Program::both(|| Box::new(M::default()))
}

fn any(_: &Action) -> bool {
    true
}

/// What makes a datagram come late, or once more: what an old datagram is made of.
fn lateness(action: &Action) -> bool {
    matches!(action, Action::Duplicate | Action::DelayUs(_) | Action::HoldFor(_))
}

fn lan() -> Vec<Link> {
    vec![Link::default()]
}

/// Lesson 7.
pub(super) static CHECKSUM: Lesson = Lesson {
    name: "7",
    slug: "checksum",
    title: "A checksum against corruption",
    line: "what a sum does not see a remainder does: check from end to end",
    why: "A bit became 1 in one word of the datagram, and the same bit 0 in another: the sum of all words is \
          what it was, so UDP's checksum fits, and what came is taken for what was sent.",
    text: include_str!("../lessons/07-checksum/lesson.md"),
    breaks: include_str!("../lessons/07-checksum/breaks.toml"),
    shows: any,
    task: Task::Datagrams(Exchange {
        messages: || numbered_messages(3),
        links: lan,
        world: World { cancelling_bits: 3, ..World::PLAIN },
        check: reliable,
        believed: both::<Rung6>(),
        mended: both::<checked::Checked<Rung6>>(),
    }),
};

/// Lesson 8.
pub(super) static FLOW_CONTROL: Lesson = Lesson {
    name: "8",
    slug: "flow-control",
    title: "Flow control",
    line: "only the receiver knows how much room it has, and it must say so",
    why: "Nothing went wrong: the sender put four messages on their way at once, to a receiver that has room \
          for two and is slow.",
    text: include_str!("../lessons/08-flow-control/lesson.md"),
    breaks: include_str!("../lessons/08-flow-control/breaks.toml"),
    shows: any,
    task: Task::Datagrams(Exchange {
        messages: || numbered_messages(6),
        links: lan,
        world: World { server_takes: Duration::from_millis(30), ..World::PLAIN },
        check: |run| {
            reliable(run)?;
            within_room(run)
        },
        believed: both::<bounded::Bounded<Rung6>>(),
        mended: both::<windowed::Windowed>(),
    }),
};

/// No message came that there was no room for.
fn within_room(run: &Transfer<'_>) -> Result<(), String> {
    let server = run.trace.host("server");
    for arrival in run.trace.arrivals().filter(|arrival| Some(arrival.to) == server) {
        let view = run.trace.sending(arrival.packet).and_then(|sending| sending.view());
        let Some(data) = view.as_ref().and_then(|view| view.udp_payload()) else { continue };
        let carried = |message: &Vec<u8>| data.windows(message.len()).any(|part| part == message);
        let Some(index) = run.messages.iter().position(carried) else { continue };
        let fetched = run.delivered.iter().filter(|delivery| delivery.at <= arrival.at).count();
        if index >= fetched + ROOM {
            let number = index + 1;
            return Err(format!(
                "message {number} came when the program had fetched {fetched}, and there is room for {ROOM}: \
                 it was thrown away"
            ));
        }
    }
    Ok(())
}

/// Lesson 9.
pub(super) static OPENING_AND_CLOSING: Lesson = Lesson {
    name: "9",
    slug: "opening-and-closing",
    title: "Opening and closing",
    line: "a conversation begins when both sides know it, and ends when both know that",
    why: "The first message was held back and sent again. The held copy came behind the end, where the \
          server takes it for the first message of the next conversation; when that one's own comes, it has \
          the same number, is taken for a repeat and acknowledged, and is never delivered.",
    text: include_str!("../lessons/09-opening-and-closing/lesson.md"),
    breaks: include_str!("../lessons/09-opening-and-closing/breaks.toml"),
    shows: lateness,
    task: Task::Conversations(Conversations {
        messages: || vec![numbered_messages(2), vec![b"once more".to_vec()]],
        links: lan,
        check: as_they_were,
        believed: || Box::new(unannounced::Unannounced::default()),
        mended: || Box::new(conversation::Conversation::default()),
    }),
};

/// The server had the conversations that the client had, each whole, and came to the end of each.
fn as_they_were(talks: &Talks<'_>) -> Result<(), String> {
    for (number, (said, heard)) in (1..).zip(talks.conversations.iter().zip(talks.server)) {
        if heard.messages != *said {
            let brought = heard.messages.iter().map(|message| format!("\"{}\"", message.escape_ascii()));
            let brought = brought.collect::<Vec<_>>().join(", ");
            return Err(format!("conversation {number} brought the server [{brought}]"));
        }
        if !heard.is_ended {
            return Err(format!("the server still waits for the end of conversation {number}"));
        }
        if !heard.is_closed {
            return Err(format!(
                "the server does not know whether the client knows that conversation {number} is over"
            ));
        }
    }
    let had = talks.conversations.len();
    match talks.server.get(had) {
        Some(heard) => {
            let first = heard.messages.first().map(|message| message.escape_ascii().to_string());
            let first = first.map_or("with nothing in it".to_owned(), |first| format!("with \"{first}\""));
            Err(format!("the server takes part in a conversation that the client did not begin, {first}"))
        }
        None if talks.server.len() < had => {
            Err(format!("the server had {} of {had} conversations", talks.server.len()))
        }
        None => Ok(()),
    }
}

/// Lesson 10.
pub(super) static CONGESTION_CONTROL: Lesson = Lesson {
    name: "10",
    slug: "congestion-control",
    title: "Congestion control",
    line: "the network belongs to all: who sees a loss slows down",
    why: "Nothing went wrong but what the two flows did to each other: each put all of its six messages on \
          their way at once, and the queue before the narrow link has eight places. What found no place was \
          dropped before the wire, where the picture begins.",
    text: include_str!("../lessons/10-congestion-control/lesson.md"),
    breaks: include_str!("../lessons/10-congestion-control/breaks.toml"),
    shows: any,
    task: Task::Flows(TWO_FLOWS),
};

/// Two short flows: short enough that every plan of two faults can be tried.
const TWO_FLOWS: Flows = Flows {
    messages: 6,
    length: 100,
    narrow: Narrow { each: Duration::from_millis(10), places: 8 },
    second_after: Duration::from_millis(5),
    links: || vec![Link::Numbers(LinkNumbers::new(5_000, 1500))],
    check: |shares| {
        both_whole(shares)?;
        little_dropped(shares)
    },
    believed: || Box::new(flow::Flow::<greedy::Greedy>::default()),
    mended: || Box::new(flow::Flow::<aimd::Aimd>::default()),
};

/// Both flows brought all across, in order.
pub(super) fn both_whole(shares: &Shares<'_>) -> Result<(), String> {
    for (name, flow) in ["first", "second"].iter().zip(shares.flows) {
        if !flow.delivered.iter().map(|delivery| &delivery.message).eq(&flow.messages) {
            let (got, all) = (flow.delivered.len(), flow.messages.len());
            return Err(format!("the {name} flow did not bring its messages as they were ({got} of {all})"));
        }
    }
    Ok(())
}

/// Of what the flows gave to the narrow link, it had to drop no more than an eighth.
fn little_dropped(shares: &Shares<'_>) -> Result<(), String> {
    let sum = |of: fn(&super::Share) -> u64| shares.flows.iter().map(of).sum::<u64>();
    let (offered, dropped) = (sum(|flow| flow.offered), sum(|flow| flow.dropped));
    if dropped * 8 <= offered {
        return Ok(());
    }
    Err(format!("of {offered} datagrams {dropped} were dropped before the narrow link"))
}

#[cfg(test)]
mod tests;
