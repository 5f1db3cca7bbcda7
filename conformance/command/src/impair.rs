//! `faultwire impair`: netem's words become a plan.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use faultwire::fault::{Action, Class, Direction, Draw, FaultPlan, Impairment, NotDrawn, bounds};

use super::error::{CommandError, usage};
use super::output::{self, tell};
use super::select;
use faultwire_conformance::exit;

/// Draw a fault plan from an impairment, in the words of netem (tc-netem(8))
///
/// The plan names each packet that is hit: it repeats, `lab`, `relay` and `replay` run it, and `shrink` makes
/// it smaller.
#[derive(Clone, Debug, clap::Args)]
#[command(after_help = "\
loss [random] PERCENT [CORRELATION]     lost; with a correlation, in bursts
loss gemodel P [R [1-H [1-K]]]          lost as in Gilbert and Elliott's model
loss state P13 [P31 [P32 [P23 [P14]]]]  lost as in a chain of four states
corrupt PERCENT [CORRELATION]           one bit is flipped
duplicate PERCENT [CORRELATION]         arrives twice
delay TIME [JITTER [CORRELATION]]       arrives later
distribution DISTRIBUTION               how that is spread: uniform, normal, pareto, paretonormal
reorder PERCENT [CORRELATION] [gap N]   sent at once while the others are delayed
rate RATE                               of the link, such as 10mbit

With the probability CORRELATION a decision is that of the packet before. A packet has one
fault: loss goes before damage, damage before duplication, duplication before delay. The delay
that all packets have in common is the link's, where all packets both ways are drawn for.

The same words with the same seed give the same plan, and more packets only add faults to it.
In a lab the class `any` counts bare acknowledgements too, which differ from run to run; `data`
does not, and leaves retransmissions alone.

Examples:
  faultwire impair 'loss 5% 25% delay 100ms 20ms distribution normal' --out plan.toml
  faultwire impair loss gemodel 1% 20% --packets 5000 --seed 7 --direction 'client->server'
  faultwire lab --plan plan.toml --server 'python3 server.py' --client 'python3 client.py {server}'

Exit: 0 the plan is written, 2 wrong words, or a plan of too many faults.")]
pub(super) struct Args {
    /// What netem would do; `tc qdisc … netem` before it is passed over
    #[arg(value_name = "NETEM", required = true, num_args = 1..)]
    words: Vec<String>,
    /// How many packets of each class in each direction, from the first on
    #[arg(
        long,
        value_name = "N",
        default_value_t = 1_000,
        value_parser = clap::value_parser!(u32).range(1..=*bounds::NTH.end() as i64),
    )]
    packets: u32,
    /// The seed
    #[arg(long, value_name = "S", default_value_t = 0)]
    seed: u64,
    /// Which way: FROM->TO with the hosts' names, or both ways between client and server
    #[arg(long, value_name = "DIRECTION", default_value = "both", value_parser = ways)]
    direction: Vec<Ways>,
    /// Packets of this class
    #[arg(
        long,
        value_name = "CLASS",
        default_value = "any",
        value_delimiter = ',',
        value_parser = PossibleValuesParser::new(Class::ALL.map(Class::name)),
    )]
    class: Vec<String>,
    /// The scenario that `replay` and `shrink` run the plan with
    #[arg(long, value_name = "NAME")]
    scenario: Option<String>,
    /// Write the plan to this file [default: stdout]
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// One way or more.
#[derive(Clone, Debug)]
struct Ways(Vec<Direction>);

fn ways(text: &str) -> Result<Ways, String> {
    if text == "both" {
        return Ok(Ways(Draw::new(0, 0).directions));
    }
    let way =
        text.parse::<Direction>().map_err(|error| format!("{}; expected `both` or a direction", error.why));
    way.map(|way| Ways(vec![way]))
}

pub(super) fn run(args: &Args) -> Result<u8, CommandError> {
    let words = args.words.join(" ");
    let impairment: Impairment = words.parse().map_err(|error| {
        usage(format!("this is no impairment: `{words}`"))
            .because(error)
            .help("see `faultwire impair --help`")
    })?;
    if let Some(name) = &args.scenario {
        select::study(name, &select::studies())?;
    }
    output::check_writable("the plan", args.out.as_deref())?;
    let mut draw = Draw::new(args.seed, args.packets);
    draw.directions = args.direction.iter().flat_map(|ways| ways.0.clone()).collect();
    draw.classes = args.class.iter().filter_map(|class| class.parse().ok()).collect();
    let plan = impairment.plan(&draw).map_err(|error| match error {
        NotDrawn::TooManyFaults { packets } => {
            let (n, max) = (args.packets, bounds::FAULTS_MAX);
            let what = format!("{n} packets of each class and direction give more than {max} faults");
            let fits = format!("draw for the first {packets}: --packets {packets}");
            usage(what).help(if packets == 0 {
                "draw for fewer directions or classes".to_owned()
            } else {
                fits
            })
        }
        error => usage(error),
    })?;
    let plan = FaultPlan { scenario: args.scenario.clone(), ..plan };
    tell(counted(&plan));
    output::emit_to(args.out.as_deref(), &plan.to_toml())?;
    Ok(exit::AS_CLAIMED)
}

/// What the plan does, in numbers.
fn counted(plan: &FaultPlan) -> String {
    let count = |is: fn(&Action) -> bool| plan.faults.iter().filter(|fault| is(&fault.action)).count();
    let link = plan.link.numbers();
    let rate = link.rate_kbps.map(|kbps| format!(", {kbps} kbit/s")).unwrap_or_default();
    format!(
        "{} lost, {} damaged, {} duplicated, {} delayed; the link: {} us one way{rate}",
        count(|action| matches!(action, Action::Drop)),
        count(|action| matches!(action, Action::CorruptBits(_))),
        count(|action| matches!(action, Action::Duplicate)),
        count(|action| matches!(action, Action::DelayUs(_))),
        link.delay_us,
    )
}
