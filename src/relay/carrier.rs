//! The sockets around the wire, and the tasks that serve them.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::UdpSocket;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::{RelayConfig, RelayStats, packet};
use crate::fault::{Delivery, DueWhat, Fired, Wire};
use crate::model::{HostId, LossReason, Time, What};
use crate::network::Network as _;
use crate::trace::Trace;

/// The hosts that [`RelayConfig::client`] and [`RelayConfig::server`] name.
const CLIENT: HostId = HostId(0);
const SERVER: HostId = HostId(1);

/// Room for the largest datagram, in bytes.
const DATAGRAM_MAX: usize = 65_535;

/// What the sockets' buffers are asked to hold, in bytes: what overflows there is lost outside of the plan.
const SOCKET_BUFFER: usize = 4 * 1024 * 1024;

/// What an event costs in memory beside its packet, in bytes, about.
const EVENT_COST: usize = 128;

/// A wire, its sockets and its tasks.
#[derive(Debug)]
pub(super) struct Carrier {
    config: RelayConfig,
    state: Mutex<State>,
    /// Tells the delivering task that the wire has something new.
    news: Notify,
}

#[derive(Debug)]
struct State {
    wire: Wire,
    trace: Trace,
    /// Events that the trace had room for, and their memory.
    traced: usize,
    traced_cost: usize,
    stats: RelayStats,
    /// By the server that they stand for.
    listeners: BTreeMap<SocketAddr, Arc<UdpSocket>>,
    /// By server and client.
    flows: BTreeMap<(SocketAddr, SocketAddr), Flow>,
    tasks: JoinSet<()>,
    stopped: bool,
}

/// One client's way to one server.
#[derive(Debug)]
struct Flow {
    upstream: Arc<UdpSocket>,
    active: Time,
}

/// A packet that has come to the end of the wire, whose datagram is to be handed on by a real socket.
struct Outgoing {
    delivery: Delivery,
    far_end: FarEnd,
}

/// A datagram and the socket that hands it on.
struct FarEnd {
    socket: Arc<UdpSocket>,
    /// `None` where the socket is connected.
    to: Option<SocketAddr>,
    data: Bytes,
}

impl Carrier {
    pub(super) fn start(wire: Wire, trace: Trace, config: RelayConfig) -> Arc<Carrier> {
        let carrier = Arc::new(Carrier {
            config,
            state: Mutex::new(State {
                wire,
                trace,
                traced: 0,
                traced_cost: 0,
                stats: RelayStats::default(),
                listeners: BTreeMap::new(),
                flows: BTreeMap::new(),
                tasks: JoinSet::new(),
                stopped: false,
            }),
            news: Notify::new(),
        });
        carrier.state().tasks.spawn(deliver(Arc::clone(&carrier)));
        carrier
    }

    /// Ends all tasks; each holds the carrier, so that nothing would end by itself.
    pub(super) fn stop(&self) {
        let mut state = self.state();
        state.stopped = true;
        state.tasks.abort_all();
    }

    pub(super) fn trace(&self) -> Trace {
        self.state().trace.clone()
    }

    pub(super) fn fired(&self) -> Fired {
        self.state().wire.fired()
    }

    pub(super) fn in_flight(&self) -> usize {
        self.state().wire.in_flight()
    }

    pub(super) fn stats(&self) -> RelayStats {
        self.state().stats
    }

    /// Where what is for a server is taken, if it is.
    pub(super) fn listening_for(&self, server: SocketAddr) -> Option<SocketAddr> {
        self.state().listeners.get(&server)?.local_addr().ok()
    }

    pub(super) fn listen(self: &Arc<Self>, listen: SocketAddr, server: SocketAddr) -> io::Result<SocketAddr> {
        let mut state = self.state();
        if state.listeners.contains_key(&server) {
            // One server, one place: an answer must know where it leaves from.
            return Err(io::ErrorKind::AddrInUse.into());
        }
        let socket = Arc::new(open(listen, None)?);
        let addr = socket.local_addr()?;
        state.listeners.insert(server, Arc::clone(&socket));
        state.tasks.spawn(serve_clients(Arc::clone(self), socket, server));
        Ok(addr)
    }

    /// The state. A task that panicked while it held it has left it whole: nothing is changed in two steps.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The host that an address belongs to.
    fn host(&self, ip: IpAddr, otherwise: HostId) -> HostId {
        let named = self.config.hosts.iter().position(|(_, own)| *own == ip);
        named.and_then(|index| u16::try_from(index + 2).ok()).map_or(otherwise, HostId)
    }

    /// A datagram has come from a client.
    fn take_from_client(self: &Arc<Self>, client: SocketAddr, server: SocketAddr, data: &[u8]) {
        let mut state = self.state();
        state.stats.taken += 1;
        if self.flow(&mut state, client, server).is_some() {
            self.put(&mut state, (client, CLIENT), (server, SERVER), data);
        }
    }

