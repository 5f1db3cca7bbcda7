//! Charts of a run, where a curve says more than a picture: bytes in flight and the congestion window over
//! time, and how long each repeat waited.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::SocketAddr;

use faultwire::trace::{PacketView, TcpFlags, Trace, Transport};

/// A curve of fewer segments says nothing.
const SEGMENTS_MIN: usize = 12;
/// Times of the same segment on the wire from which its waits are shown.
const SENT_MIN: usize = 3;
/// Points of a curve at most: between two of them the highest is kept.
const POINTS_MAX: usize = 300;
/// Bars at most.
const BARS_MAX: usize = 16;

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 230.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 36.0;
const TOP: f64 = 44.0;
const BOTTOM: f64 = 40.0;

/// Source and destination of one direction of a connection.
type Way = (SocketAddr, SocketAddr);

/// A direction of a connection, as its sender sees it.
#[derive(Default)]
struct Flow {
    segments: usize,
    /// The first sequence number, the one behind the last that was sent, and what is acknowledged of them.
    first: Option<u32>,
    sent: i64,
    acked: i64,
    /// When, in nanoseconds, and how many bytes were in flight then.
    in_flight: Vec<(u64, i64)>,
    /// When, and how many bytes the receiver offered to take.
    offered: Vec<(u64, i64)>,
    /// When, and how many bytes the sender's congestion window allowed: what its stack tells of it.
    congestion: Vec<(u64, i64)>,
    /// By sequence number: when it was sent.
    sendings: BTreeMap<u32, Vec<u64>>,
}

impl Flow {
    fn offset(&self, seq: u32) -> i64 {
        i64::from(seq.wrapping_sub(self.first.unwrap_or(seq)).cast_signed())
    }
}

/// The charts that a run is worth, as SVG.
pub(super) fn charts(trace: &Trace, id: &str) -> Vec<String> {
    let flows = flows(trace);
    let mut charts = Vec::new();
    if let Some(flow) =
        flows.values().max_by_key(|flow| flow.segments).filter(|flow| flow.segments >= SEGMENTS_MIN)
    {
        charts.push(curve(flow, id));
    }
    let often = flows.values().flat_map(|flow| flow.sendings.values()).max_by_key(|times| times.len());
    if let Some(times) = often.filter(|times| times.len() >= SENT_MIN) {
        charts.push(waits(times, id));
    }
    charts
}

fn flows(trace: &Trace) -> BTreeMap<Way, Flow> {
    let mut flows: BTreeMap<Way, Flow> = BTreeMap::new();
    let (mut packets, mut senders) = (BTreeMap::new(), BTreeMap::new());
    for event in trace.events() {
        let at = event.at.as_nanos();
        if let Some(sending) = event.sending() {
            let Some((way, view)) = sending.view().and_then(|view| Some((way(&view)?, view))) else {
                continue;
            };
            if sending.label.is_some() {
                senders.insert((sending.from, way.0.port(), way.1.port()), way);
                sent(flows.entry(way).or_default(), at, &view);
            }
            packets.insert(sending.packet, (way, view));
        } else if let Some(arrival) = event.arrival().filter(|arrival| arrival.altered.is_none())
            && let Some(((from, to), view)) = packets.get(&arrival.packet)
            && let Some(flow) = flows.get_mut(&(*to, *from))
        {
            acknowledged(flow, at, view);
        }
    }
    for window in trace.congestion_windows() {
        let way = senders.get(&(window.host, window.port, window.peer));
        if let Some(flow) = way.and_then(|way| flows.get_mut(way)) {
            flow.congestion.push((window.at.as_nanos(), i64::from(window.bytes)));
        }
    }
    flows
}

fn way(view: &PacketView) -> Option<Way> {
    matches!(view.transport, Transport::Tcp { .. }).then_some(())?;
    view.source().zip(view.destination())
}

fn sent(flow: &mut Flow, at: u64, view: &PacketView) {
    let Transport::Tcp { seq, flags, payload, .. } = &view.transport else { return };
    let marks = u32::from(flags.has(TcpFlags::SYN)) + u32::from(flags.has(TcpFlags::FIN));
    let len = u32::try_from(payload.len()).unwrap_or(u32::MAX).saturating_add(marks);
    if len == 0 || flags.has(TcpFlags::RST) {
        return;
    }
    flow.first.get_or_insert(*seq);
    flow.segments += usize::from(!payload.is_empty());
    flow.sent = flow.sent.max(flow.offset(*seq) + i64::from(len));
    flow.in_flight.push((at, flow.sent - flow.acked));
    flow.sendings.entry(*seq).or_default().push(at);
}

fn acknowledged(flow: &mut Flow, at: u64, view: &PacketView) {
    let Transport::Tcp { ack, flags, window, .. } = view.transport else { return };
    if !flags.has(TcpFlags::ACK) || flags.has(TcpFlags::RST) {
        return;
    }
    flow.acked = flow.acked.max(flow.offset(ack).min(flow.sent));
    flow.in_flight.push((at, flow.sent - flow.acked));
    flow.offered.push((at, i64::from(window)));
}

