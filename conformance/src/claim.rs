//! What is claimed of TCP and UDP: stable ids, precise wording, modality, conditions and sources.

mod registry;

use std::fmt;

use serde::Serialize;

pub use registry::CLAIMS;

/// A claim, precise enough to be settled by running.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Its stable id: `udp/may-lose`.
    pub id: &'static str,
    /// Whether it always holds or can be shown.
    pub modality: Modality,
    /// What is claimed, in a sentence or two.
    pub text: &'static str,
    /// Why it is so, for somebody who learns it: two to five sentences, which say where the popular wording is wrong.
    pub why: &'static str,
    /// What must be given for it to hold; empty where nothing must.
    pub conditions: &'static str,
    /// Where it stands: sections of RFCs, manual pages.
    pub source: &'static str,
    /// Whether it speaks of what faults do: it is tried under every plan of its study. The others are settled by
    /// runs without faults.
    pub over_plans: bool,
}

/// In what way a claim is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Modality {
    /// Under its conditions no plan breaks it.
    Guaranteed,
    /// There is a run that shows it.
    Possible,
}

impl fmt::Display for Modality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Modality::Guaranteed => "guaranteed",
            Modality::Possible => "possible",
        })
    }
}

/// The families of claims, by the first part of their ids, with their titles: the order of lists and reports.
pub const FAMILIES: [(&str, &str); 2] = [("udp", "Datagram sockets: UDP"), ("tcp", "Stream sockets: TCP")];

impl Claim {
    /// The claim of that id.
    pub fn of(id: &str) -> Option<&'static Claim> {
        CLAIMS.iter().find(|claim| claim.id == id)
    }

    /// The first part of its id: `udp`.
    pub fn family(&self) -> &'static str {
        self.id.split_once('/').map_or(self.id, |(family, _)| family)
    }

    /// The second part of its id: `may-lose`.
    pub fn slug(&self) -> &'static str {
        self.id.split_once('/').map_or(self.id, |(_, slug)| slug)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn ids_are_unique_slugs_of_known_families() {
        let mut seen = BTreeSet::new();
        for claim in CLAIMS {
            assert!(seen.insert(claim.id), "{} stands twice", claim.id);
            assert!(FAMILIES.iter().any(|(family, _)| *family == claim.family()), "{}", claim.id);
            let slug = |c: char| c.is_ascii_lowercase() || c == '-';
            assert!(!claim.slug().is_empty() && claim.slug().chars().all(slug), "{}", claim.id);
        }
    }

    #[test]
    fn every_claim_says_what_and_where() {
        for claim in CLAIMS {
            assert!(claim.text.ends_with('.'), "{}: a sentence", claim.id);
            assert!(claim.conditions.is_empty() || claim.conditions.ends_with('.'), "{}", claim.id);
            let cited = claim.source.contains("RFC ") || claim.source.contains('(');
            assert!(cited, "{}: neither an RFC nor a manual page: {}", claim.id, claim.source);
        }
    }

    /// The words of a text, without signs.
    fn words(text: &str) -> Vec<String> {
        let words = text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
        words.map(str::to_lowercase).collect()
    }

    #[test]
    fn every_claim_says_why_and_not_again_what() {
        for claim in CLAIMS {
            assert!(claim.why.ends_with('.'), "{}: a sentence: {}", claim.id, claim.why);
            let sentences = claim.why.matches(". ").count() + 1;
            assert!((2..=5).contains(&sentences), "{}: {sentences} sentences: {}", claim.id, claim.why);
            assert!(claim.why.len() > claim.text.len(), "{}: it explains little: {}", claim.id, claim.why);
            // No eight words in a row are those of the text, or of another claim's reason.
            let why = words(claim.why);
            let texts = CLAIMS.iter().filter(|other| other.id != claim.id).map(|other| words(other.why));
            for other in texts.chain([words(claim.text)]) {
                let again = why.windows(8).find(|some| other.windows(8).any(|these| these == *some));
                assert_eq!(again, None, "{}: said already", claim.id);
            }
        }
    }
}
