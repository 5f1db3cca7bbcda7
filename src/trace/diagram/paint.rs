//! From rows to text: where the hosts' lines stand, and the characters.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::layout::{Arrow, Note, Row, Shape};
use super::{DiagramOptions, WIDTH_MAX, WIDTH_MIN};
use crate::model::Time;
use crate::trace::{Trace, words};

/// The characters that a diagram is drawn with.
struct Pens {
    line: char,
    down: char,
    crash: char,
    leaves_right: char,
    leaves_left: char,
    across: char,
    dash: char,
    dots: char,
    right: char,
    left: char,
    lost: char,
    fault: char,
    dot: char,
    banner: char,
    truth: char,
    ellipsis: &'static str,
    /// Stands for a character that cannot be drawn.
    unknown: char,
}

const UNICODE: Pens = Pens {
    line: '│',
    down: '┊',
    crash: '╳',
    leaves_right: '├',
    leaves_left: '┤',
    across: '┼',
    dash: '─',
    dots: '╌',
    right: '▶',
    left: '◀',
    lost: '✗',
    fault: '✱',
    dot: '●',
    banner: '═',
    truth: '◆',
    ellipsis: "…",
    unknown: '\u{fffd}',
};

const ASCII: Pens = Pens {
    line: '|',
    down: ':',
    crash: 'X',
    leaves_right: '|',
    leaves_left: '|',
    across: '+',
    dash: '-',
    dots: '.',
    right: '>',
    left: '<',
    lost: 'X',
    fault: '*',
    dot: 'o',
    banner: '=',
    truth: '!',
    ellipsis: "...",
    unknown: '?',
};

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
    fn new(hosts: usize, rows: &[Row], whole_ms: bool, width: usize, mirrored: bool) -> Columns {
        let moments = rows.iter().map(|row| moment(row.at, whole_ms).len()).max().unwrap_or(0).max(2);
        let truth = rows.iter().any(|row| row.is_truth).then_some(moments + 1);
        let times = if truth.is_some() { moments + GAP } else { moments };
        if hosts == 2 {
            let longest = |host: usize| {
                let notes = rows.iter().flat_map(|row| &row.notes).filter(|note| note.host == host);
                notes.map(|note| note.words.chars().count()).max().unwrap_or(0)
            };
            // Words take half of the width at most; what one side leaves, the other has. Arrows keep some
            // room.
            let each = width.saturating_sub(times + GAP + 9) / 2;
            let beside = |host: usize| {
                let room = width / 2 - longest(1 - host).clamp(4, width / 4);
                longest(host).min(room).min(width * 3 / 10).min(each).max(4)
            };
            let (first, second) = if mirrored { (1, 0) } else { (0, 1) };
            let mut hosts = vec![times + GAP + beside(first) + 1, (width - 2).saturating_sub(beside(second))];
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
    let columns = Columns::new(trace.hosts().len(), rows, whole_ms, width, mirrored);
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
        let left_out = &rows[index..end];
        let departs = |row: &&Row| row.arrow.as_ref().is_some_and(|arrow| arrow.shape.departs());
        let packets = left_out.iter().filter(departs).count();
        let what = match packets {
            0 => format!("{} lines", left_out.len()),
            1 => "1 packet".to_owned(),
            _ => format!("{packets} packets"),
        };
        let mut canvas = Canvas::new(width);
        let until = left_out.last().map_or(Time::ZERO, |row| row.at);
        let words = format!("{0} {what}, until {1} ms {0}", pens.ellipsis, moment(until, whole_ms));
        canvas.write(
            if columns.hosts.is_empty() { columns.times + GAP } else { columns.leftmost() + 2 },
            &words,
        );
        canvas.finish(&mut out);
        index = end;
    }
    out.push_str(&signs);
    out
}

