//! Whether a page is well-formed and keeps to itself, as far as that can be seen without a browser.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use sha2::{Digest as _, Sha256};

/// Elements that have no end.
const VOID: [&str; 7] = ["meta", "link", "input", "br", "hr", "img", "!DOCTYPE"];

/// Panics at an element that is not closed where it should be, an id that stands twice or is looked for in
/// vain, and anything that would be fetched.
pub(crate) fn check(page: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut ids = Vec::new();
    let mut wanted = Vec::new();
    let mut rest = page;
    while let Some((_, tagged)) = rest.split_once('<') {
        let end = end_of_tag(tagged);
        let tag = &tagged[..end];
        rest = &tagged[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "near {}", &tagged[..tagged.len().min(200)]);
            continue;
        }
        let name = tag.split([' ', '\n', '/']).next().expect("a name");
        for (attribute, value) in attributes(tag) {
            assert!(!attribute.starts_with("on"), "a script in an attribute: {tag}");
            match attribute {
                "id" => ids.push(value),
                "aria-labelledby" => wanted.extend(value.split(' ')),
                "href" if value.starts_with('#') => wanted.push(&value[1..]),
                "href" | "src" | "action" => assert_eq!(value, "data:,", "it points elsewhere: {tag}"),
                _ => {}
            }
        }
        if !VOID.contains(&name) && !tag.ends_with('/') {
            open.push(name);
        }
        // What stands in these is no markup.
        if ["script", "style"].contains(&name) {
            let end = rest.find(&format!("</{name}>")).expect("it ends");
            assert!(
                !rest[..end].contains("@import") && !rest[..end].contains("url("),
                "{name} fetches something"
            );
            // The page's policy lets a browser use this element and no other.
            let hash = BASE64_STANDARD.encode(Sha256::digest(&rest[..end]));
            assert!(policy(page).contains(&format!("'sha256-{hash}'")), "{name} is not in the policy");
            rest = &rest[end..];
        }
    }
    assert_eq!(open, [""; 0]);
    let all = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), all, "an id stands twice");
    for id in wanted {
        assert!(ids.binary_search(&id).is_ok(), "nothing is called {id}");
    }
    let foreign = page.replace("http://www.w3.org/2000/svg", "");
    assert!(!foreign.contains("http:") && !foreign.contains("https:"), "an address of elsewhere");
}

/// The page's Content Security Policy, which lets no script run but those that it names by their hashes.
fn policy(page: &str) -> &str {
    let (_, policy) = page.split_once("Content-Security-Policy\" content=\"").expect("a policy");
    let policy = policy.split('"').next().expect("its end");
    assert!(!policy.contains("nonce"), "{policy}");
    policy
}

/// Where a tag ends: a `>` within quotes is none.
fn end_of_tag(tagged: &str) -> usize {
    let mut quoted = false;
    let end = tagged.bytes().position(|byte| {
        quoted ^= byte == b'"';
        byte == b'>' && !quoted
    });
    end.unwrap_or_else(|| panic!("a tag does not end: {}", &tagged[..tagged.len().min(200)]))
}

fn attributes(tag: &str) -> impl Iterator<Item = (&str, &str)> {
    let parts: Vec<&str> = tag.split('"').collect();
    let pairs: Vec<(&str, &str)> = parts
        .chunks_exact(2)
        .map(|pair| (pair[0].trim_end_matches('=').rsplit([' ', '\n']).next().unwrap_or_default(), pair[1]))
        .collect();
    pairs.into_iter()
}

/// What one reads of a piece of a page, in one line.
pub(crate) fn text(html: &str) -> String {
    let mut out = String::new();
    let mut rest = html;
    while let Some((before, tagged)) = rest.split_once('<') {
        out.push_str(before);
        rest = tagged.get(end_of_tag(tagged) + 1..).unwrap_or_default();
    }
    out.push_str(rest);
    let entities =
        [("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'"), ("&lt;", "<"), ("&gt;", ">")];
    let plain = entities.iter().fold(out, |out, (entity, sign)| out.replace(entity, sign));
    plain.replace("&quot;", "\"").replace("&#38;", "&").replace("&amp;", "&")
}
