//! One measurement: a machine brings messages over a link under some plans, and what it makes of the link is
//! counted.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use faultwire::fault::{Action, Class, Fault, FaultPlan, Packet};
use faultwire::machine::{Endpoint, Machine};
use faultwire::network::Network as _;
use faultwire::time::Time;
use faultwire_sim::seed::derive;
use faultwire_sim::{Net, Scenario, Settings, scenario};

use super::Way;
use super::way::MESSAGE;
use crate::Program;

/// Where the server listens.
const PORT: &str = "7000";

/// Times of events and of the virtual clock that no measurement comes near.
const EVENTS_MAX: u64 = 10_000_000;
const TIME_MAX: Duration = Duration::from_secs(100_000);

/// The part of the messages at the beginning, and at the end, that does not count: a window opens there, and
/// runs empty.
const ASIDE: usize = 10;

/// What is measured at a point.
#[derive(Clone, Copy, Debug)]
pub struct Job {
    /// The machines.
    pub program: Program,
    /// The link.
    pub way: Way,
    /// The share of the datagrams with messages that is lost, drawn one by one.
    pub loss: f64,
    /// Messages in a run.
    pub messages: usize,
    /// Runs, each under its own plan; the measurement is their mean.
    pub plans: u64,
}

/// A measurement that proves nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a measurement is worth nothing: {0}")]
pub struct Unmeasured(pub(crate) String);

/// What a run notes.
#[derive(Debug, Default)]
struct Notes {
    /// When each message was delivered.
    delivered: Vec<Time>,
    /// The first message that was not the one whose turn it was.
    wrong: Option<usize>,
    /// Datagrams that the sender sent.
    sent: usize,
}

type Shared = Arc<Mutex<Notes>>;

fn lock(notes: &Shared) -> MutexGuard<'_, Notes> {
    notes.lock().unwrap_or_else(PoisonError::into_inner)
}

fn message(number: usize) -> Vec<u8> {
    let mut message = format!("message {number} ").into_bytes();
    message.resize(MESSAGE, b'.');
    message
}

impl Job {
    /// The utilisation of the link.
    ///
    /// # Errors
    /// [`Unmeasured`] where a run failed, or sent more than its plan reckoned with.
    pub fn measure(&self) -> Result<f64, Unmeasured> {
        let (first, last) = (self.messages / ASIDE, self.messages - self.messages / ASIDE - 1);
        let (mut carried, mut took) = (Duration::ZERO, Duration::ZERO);
        for seed in 0..self.plans {
            let delivered = self.run(seed)?;
            carried += self.way.each() * u32::try_from(last - first).unwrap_or(u32::MAX);
            took += delivered[last].since(delivered[first]);
        }
        Ok(carried.as_secs_f64() / took.as_secs_f64())
    }

    /// The plan of a run: which of the sender's datagrams are lost.
    pub fn plan(&self, seed: u64) -> FaultPlan {
        // By the number of the datagram, so that two machines meet the same losses.
        let below = (self.loss * 1e9).round() as u64;
        let is_lost = |nth: &u32| derive(seed, &("throughput", *nth)) % 1_000_000_000 < below;
        let nths = 1..=u32::try_from(self.reckoned()).unwrap_or(u32::MAX);
        let drop = |nth| Fault::new(["client", "server"], Packet::nth(Class::Datagram, nth), Action::Drop);
        FaultPlan::new().link(self.way.link()).faults(nths.filter(is_lost).map(drop))
    }

    /// More datagrams than any machine of the course needs for the messages.
    fn reckoned(&self) -> usize {
        if self.loss > 0.0 { self.messages * 10 } else { 0 }
    }

