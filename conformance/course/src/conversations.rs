//! A task over datagrams again, but with a beginning and an end: the client's program has one conversation
//! after the other with the server's, each from its opening to its close; then the lesson's check looks at
//! what each side took for one.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use faultwire::fault::{FaultPlan, Link};
use faultwire::machine::{Endpoint, Machine};
use faultwire::network::Network as _;
use faultwire::time::Time;
use faultwire::trace::Trace;
use faultwire_sim::{Net, Scenario, Settings, scenario};

use super::TIMEOUT;
use super::replay::with_mended;

/// How long the client stays when all is done, so that what is still on its way arrives in the run.
const LINGER: Duration = Duration::from_secs(2);

/// How long the client waits between two conversations.
const PAUSE: Duration = Duration::from_millis(50);

/// The virtual time after which a machine that is not done never will be.
const TIME_MAX: Duration = Duration::from_secs(120);

/// Socket calls, packets and timers after which a machine that is not done never will be.
const EVENTS_MAX: u64 = 100_000;

/// Where the server listens.
const PORT: &str = "7000";

/// A machine for one conversation. [`is_done`](Machine::is_done) is to be read as: of all that the program
/// wanted, the close included, nothing is outstanding.
pub trait Talker: Machine {
    /// The program begins a conversation: called once, at the side that calls.
    fn open(&mut self, now: Time);

    /// The program has nothing more to say.
    fn close(&mut self, now: Time);

    /// Whether the other side has nothing more to say, and the program has fetched all that it said.
    fn is_ended(&self) -> bool;
}

/// Conversations, and what must be true of them.
#[derive(Clone, Copy, Debug)]
pub struct Conversations {
    /// What is said in each of them. No two messages are alike.
    pub messages: fn() -> Vec<Vec<Vec<u8>>>,
    /// The links to try it over.
    pub links: fn() -> Vec<Link>,
    /// What must be true of every run.
    pub check: fn(&Talks<'_>) -> Result<(), String>,
    /// The machine that believes, for each conversation a new one.
    pub believed: fn() -> Box<dyn Talker>,
    /// The mended one.
    pub mended: fn() -> Box<dyn Talker>,
}

/// What a check looks at: a run that is over.
#[derive(Clone, Copy, Debug)]
pub struct Talks<'a> {
    /// What was said in each conversation.
    pub conversations: &'a [Vec<Vec<u8>>],
    /// Which conversations there were at the server.
    pub server: &'a [Heard],
    /// All that happened.
    pub trace: &'a Trace,
}

/// A conversation at the server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// What its program was given.
    pub messages: Vec<Vec<u8>>,
    /// Whether it was told that this was all.
    pub is_ended: bool,
    /// Whether its own close is done: it knows that the other side knows.
    pub is_closed: bool,
}

type Shared = Arc<Mutex<Vec<Heard>>>;

fn lock(heard: &Shared) -> MutexGuard<'_, Vec<Heard>> {
    heard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Conversations {
    /// The scenario with this machine, over each of the links. It fails where the check does.
    pub fn scenarios(&self, name: &str, machine: fn() -> Box<dyn Talker>) -> Vec<Scenario> {
        (self.links)().into_iter().map(|link| self.over(name, machine, link, &Shared::default())).collect()
    }

    /// The scenario with the believed machine, and as its variant `mended` with the other one.
    pub(super) fn replayable(&self, name: &str) -> Scenario {
        let (task, heard) = (*self, Shared::default());
        let name = name.to_owned();
        let over = move |machine| task.over(&name, machine, Link::default(), &heard);
        with_mended(over(self.believed), 1, move |_| over(task.mended))
    }

    /// A scenario runs one plan at a time, and notes there what it sees.
    fn over(&self, name: &str, machine: fn() -> Box<dyn Talker>, link: Link, heard: &Shared) -> Scenario {
        let conversations = Arc::new((self.messages)());
        let check = self.check;
        let mut settings = Settings::default();
        settings.time_max = TIME_MAX;
        settings.events_max = EVENTS_MAX;
        let server = {
            let heard = heard.clone();
            move |net: Net| {
                lock(&heard).clear();
                serve(net, machine, heard.clone())
            }
        };
        let client = {
            let conversations = conversations.clone();
            move |net: Net| call(net, machine, conversations.clone())
        };
        let heard = heard.clone();
        scenario(name)
            .base_plan(FaultPlan::new().link(link))
            .timeout(TIMEOUT)
            // Who has closed stays for two seconds; however long that is, an outage may last longer.
            .without_outages()
            .settings(settings)
            .server(server)
            .client(client)
            .invariant("the check", move |trace| {
                check(&Talks { conversations: &conversations, server: &lock(&heard), trace })
            })
    }
}

async fn serve(net: Net, machine: fn() -> Box<dyn Talker>, heard: Shared) -> faultwire_sim::Result {
    let mut endpoint = Endpoint::answer(&net, &format!("0.0.0.0:{PORT}"), machine()).await?;
    for index in 0.. {
        while let Some(message) = endpoint.receive_unless(|machine| machine.is_ended()).await? {
            let mut heard = lock(&heard);
            heard.resize_with(index + 1, Heard::default);
            heard[index].messages.push(message);
        }
        lock(&heard).resize_with(index + 1, Heard::default);
        lock(&heard)[index].is_ended = true;
        endpoint.with(|machine, now| machine.close(now)).await?;
        endpoint.finish().await?;
        lock(&heard)[index].is_closed = true;
        endpoint.with(|it, _| *it = machine()).await?;
    }
    Ok(())
}

async fn call(
    net: Net,
    machine: fn() -> Box<dyn Talker>,
    conversations: Arc<Vec<Vec<Vec<u8>>>>,
) -> faultwire_sim::Result {
    let mut endpoint = Endpoint::call(&net, &format!("server:{PORT}"), machine()).await?;
    for (index, messages) in conversations.iter().enumerate() {
        if index > 0 {
            net.sleep(PAUSE).await;
            endpoint.with(|it, _| *it = machine()).await?;
        }
        endpoint.with(|machine, now| machine.open(now)).await?;
        for message in messages {
            endpoint.send(message).await?;
        }
        endpoint.with(|machine, now| machine.close(now)).await?;
        endpoint.finish().await?;
    }
    endpoint.linger(LINGER).await?;
    Ok(())
}
