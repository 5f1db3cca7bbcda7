//! What a connection costs where nothing goes wrong.

use faultwire_sim::Run;

use super::{Count, sides};
use crate::check::tcp::segments::flows;
use crate::study::Seen;

/// tcp/sends-once: in a run without faults no sequence number is sent twice. It counts the segments that take
/// any.
pub(super) fn sends_once(run: &Run) -> Seen {
    let mut count = Count::default();
    if !run.plan.faults.is_empty() || !run.plan.events.is_empty() {
        return count.seen();
    }
    for (flow, side) in sides(&flows(run)) {
        let mut sent = i64::MIN;
        for segment in flow.sent_by(side).filter(|it| it.end() > it.seq) {
            if segment.seq < sent {
                count.broken(|| {
                    format!(
                        "at {} {} is sent again, which was sent before and not lost",
                        segment.at, segment.seq
                    )
                });
            }
            count.exercised += 1;
            sent = sent.max(segment.end());
        }
    }
    count.seen()
}
