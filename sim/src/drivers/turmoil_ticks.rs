//! Our hosts in turmoil: every IP packet travels as a turmoil datagram on the last tick of its way.
//!
//! The wire decides when a packet is due; one tick (turmoil's shortest latency) before that, it is given to
//! turmoil. If that is the moment at which a host sends, the host itself does it; packets that are due later
//! are sent by a further turmoil host, the link, which no plan can crash: what left a host that crashes still
//! arrives.
//!
//! Crashes and restarts are turmoil's own. Partitions are the wire's, as on every testbed: what turmoil drops
//! would be in no trace.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use faultwire::fault::{Delivery, DueWhat, FaultPlan};
use faultwire::time::Time;
use faultwire::trace::{HostId, LossReason, PacketId, What};
use tokio::runtime::Handle;
use tokio::sync::Notify;
use turmoil::net::UdpSocket;

use crate::net::Net;
use crate::net::here::InRun;
use crate::net::sim_host::SimHost;
use crate::program::{Guarded, QuietPanics};
use crate::run::Run;
use crate::scenario::Scenario;
use crate::world::{Driver, Shared, World, host_id};

/// turmoil's tick and shortest latency.
pub(crate) const TICK: Duration = Duration::from_millis(1);
/// The turmoil port over which hosts' packets come.
const PORT: u16 = 1;
/// The link's name in turmoil: no host of a scenario can have it.
const LINK: &str = "the link";
/// What stands before the packet: its number, the copy's number, whether it was altered.
const HEADER: usize = 6;

/// The turmoil side of the link: the open turmoil sockets, and what is under way between them.
struct TurmoilTicks {
    state: Mutex<State>,
    link: Notify,
}

#[derive(Default)]
struct State {
    /// Each host's turmoil socket and, last, the link's own; gone while the host is down.
    sockets: Vec<Weak<UdpSocket>>,
    addrs: Vec<IpAddr>,
    /// What was given to turmoil, with the time at which it must arrive.
    under_way: VecDeque<(Time, Delivery)>,
    /// What arrives at a host that starts in this tick: turmoil finds its new socket not open yet.
    early: Vec<Delivery>,
}

impl TurmoilTicks {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A host starts in this tick, as was due at `at`. Takes in what arrives in the tick, which turmoil would
    /// drop: the host's new socket is not open yet.
    fn starts(&self, world: &mut World, host: HostId, at: Time) {
        let mut state = self.state();
        let arriving = state.take_arriving(world.now, host);
        if at == world.now {
            // It starts at this very moment: what arrives finds its stack, and no program yet.
            arriving.into_iter().for_each(|delivery| world.arrive(delivery));
            drop(state);
            world.settle(host);
        } else {
            // It started in the middle of the last tick: its programs are there already.
            state.early.extend(arriving);
        }
    }

    /// Gives turmoil what is due on the next tick; `via` is the turmoil host that is running.
    fn carry(&self, world: &mut World, via: usize) {
        let (now, horizon) = (world.now, world.now + TICK);
        let mut state = self.state();
        while let Some(due) = {
            let World { wire, trace, .. } = &mut *world;
            wire.poll_ahead(now, horizon, trace)
        } {
            world.count_event();
            let DueWhat::Packet(delivery) = due.what else { continue };
            let to = SocketAddr::new(state.addrs[usize::from(delivery.to.0)], PORT);
            let sent = state.sockets[via].upgrade().map(|socket| socket.try_send_to(&encode(&delivery), to));
            if !matches!(sent, Some(Ok(_))) {
                let message = format!("turmoil did not take packet {}: {sent:?}", delivery.packet.0);
                world.failure.get_or_insert((Some(delivery.to), message));
            }
            state.under_way.push_back((horizon, delivery));
        }
    }
}

impl State {
    /// Takes what turmoil will bring a host in this tick.
    fn take_arriving(&mut self, now: Time, host: HostId) -> Vec<Delivery> {
        let (arriving, rest) = std::mem::take(&mut self.under_way)
            .into_iter()
            .partition::<VecDeque<_>, _>(|(at, delivery)| (*at, delivery.to) == (now, host));
        self.under_way = rest;
        arriving.into_iter().map(|(_, delivery)| delivery).collect()
    }
}

