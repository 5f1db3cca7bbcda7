//! The layer that hands what programs log to the collector.

use std::fmt::{self, Write as _};

use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::registry::{LookupSpan, Registry};

/// The variable that says which events count, as programs have it: `info,my_store=trace`.
const FILTER: &str = "RUST_LOG";
/// Letters of a line at most.
const LETTERS_MAX: usize = 400;

/// Does some work whose events on this thread are collected.
pub(super) fn under<T>(work: impl FnOnce() -> T) -> T {
    let asked = std::env::var(FILTER).ok().filter(|filter| !filter.is_empty());
    let filter = asked.and_then(|filter| filter.parse().ok());
    let filter: Targets = filter.unwrap_or_else(|| Targets::new().with_default(LevelFilter::DEBUG));
    // What carries packets there tells of them in its own words.
    let filter = filter.with_target("turmoil", LevelFilter::OFF);
    tracing::subscriber::with_default(Registry::default().with(Collecting.with_filter(filter)), work)
}

struct Collecting;

/// The fields of a span, in words.
struct Fields(String);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Collecting {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let mut words = Words::default();
        attributes.record(&mut words);
        if let Some(span) = context.span(id) {
            span.extensions_mut().insert(Fields(words.fields));
        }
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        if let Some(span) = context.span(id)
            && let Some(Fields(fields)) = span.extensions_mut().get_mut()
        {
            let mut words = Words { fields: std::mem::take(fields), ..Words::default() };
            values.record(&mut words);
            *fields = words.fields;
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut line = format!("{:<5} ", event.metadata().level());
        for span in context.event_scope(event).into_iter().flat_map(|scope| scope.from_root()) {
            line.push_str(span.name());
            if let Some(Fields(fields)) = span.extensions().get().filter(|Fields(fields)| !fields.is_empty())
            {
                let _ = write!(line, "{{{fields}}}");
            }
            line.push_str(": ");
        }
        let mut words = Words::default();
        event.record(&mut words);
        let gap = if words.message.is_empty() || words.fields.is_empty() { "" } else { " " };
        line += &format!("{}{gap}{}", words.message, words.fields);
        super::with(|collector| collector.add(in_one_line(&line)));
    }
}

/// A message, and the other fields as `name=value`.
#[derive(Default)]
struct Words {
    message: String,
    fields: String,
}

impl Visit for Words {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message.push_str(value);
        } else {
            self.record_debug(field, &value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = if field.name() == "message" {
            write!(self.message, "{value:?}")
        } else {
            let gap = if self.fields.is_empty() { "" } else { " " };
            write!(self.fields, "{gap}{}={value:?}", field.name())
        };
    }
}

/// The words in one line that is not too long.
fn in_one_line(words: &str) -> String {
    let mut letters = words.chars();
    let mut line = String::new();
    for letter in letters.by_ref().take(LETTERS_MAX) {
        if letter.is_control() { line.extend(letter.escape_default()) } else { line.push(letter) }
    }
    if letters.next().is_some() {
        line.push('…');
    }
    line
}
