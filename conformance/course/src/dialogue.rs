//! A task over a stream: a client's program and a server's, each given its end of one connection; then the
//! lesson's check looks at what each of them brought.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use faultwire::fault::{FaultPlan, Link};
use faultwire::network::{Listener as _, Network as _};
use faultwire::stack::SocketOption;
use faultwire::trace::Trace;
use faultwire_sim::{Net, NetStream, Scenario, Settings, scenario};

use super::Delivery;
use super::replay::with_mended;

/// The virtual time after which who still waits will wait forever: TCP itself gives up within about a
/// quarter of an hour, where it has anything to give up on (tcp(7), `tcp_retries2`).
const TIME_MAX: Duration = Duration::from_secs(3600);

/// Socket calls, packets and timers after which a program that goes on will go on forever.
const EVENTS_MAX: u64 = 100_000;

/// Where the server listens.
const PORT: &str = "7000";

/// The future of a program.
pub type Running = Pin<Box<dyn Future<Output = io::Result<()>> + Send>>;

/// What is put around a program when it runs: whose it is (`the client's program`), the program.
pub(super) type Around = fn(&'static str, Running) -> Running;

/// A program: its host's network, its end of the stream, its desk.
pub type Act = fn(Net, NetStream, Desk) -> Running;

/// The programs of both ends.
#[derive(Clone, Copy, Debug)]
pub struct StreamProgram {
    /// The end that opens the connection.
    pub client: Act,
    /// The end that accepts it.
    pub server: Act,
}

/// What two programs have to say to each other, and what must be true then.
#[derive(Clone, Copy, Debug)]
pub struct Dialogue {
    /// What both desks hold: the messages, in order. No two are alike.
    pub messages: fn() -> Vec<Vec<u8>>,
    /// Like `messages`, but for commands of any language over the kernel's sockets, whose buffers have other
    /// sizes.
    pub real_messages: fn() -> Vec<Vec<u8>>,
    /// How many of them, at the end, the server sends.
    pub of_server: usize,
    /// The links to try it over.
    pub links: fn() -> Vec<Link>,
    /// What is set for the client's socket before it connects.
    pub options: &'static [SocketOption],
    /// Whether the server may die: then it is also tried what becomes of a run in which its host loses power
    /// after any of its packets, and the run ends with the client's program alone.
    pub may_die: bool,
    /// What must be true of every run.
    pub check: fn(&Talk<'_>) -> Result<(), String>,
    /// The programs that believe.
    pub believed: StreamProgram,
    /// The mended ones: each of them is one way.
    pub mended: &'static [StreamProgram],
}

/// What a check looks at: a run that is over.
#[derive(Clone, Copy, Debug)]
pub struct Talk<'a> {
    /// What both desks held.
    pub messages: &'a [Vec<u8>],
    /// What the client's program delivered.
    pub client: &'a Outcome,
    /// What the server's program delivered.
    pub server: &'a Outcome,
    /// All that happened.
    pub trace: &'a Trace,
}

/// What came of one program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// What it delivered, in order.
    pub delivered: Vec<Delivery>,
    /// The error that it ended with, if it did.
    pub error: Option<String>,
}

/// What a program works from and puts its results on.
#[derive(Clone, Debug)]
pub struct Desk {
    messages: Arc<Vec<Vec<u8>>>,
    outcomes: Shared,
    is_client: bool,
    net: Net,
}

type Shared = Arc<Mutex<[Outcome; 2]>>;

fn lock(outcomes: &Shared) -> MutexGuard<'_, [Outcome; 2]> {
    outcomes.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Desk {
    /// The messages to send.
    pub fn messages(&self) -> &[Vec<u8>] {
        &self.messages
    }

    /// Hands over what came.
    pub fn deliver(&self, message: &[u8]) {
        let delivery = Delivery { at: self.net.now(), message: message.to_vec() };
        lock(&self.outcomes)[usize::from(self.is_client)].delivered.push(delivery);
    }

    fn ended(&self, result: io::Result<()>) {
        lock(&self.outcomes)[usize::from(self.is_client)].error = result.err().map(|error| error.to_string());
    }
}