impl Driver for Arc<TurmoilTicks> {
    fn put_on_wire(&self, world: &mut World, host: HostId) {
        if turmoil::in_simulation() {
            self.carry(world, usize::from(host.0));
        }
    }
}

/// Runs a scenario once.
pub(crate) fn run(scenario: &Scenario, plan: &FaultPlan) -> Run {
    let _quiet = QuietPanics::new();
    let settings = &scenario.settings;
    let names = scenario.host_names();
    let world = match World::new(scenario.roles(), plan, settings) {
        Ok(world) => world,
        Err(error) => return scenario.refused(plan, error.to_string()),
    };
    let driver = Arc::new(TurmoilTicks { state: Mutex::default(), link: Notify::new() });
    let shared = Shared::new(world, Box::new(driver.clone()));
    scenario.begin(&mut shared.lock());
    // turmoil's sockets are only the road here: they must not lose what the wire lets through.
    let mut sim = builder(settings.seed, TICK).udp_capacity(1 << 16).build();
    {
        let mut state = driver.state();
        state.addrs = names.iter().map(|name| sim.lookup(name.as_str())).collect();
        state.sockets = std::iter::repeat_with(Weak::new).take(names.len() + 1).collect();
    }
    let _in_run = InRun::new(&shared);
    let polls_max = settings.polls_max;
    for (index, name) in names.iter().enumerate() {
        let (shared, driver, scenario) = (shared.clone(), driver.clone(), scenario.clone());
        let host = host_id(index);
        sim.host(name.as_str(), move || {
            let (shared, driver, scenario) = (shared.clone(), driver.clone(), scenario.clone());
            async move {
                shared.runs_on(Handle::current().id(), host);
                let socket = attach(&driver, index).await?;
                let main = async {
                    let generation = {
                        let mut world = shared.lock();
                        let host = world.host(host);
                        host.is_alive().then_some(host.generation)
                    };
                    if let Some(generation) = generation {
                        let place = scenario.place(index, generation, shared.lock().kept.clone());
                        let net = Net::of_stack(SimHost::new(shared.clone(), host, generation), place);
                        let program = Guarded::new((scenario.hosts[index].program)(net), polls_max);
                        let result = program.await;
                        shared.lock().program_ended(host, result);
                    }
                    std::future::pending::<()>().await;
                };
                tokio::select! {
                    biased;
                    result = receive(&shared, &driver, &socket, host) => result?,
                    () = main => {}
                }
                Ok(())
            }
        });
    }
    sim.host(LINK, {
        let (shared, driver, index) = (shared.clone(), driver.clone(), names.len());
        move || {
            let (shared, driver) = (shared.clone(), driver.clone());
            async move {
                let _socket = attach(&driver, index).await?;
                loop {
                    driver.link.notified().await;
                    driver.carry(&mut shared.lock(), index);
                }
            }
        }
    });

    while let Some(power) = begin_tick(&shared, &driver, Time::from(sim.elapsed()), scenario) {
        for (host, is_up) in power {
            let name = names[usize::from(host.0)].as_str();
            if is_up { sim.bounce(name) } else { sim.crash(name) }
        }
        if let Err(error) = sim.step() {
            let message = format!("turmoil: {error}");
            shared.lock().failure.get_or_insert((None, message));
            break;
        }
    }
    let run = super::conclude(&shared, plan);
    drop(sim);
    run
}

/// turmoil with what makes runs repeat and last, and this latency; the rest is turmoil's default.
pub(crate) fn builder(seed: u64, latency: Duration) -> turmoil::Builder {
    let mut builder = turmoil::Builder::new();
    builder
        .tick_duration(TICK)
        .min_message_latency(latency)
        .max_message_latency(latency)
        .epoch(SystemTime::UNIX_EPOCH)
        .rng_seed(seed)
        .simulation_duration(Duration::from_secs(1 << 32));
    builder
}

