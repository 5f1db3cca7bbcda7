//! The seam over the operating system: tokio and socket2.
