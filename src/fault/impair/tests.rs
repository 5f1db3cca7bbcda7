//! What is drawn has the rates, the bursts and the spread that were asked for; and no text is too strange.

use proptest::prelude::*;
use proptest::sample::select;

use super::super::{Action, bounds};
use super::*;

/// How many packets the figures are taken from.
const MANY: u32 = 200_000;

fn read(text: &str) -> Impairment {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}

/// What happens to the first packets of a direction.
fn actions(text: &str, seed: u64, packets: u32) -> Vec<Option<Action>> {
    let impairment = read(text);
    let mut chain = Chain::new(seed, &Direction::new("client", "server"), Class::Any);
    (0..packets).map(|_| chain.next(&impairment, 0)).collect()
}

fn lost(text: &str, seed: u64) -> Vec<bool> {
    actions(text, seed, MANY).into_iter().map(|action| action == Some(Action::Drop)).collect()
}

fn share(of: &[bool]) -> f64 {
    of.iter().filter(|it| **it).count() as f64 / of.len() as f64
}

/// The mean length of a row of losses.
fn burst(lost: &[bool]) -> f64 {
    let bursts = lost.chunk_by(|a, b| a == b).filter(|row| row[0]);
    let (count, sum) = bursts.fold((0, 0), |(count, sum), row| (count + 1, sum + row.len()));
    sum as f64 / f64::from(count)
}

#[track_caller]
fn near(found: f64, expected: f64, within: f64) {
    assert!((found - expected).abs() <= within * expected.abs(), "found {found}, expected {expected}");
}

#[test]
fn as_many_are_hit_as_was_asked_for() {
    for seed in 0..3 {
        near(share(&lost("loss 5%", seed)), 0.05, 0.05);
        near(burst(&lost("loss 5%", seed)), 1.0 / 0.95, 0.02);
        let hit = |text: &str, is: fn(&Action) -> bool| {
            let hit = actions(text, seed, MANY).iter().filter(|it| it.as_ref().is_some_and(is)).count();
            hit as f64 / f64::from(MANY)
        };
        near(hit("duplicate 10%", |it| matches!(it, Action::Duplicate)), 0.1, 0.05);
        near(hit("corrupt 1%", |it| matches!(it, Action::CorruptBits(_))), 0.01, 0.1);
        near(hit("delay 1ms reorder 25%", |it| matches!(it, Action::DelayUs(1_000))), 0.75, 0.02);
    }
    assert_eq!(share(&lost("loss 0%", 1)), 0.0);
    assert_eq!(share(&lost("loss 100%", 1)), 1.0);
}

/// Each decision by itself: how many losses a block of 100 packets has is binomial (chi-square over nine
/// classes, whose value is above 26 once in a thousand seeds).
#[test]
fn losses_without_correlation_are_independent() {
    let lost = lost("loss 5%", 11);
    let mut found = [0_u32; 10];
    for block in lost.chunks(100) {
        found[block.iter().filter(|it| **it).count().min(9)] += 1;
    }
    let blocks = f64::from(MANY) / 100.0;
    let mut chance = 0.95_f64.powi(100);
    let (mut chi, mut rest) = (0.0, 1.0);
    for (count, found) in found.iter().enumerate() {
        let expected = if count == 9 { rest } else { chance } * blocks;
        chi += (f64::from(*found) - expected).powi(2) / expected;
        rest -= chance;
        chance *= (100 - count) as f64 / (count + 1) as f64 * 0.05 / 0.95;
    }
    assert!(chi < 26.0, "{chi}: {found:?}");
}

/// With a correlation c the share p holds, and a burst goes on with the probability c + (1 - c) p.
#[test]
fn a_correlation_makes_bursts_and_keeps_the_rate() {
    for (text, p, c) in [("loss 5% 25%", 0.05, 0.25), ("loss 10% 75%", 0.1, 0.75)] {
        let lost = lost(text, 3);
        near(share(&lost), p, 0.07);
        near(burst(&lost), 1.0 / (1.0 - c - (1.0 - c) * p), 0.05);
    }
}

