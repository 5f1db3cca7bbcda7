//! What a sender and a receiver do to spare the network: segments of the agreed size, no silly windows, and
//! a small start after a pause.

use std::io;
use std::time::Duration;

use faultwire::network::Network;
use faultwire::packet::TcpFlags;
use faultwire::stack::SocketOption;
use faultwire::time::Time;
use faultwire_sim::Run;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::acknowledging::{read, written};
use super::congestion::initial_window_max;
use super::scenarios::{SEGMENT, Transfer};
use super::{Count, sides};
use crate::check::tcp::calls::connections;
use crate::check::tcp::pattern::pattern;
use crate::check::tcp::programs::{DATA, OTHER, Programs, accept, connect, listen, read_to_end, say};
use crate::check::tcp::segments::{Flow, Happened, OPENER, View, Word, flows};
use crate::study::Seen;

/// A client writes thirty segments, is idle for a while, and writes thirty more.
#[derive(Debug)]
pub(super) struct Pauses;

/// Longer than the retransmission timeout after a round trip of a few milliseconds: a second at most.
const IDLE: Duration = Duration::from_secs(3);
const BURST: usize = 30 * SEGMENT;

impl Programs for Pauses {
    const NAME: &'static str = "tcp-pauses";

    async fn serve<N: Network>(net: N) -> io::Result<()> {
        Transfer::serve(net).await
    }

    async fn call<N: Network>(net: N) -> io::Result<()> {
        let mut stream = connect(&net, DATA).await?;
        say(&mut stream, &pattern(35, BURST)).await?;
        net.sleep(2 * IDLE).await;
        say(&mut stream, &pattern(36, BURST)).await?;
        stream.shutdown().await?;
        read_to_end(&mut stream, 16).await
    }
}

/// tcp/restarts-after-idle. It counts the pauses after which all that the initial window allows was sent.
pub(super) fn restarts_after_idle(run: &Run) -> Seen {
    let mut count = Count::default();
    for (flow, side) in sides(&flows(run)).filter(|(flow, _)| !flow.reset) {
        let segment_max = flow.segment_max(side);
        let bound = initial_window_max(segment_max);
        let mut view = View::new(flow, side);
        let mut last: Option<Time> = None;
        // Where the first flight after a pause begins, until something is heard.
        let mut first: Option<i64> = None;
        while let Some((at, happened)) = view.step() {
            match happened {
                Happened::Sent { segment, top, .. } if segment.len > 0 => {
                    let is_new = top == view.una && segment.seq == top;
                    if is_new && last.is_some_and(|last| at > last + IDLE) {
                        first = Some(segment.seq);
                    }
                    last = Some(at);
                    let Some(start) = first else { continue };
                    let flight = segment.text_end() - start;
                    if flight > bound {
                        count.broken(|| {
                            format!("by {at} {flight} bytes were sent after a pause: {bound} are allowed")
                        });
                    }
                    count.exercised += u64::from(flight <= bound && flight + segment_max > bound);
                }
                Happened::Heard { word: Word::Other, .. } | Happened::Sent { .. } => {}
                Happened::Heard { .. } => first = None,
            }
        }
    }
    count.seen()
}

/// Two transfers both ways: to a socket that takes short segments alone, and to one that takes any.
#[derive(Debug)]
pub(super) struct ShortSegments;

/// The most that the one socket takes, in bytes.
const SHORT: u16 = 700;
const PARCEL: usize = 7_000;

impl Programs for ShortSegments {
    const NAME: &'static str = "tcp-short-segments";

    async fn serve<N: Network>(net: N) -> io::Result<()> {
        let short = listen(&net, DATA, &[SocketOption::MaxSegment(SHORT)]).await?;
        let any = listen(&net, OTHER, &[]).await?;
        for listener in [short, any] {
            let mut stream = accept::<N>(&listener).await?;
            say(&mut stream, &pattern(37, PARCEL)).await?;
            stream.shutdown().await?;
            read_to_end(&mut stream, 4096).await?;
        }
        Ok(())
    }

