//! What the simulation promises, in one program: to link one is faster than to link a dozen.

mod adaptive;
mod bad_stacks;
mod berkeley;
mod crashes;
mod determinism;
mod drivers;
mod files;
mod impaired;
mod language;
mod outages;
#[cfg(unix)]
mod process;
mod programs;
mod report;
#[cfg(unix)]
#[path = "../../../src/require.rs"]
mod require;
mod restarts;
mod scenario;
mod search;
mod sequence_numbers;
mod streams;
mod tasks;
mod textbook;
mod tokio_net;