/// At most so many points: the highest of each stretch.
fn thinned(points: &[(u64, i64)]) -> Vec<(u64, i64)> {
    let stretch = points.len().div_ceil(POINTS_MAX).max(1);
    points.chunks(stretch).filter_map(|chunk| chunk.iter().copied().max_by_key(|(_, y)| *y)).collect()
}

fn curve(flow: &Flow, id: &str) -> String {
    let ends = || flow.in_flight.iter().map(|(at, _)| *at);
    let (from, until) = (ends().min().unwrap_or(0), ends().max().unwrap_or(1));
    let span = until.saturating_sub(from).max(1) as f64;
    let most = flow.in_flight.iter().map(|(_, y)| *y).max().unwrap_or(1).max(1);
    // A window far above what is in flight would leave the curve flat.
    let shown = most * 5 / 2;
    let offered: Vec<(u64, i64)> = flow.offered.iter().copied().filter(|(at, _)| *at >= from).collect();
    let window_fits = !offered.is_empty() && offered.iter().all(|(_, y)| *y <= shown);
    let top = if window_fits { offered.iter().map(|(_, y)| *y).max().unwrap_or(0).max(most) } else { most };
    let congestion_max = flow.congestion.iter().map(|(_, y)| *y).max().unwrap_or(0);
    let top = top.max(congestion_max.min(shown));
    let step = nice(top as f64 / 4.0);
    let top = (top as f64 / step).ceil() * step;
    let x = |at: u64| LEFT + (at.saturating_sub(from) as f64 / span) * (WIDTH - LEFT - RIGHT);
    let y = |bytes: f64| HEIGHT - BOTTOM - bytes / top * (HEIGHT - TOP - BOTTOM);
    let about = format!(
        "At most {most} bytes in flight, over {} ms{}{}.",
        until.saturating_sub(from) / 1_000_000,
        if window_fits { ", below the window on offer" } else { "" },
        match flow.congestion.iter().map(|(_, y)| *y).min() {
            Some(least) => format!("; the congestion window from {least} to {congestion_max} bytes"),
            None => String::new(),
        }
    );
    let mut svg = begin(id, "flight", "Bytes in flight over time, as the sender knows them", &about);
    let mut level = 0.0;
    while level <= top + step / 2.0 {
        rule(&mut svg, y(level), &bytes(level));
        level += step;
    }
    for part in 0..=4_u32 {
        let at = from + (span * f64::from(part) / 4.0) as u64;
        text(&mut svg, x(at), HEIGHT - BOTTOM + 18.0, "soft m", &format!("{:.1} ms", at as f64 / 1e6));
    }
    let steps = |points: &[(u64, i64)]| {
        let mut path = String::new();
        for (index, (at, bytes)) in thinned(points).into_iter().enumerate() {
            let (x, y) = (x(at), y(bytes as f64));
            let _ = if index == 0 { write!(path, "M{x:.1} {y:.1}") } else { write!(path, "H{x:.1}V{y:.1}") };
        }
        path
    };
    let _ = writeln!(svg, "<path class=\"curve\" d=\"{}\"/>", steps(&flow.in_flight));
    let mut legend = "━ bytes in flight".to_owned();
    if window_fits {
        let _ = writeln!(svg, "<path class=\"curve window\" d=\"{}\"/>", steps(&offered));
        legend.push_str("   ┅ window on offer");
    }
    if !flow.congestion.is_empty() {
        // It stays as it is until it changes; what is above the chart is drawn at its top.
        let last = flow.congestion.last().map(|(_, bytes)| (until, *bytes));
        let points = flow.congestion.iter().copied().filter(|(at, _)| *at <= until).chain(last);
        let points: Vec<(u64, i64)> = points.map(|(at, bytes)| (at, bytes.min(top as i64))).collect();
        let _ = writeln!(svg, "<path class=\"curve congestion\" d=\"{}\"/>", steps(&points));
        legend.push_str("   ┉ congestion window");
        if congestion_max as f64 > top {
            legend.push_str(", in part above the chart");
        }
    }
    text(&mut svg, LEFT, TOP - 12.0, "soft", &legend);
    if flow.in_flight.len() > POINTS_MAX {
        text(&mut svg, WIDTH - RIGHT, TOP - 12.0, "soft r", "summed up: the highest of each stretch");
    }
    svg + "</svg>\n"
}

fn waits(times: &[u64], id: &str) -> String {
    let waits: Vec<f64> =
        times.windows(2).map(|pair| pair[1].saturating_sub(pair[0]) as f64 / 1e9).take(BARS_MAX).collect();
    let most = waits.iter().copied().fold(1e-6, f64::max);
    let all: Vec<String> = waits.iter().map(|wait| seconds(*wait)).collect();
    let mut svg = begin(
        id,
        "waits",
        "How long each repeat of the same segment waited",
        &format!("The waits one after the other: {}.", all.join(", ")),
    );
    rule(&mut svg, HEIGHT - BOTTOM, "");
    let pitch = (WIDTH - LEFT - RIGHT) / waits.len() as f64;
    let room = HEIGHT - TOP - BOTTOM;
    for (index, wait) in waits.iter().enumerate() {
        let (x, height) = (LEFT + pitch * (index as f64 + 0.5), (wait / most * room).max(1.0));
        let y = HEIGHT - BOTTOM - height;
        let width = (pitch * 0.62).min(70.0);
        let _ = writeln!(
            svg,
            "<rect class=\"bar\" x=\"{:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/>",
            x - width / 2.0
        );
        text(&mut svg, x, y - 5.0, "m", &all[index]);
        text(&mut svg, x, HEIGHT - BOTTOM + 18.0, "soft m", &format!("repeat {}", index + 1));
    }
    svg + "</svg>\n"
}