    async fn call<N: Network>(net: N) -> io::Result<()> {
        for port in [DATA, OTHER] {
            let mut stream = connect(&net, port).await?;
            say(&mut stream, &pattern(38, PARCEL)).await?;
            stream.shutdown().await?;
            read_to_end(&mut stream, 4096).await?;
        }
        Ok(())
    }
}

/// IPv4's header and TCP's, in bytes.
const HEADERS: i64 = 40;

/// tcp/segment-size. It counts the segments of full size.
pub(super) fn segment_size(run: &Run) -> Seen {
    let mut count = Count::default();
    let mtu = i64::from(run.plan.link.numbers().mtu);
    for (flow, side) in sides(&flows(run)) {
        let (announced, most) = (flow.announced(side), flow.segment_max(side));
        if announced > mtu - HEADERS {
            count.broken(|| format!("an MTU of {mtu}, and segments of {announced} bytes are asked for"));
        }
        if announced < mtu - HEADERS && (side == OPENER || flow.port() != DATA) {
            count.broken(|| format!("an MTU of {mtu}, and segments of only {announced} bytes are asked for"));
        }
        for segment in flow.sent_by(side) {
            if segment.len > most {
                let (at, len) = (segment.at, segment.len);
                count.broken(|| format!("at {at} a segment has {len} bytes: {most} are taken"));
            }
            count.exercised += u64::from(segment.len == most);
        }
        let full = flow.sent_by(side).any(|it| it.len == most);
        let text: i64 = flow.sent_by(side).map(|it| it.text_end() - 1).max().unwrap_or(0);
        if !full && text >= 2 * most {
            count.broken(|| format!("of {text} bytes no segment has the {most} that are taken"));
        }
    }
    count.seen()
}

/// A client that writes in small pieces more than fits, to a server that reads in small pieces; then it
/// reads the rest at once.
#[derive(Debug)]
pub(super) struct SmallReads;

/// The receive buffer, in bytes: more than two segments, and no multiple of one.
const ROOM: usize = 4_000;
const SMALL: usize = 170;
const IN_ALL: usize = 8 * ROOM;

impl Programs for SmallReads {
    const NAME: &'static str = "tcp-small-reads";

    async fn serve<N: Network>(net: N) -> io::Result<()> {
        let listener = listen(&net, DATA, &[SocketOption::RecvBuffer(ROOM)]).await?;
        let mut stream = accept::<N>(&listener).await?;
        for _ in 0..ROOM * 3 / SMALL {
            net.sleep(Duration::from_millis(20)).await;
            stream.read_exact(&mut [0; SMALL]).await?;
        }
        // All that there is, each time that the window was closed for a while.
        for _ in 0..3 {
            net.sleep(Duration::from_millis(300)).await;
            stream.read_exact(&mut [0; ROOM]).await?;
        }
        read_to_end(&mut stream, ROOM).await
    }

    async fn call<N: Network>(net: N) -> io::Result<()> {
        let mut stream = connect(&net, DATA).await?;
        for piece in pattern(39, IN_ALL).chunks(SMALL) {
            say(&mut stream, piece).await?;
        }
        stream.shutdown().await?;
        read_to_end(&mut stream, 16).await
    }
}

/// tcp/no-silly-windows, the receiver: the right edge on offer moves by a segment, or by half of the buffer
/// where that is less. It counts the moves.
pub(super) fn no_silly_offers(run: &Run) -> Seen {
    let mut count = Count::default();
    for flow in flows(run).iter().filter(|flow| !flow.reset && flow.port() == DATA) {
        let least = flow.segment_max(1 - OPENER).min(ROOM as i64 / 2);
        // A FIN takes a number, and no room.
        let fin = flow.sent_by(OPENER).find(|it| it.is(TcpFlags::FIN)).map_or(i64::MAX, |it| it.end());
        let mut edge: Option<i64> = None;
        for offer in flow.sent_by(1 - OPENER) {
            let Some(ack) = offer.ack.filter(|ack| *ack < fin) else { continue };
            let right = ack + offer.window;
            let moved = right - edge.unwrap_or(right);
            // A scaled window is rounded down (RFC 7323, section 2.4).
            let unit = flow.window_unit(1 - OPENER);
            if moved <= -unit {
                count.broken(|| format!("at {} the offer is taken back by {} bytes", offer.at, -moved));
            }
            if moved >= unit && moved < least {
                count.broken(|| {
                    format!("at {} the offer grows by {moved} bytes: {least} is the least", offer.at)
                });
            }
            count.exercised += u64::from(moved > 0);
            edge = Some(edge.map_or(right, |edge| edge.max(right)));
        }
    }
    count.seen()
}

