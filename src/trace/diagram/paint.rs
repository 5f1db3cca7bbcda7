//! From rows to text: where the hosts' lines stand, and the characters.

use super::keep::kept;
use super::layout::{Arrow, Note, Row, Shape};
use super::pens::{ASCII, Pens, UNICODE, clip};
use super::wording::said;
use super::{DiagramOptions, WIDTH_MAX, WIDTH_MIN, names};
use crate::model::Time;
use crate::trace::{Trace, words};

/// Where things stand.
struct Columns {
    width: usize,
    /// The end of the times, and of the sign behind them.
    times: usize,
    /// Where the sign of the moment of truth stands, if there is one.
    truth: Option<usize>,
    /// The hosts' lines. None where there is no room for them: then the words in the margin say who sends to
    /// whom.
    hosts: Vec<usize>,
    /// The start of the margin with the words, if there is one.
    margin: Option<usize>,
}

/// The least room for an arrow between two hosts' lines.
const ARROW_MIN: usize = 2;
/// The most lines that the hosts' names take.
const NAME_LINES_MAX: usize = 3;

/// The width of the times, and of the gap behind them.
const GAP: usize = 2;

impl Columns {
    fn new(hosts: usize, rows: &[Row], whole_ms: bool, width: usize, mirrored: bool, pens: &Pens) -> Columns {
        let moments = rows.iter().map(|row| moment(row.at, whole_ms).len()).max().unwrap_or(0).max(2);
        let truth = rows.iter().any(|row| row.is_truth()).then_some(moments + 1);
        let times = if truth.is_some() { moments + GAP } else { moments };
        if hosts == 2 {
            let longest = |host: usize| {
                let sign = |row: &Row| if row.is_usual { 2 } else { 0 };
                let notes = rows.iter().flat_map(|row| row.notes.iter().map(move |note| (sign(row), note)));
                let notes = notes.filter(|(_, note)| note.host == host);
                notes.map(|(sign, note)| sign + note.words.chars().count()).max().unwrap_or(0)
            };
            // Words take half of the width at most; what one side leaves, the other has. Arrows keep some
            // room.
            let each = width.saturating_sub(times + GAP + 9) / 2;
            let beside = |host: usize| {
                let room = width / 2 - longest(1 - host).clamp(4, width / 4);
                longest(host).min(room).min(width * 3 / 10).min(each).max(4)
            };
            let (first, second) = if mirrored { (1, 0) } else { (0, 1) };
            let mut beside = [beside(first), beside(second)];
            // What the arrows do not need the words for payloads have.
            let wanted =
                rows.iter().filter_map(|row| row.arrow.as_ref()).map(|arrow| arrow.wants(pens)).max();
            let spare = width.saturating_sub(times + GAP + 5 + beside[0] + beside[1] + wanted.unwrap_or(0));
            let more = |host: usize, room: usize| {
                let notes = rows.iter().flat_map(|row| &row.notes).filter(|note| note.host == host);
                let words = notes.map(|note| said(&note.words, note.preview.as_ref(), width * 3 / 10, pens));
                words.map(|words| words.chars().count()).max().unwrap_or(0).saturating_sub(room)
            };
            let more = [more(first, beside[0]), more(second, beside[1])];
            for (at, room) in beside.iter_mut().enumerate() {
                *room += more[at].min((spare / 2).max(spare - more[1 - at].min(spare)));
            }
            let [first, second] = beside;
            let mut hosts = vec![times + GAP + first + 1, (width - 2).saturating_sub(second)];
            if mirrored {
                hosts.reverse();
            }
            return Columns { width, times, truth, hosts, margin: None };
        }
        let margin = width - (width * 9 / 20).clamp(1, 44);
        let (first, last) = (times + GAP + 2, margin.saturating_sub(4));
        let (room, gaps) = (last.saturating_sub(first), hosts.saturating_sub(1).max(1));
        if first > last || room / gaps <= ARROW_MIN {
            return Columns { width, times, truth, hosts: Vec::new(), margin: Some(times + GAP) };
        }
        let hosts = (0..hosts).map(|host| first + room * host / gaps).collect();
        Columns { width, times, truth, hosts, margin: Some(margin) }
    }
}

