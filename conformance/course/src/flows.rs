//! A task for two flows that share a path: two pairs of machines between the same hosts, and at the client's
//! host a link with a limited rate and a limited queue in front of it.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use faultwire::fault::{FaultPlan, Link};
use faultwire::machine::{Endpoint, Machine};
use faultwire::network::Network as _;
use faultwire::time::Time;
use faultwire::trace::Trace;
use faultwire_sim::{Net, Scenario, Settings, scenario};

use super::replay::with_mended;
use super::{Delivery, Factory, TIMEOUT};

/// How long the client stays when all is done, so that what is still on its way arrives in the run.
const LINGER: Duration = Duration::from_secs(2);

/// The virtual time after which a machine that is not done never will be.
const TIME_MAX: Duration = Duration::from_secs(600);

/// Socket calls, packets and timers after which a machine that is not done never will be.
const EVENTS_MAX: u64 = 1_000_000;

/// Where the server listens, for each of the flows.
const PORTS: [&str; 2] = ["7001", "7002"];

/// The narrow link that both flows leave their host by: the time it takes for each datagram, and how many may
/// wait for it. When the queue is full, new datagrams are dropped: a drop-tail queue, as in most routers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Narrow {
    /// How long a datagram takes.
    pub each: Duration,
    /// How many wait at the most, the one that is being sent included.
    pub places: u32,
}

/// Two flows, and what must be true of them.
#[derive(Clone, Copy, Debug)]
pub struct Flows {
    /// How many messages each flow has, and of how many bytes.
    pub messages: usize,
    /// Bytes of a message.
    pub length: usize,
    /// What they share.
    pub narrow: Narrow,
    /// So much later than the first does the second begin.
    pub second_after: Duration,
    /// The links to try it over, behind the narrow one.
    pub links: fn() -> Vec<Link>,
    /// What must be true of every run.
    pub check: fn(&Shares<'_>) -> Result<(), String>,
    /// The machine that believes.
    pub believed: Factory,
    /// The mended one.
    pub mended: Factory,
}

/// What became of a flow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Share {
    /// What its sender handed over, in order.
    pub messages: Vec<Vec<u8>>,
    /// What was delivered, in order.
    pub delivered: Vec<Delivery>,
    /// When its sender began, and when it had nothing outstanding any more.
    pub began: Time,
    /// See `began`.
    pub done: Time,
    /// How many datagrams it gave to the narrow link.
    pub offered: u64,
    /// How many of those found no place.
    pub dropped: u64,
}

/// What a check looks at: a run that is over.
#[derive(Clone, Copy, Debug)]
pub struct Shares<'a> {
    /// The two flows.
    pub flows: &'a [Share; 2],
    /// What they shared.
    pub narrow: Narrow,
    /// All that happened.
    pub trace: &'a Trace,
}

impl Shares<'_> {
    /// Of what the narrow link could have carried until both were done, how much was of use: messages that
    /// were delivered for the first time. 1 is all.
    pub fn goodput(&self) -> f64 {
        let delivered: usize = self.flows.iter().map(|flow| flow.delivered.len()).sum();
        let end = self.flows.iter().map(|flow| flow.done).max().unwrap_or_default();
        delivered as f64 * self.narrow.each.as_secs_f64() / end.since(Time::ZERO).as_secs_f64()
    }

    /// Jain's index of fairness over a stretch of time: of what was delivered then, 1 where both flows had
    /// the same, a half where one had all (Jain, Chiu and Hawe, "A quantitative measure of fairness", 1984).
    pub fn fairness(&self, from: Time, until: Time) -> f64 {
        let within = |flow: &Share| flow.delivered.iter().filter(|it| it.at > from && it.at <= until).count();
        let [a, b] = [&self.flows[0], &self.flows[1]].map(|flow| within(flow) as f64);
        if a + b == 0.0 { 1.0 } else { (a + b).powi(2) / (2.0 * (a * a + b * b)) }
    }

    /// The time in which both flows had something to send.
    pub fn together(&self) -> (Time, Time) {
        let began = self.flows.iter().map(|flow| flow.began).max().unwrap_or_default();
        let last = |flow: &Share| flow.delivered.last().map_or(flow.done, |delivery| delivery.at);
        (began, self.flows.iter().map(last).min().unwrap_or_default())
    }
}

/// What a scenario notes of its run.
#[derive(Debug, Default)]
struct Notes {
    flows: [Share; 2],
    /// When the narrow link is done with all that waits for it.
    free_at: Time,
}

type Shared = Arc<Mutex<Notes>>;

fn lock(notes: &Shared) -> MutexGuard<'_, Notes> {
    notes.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A machine whose datagrams leave by the narrow link.
struct Behind {
    machine: Box<dyn Machine>,
    narrow: Narrow,
    flow: usize,
    notes: Shared,
    /// What has a place, and when it leaves.
    leaving: VecDeque<(Time, Vec<u8>)>,
    now: Time,
}

