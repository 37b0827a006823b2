//! The client, as programs use it: everything that does not need a process of its own.

mod cancel;
mod configuration;
mod connections;
mod dialects;
mod extras;
mod files;
mod history;
mod honest;
mod lifecycle;
mod options;
mod picked_up;
mod properties;
mod proxy;
mod ready;
mod recordings;
mod refusals;
mod requests;
mod retries;
mod secrets;
mod sequences;
mod servers;
mod session;
#[cfg(unix)]
mod starved;
mod stored;
mod surface;
#[cfg(any(feature = "rustls", feature = "native-tls"))]
mod tls;
mod together;
mod tools;
mod versions;
