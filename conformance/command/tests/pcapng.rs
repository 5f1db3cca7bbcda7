//! Captures of runs: what tshark, which knows nothing of us, makes of them; and that each packet is in them.
//!
//! Without tshark its tests print what would allow them, and pass.

#[path = "pcapng/analysis.rs"]
mod analysis;
#[path = "pcapng/fixtures.rs"]
mod fixtures;
#[path = "../../../src/require.rs"]
mod require;
#[path = "pcapng/tshark.rs"]
mod tshark;