fn begin(id: &str, part: &str, title: &str, about: &str) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"fw-svg chart\" role=\"img\" \
         aria-labelledby=\"{id}-{part}-t {id}-{part}-d\" viewBox=\"0 0 {WIDTH} {HEIGHT}\">\n\
         <title id=\"{id}-{part}-t\">{title}</title>\n<desc id=\"{id}-{part}-d\">{about}</desc>\n\
         <rect class=\"bg\" width=\"100%\" height=\"100%\"/>\n\
         <text x=\"{LEFT}\" y=\"16\" class=\"host\">{title}</text>\n"
    )
}

fn text(svg: &mut String, x: f64, y: f64, class: &str, words: &str) {
    let _ = writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" class=\"{class}\">{words}</text>");
}

fn rule(svg: &mut String, y: f64, words: &str) {
    let _ = writeln!(svg, "<path class=\"rule\" d=\"M{LEFT} {y:.1}H{}\"/>", WIDTH - RIGHT);
    text(svg, LEFT - 8.0, y + 4.0, "soft r", words);
}

fn bytes(bytes: f64) -> String {
    if bytes >= 10_000.0 { format!("{:.0} kB", bytes / 1e3) } else { format!("{bytes:.0} B") }
}

fn seconds(seconds: f64) -> String {
    match seconds {
        0.0..1.0 => format!("{:.0} ms", seconds * 1e3),
        1.0..100.0 => format!("{seconds:.1} s"),
        _ => format!("{seconds:.0} s"),
    }
}

/// The next round number: 1, 2 or 5 with noughts.
fn nice(step: f64) -> f64 {
    let magnitude = 10_f64.powf(step.max(1.0).log10().floor());
    let factor = [1.0, 2.0, 5.0, 10.0].into_iter().find(|factor| factor * magnitude >= step).unwrap_or(10.0);
    factor * magnitude
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_keeps_its_highest_points() {
        let points: Vec<(u64, i64)> = (0..10_000).map(|at| (at, i64::from(at == 7_777))).collect();
        let thin = thinned(&points);
        assert!(thin.len() <= POINTS_MAX && thin.contains(&(7_777, 1)), "{}", thin.len());
    }

    /// Draws what a scenario does on `virtual` under a plan.
    fn charts_of(scenario: &str, plan: &str) -> (Trace, Vec<String>) {
        use crate::engine::{ReplayOptions, replay, studies};
        let study = studies().into_iter().find(|study| study.name == scenario).expect("a study");
        let plan = faultwire::fault::FaultPlan::parse(plan, "plan").expect("a plan");
        let testbed = faultwire_sim::Testbed::Virtual;
        let trace = replay(&ReplayOptions { study, plan, testbed, seed: 0 }).run.trace;
        let charts = charts(&trace, "id");
        (trace, charts)
    }

    #[test]
    fn the_congestion_window_is_the_one_that_the_stack_went_by() {
        let (trace, _) = charts_of(
            "tcp-dialogue",
            "format = 1\n[[fault]]\ndirection = \"client->server\"\npacket = { class = \"data\", nth = 1 }\n\
             action = \"drop\"\n",
        );
        let client = trace.host("client").expect("the client");
        let told = trace.congestion_windows().iter().filter(|window| window.host == client);
        let bytes: Vec<u32> = told.map(|window| window.bytes).collect();
        // Ten segments (RFC 6928). At the third duplicate half of the 7 300 bytes in flight and three segments; one
        // more for the fourth (RFC 5681, section 3.2). At the end of recovery with nothing in flight two segments (RFC
        // 6582, section 3.2, step 3).
        assert_eq!(bytes, [14_600, 3_650 + 3 * 1_460, 3_650 + 4 * 1_460, 2 * 1_460]);
    }

    #[test]
    fn the_congestion_window_has_a_curve_of_its_own() {
        let (trace, charts) = charts_of("tcp-both-ways", "format = 1\n");
        assert!(!trace.congestion_windows().is_empty());
        let curve = charts.first().expect("a transfer is worth a chart");
        assert_eq!(curve.matches("class=\"curve congestion\"").count(), 1, "{curve}");
        assert!(
            curve.contains("┉ congestion window") && curve.contains("the congestion window from 14600 to ")
        );
    }

    #[test]
    fn rules_stand_at_round_numbers() {
        assert_eq!([3.0, 0.2, 120.0, 5_001.0].map(nice), [5.0, 1.0, 200.0, 10_000.0]);
    }
}
