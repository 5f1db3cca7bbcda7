//! The rows of a diagram: which arrow and which words stand on one line.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::flight::{Flight, Landing};
use super::flows::Flows;
use super::payloads::{Payloads, Preview};
use crate::model::{Call, Cut, Errno, HostId, PacketId, SocketId, State, TcpNote, Time, What};
use crate::trace::{Event, Trace, words};

/// A line of the diagram.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) at: Time,
    pub(super) arrow: Option<Arrow>,
    /// Words beside the hosts' lines.
    pub(super) notes: Vec<Note>,
    /// What happens to the link between two hosts.
    pub(super) banner: Option<(usize, usize, Cut<HostId>, &'static str)>,
    /// Which hosts are down.
    pub(super) down: Vec<bool>,
    /// The host that goes down here.
    pub(super) crash: Option<usize>,
    pub(super) rank: Rank,
    /// What happens by the plan happens in every run.
    pub(super) is_usual: bool,
    /// The key under which a program notes a value here.
    pub(super) key: Option<String>,
}

/// How much a row matters where lines are left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    Plain,
    /// A stack tells something, a call fails, or a packet is lost.
    Notable,
    /// Something of the plan happens, as in every run.
    Usual,
    /// Something of the plan happens.
    Planned,
    /// The moment of truth.
    Truth,
}

impl Row {
    pub(super) fn is_truth(&self) -> bool {
        self.rank == Rank::Truth
    }

    /// It matters at least as much as this.
    fn ranks(&mut self, rank: Rank) {
        self.rank = self.rank.max(rank);
    }
}

/// Words beside a host's line.
#[derive(Debug)]
pub(super) struct Note {
    pub(super) host: usize,
    pub(super) words: String,
    /// Words for what a call sent or received.
    pub(super) preview: Option<Preview>,
    /// The stack tells it; otherwise it is a program's call.
    pub(super) of_stack: bool,
}

/// A packet, or half its way, on a row.
#[derive(Debug)]
pub(super) struct Arrow {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) shape: Shape,
    pub(super) name: String,
    pub(super) load: String,
    /// Words for its payload.
    pub(super) preview: Option<Preview>,
    /// The faults that hit it, in words.
    pub(super) faults: String,
    /// They are those of every run.
    pub(super) is_usual: bool,
    /// How long it was on its way, or how it was lost.
    pub(super) end: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// From one host to the other.
    Whole,
    /// It leaves, and lands on another row, or never.
    Departs,
    /// It left on another row.
    Lands,
    /// It leaves and is lost.
    Dies,
    /// It left on another row and is lost.
    LandsDead,
}

impl Note {
    fn of_program(host: usize, words: &str) -> Note {
        Note { host, words: words.to_owned(), preview: None, of_stack: false }
    }
}

impl Shape {
    pub(super) fn departs(self) -> bool {
        matches!(self, Shape::Whole | Shape::Departs | Shape::Dies)
    }
}

/// What words beside a host's line are of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    /// The packet that has just arrived.
    Packet,
    /// The stack, which speaks of what has just arrived.
    Stack,
    /// The stack, which speaks of what it has just sent by itself, or what a program made it send.
    StackSent,
    /// A program's receive, which takes the first of what arrived at this moment (or a call that an arrival
    /// failed).
    Receive,
    /// Any other call: it answers no arrival.
    Other,
}

struct Layout<'a> {
    trace: &'a Trace,
    hosts: usize,
    rows: Vec<Row>,
    down: Vec<bool>,
    /// By host: the rows of arrivals that nothing was said of yet, and when those were.
    arrivals: Vec<VecDeque<(usize, Time)>>,
    /// By host: the last row with words of it or a departure from it.
    touched: Vec<Option<usize>>,
    /// By host: the last row with words of its stack.
    told: Vec<Option<usize>>,
    /// By packet: the row of its departure.
    departures: BTreeMap<PacketId, usize>,
    /// The row of the event before.
    last: Option<usize>,
    sockets: Sockets,
    flows: Flows,
    payloads: &'a Payloads,
    /// Events of the plan that happen in every run.
    usual: &'a BTreeSet<usize>,
}

