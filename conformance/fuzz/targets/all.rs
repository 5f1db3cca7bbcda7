//! The fuzz targets. Each takes any bytes and must not panic, hang, or hold more memory than it may.
//!
//! They are plain functions: libFuzzer (`.ci/fuzz`) and the tests (`conformance/tests/fuzz.rs`) run the same
//! code.

mod adaptive;
mod forge;
mod packet;
mod plan_file;
mod stack;
mod tcp;
mod trace;
mod wire;

pub(crate) type Run = fn(&[u8]);

/// The targets, each with its name.
pub(crate) const TARGETS: [(&str, Run); 7] = [
    ("adaptive", adaptive::fuzz),
    ("packet", packet::fuzz),
    ("plan_file", plan_file::fuzz),
    ("stack", stack::fuzz),
    ("tcp", tcp::fuzz),
    ("trace", trace::fuzz),
    ("wire", wire::fuzz),
];
