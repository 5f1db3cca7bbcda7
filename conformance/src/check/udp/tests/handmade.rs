//! Runs put together by hand: what the checks say where only the programs' calls are known.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use faultwire::fault::Fired;
use faultwire::stack::SocketOption;
use faultwire::time::Time;
use faultwire::trace::{HostId, SocketId, Trace, What};
use faultwire_sim::End;

use super::super::datagrams::payload;
use super::super::{connected, content, delivery, limits, many_peers};
use super::*;
use crate::study::{Check, Seen};

const HOSTS: [&str; 3] = ["client", "server", "stranger"];

/// A run in the making, one call a millisecond.
#[derive(Clone)]
struct Calls(Trace);

impl Calls {
    /// Each host binds a socket to its own address.
    fn bound() -> Calls {
        (0..3).fold(Calls(Trace::new(HOSTS)), |it, host| it.call(host, Call::Bind(addr(host))))
    }

    fn call(self, host: u16, call: Call) -> Calls {
        self.ended(host, call, None)
    }

    fn failed(self, host: u16, call: Call, error: Errno) -> Calls {
        self.ended(host, call, Some(error))
    }

    fn ended(mut self, host: u16, call: Call, error: Option<Errno>) -> Calls {
        let (host, socket) = (HostId(host), SocketId(0));
        self.0.push(self.now(), What::Call { host, socket, call, error });
        self
    }

    /// A call of a host's second socket.
    fn second(self, host: u16, call: Call) -> Calls {
        self.second_ended(host, call, None)
    }

    fn second_ended(mut self, host: u16, call: Call, error: Option<Errno>) -> Calls {
        let (host, socket) = (HostId(host), SocketId(1));
        self.0.push(self.now(), What::Call { host, socket, call, error });
        self
    }

    fn now(&self) -> Time {
        self.0.events().last().map_or(Time::ZERO, |event| event.at + Duration::from_millis(1))
    }

    fn sends(self, from: u16, to: u16, data: &[u8]) -> Calls {
        self.call(from, send(addr(to), data))
    }

    fn gets(self, host: u16, from: u16, data: &[u8]) -> Calls {
        let (data, full_len) = (Bytes::copy_from_slice(data), data.len());
        self.call(host, Call::Recv { from: Some(addr(from)), data, full_len })
    }

    fn run(self) -> Run {
        self.under(&[])
    }

    fn under(self, actions: &[Action]) -> Run {
        let plan = FaultPlan::new().faults(actions.iter().map(|action| on_the_first(action.clone())));
        Run::new(
            plan,
            self.0,
            End::Finished,
            Fired { faults: vec![true; actions.len()], events: Vec::new() },
            Time::from_millis(100),
        )
    }
}

fn addr(host: u16) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, host as u8 + 1], 7_000 + host))
}

fn send(to: SocketAddr, data: &[u8]) -> Call {
    Call::Send { to: Some(to), data: Bytes::copy_from_slice(data) }
}

fn data() -> Vec<u8> {
    payload("client", 1, 40)
}

#[track_caller]
fn broken(seen: Seen, how: &str) {
    assert!(matches!(&seen.verdict, Verdict::Broken(it) if it.contains(how)), "{seen:?}");
}

#[track_caller]
fn shown(seen: Seen) {
    assert!(matches!(seen.verdict, Verdict::Witnessed(_)), "{seen:?}");
}

#[test]
fn payloads_differ_and_say_whose_they_are() {
    assert_eq!(payload("client", 1, 14), b"1 of client:hi");
    assert_eq!(payload("client", 2, 1), b"2");
    for number in 0..60 {
        for other in 0..number {
            assert_ne!(payload("client", number, 1), payload("client", other, 1));
            assert_ne!(payload("client", number, 40)[16..], payload("server", other, 41)[16..]);
        }
    }
}

#[test]
fn a_receive_more_than_the_network_made_is_a_repetition() {
    let twice = Calls::bound().sends(0, 1, &data()).gets(1, 0, &data()).gets(1, 0, &data());
    broken(content::keeps_boundaries::<64>(&twice.clone().run()), "again");
    assert_eq!(content::keeps_boundaries::<64>(&twice.under(&[Action::Duplicate])), Seen::NOTHING);
}

#[test]
fn what_no_fault_did_is_no_witness_of_what_the_network_may_do() {
    let other = payload("client", 2, 40);
    let sent = Calls::bound().sends(0, 1, &data()).sends(0, 1, &other);
    let swapped = sent.clone().gets(1, 0, &other).gets(1, 0, &data());
    let twice = sent.clone().gets(1, 0, &data()).gets(1, 0, &data());
    let cases: [(Check, Calls); 3] =
        [(delivery::may_lose, sent), (delivery::may_reorder, swapped), (delivery::may_duplicate, twice)];
    for (check, calls) in cases {
        assert_eq!(check(&calls.clone().run()).verdict, Verdict::Fine);
        shown(check(&calls.under(&[Action::Drop])));
    }
}

