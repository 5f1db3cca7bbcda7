//! Our stack against the kernel of this machine: each is a host of a lab, with the wire between them.
//!
//! Where the machine refuses a lab, each test is skipped with the step, the error and the remedy, or fails if
//! FAULTWIRE_REQUIRE names `lab`.
#![cfg(target_os = "linux")]
#![expect(clippy::print_stderr, reason = "tests that count print the count")]

#[path = "kernel/bench.rs"]
mod bench;
#[path = "kernel/command.rs"]
mod command;
#[path = "kernel/crash.rs"]
mod crash;
#[path = "kernel/datagrams.rs"]
mod datagrams;
#[path = "kernel/figures.rs"]
mod figures;
#[path = "kernel/file.rs"]
mod file;
#[path = "kernel/fixtures.rs"]
mod fixtures;
#[path = "kernel/killed.rs"]
mod killed;
#[path = "kernel/language.rs"]
mod language;
#[path = "kernel/lessons.rs"]
mod lessons;
#[path = "kernel/loss.rs"]
mod loss;
#[path = "kernel/many.rs"]
mod many;
#[path = "kernel/pairs.rs"]
mod pairs;
#[path = "kernel/refused.rs"]
mod refused;
#[path = "../../../src/require.rs"]
mod require;
#[path = "kernel/set_up.rs"]
mod set_up;
#[path = "kernel/streams.rs"]
mod streams;
#[path = "kernel/tun.rs"]
mod tun;
#[path = "kernel/verify.rs"]
mod verify;
