//! The list of claims, and why each is so.
//!
//! Wording of our own, after the sources. Where what is commonly said is wrong or needs a condition, the text or the reason
//! says so. The claims of TCP stand in three files, by what they are about.

mod tcp_ends;
mod tcp_recovery;
mod tcp_streams;
mod udp;

use super::{Claim, Modality};

const fn claim(
    id: &'static str,
    modality: Modality,
    text: &'static str,
    why: &'static str,
    source: &'static str,
) -> Claim {
    Claim { id, modality, text, why, conditions: "", source, over_plans: false }
}

impl Claim {
    const fn given(self, conditions: &'static str) -> Claim {
        Claim { conditions, ..self }
    }

    const fn over_plans(self) -> Claim {
        Claim { over_plans: true, ..self }
    }
}

/// The parts of the list, in the order of lists and reports.
const PARTS: [&[Claim]; 4] = [udp::CLAIMS, tcp_streams::CLAIMS, tcp_recovery::CLAIMS, tcp_ends::CLAIMS];

/// Every claim, in the order of lists and reports.
pub const CLAIMS: &[Claim] = &joined::<{ count() }>();

const fn count() -> usize {
    let (mut count, mut part) = (0, 0);
    while part < PARTS.len() {
        count += PARTS[part].len();
        part += 1;
    }
    count
}

const fn joined<const COUNT: usize>() -> [Claim; COUNT] {
    let mut all = [PARTS[0][0]; COUNT];
    let (mut next, mut part) = (0, 0);
    while part < PARTS.len() {
        let mut index = 0;
        while index < PARTS[part].len() {
            all[next] = PARTS[part][index];
            next += 1;
            index += 1;
        }
        part += 1;
    }
    all
}