    /// A datagram has come from a server, for a client.
    fn take_from_server(&self, server: SocketAddr, client: SocketAddr, data: &[u8]) {
        let mut state = self.state();
        state.stats.taken += 1;
        let now = self.config.net.now();
        if let Some(flow) = state.flows.get_mut(&(server, client)) {
            flow.active = now;
        }
        self.put(&mut state, (server, SERVER), (client, CLIENT), data);
    }

    /// Puts a datagram on the wire.
    fn put(&self, state: &mut State, from: (SocketAddr, HostId), to: (SocketAddr, HostId), data: &[u8]) {
        let Some(packet) = packet::wrap(from.0, to.0, data) else {
            state.stats.unfit += 1;
            return;
        };
        if state.wire.in_flight() >= self.config.packets_max {
            state.stats.too_many_packets += 1;
            return;
        }
        let (from, to) = (self.host(from.0.ip(), from.1), self.host(to.0.ip(), to.1));
        let State { wire, trace, .. } = &mut *state;
        wire.send(self.config.net.now(), from, to, packet, trace);
        self.bound_trace(state);
        self.news.notify_one();
    }

    /// The upstream socket of a client, which is opened if it is new.
    fn flow(
        self: &Arc<Self>,
        state: &mut State,
        client: SocketAddr,
        server: SocketAddr,
    ) -> Option<Arc<UdpSocket>> {
        let now = self.config.net.now();
        if let Some(flow) = state.flows.get_mut(&(server, client)) {
            flow.active = now;
            return Some(Arc::clone(&flow.upstream));
        }
        if state.stopped {
            return None;
        }
        if state.flows.len() >= self.config.clients_max {
            state.stats.too_many_clients += 1;
            return None;
        }
        let any: IpAddr =
            if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
        let bind = self.config.net.local(SocketAddr::new(any, 0));
        let upstream = match open(bind, Some(server)) {
            Ok(socket) => Arc::new(socket),
            Err(error) => {
                tracing::warn!(%client, %server, %error, "no socket for a client of the relay");
                state.stats.unsent += 1;
                return None;
            }
        };
        state.stats.clients += 1;
        state.flows.insert((server, client), Flow { upstream: Arc::clone(&upstream), active: now });
        // Those of flows that are gone.
        while state.tasks.try_join_next().is_some() {}
        let task = serve_server(Arc::clone(self), Arc::clone(&upstream), server, client);
        state.tasks.spawn(task);
        Some(upstream)
    }

    /// Forgets a flow that was not used for too long; says how long it may still stay otherwise.
    fn forget_if_idle(&self, server: SocketAddr, client: SocketAddr) -> Option<Duration> {
        let mut state = self.state();
        let unused = self.config.net.now().since(state.flows.get(&(server, client))?.active);
        if unused >= self.config.idle {
            state.flows.remove(&(server, client));
            return None;
        }
        Some(self.config.idle - unused)
    }

    /// What has reached the far end, and when the next thing will.
    fn due(self: &Arc<Self>) -> (Vec<Outgoing>, Option<Time>) {
        let mut outgoing = Vec::new();
        let mut state = self.state();
        let now = self.config.net.now();
        loop {
            let State { wire, trace, .. } = &mut *state;
            let Some(due) = wire.poll(now, trace) else { break };
            // Crashes and restarts were refused with the plan.
            if let DueWhat::Packet(delivery) = due.what {
                outgoing.extend(self.arrive(&mut state, now, delivery));
            }
        }
        self.bound_trace(&mut state);
        (outgoing, state.wire.next_due())
    }

    /// Checks a packet at the far end as a host would, and finds the socket that hands it on.
    fn arrive(self: &Arc<Self>, state: &mut State, now: Time, delivery: Delivery) -> Option<Outgoing> {
        let found = match packet::unwrap(&delivery.bytes) {
            None => Err(LossReason::Damaged),
            Some((from, to, data)) => self.far_end(state, from, to, data).ok_or(LossReason::NoSuchHost),
        };
        match found {
            Ok(far_end) => Some(Outgoing { delivery, far_end }),
            Err(reason) => {
                state.trace.push(now, What::Lost { packet: delivery.packet, reason });
                None
            }
        }
    }

