//! The client, as programs use it: everything that does not need a process of its own.

mod cancel;
mod configuration;
mod connections;
mod dialects;
mod lifecycle;
mod properties;
mod proxy;
mod recordings;
mod requests;
mod secrets;
mod session;
#[cfg(any(feature = "rustls", feature = "native-tls"))]
mod tls;
