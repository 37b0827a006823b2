//! Servers and proxies on loopback, and recordings of real ones, for the tests.
//!
//! Everything binds port 0, waits on condition variables instead of the clock, and stops when it
//! is dropped: the listener is closed, open connections are shut down and their threads end.

// Every test crate compiles the whole of this module and uses a part of it.
#![allow(dead_code)]

pub mod client;
pub mod flat;
pub mod http1;
pub mod listener;
pub mod program;
pub mod proxy;
pub mod recording;
pub mod replay;
pub mod script;
pub mod server;
pub mod stream;
#[cfg(unix)]
pub mod terminal;
pub mod tls;
pub mod transport;
