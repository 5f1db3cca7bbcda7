//! Any bytes as a packet: for the views of a trace, for the wire's classifier and for a stack, alone and
//! after another.

use std::net::{Ipv4Addr, Ipv6Addr};

use bytes::Bytes;
use faultwire::fault::{FaultPlan, Wire};
use faultwire::packet::{PacketView, Strictness, parse, parts};
use faultwire::stack::{HostStack as _, Stack, StackConfig};
use faultwire::time::Time;
use faultwire::trace::{HostId, Trace};

use super::forge::fix_checksums;

pub(crate) fn fuzz(data: &[u8]) {
    let Some((&cut, data)) = data.split_first() else { return };
    let (first, second) = data.split_at(usize::from(cut).min(data.len()));
    let mut right = data.to_vec();
    fix_checksums(&mut right);
    let names = ["a".to_owned(), "b".to_owned()];
    let mut wire = Wire::new(&FaultPlan::default(), &names).expect("it names no host");
    let mut trace = Trace::new(names);
    let v6 = Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 2);
    let mut stack = Stack::new(StackConfig::new(Ipv4Addr::new(10, 0, 0, 2), v6));
    for bytes in [data.to_vec(), right, first.to_vec(), second.to_vec()] {
        let bytes = Bytes::from(bytes);
        if let Some(view) = PacketView::parse(&bytes) {
            assert!(view.udp_payload().is_none_or(|payload| payload.len() <= bytes.len()));
            let _ = (view.source(), view.destination(), view.icmp(), format!("{view:?}"));
        }
        let strictness = [Strictness::Full, Strictness::Quoted, Strictness::Lengths, Strictness::Lenient];
        for ip in strictness.into_iter().filter_map(|it| parse(&bytes, it).ok()) {
            assert!(ip.payload.start <= ip.payload.end && ip.payload.end <= bytes.len(), "{ip:?}");
        }
        let [_, _, payload] = parts(&bytes);
        assert!(payload.end <= bytes.len());
        wire.send(Time::ZERO, HostId(0), HostId(1), bytes.clone(), &mut trace);
        stack.handle_input(&bytes);
        stack.check().expect("the invariants hold");
    }
    while stack.poll_transmit().is_some() || stack.poll_note().is_some() {}
    assert!(!trace.text().is_empty());
}
