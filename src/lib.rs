//! Blocking client for the H2O.ai chat protocol.
#![forbid(unsafe_code)]
#![warn(missing_docs, missing_debug_implementations, unreachable_pub)]

mod builder;
mod client;
mod conversation;
mod cookies;
mod error;
mod http;
mod interrupt;
mod message;
mod model;
mod origin;
mod parameters;
mod plain;
#[cfg(test)]
mod properties;
mod protocol;
mod reply;
mod response;
mod session;
mod turn;

pub use builder::ClientBuilder;
pub use client::Client;
pub use conversation::Conversation;
pub use error::{Error, Result, Step};
pub use http::Exchange;
pub use interrupt::Canceller;
pub use message::{Message, Role, format_prompt};
pub use model::{DEFAULT_MODEL, Model};
pub use origin::DEFAULT_URL;
pub use parameters::Parameters;
pub use protocol::event::{Event, FinishReason, Source, WebSearch};
pub use protocol::tokens::{Tokens, tokens};
pub use reply::{Events, Reply};