impl Columns {
    /// The end of the times themselves.
    fn moments(&self) -> usize {
        self.truth.map_or(self.times, |sign| sign - 1)
    }

    /// The line at the left.
    fn leftmost(&self) -> usize {
        self.hosts.iter().copied().min().unwrap_or_default()
    }
}

/// A line of text, written at columns.
struct Canvas(Vec<char>);

impl Canvas {
    fn new(width: usize) -> Canvas {
        Canvas(vec![' '; width])
    }

    fn put(&mut self, at: usize, pen: char) {
        if let Some(cell) = self.0.get_mut(at) {
            *cell = pen;
        }
    }

    fn fill(&mut self, from: usize, to: usize, pen: char) {
        for at in from..to {
            self.put(at, pen);
        }
    }

    fn write(&mut self, at: usize, words: &str) {
        for (index, pen) in words.chars().enumerate() {
            self.put(at + index, pen);
        }
    }

    fn finish(self, out: &mut String) {
        let line: String = self.0.into_iter().collect();
        out.push_str(line.trim_end());
        out.push('\n');
    }
}

fn moment(at: Time, whole_ms: bool) -> String {
    if whole_ms { at.as_millis().to_string() } else { words::moment(at) }
}

/// Draws the rows.
pub(super) fn paint(trace: &Trace, rows: &[Row], options: &DiagramOptions, mirrored: bool) -> String {
    let pens = if options.ascii { &ASCII } else { &UNICODE };
    let width = options.width.clamp(WIDTH_MIN, WIDTH_MAX);
    let whole_ms = rows.iter().all(|row| row.at.as_nanos() % 1_000_000 == 0);
    let columns = Columns::new(trace.hosts().len(), rows, whole_ms, width, mirrored, pens);
    let mut out = String::new();
    let head = heading(trace, &columns, pens, &mut out);
    let mut signs = String::new();
    legend(rows, &columns, pens, &mut signs);
    let names = told_apart(trace.hosts(), columns.margin.map_or(width, |margin| (width - margin) / 3), pens);
    // Where there is no legend its line stays empty.
    let keep = kept(rows, options.lines_max.max(12) - head - signs.lines().count().max(1));
    let mut index = 0;
    while index < rows.len() {
        if keep[index] {
            row(&names, &rows[index], whole_ms, &columns, pens).finish(&mut out);
            index += 1;
            continue;
        }
        let end = (index..rows.len()).find(|at| keep[*at]).unwrap_or(rows.len());
        left_out(&rows[index..end], whole_ms, &columns, pens).finish(&mut out);
        index = end;
    }
    out.push_str(&signs);
    out
}

/// A line that says which rows are left out.
fn left_out(rows: &[Row], whole_ms: bool, columns: &Columns, pens: &Pens) -> Canvas {
    let departs = |row: &&Row| row.arrow.as_ref().is_some_and(|arrow| arrow.shape.departs());
    let packets = match rows.iter().filter(departs).count() {
        0 => String::new(),
        1 => " (1 packet)".to_owned(),
        packets => format!(" ({packets} packets)"),
    };
    let until = moment(rows.last().map_or(Time::ZERO, |row| row.at), whole_ms);
    let (lines, dots) = (rows.len(), pens.ellipsis);
    let at = if columns.hosts.is_empty() { columns.times + GAP } else { columns.leftmost() + 2 };
    let fits = |words: &String| at + words.chars().count() <= columns.width;
    let choices = [
        format!("{dots} {lines} lines left out{packets}, until {until} ms {dots}"),
        format!("{dots} {lines} lines left out, until {until} ms {dots}"),
        format!("{dots} {lines} lines left out {dots}"),
    ];
    let words = choices.iter().find(|words| fits(words)).unwrap_or(&choices[2]);
    let mut canvas = Canvas::new(columns.width);
    canvas.write(at, &clip(words, columns.width.saturating_sub(at), pens));
    canvas
}