impl Dialogue {
    /// The scenarios with these programs, over each of the links. They fail where the check does.
    pub fn scenarios(&self, name: &str, programs: &[StreamProgram]) -> Vec<Scenario> {
        self.scenarios_within(name, programs, |_, run| run)
    }

    /// Like `scenarios`, but with `within` around each program.
    pub(super) fn scenarios_within(
        &self,
        name: &str,
        programs: &[StreamProgram],
        around: Around,
    ) -> Vec<Scenario> {
        let one = |program: &StreamProgram, link| self.over(name, *program, around, link, &Shared::default());
        let over = |link| programs.iter().map(move |program| one(program, link));
        (self.links)().into_iter().flat_map(over).collect()
    }

    /// The scenario with the believed programs, and as its variants `mended`, `mended-2` and so on with the
    /// others.
    pub(super) fn replayable(&self, name: &str) -> Scenario {
        let (dialogue, outcomes) = (*self, Shared::default());
        let name = name.to_owned();
        let over = move |program| dialogue.over(&name, program, |_, run| run, Link::default(), &outcomes);
        with_mended(over(self.believed), self.mended.len(), move |way| over(dialogue.mended[way]))
    }

    /// A scenario runs one plan at a time, and notes there what it sees; whoever searches with several
    /// threads makes one for each.
    fn over(
        &self,
        name: &str,
        program: StreamProgram,
        around: Around,
        link: Link,
        outcomes: &Shared,
    ) -> Scenario {
        let messages = Arc::new((self.messages)());
        let (check, options) = (self.check, self.options);
        let mut settings = Settings::default();
        settings.time_max = TIME_MAX;
        settings.events_max = EVENTS_MAX;
        let desk = {
            let (messages, outcomes) = (messages.clone(), outcomes.clone());
            move |net: &Net, is_client| Desk {
                messages: messages.clone(),
                outcomes: outcomes.clone(),
                is_client,
                net: net.clone(),
            }
        };
        let server = {
            let (desk, outcomes) = (desk.clone(), outcomes.clone());
            move |net: Net| {
                *lock(&outcomes) = <[Outcome; 2]>::default();
                let desk = desk(&net, false);
                async move {
                    let result = serve(net, program.server, around, desk.clone()).await;
                    desk.ended(result);
                    Ok(())
                }
            }
        };
        let client = move |net: Net| {
            let desk = desk(&net, true);
            async move {
                let result = call(net, program.client, around, options, desk.clone()).await;
                desk.ended(result);
                Ok(())
            }
        };
        let scenario = scenario(name).base_plan(FaultPlan::new().link(link)).settings(settings);
        // The hosts are in this order: the server's program is called first, and clears the desks.
        let scenario = match self.may_die {
            true => scenario.host("server", server).crashes_for_good("server"),
            false => scenario.client_on("server", server),
        };
        let outcomes = outcomes.clone();
        scenario.client(client).invariant("the check", move |trace| {
            let outcomes = lock(&outcomes);
            let [server, client] = &*outcomes;
            check(&Talk { messages: &messages, client, server, trace })
        })
    }
}

async fn serve(net: Net, act: Act, around: Around, desk: Desk) -> io::Result<()> {
    let listener = net.listen(&format!("0.0.0.0:{PORT}"), 1, &[]).await?;
    let (stream, _) = listener.accept().await?;
    around("the server's program", act(net, stream, desk)).await
}

async fn call(net: Net, act: Act, around: Around, options: &[SocketOption], desk: Desk) -> io::Result<()> {
    let stream = net.connect(&format!("server:{PORT}"), options).await?;
    around("the client's program", act(net, stream, desk)).await
}
