//! `faultwire plan`, and `faultwire help plan`: the reference of the plan file.

mod schema;

use super::error::CommandError;
use super::output;
use faultwire_conformance::exit;

/// The reference, at most 80 columns wide.
const REFERENCE: &str = include_str!("plan/reference.txt");

/// Print the reference of the plan file, with an example.
#[derive(Clone, Debug, clap::Args)]
#[command(long_about = REFERENCE)]
pub(super) struct Args {
    /// Print the JSON Schema of the plan file in place of it, for editors
    #[arg(long)]
    schema: bool,
}

pub(super) fn run(args: &Args) -> Result<u8, CommandError> {
    if args.schema {
        output::emit(&format!("{:#}\n", schema::schema()))?;
    } else {
        output::emit(REFERENCE)?;
    }
    Ok(exit::AS_CLAIMED)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use faultwire::fault::{Class, FaultPlan, Field, Profile, Rejection};
    use serde_json::Value;

    use super::*;

    /// What stands under a heading of the reference.
    fn part(heading: &str) -> &'static str {
        let (_, rest) = REFERENCE.split_once(&format!("\n{heading}\n")).expect("the heading");
        let is_heading = |line: &str| !line.is_empty() && !line.starts_with(' ');
        let end = rest.lines().take_while(|line| !is_heading(line)).map(|line| line.len() + 1).sum();
        &rest[..end]
    }

    /// The example of a line, without what is said of it.
    fn example(line: &str) -> &str {
        line.trim().split("  ").next().unwrap_or_default()
    }

    fn parsed(text: &str) -> FaultPlan {
        FaultPlan::parse(text, "example").unwrap_or_else(|error| panic!("{error}\n{text}"))
    }

    const FAULT: &str = "format = 1\n[[fault]]\ndirection = \"client->server\"\n";
    const WHEN: &str = "after = { direction = \"client->server\", class = \"data\", nth = 3 }";

    #[test]
    fn the_example_is_a_plan_of_a_scenario_that_exists() {
        let plan = parsed(&part("EXAMPLE").replace("\n  ", "\n"));
        assert_eq!(plan.faults.len(), 2);
        let studies = faultwire_conformance::engine::studies();
        let study = studies.iter().find(|study| Some(study.name) == plan.scenario.as_deref());
        let study = study.expect("its scenario exists");
        assert!(study.checks.iter().any(|spec| Some(spec.claim) == plan.claim.as_deref()));
    }

    #[test]
    fn every_example_is_read() {
        let actions: Vec<&str> = part("ACTIONS").lines().filter(|line| line.contains("action = ")).collect();
        assert_eq!(actions.len(), 10);
        for action in actions {
            let packet = "packet = { class = \"data\", nth = 3 }";
            assert_eq!(parsed(&format!("{FAULT}{packet}\n{}\n", example(action))).faults.len(), 1);
        }
        let mut kinds = Vec::new();
        for event in part("EVENTS").split("\n\n").filter(|event| !event.trim().is_empty()) {
            let mut lines = event.lines().map(example).filter(|line| line.contains(" = "));
            let kind = lines.next().expect("the kind");
            let keys: Vec<&str> = lines.filter(|line| !line.contains("(set")).collect();
            let one = |key: &str| keys.iter().find(|line| line.starts_with(key)).copied().unwrap_or_default();
            for key in keys.iter().copied().chain([""]) {
                // What the key needs beside it.
                let beside = match (kind, key) {
                    ("kind = \"outage\"", key) if !key.starts_with("for_us") && !key.starts_with("retr") => {
                        one("for_us")
                    }
                    ("kind = \"inject\"", key) if key.starts_with("direction") => one("bytes"),
                    ("kind = \"inject\"", key) if key.starts_with("bytes") => one("direction"),
                    ("kind = \"inject\"", "") => one("like"),
                    ("kind = \"crash\"" | "kind = \"kill\"" | "kind = \"restart\"", "") => one("host"),
                    _ => "",
                };
                let text = format!("format = 1\n[[event]]\n{kind}\n{key}\n{beside}\n{WHEN}\n");
                assert_eq!(parsed(&text).events.len(), 1);
            }
            kinds.push(kind);
        }
        assert_eq!(kinds.len(), 7);
        for when in part("KEYS")
            .lines()
            .map(example)
            .filter(|line| line.contains("nth = 3, ") || line.starts_with("at_us"))
        {
            parsed(&format!("format = 1\n[[event]]\nkind = \"heal\"\n{when}\n"));
        }
    }

    /// The keys that the reader would take at a place: it names them where it finds another.
    fn keys_at(before: &str, table: &str) -> BTreeSet<String> {
        let text = format!("{before}{table}\n");
        let error = FaultPlan::parse(&text, "plan").expect_err(&text);
        let mistake = error.mistake().expect("it can be read");
        assert_eq!(mistake.found, "the key \"zz\"", "{text}");
        let keys = mistake.expected.split('`').skip(1).step_by(2);
        keys.map(str::to_owned).collect()
    }

    /// Each table of a plan: how to get there in a plan, and where it stands in the schema.
    fn tables() -> Vec<(BTreeSet<String>, String)> {
        let event = "format = 1\n[[event]]\n";
        let packet = "packet = { class = \"data\", nth = 3 }\n";
        let mut tables = vec![
            (keys_at("format = 1\n", "zz = 1"), "".to_owned()),
            (keys_at("format = 1\n[link]\n", "zz = 1"), "/properties/link".to_owned()),
            (keys_at("format = 1\n[[links]]\n", "zz = 1"), "/properties/links/items".to_owned()),
            (keys_at("format = 1\n[lab]\n", "zz = 1"), "/properties/lab".to_owned()),
            (keys_at(FAULT, "zz = 1"), "/properties/fault/items".to_owned()),
            (keys_at(FAULT, "packet = { zz = 1 }"), "/properties/fault/items/properties/packet".to_owned()),
            (
                keys_at(&format!("{FAULT}{packet}"), "action = { set = { zz = 1 } }"),
                "/properties/fault/items/properties/action/anyOf/3/properties/set".to_owned(),
            ),
        ];
        for (index, kind) in
            ["partition", "heal", "outage", "crash", "kill", "restart", "inject"].into_iter().enumerate()
        {
            let event = format!("{event}kind = \"{kind}\"\n");
            let place = format!("/properties/event/items/anyOf/{index}");
            tables.push((keys_at(&event, "zz = 1"), place.clone()));
            if kind == "heal" {
                for key in ["after", "before"] {
                    let keys = keys_at(&event, &format!("{key} = {{ zz = 1 }}"));
                    tables.push((keys, format!("{place}/properties/{key}")));
                }
            }
            if kind == "inject" {
                tables.push((keys_at(&event, "like = { zz = 1 }"), format!("{place}/properties/like")));
            }
        }
        tables
    }

    #[test]
    fn every_key_stands_in_the_reference_and_in_the_schema() {
        let schema = schema::schema();
        for (keys, place) in tables() {
            let table = schema.pointer(&place).unwrap_or_else(|| panic!("{place}"));
            let known: BTreeSet<String> =
                table["properties"].as_object().expect("a table").keys().cloned().collect();
            assert_eq!(known, keys, "{place}");
            assert_eq!(table["additionalProperties"], false, "{place}");
            for key in keys {
                let is_there = |c: char| c.is_ascii_alphanumeric() || c == '_';
                let mut words = REFERENCE.split(|c| !is_there(c));
                assert!(words.any(|word| word == key), "{key} does not stand in the reference");
            }
        }
        // An action's keys are those of its kinds together.
        let packet = "packet = { class = \"data\", nth = 3 }\n";
        let keys = keys_at(&format!("{FAULT}{packet}"), "action = { zz = 1 }");
        let actions = schema.pointer("/properties/fault/items/properties/action/anyOf").expect("actions");
        let tables = actions.as_array().expect("a list").iter().filter_map(|it| it["properties"].as_object());
        assert_eq!(tables.flat_map(|table| table.keys().cloned()).collect::<BTreeSet<_>>(), keys);
    }

    /// Whether a value is as a schema says, as far as the plan's schema uses the language.
    fn fits(value: &Value, schema: &Value) -> Result<(), String> {
        let wrong = |why: &str| Err(format!("{value}: {why}"));
        if schema.get("const").is_some_and(|it| it != value) {
            return wrong("another constant");
        }
        if schema["enum"].as_array().is_some_and(|words| !words.contains(value)) {
            return wrong("no such word");
        }
        if let Some(kinds) = schema["anyOf"].as_array() {
            let errors: Vec<_> = kinds.iter().filter_map(|kind| fits(value, kind).err()).collect();
            if errors.len() == kinds.len() {
                return Err(errors.join("; "));
            }
        }
        let is = |kind: &Value| match kind.as_str() {
            Some("object") => value.is_object(),
            Some("array") => value.is_array(),
            Some("string") => value.is_string(),
            Some("integer") => value.is_u64() || value.is_i64(),
            Some("boolean") => value.is_boolean(),
            _ => false,
        };
        match &schema["type"] {
            Value::Null => {}
            Value::Array(kinds) if kinds.iter().any(is) => {}
            kind if is(kind) => {}
            _ => return wrong("another type"),
        }
        if let Some(number) = value.as_u64()
            && (schema["minimum"].as_u64().is_some_and(|min| number < min)
                || schema["maximum"].as_u64().is_some_and(|max| number > max))
        {
            return wrong("out of bounds");
        }
        for item in value.as_array().into_iter().flatten() {
            fits(item, &schema["items"])?;
        }
        let Some(table) = value.as_object().filter(|_| schema["properties"].is_object()) else {
            return Ok(());
        };
        for (key, value) in table {
            match schema["properties"].get(key) {
                Some(schema) => fits(value, schema)?,
                None => return wrong(&format!("the key {key}")),
            }
        }
        let needed = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
        match needed.into_iter().find(|key| !table.contains_key(*key)) {
            Some(key) => wrong(&format!("no {key}")),
            None => Ok(()),
        }
    }

    #[test]
    fn the_schema_accepts_the_plans_there_are_and_no_others() {
        let schema = schema::schema();
        let check = |text: &str| {
            let value: Value = toml::from_str(text).expect("TOML");
            fits(&value, &schema)
        };
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut count = 0;
        let mut folders = vec![root.join("fixtures"), root.join("conformance/course/lessons")];
        while let Some(folder) = folders.pop() {
            for path in std::fs::read_dir(folder).expect("a folder").map(|it| it.expect("an entry").path()) {
                if path.ends_with("fixtures/stacks") {
                    // Subjects, and no plans.
                } else if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|end| end == "toml") {
                    let text = std::fs::read_to_string(&path).expect("text");
                    if text.contains("format = 1") {
                        check(&text).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
                        count += 1;
                    }
                }
            }
        }
        assert!(count >= 14, "{count} plans");
        check(&part("EXAMPLE").replace("\n  ", "\n")).expect("the reference's own example");
        let drop = "action = \"drop\"";
        let packet = "packet = { class = \"data\", nth = 3 }";
        check(&format!("{FAULT}{packet}\n{drop}")).expect("a fault");
        for wrong in [
            String::new(),
            "format = 2".to_owned(),
            "format = 1\ntitel = \"\"".to_owned(),
            "format = 1\n[link]\nmtu = 67".to_owned(),
            "format = 1\n[[links]]\nbetween = [\"a\"]\nhost_mtu = 1500".to_owned(),
            format!("{FAULT}{packet}"),
            format!("{FAULT}{packet}\naction = \"lose\""),
            format!("{FAULT}{packet}\naction = {{ delay_us = 0 }}"),
            format!("{FAULT}{packet}\naction = {{ set = {{ tl = 1 }} }}"),
            format!("{FAULT}packet = {{ class = \"dta\", nth = 3 }}\n{drop}"),
            format!("format = 1\n[[event]]\nkind = \"crash\"\nhosts = [\"a\", \"b\"]\n{WHEN}"),
            "format = 1\n[[event]]\nkind = \"explode\"\nat_us = 1".to_owned(),
        ] {
            assert!(check(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn every_word_stands_in_the_reference() {
        let words = Class::ALL.map(Class::name).into_iter().chain(Field::ALL.map(Field::name));
        let words = words.chain(Rejection::ALL.map(Rejection::name)).chain(Profile::ALL.map(Profile::name));
        for word in words {
            let is_there = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
            assert!(REFERENCE.split(|c| !is_there(c)).any(|it| it == word), "{word}");
        }
        for line in REFERENCE.lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}