/// Which rows are drawn: the first, the last, some with values that programs noted, and those around what is
/// marked, as far as they go.
fn kept(rows: &[Row], lines: usize) -> Vec<bool> {
    if rows.len() <= lines {
        return vec![true; rows.len()];
    }
    let mut keep = vec![false; rows.len()];
    let ends = lines / 4;
    keep[..ends].fill(true);
    keep[rows.len() - ends..].fill(true);
    let drawn = |keep: &[bool]| {
        let gaps = keep.windows(2).filter(|pair| pair[0] && !pair[1]).count();
        keep.iter().filter(|kept| **kept).count() + gaps
    };
    // Of what programs noted as much as a quarter of the lines has room for.
    let before = drawn(&keep);
    for index in noted(rows) {
        let is_kept = std::mem::replace(&mut keep[index], true);
        keep[index] = is_kept || drawn(&keep) <= before + ends;
    }
    // The moment of truth first.
    let numbered = || rows.iter().enumerate();
    let truth = numbered().filter(|(_, row)| row.is_truth);
    for (index, _) in truth.chain(numbered().filter(|(_, row)| row.marked && !row.is_truth)) {
        let before = keep.clone();
        keep[index.saturating_sub(1)..(index + 2).min(rows.len())].fill(true);
        if drawn(&keep) > lines && rows[index].is_truth {
            // It alone, where its neighbors have no room.
            keep.clone_from(&before);
            keep[index] = true;
        }
        if drawn(&keep) > lines {
            keep = before;
            break;
        }
    }
    // A line that says that one line is left out is no shorter.
    for index in 1..rows.len() - 1 {
        keep[index] |= keep[index - 1] && keep[index + 1];
    }
    keep
}