/// The rows of a trace's diagram. `mark` is the event at the moment of truth.
pub(super) fn rows(
    trace: &Trace,
    events: &[&Event],
    flights: &BTreeMap<PacketId, Flight>,
    payloads: &Payloads,
    usual: &BTreeSet<usize>,
    mark: Option<usize>,
) -> Vec<Row> {
    let hosts = trace.hosts().len();
    let mut layout = Layout {
        trace,
        hosts,
        rows: Vec::new(),
        down: vec![false; hosts],
        arrivals: vec![VecDeque::new(); hosts],
        touched: vec![None; hosts],
        told: vec![None; hosts],
        departures: BTreeMap::new(),
        last: None,
        sockets: Sockets::of(trace),
        flows: Flows::of(trace),
        payloads,
        usual,
    };
    for (index, event) in events.iter().enumerate() {
        layout.event(index, event.at, &event.what, flights);
        if mark == Some(index)
            && let Some(row) = layout.last.and_then(|row| layout.rows.get_mut(row))
        {
            row.ranks(Rank::Truth);
        }
    }
    layout.rows
}

/// What sockets the hosts use.
#[derive(Debug)]
struct Sockets {
    listening: BTreeSet<(HostId, SocketId)>,
    /// By host: whether it uses more than one socket, those that only listen aside.
    many: Vec<bool>,
}

impl Sockets {
    fn of(trace: &Trace) -> Sockets {
        let mut first: Vec<Option<SocketId>> = vec![None; trace.hosts().len()];
        let mut many = vec![false; trace.hosts().len()];
        let mut listening = BTreeSet::new();
        for call in trace.calls() {
            if matches!(call.call, Call::Listen(_)) {
                listening.insert((call.host, call.socket));
            }
            let host = usize::from(call.host.0);
            if let (Some(first), Some(many)) = (first.get_mut(host), many.get_mut(host))
                && !listening.contains(&(call.host, call.socket))
            {
                *many |= *first.get_or_insert(call.socket) != call.socket;
            }
        }
        Sockets { listening, many }
    }

    /// A call in words, with its socket where there are many.
    fn said(&self, host: HostId, socket: SocketId, call: &Call, error: Option<Errno>) -> String {
        let words = match error {
            None if *call == Call::Close && self.listening.contains(&(host, socket)) => {
                "close listener".to_owned()
            }
            _ => said_of_call(call, error),
        };
        let many = self.many.get(usize::from(host.0)).copied().unwrap_or_default();
        if many { format!("s{} {words}", socket.0) } else { words }
    }
}