#[test]
fn gilbert_and_elliott_lose_in_bursts() {
    // In the bad state p / (p + r) of the time, for 1 / r packets.
    let simple = lost("loss gemodel 1% 20%", 5);
    near(share(&simple), 0.01 / 0.21, 0.07);
    near(burst(&simple), 5.0, 0.05);
    near(share(&lost("loss gemodel 2%", 5)), 0.02, 0.07);
    let full = lost("loss gemodel 1% 20% 50% 1%", 5);
    near(share(&full), 0.01 / 0.21 * 0.5 + 0.2 / 0.21 * 0.01, 0.07);
}

#[test]
fn four_states_lose_in_bursts_and_alone() {
    near(share(&lost("loss state 5%", 7)), 0.05, 0.05);
    let two = lost("loss state 1% 20%", 7);
    near(share(&two), 0.01 / 0.21, 0.07);
    near(burst(&two), 5.0, 0.05);
    // Alone: never two in a row.
    let alone = lost("loss state 0% 100% 0% 100% 10%", 7);
    near(share(&alone), 0.1 / 1.1, 0.05);
    assert_eq!(burst(&alone), 1.0);
    // The stationary shares of the states: good 1, burst-good 2, burst-lost 3.
    let (p13, p31, p32, p23) = (0.02, 0.1, 0.3, 0.6);
    let three = p13 / p31;
    let all = 1.0 + three + three * p32 / p23;
    near(share(&lost("loss state 2% 10% 30% 60%", 7)), three / all, 0.07);
}

/// The mean, the deviation, the least and the most of the delays in milliseconds.
fn delays(text: &str) -> (f64, f64, f64, f64) {
    let all: Vec<f64> = actions(text, 9, MANY)
        .iter()
        .map(|action| match action {
            Some(Action::DelayUs(us)) => *us as f64 / 1_000.0,
            _ => 0.0,
        })
        .collect();
    let mean = all.iter().sum::<f64>() / all.len() as f64;
    let variance = all.iter().map(|it| (it - mean).powi(2)).sum::<f64>() / all.len() as f64;
    let least = all.iter().copied().fold(f64::MAX, f64::min);
    (mean, variance.sqrt(), least, all.iter().copied().fold(0.0, f64::max))
}

#[test]
fn delays_have_their_mean_and_their_deviation() {
    for (spread, deviation, least, most) in [
        ("uniform", 20.0 / 3.0_f64.sqrt(), 80.0, 120.0),
        ("normal", 20.0, 20.0, 180.0),
        // Like netem's table it is cut off at four deviations, which takes a sixth of the deviation away.
        ("pareto", 16.4, 86.6, 180.0),
        // The square root of (20 / 4)^2 + (16.4 * 3 / 4)^2.
        ("paretonormal", 13.3, 70.0, 180.0),
    ] {
        let (mean, found, from, to) = delays(&format!("delay 100ms 20ms distribution {spread}"));
        near(mean, 100.0, 0.01);
        near(found, deviation, 0.07);
        assert!(from >= least && to <= most, "{spread}: {from} to {to}");
    }
    // A delay cannot be less than none.
    let (mean, _, least, _) = delays("delay 10ms 30ms");
    assert!(mean > 10.0 && least == 0.0, "{mean} {least}");
    assert_eq!(delays("delay 250us"), (0.25, 0.0, 0.25, 0.25));
}

#[test]
fn a_normal_delay_is_as_often_near_its_mean_as_it_should_be() {
    let within = |deviations: u64| {
        let near = |us: u64| us.abs_diff(100_000) <= deviations * 10_000;
        let is = |action: &Option<Action>| matches!(action, Some(Action::DelayUs(us)) if near(*us));
        let all = actions("delay 100ms 10ms distribution normal", 2, MANY);
        all.iter().filter(|action| is(action)).count() as f64 / f64::from(MANY)
    };
    near(within(1), 0.6827, 0.01);
    near(within(2), 0.9545, 0.01);
    near(within(3), 0.9973, 0.005);
}

