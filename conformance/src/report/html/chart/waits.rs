//! How long each repeat of the same segment waited.

use std::fmt::Write as _;

use super::flow::{Flow, Mark};
use super::pen::{LEFT, Pen, RIGHT, WIDTH, seconds};

/// Bars at most.
const BARS_MAX: usize = 16;

const HEIGHT: f64 = 260.0;
const TOP: f64 = 52.0;
const FLOOR: f64 = HEIGHT - 48.0;

pub(super) fn svg(flow: &Flow, times: &[u64], id: &str) -> String {
    let waits: Vec<f64> = times.windows(2).map(|pair| pair[1].saturating_sub(pair[0]) as f64 / 1e9).collect();
    let probes = flow.marks.iter().any(|(at, mark)| *mark == Mark::Probe && times.contains(at));
    let (title, each) = if probes {
        ("How long each probe of the closed window waited", "probe")
    } else {
        ("How long each repeat of the same segment waited", "repeat")
    };
    let left_out = waits.len().saturating_sub(BARS_MAX);
    let waits = &waits[..waits.len() - left_out];
    let all: Vec<String> = waits.iter().map(|wait| seconds(*wait)).collect();
    // No timer was waited for there.
    let is_fast = |index: usize| flow.marks.contains(&(times[index + 1], Mark::FastRetransmit));
    let named = |(index, wait): (usize, &String)| {
        if is_fast(index) { format!("{wait} (fast)") } else { wait.clone() }
    };
    let named: Vec<String> = all.iter().enumerate().map(named).collect();
    let mut about = format!("The waits one after the other: {}", named.join(", "));
    let _ = if left_out > 0 { write!(about, "; {left_out} more.") } else { write!(about, ".") };
    let mut pen = Pen::new(&format!("{id}-waits"), HEIGHT, title, &about);
    let most = waits.iter().copied().fold(1e-6, f64::max);
    let pitch = (WIDTH - LEFT - RIGHT) / waits.len() as f64;
    for (index, wait) in waits.iter().enumerate() {
        let (x, height) = (LEFT + pitch * (index as f64 + 0.5), (wait / most * (FLOOR - TOP)).max(1.0));
        let (y, width) = (FLOOR - height, (pitch * 0.62).min(70.0));
        pen.path("bar", &format!("M{:.1} {FLOOR}v-{height:.1}h{width:.1}v{height:.1}z", x - width / 2.0));
        // Many of them are narrower than their words.
        let class = if waits.len() > 10 { "small m" } else { "m" };
        pen.text(x, y - 6.0, class, &all[index]);
        let fast = if is_fast(index) { ", fast" } else { "" };
        pen.text(x, FLOOR + 18.0, "soft m", &format!("{}{fast}", index + 1));
    }
    pen.path("axis", &format!("M{LEFT} {FLOOR}H{}", WIDTH - RIGHT));
    pen.text(LEFT, FLOOR + 38.0, "soft", &format!("{each}, and how long after the one before"));
    if left_out > 0 {
        pen.text(WIDTH - RIGHT, FLOOR + 38.0, "soft r", &format!("{left_out} more are left out"));
    }
    pen.end()
}
