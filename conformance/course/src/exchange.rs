//! A task over datagrams: the client's program hands messages to its machine, the server's takes what its
//! machine brings; then the lesson's check looks at what was brought, and at what it cost.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use faultwire::fault::{FaultPlan, Link};
use faultwire::machine::{Endpoint, Machine};
use faultwire::network::Network as _;
use faultwire::time::Time;
use faultwire::trace::Trace;
use faultwire_sim::{Net, Scenario, Settings, scenario};

use super::replay::with_mended;

/// How long the machines of the course wait for an answer before they send again. (Lesson 6 asks how long is
/// right.)
pub const TIMEOUT: Duration = Duration::from_millis(200);

/// How long the client stays when all is done, so that what is still on its way arrives in the run: longer
/// than any fault of the search holds a datagram back.
const LINGER: Duration = Duration::from_secs(2);

/// The virtual time after which a machine that is not done never will be.
const TIME_MAX: Duration = Duration::from_secs(120);

/// Socket calls, packets and timers after which a machine that is not done never will be.
const EVENTS_MAX: u64 = 100_000;

/// Where the server listens.
const PORT: &str = "7000";

/// What makes a machine.
pub type Factory = fn() -> Box<dyn Machine>;

/// The machines of both sides.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    /// The side that has the messages.
    pub client: Factory,
    /// The side that they go to.
    pub server: Factory,
}

impl Program {
    /// One machine on both sides.
    pub const fn both(machine: Factory) -> Program {
        Program { client: machine, server: machine }
    }
}

/// Messages to bring across, and what must be true then.
#[derive(Clone, Copy, Debug)]
pub struct Exchange {
    /// The messages, in the order in which the client's program hands them over. No two are alike.
    pub messages: fn() -> Vec<Vec<u8>>,
    /// The links to try it over.
    pub links: fn() -> Vec<Link>,
    /// What is special about the hosts and the faults.
    pub world: World,
    /// What must be true of every run.
    pub check: fn(&Transfer<'_>) -> Result<(), String>,
    /// The program that believes.
    pub believed: Program,
    /// The mended one.
    pub mended: Program,
}

/// What is special about the hosts of a lesson, and about the faults that are tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct World {
    /// How long the server's program is busy with each message before it asks for the next.
    pub server_takes: Duration,
    /// In how many places of each packet two bits are flipped that cancel in the checksum of UDP.
    pub cancelling_bits: u32,
}

impl World {
    /// Nothing is special.
    pub const PLAIN: World = World { server_takes: Duration::ZERO, cancelling_bits: 0 };
}

/// A message that the server's program got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// When.
    pub at: Time,
    /// What.
    pub message: Vec<u8>,
}

/// What a check looks at: a run that is over.
#[derive(Clone, Copy, Debug)]
pub struct Transfer<'a> {
    /// What was handed over, in order.
    pub messages: &'a [Vec<u8>],
    /// What was delivered, in order.
    pub delivered: &'a [Delivery],
    /// When the client's machine had nothing outstanding any more.
    pub done: Time,
    /// All that happened.
    pub trace: &'a Trace,
}

/// `count` messages that differ in content and, so that a diagram tells them apart, in length: from 11 bytes
/// up.
pub fn numbered_messages(count: usize) -> Vec<Vec<u8>> {
    let padded = |number| format!("message {number:.<width$}", width = 2 + number).into_bytes();
    (1..=count).map(padded).collect()
}

/// What is noted of a run while it goes on.
#[derive(Debug, Default)]
struct Notes {
    delivered: Vec<Delivery>,
    done: Time,
}

type Shared = Arc<Mutex<Notes>>;

fn lock(notes: &Shared) -> MutexGuard<'_, Notes> {
    notes.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Exchange {
    /// The scenario with this program, over each of the links. It fails where the check does.
    pub fn scenarios(&self, name: &str, program: &Program) -> Vec<Scenario> {
        (self.links)().into_iter().map(|link| self.over(name, *program, link, &Shared::default())).collect()
    }

    /// The scenario with the believed program, and as its variant `mended` with the other one.
    pub(super) fn replayable(&self, name: &str) -> Scenario {
        let (exchange, notes) = (*self, Shared::default());
        let name = name.to_owned();
        let over = move |program| exchange.over(&name, program, Link::default(), &notes);
        with_mended(over(self.believed), 1, move |_| over(exchange.mended))
    }

    /// A scenario runs one plan at a time, and notes there what it sees; whoever searches with several
    /// threads makes one for each.
    fn over(&self, name: &str, program: Program, link: Link, notes: &Shared) -> Scenario {
        let messages = Arc::new((self.messages)());
        let (check, world) = (self.check, self.world);
        let mut settings = Settings::default();
        settings.time_max = TIME_MAX;
        settings.events_max = EVENTS_MAX;
        let server = {
            let notes = notes.clone();
            move |net: Net| {
                *lock(&notes) = Notes::default();
                serve(net, (program.server)(), world.server_takes, notes.clone())
            }
        };
        let client = {
            let (notes, messages) = (notes.clone(), messages.clone());
            move |net: Net| call(net, (program.client)(), messages.clone(), notes.clone())
        };
        let notes = notes.clone();
        scenario(name)
            .base_plan(FaultPlan::new().link(link))
            .timeout(TIMEOUT)
            .cancelling_bits(world.cancelling_bits)
            .settings(settings)
            .server(server)
            .client(client)
            .invariant("the check", move |trace| {
                let notes = lock(&notes);
                let (delivered, done) = (notes.delivered.as_slice(), notes.done);
                check(&Transfer { messages: &messages, delivered, done, trace })
            })
    }
}

async fn serve(net: Net, machine: Box<dyn Machine>, takes: Duration, notes: Shared) -> faultwire_sim::Result {
    let mut endpoint = Endpoint::answer(&net, &format!("0.0.0.0:{PORT}"), machine).await?;
    loop {
        let message = endpoint.receive().await?;
        lock(&notes).delivered.push(Delivery { at: net.now(), message });
        if !takes.is_zero() {
            endpoint.linger(takes).await?;
        }
    }
}

async fn call(
    net: Net,
    machine: Box<dyn Machine>,
    messages: Arc<Vec<Vec<u8>>>,
    notes: Shared,
) -> faultwire_sim::Result {
    let mut endpoint = Endpoint::call(&net, &format!("server:{PORT}"), machine).await?;
    for message in messages.iter() {
        endpoint.send(message).await?;
    }
    endpoint.finish().await?;
    lock(&notes).done = net.now();
    endpoint.linger(LINGER).await?;
    Ok(())
}