#[test]
fn a_correlated_delay_is_often_that_of_the_packet_before() {
    let all = actions("delay 100ms 20ms 25%", 2, MANY);
    let equal = all.windows(2).filter(|two| two[0] == two[1]).count();
    near(equal as f64 / f64::from(MANY), 0.25, 0.05);
}

#[test]
fn with_a_gap_every_fifth_packet_is_sent_at_once() {
    let all = actions("delay 10ms reorder 100% gap 5", 1, 20);
    let at_once: Vec<usize> = (1..=20).filter(|nth| all[nth - 1].is_none()).collect();
    assert_eq!(at_once, [5, 10, 15, 20]);
}

#[test]
fn a_packet_has_one_fault_and_loss_goes_first() {
    let all = |text| actions(text, 1, 100);
    let is_all = |text, is: fn(&Action) -> bool| {
        assert!(all(text).iter().all(|it| it.as_ref().is_some_and(is)), "{text}");
    };
    is_all("delay 1ms duplicate 100% corrupt 100% loss 100%", |it| matches!(it, Action::Drop));
    is_all("delay 1ms duplicate 100% corrupt 100%", |it| matches!(it, Action::CorruptBits(_)));
    is_all("delay 1ms duplicate 100%", |it| matches!(it, Action::Duplicate));
    // What is drawn for the loss does not depend on what else was asked for.
    let lost = |text| all(text).into_iter().map(|it| it == Some(Action::Drop)).collect::<Vec<_>>();
    assert_eq!(lost("loss 30% corrupt 50% duplicate 50% delay 1ms"), lost("loss 30%"));
}

/// A plan that was drawn once is drawn forever: a seed in a report or a README goes on to name it.
#[test]
fn the_same_seed_draws_the_same_plan_forever() {
    let text = "loss 20% 25% corrupt 20% duplicate 20% delay 10ms 4ms distribution paretonormal";
    let plan = read(text).plan(&Draw::new(7, 6)).unwrap();
    insta::assert_snapshot!(plan.to_toml());
}

#[test]
fn what_all_packets_have_in_common_is_the_links() {
    let plan = |text: &str, draw| read(text).plan(&draw).unwrap();
    let lan = Profile::Lan.numbers();
    let whole = || Draw::new(1, 50);
    let way = || Draw::new(1, 50).only(["client", "server"]);
    // All of the delay, and none of it a fault.
    let steady = plan("delay 100ms rate 1mbit", whole());
    let link = LinkNumbers { delay_us: 101_000, rate_kbps: Some(1_000), ..lan };
    assert_eq!((steady.link, steady.faults.len()), (link.into(), 0));
    // The least of it, and the rest is drawn.
    let jitter = plan("delay 100ms 20ms", whole());
    assert_eq!(jitter.link, LinkNumbers { delay_us: 81_000, ..lan }.into());
    let most = |plan: &FaultPlan| {
        plan.faults
            .iter()
            .map(|fault| match fault.action {
                Action::DelayUs(us) => us,
                _ => 0,
            })
            .max()
    };
    assert!((35_000..=40_000).contains(&most(&jitter).unwrap()));
    // One way, one class, or a packet that is not delayed: the link knows none of these.
    for plan in [
        plan("delay 100ms 20ms", way()),
        plan("delay 100ms 20ms", whole().class(Class::Data)),
        plan("delay 100ms 20ms reorder 1%", whole()),
    ] {
        assert_eq!(plan.link, Profile::Lan.into());
        assert!((115_000..=120_000).contains(&most(&plan).unwrap()));
    }
    assert_eq!(read("rate 1mbit").plan(&way()), Err(NotDrawn::RateOfSome));
    assert_eq!(plan("loss 5%", whole()).link, Profile::Lan.into());
}