impl Behind {
    /// Takes what the machine sends into the queue, or drops it.
    fn collect(&mut self, now: Time) {
        self.now = now;
        while let Some(datagram) = self.machine.next_datagram() {
            let mut notes = lock(&self.notes);
            let waiting = notes.free_at.since(now).as_nanos().div_ceil(self.narrow.each.as_nanos().max(1));
            notes.flows[self.flow].offered += 1;
            if waiting >= u128::from(self.narrow.places) {
                notes.flows[self.flow].dropped += 1;
                continue;
            }
            notes.free_at = notes.free_at.max(now) + self.narrow.each;
            self.leaving.push_back((notes.free_at, datagram));
        }
    }
}

impl Machine for Behind {
    fn is_ready(&self) -> bool {
        self.machine.is_ready()
    }
    fn send(&mut self, now: Time, message: &[u8]) {
        self.machine.send(now, message);
        self.collect(now);
    }
    fn on_datagram(&mut self, now: Time, datagram: &[u8]) {
        self.machine.on_datagram(now, datagram);
        self.collect(now);
    }
    fn next_timer(&self) -> Option<Time> {
        let leaves = self.leaving.front().map(|(at, _)| *at);
        leaves.into_iter().chain(self.machine.next_timer()).min()
    }
    fn on_timer(&mut self, now: Time) {
        if self.machine.next_timer().is_some_and(|timer| timer <= now) {
            self.machine.on_timer(now);
        }
        self.collect(now);
    }
    fn next_datagram(&mut self) -> Option<Vec<u8>> {
        let leaves = self.leaving.front().is_some_and(|(at, _)| *at <= self.now);
        if leaves { self.leaving.pop_front().map(|(_, datagram)| datagram) } else { None }
    }
    fn next_message(&mut self) -> Option<Vec<u8>> {
        self.machine.next_message()
    }
    fn is_done(&self) -> bool {
        self.machine.is_done()
    }
}

impl Flows {
    /// The scenario with this machine, over each of the links. It fails where the check does.
    pub fn scenarios(&self, name: &str, machine: Factory) -> Vec<Scenario> {
        (self.links)().into_iter().map(|link| self.over(name, machine, link, &Shared::default())).collect()
    }

    /// The scenario with the believed machine, and as its variant `mended` with the other one.
    pub(super) fn replayable(&self, name: &str) -> Scenario {
        let (task, notes) = (*self, Shared::default());
        let name = name.to_owned();
        let over = move |machine| task.over(&name, machine, Link::default(), &notes);
        with_mended(over(self.believed), 1, move |_| over(task.mended))
    }

    /// A scenario runs one plan at a time, and notes there what it sees.
    fn over(&self, name: &str, machine: Factory, link: Link, notes: &Shared) -> Scenario {
        let flows = *self;
        let mut settings = Settings::default();
        settings.time_max = TIME_MAX;
        settings.events_max = EVENTS_MAX;
        let server = {
            let notes = notes.clone();
            move |net: Net| {
                *lock(&notes) = Notes::default();
                let notes = notes.clone();
                async move {
                    let serve = |flow| serve(net.clone(), flow, machine(), notes.clone());
                    tokio::try_join!(serve(0), serve(1)).map(|_| ())
                }
            }
        };
        let client = {
            let notes = notes.clone();
            move |net: Net| {
                let notes = notes.clone();
                async move {
                    let call = |flow| flows.call(net.clone(), flow, machine(), notes.clone());
                    tokio::try_join!(call(0), call(1)).map(|_| ())
                }
            }
        };
        let notes = notes.clone();
        scenario(name)
            .base_plan(FaultPlan::new().link(link))
            .timeout(TIMEOUT)
            .settings(settings)
            .server(server)
            .client(client)
            .invariant("the check", move |trace| {
                (flows.check)(&Shares { flows: &lock(&notes).flows, narrow: flows.narrow, trace })
            })
    }

    async fn call(
        self,
        net: Net,
        flow: usize,
        machine: Box<dyn Machine>,
        notes: Shared,
    ) -> faultwire_sim::Result {
        if flow > 0 {
            net.sleep(self.second_after).await;
        }
        let now = net.now();
        let letter = if flow == 0 { 'a' } else { 'b' };
        let message = |number| format!("{letter}{number:.<width$}", width = self.length - 1).into_bytes();
        let messages: Vec<Vec<u8>> = (1..=self.messages).map(message).collect();
        let machine = Behind {
            machine,
            narrow: self.narrow,
            flow,
            notes: notes.clone(),
            leaving: VecDeque::new(),
            now,
        };
        {
            let share = &mut lock(&notes).flows[flow];
            (share.messages, share.began) = (messages.clone(), now);
        }
        let mut endpoint = Endpoint::call(&net, &format!("server:{}", PORTS[flow]), machine).await?;
        for message in &messages {
            endpoint.send(message).await?;
        }
        endpoint.finish().await?;
        lock(&notes).flows[flow].done = net.now();
        endpoint.linger(LINGER).await?;
        Ok(())
    }
}

async fn serve(net: Net, flow: usize, machine: Box<dyn Machine>, notes: Shared) -> faultwire_sim::Result {
    let mut endpoint = Endpoint::answer(&net, &format!("0.0.0.0:{}", PORTS[flow]), machine).await?;
    loop {
        let message = endpoint.receive().await?;
        lock(&notes).flows[flow].delivered.push(Delivery { at: net.now(), message });
    }
}