/// Writes the hosts' names above their lines, on as many lines as they need to stand apart; tells how many
/// those are.
fn heading(trace: &Trace, columns: &Columns, pens: &Pens, out: &mut String) -> usize {
    let closest = columns.hosts.windows(2).map(|pair| pair[0].abs_diff(pair[1])).min();
    let longest = trace.hosts().iter().map(|name| name.chars().count()).max().unwrap_or(0);
    let (lines, room) = match closest {
        Some(gap) if trace.hosts().len() > 2 => {
            let lines = (longest + 1).div_ceil(gap).clamp(1, NAME_LINES_MAX);
            (lines, gap * lines - 1)
        }
        Some(gap) => (1, gap.saturating_sub(1)),
        None => (1, columns.width / 2),
    };
    let names = told_apart(trace.hosts(), room.max(1), pens);
    for line in 0..lines {
        let mut canvas = Canvas::new(columns.width);
        if line == 0 {
            canvas.write(columns.moments() - 2, "ms");
        }
        let mut free = columns.times + 1;
        let mut places: Vec<_> = names.iter().zip(&columns.hosts).skip(line).step_by(lines).collect();
        places.sort_by_key(|(_, at)| **at);
        for (name, at) in places {
            let len = name.chars().count();
            let start = at.saturating_sub(len / 2).max(free);
            canvas.write(start.min(columns.width.saturating_sub(len)), name);
            free = start + len + 1;
        }
        canvas.finish(out);
    }
    lines
}

/// The names, no longer than `room`, and in characters that can be drawn.
fn told_apart(names: &[String], room: usize, pens: &Pens) -> Vec<String> {
    let drawn = |c: char| !c.is_control() && (c.is_ascii() || !pens.unknown.is_ascii());
    let name = |name: &String| name.chars().map(|c| if drawn(c) { c } else { pens.unknown }).collect();
    let mut drawn: Vec<String> = names.iter().map(name).collect();
    if names::distinct(&drawn) < names::distinct(names) {
        drawn = (1..=names.len()).map(|number| number.to_string()).collect();
    }
    names::told_apart(&drawn, pens.ellipsis, &|_, words| words.chars().count() <= room)
}

fn legend(rows: &[Row], columns: &Columns, pens: &Pens, out: &mut String) {
    let arrows = || rows.iter().filter_map(|row| row.arrow.as_ref());
    let faults = arrows().any(|arrow| !arrow.faults.is_empty() && !arrow.is_usual);
    let usual = arrows().any(|arrow| arrow.is_usual) || rows.iter().any(|row| row.is_usual);
    let whole = arrows().any(|arrow| arrow.shape == Shape::Whole);
    let lost = arrows().any(|arrow| matches!(arrow.shape, Shape::Dies | Shape::LandsDead));
    // With more hosts than two all words stand in the margin, and say whose they are.
    let told = columns.margin.is_none() && rows.iter().any(|row| row.notes.iter().any(|note| note.of_stack));
    let truth = rows.iter().any(|row| row.is_truth());
    let signs = [
        (truth, pens.truth, "the moment of truth"),
        (faults, pens.fault, "fault of the plan"),
        (usual, pens.usual, "in every run"),
        (lost, pens.lost, "lost"),
        (told, pens.dot, "the stack's own doing"),
        (whole, pens.right, "arrives so much later than the time at the left"),
    ];
    let words: Vec<String> =
        signs.iter().filter(|(is, ..)| *is).map(|(_, pen, words)| format!("{pen} {words}")).collect();
    if words.is_empty() {
        return;
    }
    // On as many lines as it takes.
    let mut lines = vec![String::new()];
    for sign in words {
        let room = columns.width.saturating_sub(columns.times + GAP + 3 + sign.chars().count());
        match lines.last_mut() {
            Some(line) if line.is_empty() => *line = sign,
            Some(line) if line.chars().count() <= room => line.push_str(&format!("   {sign}")),
            _ => lines.push(sign),
        }
    }
    for line in lines {
        let mut canvas = Canvas::new(columns.width);
        canvas.write(columns.times + GAP, &line);
        canvas.finish(out);
    }
}

