//! How the report of a failure draws the run.

use faultwire::trace::{DiagramOptions, Payloads};

use super::Scenario;

/// The variable that sets the width of reports, as shells have it.
const COLUMNS: &str = "COLUMNS";

impl Scenario {
    /// How the report of a failure draws its run. By default: 100 columns, or as many as the environment
    /// variable `COLUMNS` says where it is exported, 60 lines, and a preview of each payload.
    ///
    /// A diagram that is too long keeps its beginning and its end, and what happened by the plan; it says how
    /// much is left out.
    ///
    /// Below it stand the last lines that the programs logged with `tracing` in that run, `lines_max` at
    /// most, from the level debug up or as `RUST_LOG` says.
    ///
    /// ```
    /// # use faultwire_sim::scenario;
    /// let my_store = scenario("my-store").report(|diagram| {
    ///     diagram.width = 160;
    ///     diagram.lines_max = 200;
    /// });
    /// ```
    #[must_use]
    pub fn report(mut self, set: impl FnOnce(&mut DiagramOptions)) -> Self {
        set(&mut self.diagram);
        self
    }

    /// Says in words what a message is: the report of a failure shows them with the packets, and with what
    /// the programs' calls sent and received. Where it returns `None`, and by default, there is a preview of
    /// the first bytes.
    ///
    /// It is called with whole datagrams, with the payload of each TCP segment, and with what each call sent
    /// or received.
    ///
    /// ```
    /// # use faultwire_sim::scenario;
    /// let my_store = scenario("my-store").describe(|message| match message {
    ///     [1, key @ ..] => Some(format!("get {}", key.escape_ascii())),
    ///     [2, ..] => Some("put".to_owned()),
    ///     _ => None,
    /// });
    /// ```
    #[must_use]
    pub fn describe(self, words: impl Fn(&[u8]) -> Option<String> + Send + Sync + 'static) -> Self {
        self.report(|diagram| diagram.payloads = Payloads::described(words))
    }
}

/// How a run is drawn by default.
pub(super) fn diagram() -> DiagramOptions {
    diagram_in(std::env::var(COLUMNS).ok().as_deref())
}

fn diagram_in(columns: Option<&str>) -> DiagramOptions {
    let mut diagram = DiagramOptions::default();
    diagram.payloads = Payloads::PREVIEWS;
    if let Some(columns) = columns.and_then(|columns| columns.parse().ok()) {
        diagram.width = columns;
    }
    diagram
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_width_is_that_of_the_environment_unless_it_is_set() {
        let width = |columns| diagram_in(columns).width;
        assert_eq!((width(Some("160")), width(None), width(Some("wide"))), (160, 100, 100));
        let scenario = crate::scenario("wide").report(|diagram| diagram.width = 70).describe(|_| None);
        assert_eq!(scenario.diagram.width, 70);
        assert_ne!(scenario.diagram.payloads, Payloads::PREVIEWS);
    }
}