impl Layout<'_> {
    fn column(&self, host: HostId) -> Option<usize> {
        let column = usize::from(host.0);
        (column < self.hosts).then_some(column)
    }

    fn row(&mut self, at: Time) -> &mut Row {
        self.rows.push(Row {
            at,
            arrow: None,
            notes: Vec::new(),
            banner: None,
            down: self.down.clone(),
            crash: None,
            rank: Rank::Plain,
            is_usual: false,
            key: None,
        });
        let last = self.rows.len() - 1;
        self.last = Some(last);
        &mut self.rows[last]
    }

    fn event(&mut self, index: usize, at: Time, what: &What, flights: &BTreeMap<PacketId, Flight>) {
        match what {
            What::Sent { packet, .. } | What::Injected { packet, .. } => {
                if let Some(flight) = flights.get(packet) {
                    self.departure(*packet, flight);
                }
            }
            What::Arrived { packet, .. } | What::Lost { packet, .. } => {
                let flight = flights.get(packet);
                let landing = flight.and_then(|flight| {
                    flight.landings.iter().position(|landing| landing.event == index).map(|nth| (flight, nth))
                });
                if let Some((flight, nth)) = landing {
                    self.landing(*packet, flight, nth);
                }
            }
            What::Call { host, socket, call, error } => {
                let Some(column) = self.column(*host) else { return };
                let words = self.sockets.said(*host, *socket, call, *error);
                let of = if matches!(call, Call::Recv { .. }) || error.is_some() {
                    Of::Receive
                } else {
                    Of::Other
                };
                let preview = error.is_none().then(|| self.payloads.of_call(call)).flatten();
                self.note(at, column, words, error.is_some(), of).preview = preview;
            }
            What::Note { host, note } => {
                if let Some(column) = self.column(*host) {
                    self.note(at, column, self.flows.said(*host, *note), true, of_note(*note));
                }
            }
            What::Noted { host, key, value } => {
                let Some(column) = self.column(*host) else { return };
                let row = self.row(at);
                row.key = Some(key.clone());
                row.notes.push(Note::of_program(column, &words::noted(key, value)));
            }
            What::Partitioned(cut) => self.banner(index, at, cut, "cut"),
            What::Healed(cut) => self.banner(index, at, cut, "mended"),
            What::Crashed(host) => {
                let Some(column) = self.column(*host) else { return };
                let row = self.planned(index, at);
                row.crash = Some(column);
                row.notes.push(Note::of_program(column, "crashes"));
                self.down[column] = true;
                self.arrivals[column].clear();
            }
            What::Killed(host) => {
                let Some(column) = self.column(*host) else { return };
                let row = self.planned(index, at);
                row.notes.push(Note::of_program(column, "killed"));
            }
            What::Restarted(host) => {
                let Some(column) = self.column(*host) else { return };
                self.down[column] = false;
                let row = self.planned(index, at);
                row.notes.push(Note::of_program(column, "restarts"));
            }
            What::Fault { .. } => {}
        }
    }

    /// A row for something that happens by the plan.
    fn planned(&mut self, index: usize, at: Time) -> &mut Row {
        let is_usual = self.usual.contains(&index);
        let row = self.row(at);
        row.is_usual = is_usual;
        row.ranks(if is_usual { Rank::Usual } else { Rank::Planned });
        row
    }

    /// Whether a packet's faults are those of every run.
    fn is_usual(&self, flight: &Flight) -> bool {
        !flight.hits.is_empty() && flight.hits.iter().all(|hit| self.usual.contains(hit))
    }

    fn rank_of(&self, flight: &Flight) -> Rank {
        if self.is_usual(flight) { Rank::Usual } else { Rank::Planned }
    }

    fn departure(&mut self, packet: PacketId, flight: &Flight) {
        let (Some(from), Some(to)) = (self.column(flight.from), self.column(flight.to)) else {
            return;
        };
        let landing = flight.landings.first();
        let lost = landing.and_then(|landing| landing.lost);
        let (shape, end) = match (flight.whole, lost, landing) {
            (true, _, _) if flight.dropped => (Shape::Dies, String::new()),
            (true, Some(reason), _) => (Shape::Dies, words::loss(reason).to_owned()),
            (true, None, Some(landing)) => (Shape::Whole, took(flight, landing)),
            (_, _, None) => (Shape::Departs, "still on its way".to_owned()),
            (false, _, Some(_)) => (Shape::Departs, String::new()),
        };
        let arrow = Arrow {
            from,
            to,
            shape,
            name: flight.name.clone(),
            load: flight.load.clone(),
            preview: flight.preview.clone(),
            faults: flight.faults.join(", "),
            is_usual: self.is_usual(flight),
            end,
        };
        let rank = match shape {
            _ if !flight.faults.is_empty() => self.rank_of(flight),
            Shape::Dies => Rank::Notable,
            _ => Rank::Plain,
        };
        // The call that sent it stands on the same row, if nothing came between.
        let last = self.rows.len().checked_sub(1);
        let shares = self.hosts == 2
            && self.rows.last().is_some_and(|row| {
                row.arrow.is_none()
                    && row.banner.is_none()
                    && row.crash.is_none()
                    && row.at == flight.at
                    && matches!(row.notes.as_slice(), [note] if note.host == from && !note.of_stack)
            });
        let index = match last {
            Some(last) if shares => last,
            _ => {
                self.row(flight.at);
                self.rows.len() - 1
            }
        };
        self.rows[index].arrow = Some(arrow);
        self.rows[index].ranks(rank);
        self.touched[from] = Some(index);
        self.last = Some(index);
        self.departures.insert(packet, index);
    }

    fn landing(&mut self, packet: PacketId, flight: &Flight, nth: usize) {
        let (Some(from), Some(to)) = (self.column(flight.from), self.column(flight.to)) else {
            return;
        };
        let landing = &flight.landings[nth];
        let departed = self.departures.get(&packet).copied();
        let index = match departed {
            Some(row) if flight.whole && nth == 0 => row,
            _ => {
                let mut name = flight.name.clone();
                if landing.copy > 0 {
                    name.push_str(", copy");
                }
                let end = match landing.lost {
                    Some(reason) => words::loss(reason).to_owned(),
                    None => took(flight, landing),
                };
                let rank = self.rank_of(flight);
                let row = self.row(landing.at);
                row.rank = match landing.lost {
                    _ if !flight.faults.is_empty() => rank,
                    Some(_) => Rank::Notable,
                    None => Rank::Plain,
                };
                row.arrow = Some(Arrow {
                    from,
                    to,
                    shape: if landing.lost.is_some() { Shape::LandsDead } else { Shape::Lands },
                    name,
                    load: String::new(),
                    preview: None,
                    faults: String::new(),
                    is_usual: false,
                    end,
                });
                self.rows.len() - 1
            }
        };
        self.last = Some(index);
        if landing.lost.is_none() {
            self.arrivals[to].push_back((index, landing.at));
        }
        if let Some(wrong) = &landing.wrong {
            self.note(landing.at, to, wrong.clone(), true, Of::Packet);
        }
    }

    /// Words beside a host's line: on the row of the arrival that they answer, or on a row of their own. What
    /// a stack tells is of that arrival even where it has sent something meanwhile; of one arrival it may
    /// tell several things, and none of them stands above another that it told before.
    fn note(&mut self, at: Time, column: usize, words: String, is_notable: bool, of: Of) -> &mut Note {
        let arrivals = &mut self.arrivals[column];
        arrivals.retain(|(_, when)| *when == at);
        let beside = match of {
            Of::Stack | Of::Packet => arrivals.pop_back(),
            Of::Receive => arrivals.pop_front(),
            Of::StackSent | Of::Other => None,
        };
        let touched = self.touched[column];
        let before = if of == Of::Stack { self.told[column] } else { touched };
        let is_free = |row: &usize| self.hosts == 2 && before.is_none_or(|before| before < *row);
        let beside = match of {
            Of::StackSent => touched.filter(|row| self.departs_alone(*row, column, at)),
            _ => beside.map(|(row, _)| row).filter(is_free),
        };
        let index = beside.unwrap_or_else(|| {
            self.row(at);
            self.rows.len() - 1
        });
        let of_stack = matches!(of, Of::Stack | Of::StackSent);
        if of_stack {
            self.told[column] = self.told[column].max(Some(index));
        }
        self.last = Some(index);
        self.touched[column] = self.touched[column].max(Some(index));
        let row = &mut self.rows[index];
        if is_notable {
            row.ranks(Rank::Notable);
        }
        row.notes.push(Note { host: column, words, preview: None, of_stack });
        let last = row.notes.len() - 1;
        &mut row.notes[last]
    }

    /// Whether a packet leaves the host on that row at that moment, without words on it yet.
    fn departs_alone(&self, row: usize, column: usize, at: Time) -> bool {
        let row = &self.rows[row];
        let departs = |arrow: &Arrow| arrow.from == column && arrow.shape.departs();
        let said = row.notes.iter().any(|note| note.host == column);
        self.hosts == 2 && row.at == at && !said && row.arrow.as_ref().is_some_and(departs)
    }

    fn banner(&mut self, index: usize, at: Time, cut: &Cut<HostId>, done: &'static str) {
        let ends = match cut.hosts {
            Some([a, b]) => self.column(a).zip(self.column(b)),
            None => self.trace.hosts().len().checked_sub(1).map(|last| (0, last)),
        };
        if let Some((a, b)) = ends {
            let row = self.planned(index, at);
            row.banner = Some((a.min(b), a.max(b), *cut, done));
        }
    }
}