#[test]
fn who_has_closed_cannot_have_been_reached() {
    let most = vec![0; limits::MAX_V4];
    let above = vec![0; limits::MAX_V4 + 1];
    let refused = Calls::bound().failed(0, send(addr(1), &above), Errno::EMSGSIZE);
    let closed_before = refused.clone().call(1, Call::Close).sends(0, 1, &most);
    assert_eq!(limits::size_limit(&closed_before.run()), Seen::fine(2));
    let at_once = refused.clone().sends(0, 1, &most).call(1, Call::Close);
    assert_eq!(limits::size_limit(&at_once.run()), Seen::fine(2));
    let mut late = refused.sends(0, 1, &most);
    let (host, socket) = (HostId(1), SocketId(0));
    let at = late.now() + Duration::from_millis(100);
    late.0.push(at, What::Call { host, socket, call: Call::Close, error: None });
    broken(limits::size_limit(&late.run()), "not received whole");
}

#[test]
fn a_connected_socket_hears_its_peer_and_nobody_else() {
    let connected = Calls::bound().call(0, Call::Connect(addr(1)));
    let spared = connected.clone().sends(2, 0, &data());
    // Nothing shows that it came.
    assert_eq!(connected::connected_filters(&spared.clone().run()), Seen::NOTHING);
    let (open, other) = (SocketAddr::new(addr(0).ip(), 7_100), payload("stranger", 3, 40));
    let control = |calls: Calls| {
        let got = Call::Recv { from: Some(addr(2)), data: other.clone().into(), full_len: other.len() };
        calls.second(0, Call::Bind(open)).call(2, send(open, &other)).second(0, got)
    };
    assert_eq!(connected::connected_filters(&control(spared.clone()).run()), Seen::fine(1));
    let too_early = control(connected.clone()).sends(2, 0, &data());
    assert_eq!(connected::connected_filters(&too_early.run()), Seen::NOTHING);
    broken(connected::connected_filters(&spared.gets(0, 2, &data()).run()), "received from");
    broken(connected::connected_filters(&connected.sends(1, 0, &data()).run()), "from the peer");
}

#[test]
fn an_error_of_the_networks_making_is_told_from_a_local_one() {
    let sent = Calls::bound().sends(0, 1, &data());
    let again = || send(addr(1), &data());
    let refused = sent.clone().failed(0, again(), Errno::ECONNREFUSED);
    broken(connected::sender_never_knows(&refused.run()), "refused");
    let too_long = sent.clone().failed(0, again(), Errno::EMSGSIZE);
    assert_eq!(connected::sender_never_knows(&too_long.run()), Seen::fine(1));
    let nothing = Call::Recv { from: None, data: Bytes::new(), full_len: 0 };
    let told = sent.failed(0, nothing, Errno::ECONNREFUSED);
    broken(connected::sender_never_knows(&told.run()), "receive on an unconnected socket");
}

#[test]
fn a_refusal_counts_once_and_after_a_send_that_succeeded() {
    let connected = Calls::bound().call(0, Call::Connect(addr(1)));
    let again = || Call::Send { to: None, data: data().into() };
    let refused = |calls: Calls| calls.failed(0, again(), Errno::ECONNREFUSED);
    let at_once = refused(connected.clone()).call(0, again());
    assert_eq!(connected::refused_when_connected(&at_once.run()).verdict, Verdict::Fine);
    let for_ever = refused(refused(connected.clone().call(0, again())));
    assert_eq!(connected::refused_when_connected(&for_ever.run()).verdict, Verdict::Fine);
    let once = refused(connected.call(0, again())).call(0, again());
    shown(connected::refused_when_connected(&once.run()));
}

#[test]
fn a_handshake_of_the_programs_own_settles_nothing() {
    let agreed = Calls::bound().call(0, Call::Connect(addr(1))).sends(0, 1, &data()).gets(1, 0, &data());
    assert_eq!(delivery::no_connection(&agreed.run()), Seen::NOTHING);
    let unheard = Calls::bound().sends(0, 1, &data());
    assert_eq!(delivery::no_connection(&unheard.run()).exercised, 0);
    let failed = Calls::bound().failed(0, send(addr(1), &data()), Errno::ENOTCONN);
    broken(delivery::no_connection(&failed.run()), "the first send");
}