/// Opens a turmoil host's socket and shows it to those who send through it.
async fn attach(driver: &TurmoilTicks, index: usize) -> io::Result<Arc<UdpSocket>> {
    let socket = Arc::new(UdpSocket::bind((IpAddr::from(Ipv4Addr::UNSPECIFIED), PORT)).await?);
    driver.state().sockets[index] = Arc::downgrade(&socket);
    Ok(socket)
}

/// Hands a host's stack what turmoil brings.
async fn receive(shared: &Shared, driver: &TurmoilTicks, socket: &UdpSocket, host: HostId) -> io::Result<()> {
    let mut buffer = vec![0; HEADER + usize::from(u16::MAX)];
    // Programs come first.
    tokio::task::yield_now().await;
    let early: Vec<Delivery> = driver.state().early.extract_if(.., |delivery| delivery.to == host).collect();
    if !early.is_empty() {
        let mut world = shared.lock();
        early.into_iter().for_each(|delivery| world.arrive(delivery));
        world.settle(host);
        shared.driver.put_on_wire(&mut world, host);
    }
    loop {
        let (len, _) = socket.recv_from(&mut buffer).await?;
        let Some(delivery) = decode(&buffer[..len], host) else {
            continue;
        };
        driver
            .state()
            .under_way
            .retain(|(_, other)| (other.packet, other.copy) != (delivery.packet, delivery.copy));
        let mut world = shared.lock();
        world.arrive(delivery);
        world.settle(host);
        shared.driver.put_on_wire(&mut world, host);
    }
}

/// Begins a tick: tells the time, fires what is due, calls the link. `None` when the run is over; else which
/// hosts lose power (false) or start (true).
fn begin_tick(
    shared: &Shared,
    driver: &Arc<TurmoilTicks>,
    now: Time,
    scenario: &Scenario,
) -> Option<Vec<(HostId, bool)>> {
    let mut world = shared.lock();
    world.look();
    world.now = now;
    if world.is_decided() || world.is_out_of_time() {
        return None;
    }
    let mut power = Vec::new();
    while let Some(due) = {
        let World { wire, trace, .. } = &mut *world;
        wire.poll_power(now, trace)
    } {
        world.count_event();
        match due.what {
            DueWhat::Crash(host) => {
                world.crash(host);
                power.push((host, false));
            }
            // turmoil ends the tasks of a host by starting it anew: no program starts if they were killed.
            DueWhat::Kill(host) if world.host(host).is_alive() => {
                world.kill(host, shared.driver.as_ref());
                power.push((host, true));
                driver.starts(&mut world, host, due.at);
            }
            DueWhat::Restart(host) if world.restart(host, &scenario.settings) => {
                power.push((host, true));
                driver.starts(&mut world, host, due.at);
            }
            _ => {}
        }
    }
    {
        let mut state = driver.state();
        // turmoil delivers at the beginning of the tick; what it did not deliver then found its host down.
        while state.under_way.front().is_some_and(|(at, _)| *at < now)
            && let Some((_, lost)) = state.under_way.pop_front()
        {
            world.trace.push(now, What::Lost { packet: lost.packet, reason: LossReason::HostDown });
        }
    }
    world.advance_stacks(shared.driver.as_ref());
    while let Some(waker) = world.timers.pop_due(now) {
        world.count_event();
        waker.wake();
    }
    if world.wire.next_due().is_some_and(|due| due <= now + TICK) {
        driver.link.notify_one();
    }
    Some(power)
}

fn encode(delivery: &Delivery) -> Vec<u8> {
    let mut datagram = Vec::with_capacity(HEADER + delivery.bytes.len());
    datagram.extend(delivery.packet.0.to_be_bytes());
    datagram.push(delivery.copy);
    datagram.push(u8::from(delivery.altered));
    datagram.extend(&delivery.bytes);
    datagram
}

fn decode(datagram: &[u8], to: HostId) -> Option<Delivery> {
    let (header, packet) = datagram.split_first_chunk::<HEADER>()?;
    let [a, b, c, d, copy, altered] = *header;
    Some(Delivery {
        packet: PacketId(u32::from_be_bytes([a, b, c, d])),
        copy,
        to,
        bytes: Bytes::copy_from_slice(packet),
        altered: altered != 0,
    })
}