/// What is sent at once may be sent within this.
const AT_ONCE: Duration = Duration::from_millis(10);

/// tcp/flow-control: a closed window is opened as soon as the program has read all that there was. It counts
/// such reads.
pub(super) fn opens_at_once(run: &Run) -> Seen {
    let mut count = Count::default();
    for flow in flows(run).iter().filter(|flow| !flow.reset && flow.port() == DATA) {
        let Some(connection) = connections(&run.trace, DATA).first().copied() else { continue };
        for (at, taken) in read(&run.trace, connection.server) {
            let offers = || flow.sent_by(1 - OPENER).filter_map(|it| Some((it.at, it.ack?, it.window)));
            let Some((_, ack, window)) = offers().filter(|(when, ..)| *when < at).last() else { continue };
            if window >= flow.segment_max(OPENER).min(ROOM as i64 / 2) || ack != taken {
                continue;
            }
            let opened = offers().any(|(when, ack, window)| {
                when >= at && when <= at + AT_ONCE && ack + window >= taken + ROOM as i64 / 2
            });
            if !opened && flow.end > at + AT_ONCE {
                count.broken(|| format!("at {at} all was read, and the closed window is not opened"));
            }
            count.exercised += u64::from(opened);
        }
    }
    count.seen()
}

/// tcp/no-silly-windows, the sender: a segment that is not full waits while something is under way, unless
/// the program has closed. It counts the segments that were put together of several writes.
pub(super) fn no_silly_segments(run: &Run) -> Seen {
    let mut count = Count::default();
    for flow in flows(run).iter().filter(|flow| !flow.reset && flow.port() == DATA) {
        let Some(connection) = connections(&run.trace, DATA).first().copied() else { continue };
        let writes = written(&run.trace, connection.client);
        let all = writes.last().map_or(1, |(_, end)| *end);
        let full = flow.segment_max(OPENER);
        let mut view = View::new(flow, OPENER);
        while let Some((at, happened)) = view.step() {
            let Happened::Sent { segment, top, probe: false } = happened else { continue };
            if segment.len == 0 || segment.seq < top {
                continue;
            }
            let under_way = top > view.una;
            if segment.len < full && under_way && segment.text_end() < all {
                let len = segment.len;
                count.broken(|| format!("at {at} {len} bytes are sent, while more is under way"));
            }
            count.exercised += u64::from(segment.len > SMALL as i64);
        }
    }
    count.seen()
}

/// tcp/push: what ends all that was written so far has the PSH bit. It counts those segments.
pub(super) fn pushes(run: &Run) -> Seen {
    let mut count = Count::default();
    for flow in &flows(run) {
        let Some(connection) = connections(&run.trace, flow.port()).first().copied() else { continue };
        for (side, socket) in [(OPENER, connection.client), (1 - OPENER, connection.server)] {
            each_push(flow, side, &written(&run.trace, socket), &mut count);
        }
    }
    count.seen()
}

fn each_push(flow: &Flow, side: usize, writes: &[(Time, i64)], count: &mut Count) {
    for segment in flow.sent_by(side).filter(|it| it.len > 0) {
        let at = segment.at;
        let written = writes.iter().rfind(|(when, _)| *when <= at).map_or(1, |(_, end)| *end);
        if segment.text_end() != written {
            continue;
        }
        count.exercised += 1;
        if !segment.is(TcpFlags::PSH) {
            count.broken(|| format!("at {at} the last byte that was written is sent without the PSH bit"));
        }
    }
}
