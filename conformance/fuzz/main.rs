//! All targets in one libFuzzer program, so that they share one build. `FAULTWIRE_FUZZ` names the target to
//! run.

#![no_main]

#[path = "targets/all.rs"]
mod targets;

use std::sync::LazyLock;

static TARGET: LazyLock<targets::Run> = LazyLock::new(|| {
    let name = std::env::var("FAULTWIRE_FUZZ").expect("FAULTWIRE_FUZZ names a target");
    let target = targets::TARGETS.iter().find(|(known, _)| *known == name);
    target.unwrap_or_else(|| panic!("no target is called `{name}`")).1
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| TARGET(data));
