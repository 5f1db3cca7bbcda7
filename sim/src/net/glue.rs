//! What libraries ask of a socket beyond reading and writing, each behind a feature of its name.

#[cfg(feature = "axum")]
mod axum;
#[cfg(feature = "hyper-util")]
mod hyper_util;
#[cfg(feature = "quinn")]
pub(super) mod quinn;
#[cfg(feature = "tonic")]
mod tonic;