/// The rows with values that programs noted: keys that are rare first, and late values before early ones.
fn noted(rows: &[Row]) -> Vec<usize> {
    let keyed = || rows.iter().enumerate().filter_map(|(index, row)| Some((index, row.key.as_deref()?)));
    let mut counts = BTreeMap::new();
    keyed().for_each(|(_, key)| *counts.entry(key).or_insert(0_usize) += 1);
    let mut noted: Vec<_> = keyed().map(|(index, key)| (counts[key], Reverse(index))).collect();
    noted.sort_unstable();
    noted.into_iter().map(|(_, Reverse(index))| index).collect()
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

/// The names, no longer than `room`, and in characters that can be drawn. No two names become alike: they are
/// shortened at their ends, else at their beginnings, else to their numbers.
fn told_apart(names: &[String], room: usize, pens: &Pens) -> Vec<String> {
    let drawn = |c: char| !c.is_control() && (c.is_ascii() || !pens.unknown.is_ascii());
    let forwards =
        |name: &String| -> String { name.chars().map(|c| if drawn(c) { c } else { pens.unknown }).collect() };
    let backwards = |name: &String| name.chars().rev().collect::<String>();
    let heads = || names.iter().map(|name| clip(&forwards(name), room, pens)).collect::<Vec<_>>();
    let tails = || {
        let clipped = |name| backwards(&clip(&backwards(&forwards(name)), room, pens));
        names.iter().map(clipped).collect::<Vec<_>>()
    };
    let numbers = || (1..=names.len()).map(|number| clip(&number.to_string(), room, pens)).collect();
    let alike = |short: &[String]| short.iter().collect::<BTreeSet<_>>().len();
    let wanted = alike(names);
    let heads = heads();
    if alike(&heads) == wanted {
        return heads;
    }
    let tails = tails();
    if alike(&tails) == wanted { tails } else { numbers() }
}

fn legend(rows: &[Row], columns: &Columns, pens: &Pens, out: &mut String) {
    let arrows = || rows.iter().filter_map(|row| row.arrow.as_ref());
    let faults = arrows().any(|arrow| !arrow.faults.is_empty());
    let whole = arrows().any(|arrow| arrow.shape == Shape::Whole);
    let lost = arrows().any(|arrow| matches!(arrow.shape, Shape::Dies | Shape::LandsDead));
    // With more hosts than two all words stand in the margin, and say whose they are.
    let told = columns.margin.is_none() && rows.iter().any(|row| row.notes.iter().any(|note| note.of_stack));
    let truth = rows.iter().any(|row| row.is_truth);
    let signs = [
        (truth, pens.truth, "the moment of truth"),
        (faults, pens.fault, "fault of the plan"),
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
    if let Some(at) = columns.truth.filter(|_| row.is_truth) {
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
    let name = |host: usize| names.get(host).map_or("?", String::as_str);
    if let Some((a, b, cut, done)) = row.banner {
        let words = words::cut(&cut, done, |host| name(usize::from(host.0)).to_owned());
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
            let (from, to) = (name(arrow.from), name(arrow.to));
            margin.push(format!("{from} {} {to}: {}", pens.right, arrow.sentence(pens)));
        } else if columns.margin.is_some() {
            margin.push(arrow.sentence(pens));
        }
    }
    for Note { host, words, of_stack } in &row.notes {
        let Some(at) = columns.hosts.get(*host).copied() else {
            margin.push(format!("{} {words}", name(*host)));
            continue;
        };
        let departs = |arrow: &Arrow| arrow.from == *host && arrow.shape.departs();
        let is_free = row.crash.is_none() && !row.arrow.as_ref().is_some_and(departs);
        if (is_free && columns.margin.is_some()) || (*of_stack && columns.margin.is_none()) {
            canvas.put(at, pens.dot);
        }
        if columns.margin.is_some() {
            margin.push(format!("{} {words}", name(*host)));
        } else if at == columns.leftmost() {
            let words = clip(words, at.saturating_sub(columns.times + GAP + 1), pens);
            canvas.write(at.saturating_sub(1 + words.chars().count()), &words);
        } else {
            canvas.write(at + 2, &clip(words, columns.width.saturating_sub(at + 2), pens));
        }
    }
    if let Some(at) = columns.margin {
        canvas.write(at, &clip(&margin.join("; "), columns.width.saturating_sub(at), pens));
    }
    canvas
}

impl Arrow {
    /// All that there is to say of it.
    fn sentence(&self, pens: &Pens) -> String {
        let mut words = self.name.clone();
        if !self.load.is_empty() {
            words.push_str(", ");
            words.push_str(&self.load);
        }
        let tail = self.tail(pens);
        if !tail.is_empty() {
            words.push_str(", ");
            words.push_str(&tail);
        }
        words
    }

    /// What hit it and how it ended.
    fn tail(&self, pens: &Pens) -> String {
        let mut words = String::new();
        if !self.faults.is_empty() {
            words = format!("{} {}", pens.fault, self.faults);
        }
        if !self.end.is_empty() {
            if !words.is_empty() {
                words.push_str(", ");
            }
            words.push_str(&self.end);
        }
        words
    }

    /// What is written on it near its start and near its end, as much as there is room for.
    fn labels(&self, room: usize, pens: &Pens) -> (String, String) {
        let head =
            if self.load.is_empty() { self.name.clone() } else { format!("{}, {}", self.name, self.load) };
        let fault =
            if self.faults.is_empty() { self.end.clone() } else { format!("{} {}", pens.fault, self.faults) };
        // Of a fault at least the sign is kept; a range is left out before the name of what bears it is cut.
        let sign = if self.faults.is_empty() { String::new() } else { pens.fault.to_string() };
        let short = self.name.split(" [").next().unwrap_or_default();
        let mut choices =
            vec![(head.as_str(), self.tail(pens)), (&head, fault.clone()), (&self.name, fault.clone())];
        if !self.faults.is_empty() {
            choices.push((short, fault));
        }
        choices.extend([(self.name.as_str(), sign.clone()), (short, sign.clone())]);
        let takes = |words: &str| if words.is_empty() { 0 } else { words.chars().count() + 3 };
        match choices.into_iter().find(|(head, tail)| 1 + takes(head) + takes(tail) <= room) {
            Some((head, tail)) => (head.to_owned(), tail),
            None => (clip(short, room.saturating_sub(4 + takes(&sign)), pens), sign),
        }
    }
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

/// The words, or as many of them as there is room for.
fn clip(words: &str, room: usize, pens: &Pens) -> String {
    if words.chars().count() <= room {
        return words.to_owned();
    }
    let dots = pens.ellipsis.chars().count();
    let mut clipped: String = words.chars().take(room.saturating_sub(dots)).collect();
    clipped.extend(pens.ellipsis.chars().take(room));
    clipped
}