fn row(names: &[String], row: &Row, whole_ms: bool, columns: &Columns, pens: &Pens) -> Canvas {
    let mut canvas = Canvas::new(columns.width);
    let time = moment(row.at, whole_ms);
    canvas.write(columns.moments().saturating_sub(time.len()), &time);
    if let Some(at) = columns.truth.filter(|_| row.is_truth()) {
        canvas.put(at, pens.truth);
    }
    for (host, at) in columns.hosts.iter().enumerate() {
        let down = row.down.get(host).copied().unwrap_or(false);
        canvas.put(*at, if down { pens.down } else { pens.line });
    }
    if let Some(at) = row.crash.and_then(|host| columns.hosts.get(host)) {
        canvas.put(*at, pens.crash);
    }
    let mut margin = Vec::new();
    let margin_room = columns.margin.map_or(0, |at| columns.width.saturating_sub(at));
    let name = |host: usize| names.get(host).map_or("?", String::as_str);
    let sign = if row.is_usual { format!("{} ", pens.usual) } else { String::new() };
    if let Some((a, b, cut, done)) = row.banner {
        let words = sign.clone() + &words::cut(&cut, done, |host| name(usize::from(host.0)).to_owned());
        match columns.hosts.get(a).zip(columns.hosts.get(b)) {
            Some((a, b)) => {
                let (left, right) = (*a.min(b), *a.max(b));
                canvas.fill(left + 1, right, pens.banner);
                if columns.margin.is_some() {
                    margin.push(words);
                } else {
                    let words = format!(" {} ", clip(&words, (right - left).saturating_sub(3), pens));
                    let begin = ((left + right).saturating_sub(words.chars().count()) / 2).max(left + 1);
                    canvas.write(begin, &words);
                }
            }
            None => margin.push(format!("{} {} {}: {words}", name(a), pens.banner, name(b))),
        }
    }
    if let Some(arrow) = &row.arrow {
        draw(arrow, &mut canvas, columns, pens);
        if columns.hosts.is_empty() {
            let way = format!("{} {} {}: ", name(arrow.from), pens.right, name(arrow.to));
            let room = margin_room.saturating_sub(way.chars().count());
            margin.push(way + &arrow.sentence(room, pens));
        } else if columns.margin.is_some() {
            margin.push(arrow.sentence(margin_room, pens));
        }
    }
    for Note { host, words, preview, of_stack } in &row.notes {
        let sign = if *of_stack { "" } else { &sign };
        let words =
            |room: usize, whose: &str| said(&format!("{sign}{whose}{words}"), preview.as_ref(), room, pens);
        let whose = format!("{} ", name(*host));
        let Some(at) = columns.hosts.get(*host).copied() else {
            margin.push(words(margin_room, &whose));
            continue;
        };
        let departs = |arrow: &Arrow| arrow.from == *host && arrow.shape.departs();
        let is_free = row.crash.is_none() && !row.arrow.as_ref().is_some_and(departs);
        if (is_free && columns.margin.is_some()) || (*of_stack && columns.margin.is_none()) {
            canvas.put(at, pens.dot);
        }
        if columns.margin.is_some() {
            margin.push(words(margin_room, &whose));
        } else if at == columns.leftmost() {
            let room = at.saturating_sub(columns.times + GAP + 1);
            let words = clip(&words(room, ""), room, pens);
            canvas.write(at.saturating_sub(1 + words.chars().count()), &words);
        } else {
            let room = columns.width.saturating_sub(at + 2);
            canvas.write(at + 2, &clip(&words(room, ""), room, pens));
        }
    }
    if let Some(at) = columns.margin {
        canvas.write(at, &clip(&margin.join("; "), columns.width.saturating_sub(at), pens));
    }
    canvas
}