#[test]
fn length_and_sender_are_told_right() {
    let sent = Calls::bound().sends(0, 1, &data());
    broken(content::length_and_sender(&sent.clone().gets(1, 2, &data()).run()), "to come from");
    let cut = Call::Recv { from: Some(addr(0)), data: data()[..20].to_vec().into(), full_len: 20 };
    broken(content::length_and_sender(&sent.clone().call(1, cut).run()), "to have 20 bytes");
    let nobody = Call::Recv { from: None, data: data().into(), full_len: 40 };
    broken(content::length_and_sender(&sent.call(1, nobody).run()), "without its sender");
    let empty = Calls::bound().sends(0, 1, &[]);
    broken(content::length_and_sender(&empty.clone().run()), "not received");
    broken(content::length_and_sender(&empty.gets(1, 2, &[]).run()), "who sent none");
}

#[test]
fn a_broadcast_has_to_be_asked_for() {
    let all = || send(SocketAddr::from(([255; 4], 7_001)), &data());
    broken(many_peers::broadcast_needs_asking(&Calls::bound().call(0, all()).run()), "was taken");
    let unreachable = Calls::bound().failed(0, all(), Errno::ENETUNREACH);
    broken(many_peers::broadcast_needs_asking(&unreachable.run()), "EACCES is due");
    let asked = Calls::bound()
        .failed(0, all(), Errno::EACCES)
        .call(0, Call::Option(SocketOption::Broadcast(true)))
        .call(0, all());
    broken(many_peers::broadcast_needs_asking(&asked.clone().run()), "not received by server");
    let heard = asked.gets(1, 0, &data());
    assert_eq!(many_peers::broadcast_needs_asking(&heard.clone().run()), Seen::fine(1));
    let taken_back = heard.clone().call(0, Call::Option(SocketOption::Broadcast(false)));
    broken(many_peers::broadcast_needs_asking(&taken_back.call(0, all()).run()), "was taken");
    let by_another = heard.second(0, Call::Bind(addr(2))).second(0, all());
    broken(many_peers::broadcast_needs_asking(&by_another.run()), "was taken");
}

#[test]
fn without_a_way_to_everybody_an_unbound_socket_is_told_so_whether_it_asks_or_not() {
    let all = || send(SocketAddr::from(([255; 4], 7_001)), &data());
    let unreachable = Some(Errno::ENETUNREACH);
    let unbound = Calls::bound()
        .failed(0, all(), Errno::EACCES)
        .second(0, Call::Bind(SocketAddr::from(([0; 4], 9))))
        .second_ended(0, all(), unreachable);
    broken(many_peers::broadcast_needs_asking(&unbound.clone().run()), "EACCES is due");
    let asked =
        unbound.second(0, Call::Option(SocketOption::Broadcast(true))).second_ended(0, all(), unreachable);
    assert_eq!(many_peers::broadcast_needs_asking(&asked.run()), Seen::fine(0));
}

#[test]
fn who_left_the_group_is_no_member() {
    let group = IpAddr::from([239, 1, 2, 3]);
    let to_group = || send(SocketAddr::new(group, 7_001), &data());
    let joined = Calls::bound().call(1, Call::Option(SocketOption::JoinGroup(group)));
    broken(many_peers::multicast(&joined.clone().call(0, to_group()).run()), "a member of");
    let left = joined.call(1, Call::Option(SocketOption::LeaveGroup(group))).call(0, to_group());
    broken(many_peers::multicast(&left.gets(1, 0, &data()).run()), "no member of");
}

#[test]
fn an_overrun_is_no_loss_by_a_fault_and_takes_a_reader() {
    let sent = Calls::bound().sends(0, 1, &data()).sends(0, 1, &payload("client", 2, 40));
    assert_eq!(limits::no_flow_control(&sent.clone().run()).verdict, Verdict::Fine);
    let heard = sent.gets(1, 0, &data());
    assert_eq!(limits::no_flow_control(&heard.clone().under(&[Action::Drop])).verdict, Verdict::Fine);
    shown(limits::no_flow_control(&heard.clone().run()));
    let unset = heard.failed(1, Call::Option(SocketOption::RecvBuffer(1)), Errno::ENOPROTOOPT);
    assert_eq!(limits::no_flow_control(&unset.run()), Seen::NOTHING);
}

#[test]
fn the_limit_is_refused_above_and_taken_below() {
    let above = vec![0; limits::MAX_V4 + 1];
    broken(limits::size_limit(&Calls::bound().sends(0, 1, &above).run()), "EMSGSIZE is due");
    broken(limits::size_limit(&Calls::bound().sends(0, 1, &above[1..]).run()), "not received whole");
}
