//! A blocking client for the chat protocol that H2O.ai's service spoke in 2023, and that
//! self-hosted [chat-ui](https://github.com/huggingface/chat-ui) servers speak today: v0.3 to the
//! latest. A question goes in, the answer comes out token by token, as a plain iterator.
//!
//! ```no_run
//! use h2ogpt::{Client, Message};
//!
//! let client = Client::new("http://localhost:3000")?;
//! for token in client.generate(&[Message::user("What is a monad?")])? {
//!     print!("{}", token?);
//! }
//! # Ok::<(), h2ogpt::Error>(())
//! ```
//!
//! # Several turns
//!
//! A [`Conversation`] lives on the service, which keeps its history. It is deleted there when it is
//! dropped; [`close`](Conversation::close) does that too and reports failures, and
//! [`keep`](Conversation::keep) leaves it, to be [resumed](Client::resume).
//!
//! ```no_run
//! # let client = h2ogpt::Client::new("http://localhost:3000")?;
//! let mut conversation = client.conversation()?;
//! let mut reply = conversation.send("Name a prime number.")?;
//! for token in reply.by_ref() {
//!     print!("{}", token?);
//! }
//! println!("\n({} characters)", reply.text().len());
//! drop(reply); // it borrows the conversation
//!
//! for token in conversation.send("And the next one?")? {
//!     print!("{}", token?);
//! }
//! conversation.close()?;
//! # Ok::<(), h2ogpt::Error>(())
//! ```
//!
//! Only where `Drop` does not run is a conversation left behind: see
//! [`Conversation`](Conversation#deleting).
//!
//! # A reply is lazy, complete or an error
//!
//! A [`Reply`] is an iterator: the message is sent by its first `next`, and everything that goes
//! wrong from then on is its last item. `None` means that the service has said that the reply is
//! complete. A reply that breaks off is [`Error::Incomplete`], never a silent end, and the text
//! that arrived is in the error, see [`Error::partial`].
//!
//! ```no_run
//! # use h2ogpt::{Client, Error};
//! # let mut conversation = Client::new("http://localhost:3000")?.conversation()?;
//! match conversation.send("Hello")?.collect::<Result<String, Error>>() {
//!     Ok(text) => println!("{text}"),
//!     Err(error) if error.is_retryable() => eprintln!("later, perhaps: {error}"),
//!     Err(error) => return Err(error),
//! }
//! # Ok::<(), Error>(())
//! ```
//!
//! # Time
//!
//! Whatever a server or a network does, the client comes back: each setter of [`ClientBuilder`]
//! that begins with `timeout_` says what it bounds, and its default. A [`Canceller`] ends a reply
//! from another thread.
//!
//! While a reply is read, one more thread sleeps until its time is up. It ends with the reply.
//!
//! # Threads
//!
//! A [`Client`] is cheap to clone and can be shared by threads, each with conversations of its own.
//! They share the session's cookie, and connections that are kept alive.
//!
//! # Features
//!
//! `rustls` (default): TLS in Rust, with Mozilla's root certificates. `native-tls`: the system's
//! TLS library and root certificates. `platform-verifier`: rustls, with certificates verified by the
//! operating system. Without any of them the client speaks http only. Proxies are always there.

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

/// The programs of the README compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
