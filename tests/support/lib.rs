//! Servers and proxies on loopback, and recordings of real ones, for the tests.
//!
//! Everything binds port 0, waits on condition variables instead of the clock, and stops when it
//! is dropped: the listener is closed, open connections are shut down and their threads end.

pub mod client;
pub mod http1;
pub mod link;
pub mod listener;
pub mod program;
pub mod proxy;
pub mod recording;
pub mod replay;
pub mod script;
pub mod server;
#[path = "../../examples/service/mod.rs"]
pub mod service;
pub mod stream;
#[cfg(unix)]
pub mod terminal;
pub mod tls;
pub mod transport;

/// Whether the client was built with TLS. The servers and proxies here always have it.
pub const HAS_TLS: bool = cfg!(any(feature = "rustls", feature = "native-tls"));
