#![forbid(unsafe_code)]
//! The `faultwire` command.

fn main() {}
