//! What may go wrong with a scenario's hosts, and what varies from run to run.

use std::sync::Arc;
use std::time::Duration;

use faultwire::fault::{EventKind, Lasts, bounds};

use super::{Clock, Scenario};
use crate::search::{Death, Family, Grid, Member, RandomFaults};

/// The programs' own timeout, where the scenario does not say it.
const TIMEOUT: Duration = Duration::from_millis(200);
/// Like `TIMEOUT`, but in a lab. Random plans delay packets by four of it at most: less than programs listen
/// there for what is late.
const TIMEOUT_IN_LAB: Duration = Duration::from_millis(60);

/// How long an outage of a search lasts in simulation.
const OUTAGE: Duration = Duration::from_secs(3);
/// In real time, where waiting costs: how much longer than two timeouts,
const OUTAGE_LONGER: Duration = Duration::from_millis(200);
/// and how many of them are tried.
const REAL_OUTAGES_MAX: u64 = 64;

/// An outage that counts retransmissions, and one of that length.
fn outages_of(span: Duration) -> [Lasts; 2] {
    let us = u64::try_from(span.as_micros()).unwrap_or(u64::MAX);
    [Lasts::Retransmissions(2), Lasts::Us(us.min(*bounds::FOR_US.end()))]
}

impl Scenario {
    /// Where single faults are tried, tries as well what becomes of a run in which this host loses power
    /// after a packet, for each packet of the fault-free run: for good, and to start again at once, a new
    /// host with what was [synced](crate::Disk::sync) on its disk. Random plans then have such crashes
    /// too, up to three, with a pause of any length before the restart.
    ///
    /// Once a host has crashed in a run of such a scenario, a program on another host may end with an error:
    /// to report that its peer is gone is right. A panic, a run that stalls, and a broken invariant are
    /// failures all the same. A client whose own host is off is not waited for.
    #[must_use]
    pub fn crashes(self, host: &str) -> Self {
        self.crashes_for_good(host).death(EventKind::Crash, host, true)
    }

    /// Like [`crashes`](Scenario::crashes), and the host never starts again.
    #[must_use]
    pub fn crashes_for_good(self, host: &str) -> Self {
        self.death(EventKind::Crash, host, false)
    }

    /// Like [`crashes`](Scenario::crashes), but the host's programs are killed, and the host goes on: it
    /// closes their sockets, and keeps what they wrote to its disk.
    #[must_use]
    pub fn kills(self, host: &str) -> Self {
        self.kills_for_good(host).death(EventKind::Kill, host, true)
    }

    /// Like [`kills`](Scenario::kills), and the programs never start again.
    #[must_use]
    pub fn kills_for_good(self, host: &str) -> Self {
        self.death(EventKind::Kill, host, false)
    }

    /// Like [`crashes`](Scenario::crashes) and [`kills`](Scenario::kills), where the programs always start
    /// again: after a crash on a new host, after a kill on the one that there is.
    #[must_use]
    pub fn restarts(self, host: &str) -> Self {
        self.death(EventKind::Crash, host, true).death(EventKind::Kill, host, true)
    }

    fn death(mut self, kind: fn(String) -> EventKind, host: &str, restarts: bool) -> Self {
        self.deaths.push(Death { kind, host: host.to_owned(), restarts });
        self
    }

    /// Tries no outages. By default, where single faults are tried, so is an outage of the link from each
    /// packet of the fault-free run on that something may wait for an answer to: one way and both; for three
    /// seconds (in real time, for a little more than two timeouts), and with TCP until two retransmissions
    /// are lost. Once it has ended, all that is sent arrives, and the programs must succeed.
    ///
    /// For programs that give up sooner, and say so.
    #[must_use]
    pub fn without_outages(mut self) -> Self {
        self.has_outages = false;
        self
    }

    /// Also tries pairs of flipped bits that cancel in the transport's checksum, in up to `places` places of
    /// each packet.
    #[must_use]
    pub fn cancelling_bits(mut self, places: u32) -> Self {
        self.cancelling_bits = places;
        self
    }

    /// Draws the random plans from these.
    #[must_use]
    pub fn random_faults(mut self, random_faults: RandomFaults) -> Self {
        self.random_faults = Some(random_faults);
        self
    }

    /// Variants of the scenario: a plan whose `scenario` is this one's name, a `/` and further words runs the
    /// hosts of the scenario that `variant` gives for these words. A plan with words for which it gives none
    /// is refused.
    #[must_use]
    pub fn variants(mut self, variant: impl Fn(&str) -> Option<Scenario> + Send + Sync + 'static) -> Self {
        self.variants = Some(Arc::new(variant));
        self
    }

    /// What varies in runs without faults, which come before those with faults. `member` returns the scenario
    /// whose hosts a member runs; this scenario is the ordinary member. A failure names its member in the
    /// plan, which replays it.
    ///
    /// ```
    /// use faultwire::network::{Listener as _, Network as _};
    /// use faultwire_sim::search::Family;
    /// use faultwire_sim::{Net, Result, Scenario, scenario};
    /// use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    ///
    /// /// A client that writes `count` times `size` bytes.
    /// fn upload(count: usize, size: usize) -> Scenario {
    ///     let server = |net: Net| async move {
    ///         let (mut stream, _) = net.listen("0.0.0.0:80", 1, &[]).await?.accept().await?;
    ///         let len = stream.read_to_end(&mut Vec::new()).await?;
    ///         stream.write_u64(len as u64).await
    ///     };
    ///     scenario("upload").server(server).client(move |net: Net| async move {
    ///         let mut stream = net.connect("server:80", &[]).await?;
    ///         for _ in 0..count {
    ///             stream.write_all(&vec![7; size]).await?;
    ///         }
    ///         stream.shutdown().await?;
    ///         assert_eq!(stream.read_u64().await?, (count * size) as u64);
    ///         Ok(())
    ///     })
    /// }
    /// let family = Family::new().axis("count", 1..=20).axis("size", Family::around([1, 1_460]));
    /// upload(1, 1).family(family, |member| Some(upload(member.get("count")?, member.get("size")?))).check();
    /// ```
    #[must_use]
    pub fn family(
        mut self,
        family: Family,
        member: impl Fn(&Member<'_>) -> Option<Scenario> + Send + Sync + 'static,
    ) -> Self {
        let family = Arc::new(family);
        self.family = Some(family.clone());
        self.variants(move |words| member(&family.parse(words)?))
    }

    /// The single faults that an exhaustive search tries on each packet, and the outages.
    pub fn grid(&self) -> Grid {
        let rtt = self.base.delay_max() * 2;
        let timeout = self.timeout.unwrap_or(if self.testbed.is_live() { TIMEOUT_IN_LAB } else { TIMEOUT });
        let grid = Grid::new(rtt, timeout).cancelling_bits(self.cancelling_bits);
        let grid = match self.testbed {
            _ if !self.has_outages => grid,
            it if it.is_simulated() => grid.outages(outages_of(OUTAGE), u64::MAX),
            it if it.is_live() => {
                let longer = timeout.saturating_mul(2).saturating_add(OUTAGE_LONGER);
                grid.outages(outages_of(longer), REAL_OUTAGES_MAX)
            }
            _ => grid,
        };
        match self.testbed.clock() {
            Clock::Ticks(_) => grid.whole_ticks(),
            Clock::Real if self.testbed.is_live() => grid.steady(),
            _ => grid,
        }
    }
}