    /// Hands a datagram on and records whether that went well, in one step: who has it may look for it in the
    /// trace. False where the socket has no room: nothing was done then.
    fn hand_on(&self, outgoing: &Outgoing) -> bool {
        let Outgoing { delivery: Delivery { packet, copy, to, bytes, altered }, far_end } = outgoing;
        let mut state = self.state();
        let now = self.config.net.now();
        let mut sent = send(far_end);
        if sent.as_ref().is_err_and(|error| error.kind() != io::ErrorKind::WouldBlock) {
            // The error may be an earlier datagram's (udp(7)): this one was not tried then.
            sent = send(far_end);
        }
        let what = match sent {
            Ok(_) => {
                state.stats.handed_on += 1;
                let altered = altered.then(|| bytes.clone());
                What::Arrived { packet: *packet, copy: *copy, to: *to, altered }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
            Err(error) => {
                tracing::debug!(to = ?far_end.to, %error, "handing on failed");
                state.stats.unsent += 1;
                What::Lost { packet: *packet, reason: LossReason::NotHandedOn }
            }
        };
        state.trace.push(now, what);
        self.bound_trace(&mut state);
        true
    }

    /// The socket that hands a datagram on.
    fn far_end(
        self: &Arc<Self>,
        state: &mut State,
        from: SocketAddr,
        to: SocketAddr,
        data: Bytes,
    ) -> Option<FarEnd> {
        if state.flows.contains_key(&(from, to)) {
            let socket = Arc::clone(state.listeners.get(&from)?);
            return Some(FarEnd { socket, to: Some(to), data });
        }
        // An injected packet may be a client's first.
        state.listeners.get(&to)?;
        let socket = self.flow(state, from, to)?;
        Some(FarEnd { socket, to: None, data })
    }

    /// Keeps the trace within its memory: what has no room any more is counted and thrown away.
    fn bound_trace(&self, state: &mut State) {
        let State { trace, traced, traced_cost, stats, .. } = state;
        let all = trace.events().len();
        for event in trace.events().get(*traced..).unwrap_or_default() {
            let cost = *traced_cost + EVENT_COST + weight(&event.what);
            if cost > self.config.trace_max {
                // And nothing smaller after it: a trace has no holes.
                *traced_cost = self.config.trace_max;
                break;
            }
            *traced_cost = cost;
            *traced += 1;
        }
        stats.untraced += (all - *traced) as u64;
        trace.truncate(*traced);
    }
}

/// The bytes of the packet that an event keeps.
fn weight(what: &What) -> usize {
    match what {
        What::Sent { bytes, .. } | What::Injected { bytes, .. } => bytes.len(),
        What::Arrived { altered, .. } => altered.as_ref().map_or(0, Bytes::len),
        _ => 0,
    }
}

/// A socket for the relay. IPv6 ones take IPv6 alone.
fn open(bind: SocketAddr, connect: Option<SocketAddr>) -> io::Result<UdpSocket> {
    let domain = if bind.is_ipv4() { Domain::IPV4 } else { Domain::IPV6 };
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    if bind.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // As much as the system allows; it works with less.
    let _ = socket.set_recv_buffer_size(SOCKET_BUFFER);
    let _ = socket.set_send_buffer_size(SOCKET_BUFFER);
    socket.bind(&bind.into())?;
    if let Some(peer) = connect {
        socket.connect(&peer.into())?;
    }
    UdpSocket::from_std(socket.into())
}

/// How long to wait after a receive failed.
const PAUSE: Duration = Duration::from_millis(10);

/// Takes what clients send to a server.
async fn serve_clients(carrier: Arc<Carrier>, socket: Arc<UdpSocket>, server: SocketAddr) {
    let mut buffer = vec![0; DATAGRAM_MAX];
    loop {
        match socket.recv_from(&mut buffer).await {
            Ok((len, client)) => carrier.take_from_client(client, server, &buffer[..len]),
            Err(error) => {
                tracing::debug!(%server, %error, "receiving from clients failed");
                carrier.config.net.sleep(PAUSE).await;
            }
        }
    }
}

/// Takes what a server sends to a client, until nothing has gone either way for too long.
async fn serve_server(carrier: Arc<Carrier>, socket: Arc<UdpSocket>, server: SocketAddr, client: SocketAddr) {
    let mut buffer = vec![0; DATAGRAM_MAX];
    let mut patience = carrier.config.idle;
    loop {
        match carrier.config.net.timeout(patience, socket.recv(&mut buffer)).await {
            Ok(Ok(len)) => carrier.take_from_server(server, client, &buffer[..len]),
            Ok(Err(error)) => {
                // ECONNREFUSED: the server's port is closed. The client learns nothing, as with real loss of
                // ICMP.
                tracing::debug!(%server, %client, %error, "receiving from the server failed");
                carrier.config.net.sleep(PAUSE).await;
            }
            Err(_) => {}
        }
        // Whatever came or failed: a socket that fails on and on is not kept for that.
        match carrier.forget_if_idle(server, client) {
            Some(rest) => patience = rest,
            None => return,
        }
    }
}

/// Hands on what has reached the far end of the wire.
async fn deliver(carrier: Arc<Carrier>) {
    loop {
        let (outgoing, next) = carrier.due();
        for outgoing in outgoing {
            while !carrier.hand_on(&outgoing) {
                if outgoing.far_end.socket.writable().await.is_err() {
                    // The runtime is shutting down.
                    return;
                }
            }
        }
        let wait = next.map(|next| next.since(carrier.config.net.now()));
        match wait {
            Some(Duration::ZERO) => {}
            Some(span) => tokio::select! {
                biased;
                () = carrier.news.notified() => {}
                () = carrier.config.net.sleep(span) => {}
            },
            None => carrier.news.notified().await,
        }
    }
}

/// Sends without waiting.
fn send(FarEnd { socket, to, data }: &FarEnd) -> io::Result<usize> {
    match to {
        Some(to) => socket.try_send_to(data, *to),
        None => socket.try_send(data),
    }
}

#[cfg(test)]
mod tests;
