//! What the simulation promises, in one program: to link one is faster than to link a dozen.

mod adaptive;
mod crashes;
mod determinism;
mod drivers;
mod files;
mod impaired;
mod language;
mod livelock;
mod outages;
mod programs;
mod scenario;
mod search;
mod sequence_numbers;
mod streams;
mod tasks;
mod textbook;
