//! What is claimed of TCP and UDP: stable ids, precise wording, modality, conditions and sources.
//!
//! The claims are data: `conformance/claims/*.toml`. Wording of our own, after the sources. Where what is
//! commonly said is wrong or needs a condition, the text or the reason says so.

use std::fmt;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

/// A text of a data file, which lives as long as the program. (serde borrows what is spelled `&str`.)
pub type Text = &'static str;

/// A claim, precise enough to be settled by running.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Claim {
    /// Its stable id: `udp/may-lose`.
    #[serde(deserialize_with = "line")]
    pub id: Text,
    /// Whether it always holds or can be shown.
    pub modality: Modality,
    /// What is claimed, in a sentence or two.
    #[serde(deserialize_with = "line")]
    pub text: Text,
    /// Why it is so, for a learner: two to five sentences that say where the popular wording is wrong.
    #[serde(deserialize_with = "line")]
    pub why: Text,
    /// What must be given for it to hold; empty where nothing must.
    #[serde(default, deserialize_with = "line")]
    pub conditions: Text,
    /// Where it stands: sections of RFCs, manual pages.
    #[serde(deserialize_with = "line")]
    pub source: Text,
    /// Whether it speaks of what faults do: it is tried under every plan of its study. The others are settled
    /// by runs without faults.
    #[serde(default)]
    pub over_plans: bool,
}

/// A file of claims or of expected failures.
type File = (&'static str, &'static str);

/// The files, in the order of lists and reports.
const FILES: [File; 4] = [
    ("udp.toml", include_str!("../claims/udp.toml")),
    ("tcp-streams.toml", include_str!("../claims/tcp-streams.toml")),
    ("tcp-recovery.toml", include_str!("../claims/tcp-recovery.toml")),
    ("tcp-ends.toml", include_str!("../claims/tcp-ends.toml")),
];

/// Every claim, in the order of lists and reports.
pub static CLAIMS: LazyLock<Vec<Claim>> = LazyLock::new(|| {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Claims {
        claim: Vec<Claim>,
    }
    FILES.iter().flat_map(|file| read::<Claims>(*file).claim).collect()
});

/// Reads a file that is part of the program.
///
/// # Panics
/// If the file is wrong, with its name, the line and the reason.
pub(crate) fn read<T: serde::de::DeserializeOwned>((name, text): File) -> T {
    toml::from_str(text).unwrap_or_else(|error| panic!("conformance/claims/{name}: {error}"))
}

/// A text that may be broken into lines. It lives as long as the program, like the file that it is read from.
pub(crate) fn line<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Text, D::Error> {
    let text = String::deserialize(from)?;
    Ok(text.split_whitespace().collect::<Vec<_>>().join(" ").leak())
}

/// In what way a claim is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
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
        for claim in &*CLAIMS {
            assert!(seen.insert(claim.id), "{} stands twice", claim.id);
            assert!(FAMILIES.iter().any(|(family, _)| *family == claim.family()), "{}", claim.id);
            let slug = |c: char| c.is_ascii_lowercase() || c == '-';
            assert!(!claim.slug().is_empty() && claim.slug().chars().all(slug), "{}", claim.id);
        }
    }

    #[test]
    fn every_claim_says_what_and_where() {
        for claim in &*CLAIMS {
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
        for claim in &*CLAIMS {
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