/// Words beside a host's line, of an event.
#[derive(Debug)]
pub(super) struct Label {
    pub(super) event: usize,
    pub(super) host: usize,
    pub(super) words: String,
    /// Words for what a call sent or received.
    pub(super) preview: Option<Preview>,
    pub(super) of_stack: bool,
    /// A call failed, or a host did.
    pub(super) fails: bool,
}

/// All words beside the hosts' lines.
pub(super) fn labels(
    trace: &Trace,
    events: &[&Event],
    flights: &BTreeMap<PacketId, Flight>,
    payloads: &Payloads,
) -> Vec<Label> {
    let (sockets, flows) = (Sockets::of(trace), Flows::of(trace));
    let label = |(event, it): (usize, &&Event)| {
        let (host, words, of_stack, fails) = match &it.what {
            What::Call { host, socket, call, error } => {
                (*host, sockets.said(*host, *socket, call, *error), false, error.is_some())
            }
            What::Note { host, note } => (*host, flows.said(*host, *note), true, false),
            What::Noted { host, key, value } => (*host, words::noted(key, value), false, false),
            What::Crashed(host) => (*host, "crashes".to_owned(), false, true),
            What::Killed(host) => (*host, "killed".to_owned(), false, true),
            What::Restarted(host) => (*host, "restarts".to_owned(), false, true),
            What::Arrived { packet, to, .. } => {
                let landings = flights.get(packet).map(|flight| &flight.landings)?;
                let landing = landings.iter().find(|landing| landing.event == event)?;
                (*to, landing.wrong.clone()?, false, false)
            }
            _ => return None,
        };
        let preview = match &it.what {
            What::Call { call, error: None, .. } => payloads.of_call(call),
            _ => None,
        };
        Some(Label { event, host: usize::from(host.0), words, preview, of_stack, fails })
    };
    events.iter().enumerate().filter_map(label).collect()
}

