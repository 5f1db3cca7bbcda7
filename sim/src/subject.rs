//! Subjects from outside: stacks and sockets that are not this project's, under its faults and claims.
//!
//! - A *stack* implements [`HostStack`]: [`Scenario::stack`] puts it into a scenario's hosts, and a
//!   [`StackSubject`] makes testbeds of it, so that every study runs on them.
//! - *Sockets* that come with a world of their own, as those of another simulator do, implement
//!   [`Network`](faultwire::network::Network): a [`Testbed`] of yours starts the scenario's programs over
//!   them ([`Programs`](crate::Programs)).

use faultwire::fault::FaultPlan;
use faultwire::stack::{HostStack, StackConfig};

use crate::drivers::{LAB_FAULTWIRE_CLIENT, LAB_FAULTWIRE_SERVER, VIRTUAL};
use crate::new_host::{MakeStack, NewHost};
use crate::run::Run;
use crate::scenario::{Capabilities, Capability, Scenario, Subject, Testbed, TestbedRef, Unavailable};

/// A stack from outside, as a subject: its name, how to make one, and what it lacks.
///
/// ```
/// use faultwire::stack::Stack;
/// use faultwire_sim::testbed::{Capability, StackSubject};
///
/// let mine = StackSubject::new("mine", "my stack, version 0.1", |host| Box::new(Stack::new(host.config)))
///     .lacks(Capability::Ipv6, "my stack has no IPv6");
/// let names: Vec<String> = mine.testbeds().iter().map(|testbed| testbed.to_string()).collect();
/// assert_eq!(names[..3], ["virtual/mine", "virtual/mine-faultwire", "virtual/faultwire-mine"]);
/// assert_eq!(names[3..], ["lab/mine-linux", "lab/linux-mine"]);
/// ```
#[derive(Clone, Debug)]
pub struct StackSubject {
    name: &'static str,
    about: &'static str,
    stack: MakeStack,
    lacking: Vec<(Capability, &'static str)>,
    deviations: Vec<&'static str>,
    probe: fn() -> Result<(), Unavailable>,
}

impl StackSubject {
    /// A stack of that name, described in a few words. `stack` makes one for a host; it is called once for
    /// each host of a run, and again when a host restarts after a crash.
    pub fn new(
        name: &'static str,
        about: &'static str,
        stack: impl Fn(NewHost<'_>) -> Box<dyn HostStack> + Send + Sync + 'static,
    ) -> StackSubject {
        let stack = MakeStack::new(stack);
        StackSubject { name, about, stack, lacking: Vec::new(), deviations: Vec::new(), probe: || Ok(()) }
    }

    /// Declares something that the stack does not have. What needs it is skipped, for the reason `why`.
    #[must_use]
    pub fn lacks(mut self, capability: Capability, why: &'static str) -> StackSubject {
        self.lacking.push((capability, why));
        self
    }

    /// States that the stack does not run with its defaults, and why. Reports say so.
    #[must_use]
    pub fn deviates(mut self, how: &'static str) -> StackSubject {
        self.deviations.push(how);
        self
    }

    /// Tells whether this machine has the stack; by default it always does.
    #[must_use]
    pub fn probed_by(mut self, probe: fn() -> Result<(), Unavailable>) -> StackSubject {
        self.probe = probe;
        self
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// A description in a few words.
    pub fn about(&self) -> &'static str {
        self.about
    }

    /// What it does not have, each with the reason.
    pub fn lacking(&self) -> &[(Capability, &'static str)] {
        &self.lacking
    }

    /// Makes a stack for a host.
    pub fn stack(&self, host: NewHost<'_>) -> Box<dyn HostStack> {
        self.stack.make(host)
    }

    /// Makes a stack with this configuration, for a host named `host`.
    pub fn with_config(&self, config: StackConfig) -> Box<dyn HostStack> {
        self.stack(NewHost { name: "host", is_server: false, config })
    }

    /// Where it is tried: alone and against faultwire's stack in virtual time, and against the kernel in a
    /// lab; in a pair once as the client and once as the server. They live as long as the process.
    pub fn testbeds(&self) -> Vec<TestbedRef> {
        let places = [
            (VIRTUAL, Part::Both, "with this stack on every host"),
            (VIRTUAL, Part::Client, "with this stack on every host except the server, which has faultwire's"),
            (VIRTUAL, Part::Server, "with this stack on the server and faultwire's on the others"),
            (LAB_FAULTWIRE_CLIENT, Part::Client, "with this stack on every host except the server"),
            (LAB_FAULTWIRE_SERVER, Part::Server, "with this stack on the server"),
        ];
        places.into_iter().map(|(inner, part, about)| self.testbed(inner, part, about)).collect()
    }

    fn testbed(&self, inner: TestbedRef, part: Part, about: &str) -> TestbedRef {
        let other = if inner == VIRTUAL { Subject::FAULTWIRE.name } else { Subject::LINUX.name };
        let (client, server) = match part {
            Part::Both => (self.name, self.name),
            Part::Client => (self.name, other),
            Part::Server => (other, self.name),
        };
        let name = if part == Part::Both { self.name } else { leak(format!("{client}-{server}")) };
        let lacking = [inner.capabilities().lacking, &self.lacking].concat();
        Box::leak(Box::new(WithStack {
            inner,
            part,
            subject: Subject { name, client, server },
            about: leak(format!("{}: {}, {about}", inner.name(), self.about)),
            lacking: lacking.leak(),
            deviations: self.deviations.clone().leak(),
            stack: self.stack.clone(),
            probe: self.probe,
        }))
    }
}

fn leak(text: String) -> &'static str {
    text.leak()
}

/// Which hosts have the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Both,
    Client,
    Server,
}

/// A testbed with another stack in the place of faultwire's own.
#[derive(Debug)]
struct WithStack {
    inner: TestbedRef,
    part: Part,
    subject: Subject,
    about: &'static str,
    lacking: &'static [(Capability, &'static str)],
    deviations: &'static [&'static str],
    stack: MakeStack,
    probe: fn() -> Result<(), Unavailable>,
}

impl Testbed for WithStack {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn subject(&self) -> Subject {
        self.subject
    }

    fn about(&self) -> &'static str {
        self.about
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities { lacking: self.lacking, ..self.inner.capabilities() }
    }

    fn run(&self, scenario: &Scenario, plan: &FaultPlan) -> Run {
        let (stack, part) = (self.stack.clone(), self.part);
        let scenario = scenario.clone().stack(move |host| match (part, host.is_server) {
            (Part::Both, _) | (Part::Client, false) | (Part::Server, true) => stack.make(host),
            _ => host.faultwire(),
        });
        self.inner.run(&scenario, plan)
    }

    fn probe(&self) -> Result<Option<&'static str>, Unavailable> {
        (self.probe)()?;
        let config = StackConfig::new([10, 0, 0, 1].into(), [0xfd00, 0, 0, 0, 0, 0, 0, 1].into());
        if let Some(step) = self.stack.make(NewHost { name: "host", is_server: false, config }).trouble() {
            let allow = "its stack has to start; or leave the testbed out".to_owned();
            return Err(Unavailable { step, allow, source: None });
        }
        self.inner.probe()
    }

    fn deviations(&self) -> &'static [&'static str] {
        self.deviations
    }
}