/// Draws an arrow between two hosts' lines. It is drawn as if it went to the right, and turned where it does
/// not.
fn draw(arrow: &Arrow, canvas: &mut Canvas, columns: &Columns, pens: &Pens) {
    let (Some(from), Some(to)) = (columns.hosts.get(arrow.from), columns.hosts.get(arrow.to)) else {
        return;
    };
    let rightwards = from < to;
    let (left, right) = (*from.min(to), *from.max(to));
    let room = (right - left).saturating_sub(1);
    if room < ARROW_MIN {
        return;
    }
    let (head, tail) = match columns.margin {
        Some(_) => (String::new(), String::new()),
        None => arrow.labels(room, pens),
    };
    // Where the words go, counted from the left of the room.
    let padded = |words: &str| {
        if words.is_empty() { String::new() } else { format!(" {words} ") }
    };
    let (head, tail) = (padded(&head), padded(&tail));
    let (head_len, tail_len) = (head.chars().count(), tail.chars().count());
    let mut body = vec![' '; room];
    // Along the way: 0 is next to the sender.
    let mut mark = |at: usize, pen: char| {
        let at = if rightwards { Some(at) } else { (room - 1).checked_sub(at) };
        if let Some(cell) = at.and_then(|at| body.get_mut(at)) {
            *cell = pen;
        }
    };
    let half = room / 2;
    let tip = if rightwards { pens.right } else { pens.left };
    // The words' first column along the way.
    let (head_at, tail_at);
    match arrow.shape {
        Shape::Whole => {
            (0..room).for_each(|at| mark(at, pens.dash));
            mark(room - 1, tip);
            (head_at, tail_at) = (1, room.saturating_sub(2 + tail_len));
        }
        Shape::Departs => {
            (head_at, tail_at) = (1, 1 + head_len + 1);
            let end = half.max(if tail_len == 0 { 1 + head_len + 2 } else { tail_at + tail_len + 2 });
            (0..end.min(room)).for_each(|at| mark(at, pens.dots));
            mark(0, pens.dash);
        }
        Shape::Dies => {
            tail_at = (room * 2 / 3).max(head_len + 4).min(room.saturating_sub(tail_len));
            head_at = 1;
            (0..tail_at).for_each(|at| mark(at, pens.dash));
            mark(tail_at.saturating_sub(1), pens.lost);
        }
        Shape::Lands => {
            tail_at = room.saturating_sub(2 + tail_len);
            head_at = tail_at.saturating_sub(head_len + 1);
            (half.min(head_at.saturating_sub(3))..room).for_each(|at| mark(at, pens.dots));
            mark(room - 2, pens.dash);
            mark(room - 1, tip);
        }
        Shape::LandsDead => {
            tail_at = room.saturating_sub(1 + tail_len);
            head_at = tail_at.saturating_sub(head_len + 1);
            (half.min(head_at.saturating_sub(3))..tail_at).for_each(|at| mark(at, pens.dots));
            mark(tail_at.saturating_sub(1), pens.lost);
        }
    }
    for (index, pen) in body.into_iter().enumerate() {
        let at = left + 1 + index;
        let crossed = columns.hosts.contains(&at);
        if crossed && pen == ' ' {
            continue;
        }
        canvas.put(at, if crossed { pens.across } else { pen });
    }
    let place =
        |at: usize, len: usize| left + 1 + if rightwards { at } else { room.saturating_sub(at + len) };
    canvas.write(place(head_at, head_len), &head);
    canvas.write(place(tail_at, tail_len), &tail);
    if arrow.shape.departs() {
        canvas.put(*from, if rightwards { pens.leaves_right } else { pens.leaves_left });
    }
}