/// What a stack's words are of: timers and calls make it send, the rest is an answer to what arrived.
fn of_note(note: crate::model::Note) -> Of {
    let crate::model::Note::Tcp { note, .. } = note else { return Of::Stack };
    match note {
        TcpNote::Timeout
        | TcpNote::Probe
        | TcpNote::WindowClosed
        | TcpNote::State(State::SynSent | State::FinWait1 | State::LastAck) => Of::StackSent,
        TcpNote::FastRetransmit | TcpNote::CongestionWindow(_) | TcpNote::State(_) => Of::Stack,
    }
}

fn took(flight: &Flight, landing: &Landing) -> String {
    words::span(landing.at.as_nanos().saturating_sub(flight.at.as_nanos()))
}

fn verb(call: &Call) -> &'static str {
    match call {
        Call::Bind(_) => "bind",
        Call::Connect(_) => "connect",
        Call::Listen(_) => "listen",
        Call::Accept { .. } => "accept",
        Call::Send { .. } => "send",
        Call::Recv { .. } => "recv",
        Call::Shutdown => "shutdown",
        Call::Close => "close",
        Call::Option(option) => words::option(option).0,
    }
}

/// A call in words.
pub(super) fn said_of_call(call: &Call, error: Option<Errno>) -> String {
    match error {
        None => call_words(call),
        Some(errno) => format!("{}: {}", verb(call), errno.name()),
    }
}

fn call_words(call: &Call) -> String {
    match call {
        Call::Bind(addr) | Call::Connect(addr) | Call::Listen(addr) => {
            format!("{} :{}", verb(call), addr.port())
        }
        Call::Send { data, .. } => format!("send {} B", data.len()),
        Call::Recv { data, from: None, .. } if data.is_empty() => "recv the end".to_owned(),
        Call::Recv { data, full_len, .. } if *full_len > data.len() => {
            format!("recv {} of {full_len} B", data.len())
        }
        Call::Recv { data, .. } => format!("recv {} B", data.len()),
        Call::Accept { .. } | Call::Shutdown | Call::Close => verb(call).to_owned(),
        Call::Option(option) => {
            let (name, value) = words::option(option);
            format!("{name} {value}")
        }
    }
}