    /// When each message was delivered, in a run.
    fn run(&self, seed: u64) -> Result<Vec<Time>, Unmeasured> {
        let notes = Shared::default();
        let run = self.scenario(&notes).run(&self.plan(seed));
        let notes = std::mem::take(&mut *lock(&notes));
        let no = |why: String| Err(Unmeasured(why));
        if !run.end.is_finished() {
            no(format!("a run ended otherwise: {:?}", run.end))
        } else if let Some(number) = notes.wrong {
            no(format!("message {number} was not the one that was sent"))
        } else if notes.delivered.len() != self.messages {
            no(format!("{} of {} messages were delivered", notes.delivered.len(), self.messages))
        } else if self.loss > 0.0 && notes.sent > self.reckoned() {
            no(format!("{} datagrams were sent, and the plan speaks of {}", notes.sent, self.reckoned()))
        } else if self.loss == 0.0 && notes.sent != self.messages {
            no(format!(
                "{} datagrams were sent for {} messages, and none was lost",
                notes.sent, self.messages
            ))
        } else {
            Ok(notes.delivered)
        }
    }

    fn scenario(&self, notes: &Shared) -> Scenario {
        let Job { program, way, messages, .. } = *self;
        let mut settings = Settings::default();
        (settings.events_max, settings.time_max) = (EVENTS_MAX, TIME_MAX);
        settings.trace = false;
        let server = {
            let notes = notes.clone();
            move |net: Net| serve(net, (program.server)(), notes.clone())
        };
        let client = {
            let notes = notes.clone();
            move |net: Net| {
                let (machine, notes) = ((program.client)(), notes.clone());
                let machine = Unhurried { machine, way, free_at: Time::ZERO, now: Time::ZERO, notes };
                call(net, machine, messages)
            }
        };
        scenario("throughput").settings(settings).server(server).client(client)
    }
}

async fn serve(net: Net, machine: Box<dyn Machine>, notes: Shared) -> faultwire_sim::Result {
    let mut endpoint = Endpoint::answer(&net, &format!("0.0.0.0:{PORT}"), machine).await?;
    loop {
        let came = endpoint.receive().await?;
        let mut notes = lock(&notes);
        let number = notes.delivered.len();
        if came != message(number) {
            notes.wrong.get_or_insert(number);
        }
        notes.delivered.push(net.now());
    }
}

async fn call(net: Net, machine: Unhurried, messages: usize) -> faultwire_sim::Result {
    let mut endpoint = Endpoint::call(&net, &format!("server:{PORT}"), machine).await?;
    for number in 0..messages {
        endpoint.send(&message(number)).await?;
    }
    endpoint.finish().await?;
    Ok(())
}

/// A machine whose program hands over the next message when the link is free, as a program does whose socket
/// makes it wait. What the machine sends of itself, repeats, may wait for the link all the same.
struct Unhurried {
    machine: Box<dyn Machine>,
    way: Way,
    /// When the link is done with all that was sent.
    free_at: Time,
    now: Time,
    notes: Shared,
}

impl Machine for Unhurried {
    fn is_ready(&self) -> bool {
        self.free_at <= self.now && self.machine.is_ready()
    }
    fn send(&mut self, now: Time, message: &[u8]) {
        self.now = now;
        self.machine.send(now, message);
    }
    fn on_datagram(&mut self, now: Time, datagram: &[u8]) {
        self.now = now;
        self.machine.on_datagram(now, datagram);
    }
    fn next_timer(&self) -> Option<Time> {
        let is_busy = self.free_at > self.now;
        is_busy.then_some(self.free_at).into_iter().chain(self.machine.next_timer()).min()
    }
    fn on_timer(&mut self, now: Time) {
        self.now = now;
        if self.machine.next_timer().is_some_and(|timer| timer <= now) {
            self.machine.on_timer(now);
        }
    }
    fn next_datagram(&mut self) -> Option<Vec<u8>> {
        let datagram = self.machine.next_datagram()?;
        self.free_at = self.free_at.max(self.now) + self.way.takes(datagram.len());
        lock(&self.notes).sent += 1;
        Some(datagram)
    }
    fn next_message(&mut self) -> Option<Vec<u8>> {
        self.machine.next_message()
    }
    fn is_done(&self) -> bool {
        self.machine.is_done()
    }
}