#[test]
fn more_faults_than_a_plan_may_have_are_refused_with_what_would_fit() {
    let half = read("loss 50%");
    let Err(NotDrawn::TooManyFaults { packets }) = half.plan(&Draw::new(1, 20_000)) else {
        panic!("20 000 packets each way, half of them lost")
    };
    assert!((9_500..10_500).contains(&packets), "{packets}");
    assert!(half.plan(&Draw::new(1, packets)).unwrap().faults.len() <= bounds::FAULTS_MAX);
    assert!(half.plan(&Draw::new(1, packets + 1)).is_err());
    let error = half.plan(&Draw::new(1, 2_000_000)).unwrap_err().to_string();
    assert_eq!(error, "expected at most 1000000 packets, found 2000000");
}

#[test]
fn a_direction_or_a_class_that_is_given_twice_is_drawn_once() {
    let mut draw = Draw::new(1, 100);
    draw.directions.push(Direction::new("client", "server"));
    draw.classes = vec![Class::Data, Class::Data, Class::Ack];
    let plan = read("loss 50%").plan(&draw).unwrap();
    assert_eq!(FaultPlan::parse(&plan.to_toml(), "-").unwrap(), plan);
}

#[test]
fn wrong_words_are_refused_with_their_place() {
    let told: Vec<String> = [
        "",
        "netem",
        "lose 5%",
        "loss",
        "loss five",
        "loss 101%",
        "loss 5.00001%",
        "loss 5% -1%",
        "loss 5% loss 6%",
        "loss gemodel",
        "loss gemodel 1% 2% 3% 4% 5%",
        "loss state 60% 10% 0% 100% 50%",
        "loss state 1% 80% 30%",
        "loss 5% ecn",
        "delay",
        "delay 100",
        "delay 100m",
        "delay 11min",
        "delay 601s",
        "delay 1ms 25%",
        "delay 1ms distribution normal",
        "delay 1ms 1ms distribution gauss",
        "distribution normal",
        "reorder 25%",
        "delay 0ms reorder 25%",
        "delay 1ms gap 5",
        "delay 1ms reorder 25% gap 0",
        "rate 1",
        "rate 1bit",
        "limit 1000 delay 1ms",
        "tc qdisc add dev eth0 root netem los 1%",
        "loss 1% \u{1b}[31m",
    ]
    .into_iter()
    .map(|text| match text.parse::<Impairment>() {
        Ok(read) => format!("{text}\n    {read}"),
        Err(error) => format!("{}\n    {error}", text.escape_debug()),
    })
    .collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn what_tc_takes_is_read() {
    for (text, same) in [
        ("loss 0.3% 25%", "netem loss 0.3% 25%"),
        ("loss random 5", "netem loss 5%"),
        (
            "tc qdisc change dev eth0 root netem delay 100ms 10ms",
            "netem delay 100ms 10ms distribution uniform",
        ),
        (
            "drop 1% latency 1.5s 500 distribution pareto",
            "netem loss 1% delay 1500ms 500us distribution pareto",
        ),
        ("delay 1500 reorder 25% 50% gap 5", "netem delay 1500us reorder 25% 50% gap 5"),
        ("gap 5 reorder 100% delay 10ms", "netem delay 10ms reorder 100% gap 5"),
        ("loss gemodel 1%", "netem loss gemodel 1% 99% 100% 0%"),
        ("loss state 1%", "netem loss state 1% 99% 0% 100% 0%"),
        ("rate 1.5Mbit duplicate 0.5%", "netem duplicate 0.5% rate 1500kbit"),
    ] {
        assert_eq!(read(text).to_string(), same, "{text}");
    }
}

fn some_share() -> impl Strategy<Value = Share> {
    prop_oneof![(0_u32..=1_000_000).prop_map(Share::ppm), (0_u32..=100).prop_map(Share::percent)]
}

fn chance() -> impl Strategy<Value = Chance> {
    (some_share(), some_share()).prop_map(|(share, correlation)| Chance { share, correlation })
}

fn loss() -> impl Strategy<Value = Loss> {
    let four = || (some_share(), some_share(), some_share(), some_share());
    prop_oneof![
        chance().prop_map(Loss::Random),
        four().prop_map(|(p, r, lost_in_bad, lost_in_good)| Loss::GilbertElliott {
            p,
            r,
            lost_in_bad,
            lost_in_good
        }),
        (four(), some_share()).prop_map(|((p13, p31, p32, p23), p14)| Loss::FourStates {
            p13,
            p31,
            p32: p32.min(p31.rest()),
            p23,
            p14: p14.min(p13.rest())
        }),
    ]
}

fn impairment() -> impl Strategy<Value = Impairment> {
    let delay = (1_u64..=600_000_000, 0_u64..=600_000_000, some_share(), select(Distribution::ALL.to_vec()));
    let delay = delay.prop_map(|(mean_us, jitter_us, correlation, distribution)| match jitter_us {
        // Without a jitter there is nothing to be spread.
        0 => Delay { mean_us, ..Delay::default() },
        _ => Delay { mean_us, jitter_us, correlation, distribution },
    });
    let reorder = (chance(), 1_u32..10).prop_map(|(chance, gap)| Reorder { chance, gap });
    let option = proptest::option::of::<BoxedStrategy<Chance>>;
    let parts = (
        proptest::option::of(loss()),
        option(chance().boxed()),
        option(chance().boxed()),
        proptest::option::of((delay, proptest::option::of(reorder))),
        proptest::option::of(1_u64..=1_000_000_000),
    );
    parts.prop_map(|(loss, corrupt, duplicate, delay, rate_kbps)| Impairment {
        loss,
        corrupt,
        duplicate,
        delay: delay.map(|(delay, _)| delay),
        reorder: delay.and_then(|(_, reorder)| reorder),
        rate_kbps,
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_again(impairment in impairment()) {
        prop_assume!(impairment != Impairment::default());
        let text = impairment.to_string();
        let read = text.parse::<Impairment>();
        prop_assert_eq!(read.map_err(|error| error.to_string()), Ok(impairment), "{}", text);
    }

    /// Whatever was asked for, the plan is one that a file can hold, and that the wire takes.
    #[test]
    fn what_is_drawn_is_a_plan_that_a_file_holds(
        impairment in impairment(),
        seed in any::<u64>(),
        packets in 0_u32..200,
        whole in any::<bool>(),
        class in select(Class::ALL.to_vec()),
    ) {
        let draw = Draw::new(seed, packets);
        let draw = if whole { draw } else { draw.only(["server", "client"]).class(class) };
        match impairment.plan(&draw) {
            Ok(plan) => {
                prop_assert_eq!(&FaultPlan::parse(&plan.to_toml(), "-").unwrap(), &plan);
                let fewer = impairment.plan(&Draw { packets: packets / 2, ..draw }).unwrap();
                prop_assert!(plan.faults.starts_with(&fewer.faults));
            }
            Err(error) => prop_assert_eq!(error, NotDrawn::RateOfSome),
        }
    }

    #[test]
    fn no_text_is_too_strange(text in ".{0,80}") {
        let _ = text.parse::<Impairment>();
    }

    #[test]
    fn no_words_are_too_strange(
        words in proptest::collection::vec(
            prop_oneof![
                select(vec![
                    "netem", "loss", "random", "gemodel", "state", "corrupt", "duplicate", "delay",
                    "distribution", "normal", "pareto", "reorder", "gap", "rate", "limit", "ecn",
                ]).prop_map(str::to_owned),
                "[+-]?[0-9]{0,30}[.]?[0-9]{0,12}(%|ms|us|s|kbit|mbit|gbit|\u{e4})?",
            ],
            0..12,
        ),
    ) {
        if let Ok(read) = words.join(" ").parse::<Impairment>() {
            prop_assert!(read.plan(&Draw::new(0, 20)).is_ok());
            prop_assert_eq!(read.to_string().parse(), Ok(read));
        }
    }
}
