//! A blocking client for the chat protocol that H2O.ai's service spoke in 2023, and that
//! self-hosted [chat-ui](https://github.com/huggingface/chat-ui) servers speak today: v0.3 to the
//! latest. A question goes in, the answer comes out token by token, as a plain iterator.
//!
//! ```no_run
//! use std::io::{Write, stdout};
//!
//! use h2ogpt::{Client, Message};
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let client = Client::new("http://localhost:3000")?;
//!     for token in client.generate(&[Message::user("What is a monad?")])? {
//!         print!("{}", token?);
//!         stdout().flush()?;
//!     }
//!     println!();
//!     Ok(())
//! }
//! ```
//!
//! [`Client::generate`] asks one question, in a conversation of its own that is deleted afterwards.
//! The first model that the service lists answers; [`Client::builder`] chooses another one, and
//! everything else that can be chosen: [`Parameters`], a system prompt, a session that is logged
//! in. Which version of the protocol a server speaks is learned from its answers.
//!
//! # Several turns
//!
//! A [`Conversation`] lives on the service, which keeps its history:
//!
//! ```no_run
//! let client = h2ogpt::Client::new("http://localhost:3000")?;
//! let mut conversation = client.conversation()?;
//! for prompt in ["Name a prime number.", "And the next one?"] {
//!     for token in conversation.send(prompt)? {
//!         print!("{}", token?);
//!     }
//!     println!();
//! }
//! conversation.close()?; // or drop it: that deletes it too, but says nothing
//! # Ok::<(), h2ogpt::Error>(())
//! ```
//!
//! [`send_with`](Conversation::send_with) takes parameters for one message.
//! [`web_search`](Conversation::web_search) lets the service search first, and [`Reply::events`]
//! tells of it. [`retry`](Conversation::retry) asks for another reply to the last message.
//! [`keep`](Conversation::keep) leaves the conversation on the service, and
//! [`Client::resume`] goes on with it.
//!
//! # Errors
//!
//! A [`Reply`] is lazy: the message is sent by its first `next`, and what goes wrong from then on
//! is its last item. `None` means that the service has said that the reply is complete. One that
//! breaks off is [`Error::Incomplete`], never a silent end.
//!
//! ```no_run
//! use std::thread::sleep;
//!
//! use h2ogpt::{Conversation, Error};
//!
//! fn ask(conversation: &mut Conversation, prompt: &str) -> Result<String, Error> {
//!     let error = match conversation.send(prompt)?.collect() {
//!         Ok(text) => return Ok(text),
//!         Err(error) => error,
//!     };
//!     match &error {
//!         // Too many at once. The message is not in the history.
//!         Error::Http { retry_after: Some(wait), .. } if wait.as_secs() < 60 => {
//!             sleep(*wait);
//!             conversation.send(prompt)?.collect()
//!         }
//!         // The answer broke off: another one, in its place.
//!         Error::Incomplete { partial, .. } => {
//!             eprintln!("once more, there was only: {partial}");
//!             conversation.retry()?.collect()
//!         }
//!         _ => Err(error),
//!     }
//! }
//! # let client = h2ogpt::Client::new("http://localhost:3000")?;
//! # ask(&mut client.conversation()?, "Hello")?;
//! # Ok::<(), Error>(())
//! ```
//!
//! Nothing is tried again unless you do it. [`Error::is_retryable`] says whether that is of any
//! use, [`Error::partial`] returns what had arrived, whatever happened then, and [`Step`] names
//! what was being done.
//!
//! An error is displayed as one line, fit for a user. Its cause is not in that line, but in
//! [`source`](std::error::Error::source). The `Debug` form, `{error:?}`, is the line with all causes:
//! what a `main` prints that returns the error.
//!
//! # Cancelling
//!
//! A [`Canceller`] ends a reply from any other thread, at once, even while it waits for the first
//! token. The conversation goes on.
//!
//! ```no_run
//! use std::thread;
//! use std::time::Duration;
//!
//! use h2ogpt::{Client, Error};
//!
//! let client = Client::new("http://localhost:3000")?;
//! let mut conversation = client.conversation()?;
//!
//! let reply = conversation.send("Count to a million.")?;
//! let canceller = reply.canceller();
//! thread::spawn(move || {
//!     thread::sleep(Duration::from_secs(5)); // or wait for Ctrl-C, a button, a channel
//!     canceller.cancel();
//! });
//! match reply.collect::<Result<String, Error>>() {
//!     Err(Error::Cancelled { partial, .. }) => println!("until then: {partial}"),
//!     other => println!("{}", other?),
//! }
//!
//! let text: String = conversation.send("To three will do.")?.collect::<Result<_, _>>()?;
//! # Ok::<(), Error>(())
//! ```
//!
//! On the thread that reads, it is enough to stop reading: dropping a reply closes its connection
//! and asks the service to stop.
//!
//! # Time
//!
//! Whatever a server or a network does, the client comes back. Four settings bound every wait:
//! [`timeout_connect`](ClientBuilder::timeout_connect) (10 s by default),
//! [`timeout_token`](ClientBuilder::timeout_token) (120 s), which is granted anew for each token,
//! [`timeout_reply`](ClientBuilder::timeout_reply) (an hour) and
//! [`timeout_delete`](ClientBuilder::timeout_delete) (5 s). [`Error::Timeout`] names the one that
//! was up. A model on a slow machine may need more than 120 s for its first token.
//!
//! While a reply is read, one more thread wakes now and then to see whether its time is up. It
//! ends with the reply.
//!
//! # What `Drop` does, and what it cannot do
//!
//! Dropping a [`Conversation`] deletes it on the service, whichever way its scope is left: at its
//! end, by `return` or `?`, by a panic that unwinds. So does dropping the reply of
//! [`Client::generate`]. That is one request, which may take `timeout_delete`; a reply that is not
//! complete is stopped before, which may take half a second more. If it fails, nobody hears of it:
//! [`close`](Conversation::close) returns the error.
//!
//! Where `Drop` does not run, the conversation stays on the service: after
//! [`std::process::exit`], an abort, a signal, or on a thread that is still at work when `main`
//! returns. So let `main` return an [`ExitCode`](std::process::ExitCode), keep `panic = "unwind"`,
//! wait for threads, and handle Ctrl-C by cancelling the reply.
//!
//! # Threads
//!
//! A [`Client`] can be shared, and is cheap to clone: clones have one session, and connections that
//! are kept alive. Each thread has conversations of its own.
//!
//! ```no_run
//! use std::thread;
//!
//! use h2ogpt::{Client, Error, Message};
//!
//! fn answer(client: &Client, question: &str) -> Result<String, Error> {
//!     client.generate(&[Message::user(question)])?.collect()
//! }
//!
//! let client = &Client::new("http://localhost:3000")?;
//! thread::scope(|threads| {
//!     for question in ["What is a monad?", "What is a nomad?"] {
//!         threads.spawn(move || match answer(client, question) {
//!             Ok(text) => println!("{text}"),
//!             Err(error) => eprintln!("{question} {error}"),
//!         });
//!     }
//! }); // waits for them
//! # Ok::<(), Error>(())
//! ```
//!
//! In an async program, read a reply in a task that may block, such as tokio's `spawn_blocking`.
//!
//! # Proxies and TLS
//!
//! The proxy of the environment is used, unless another one or none is asked for. Certificates of
//! your own are trusted besides the default ones.
//!
//! ```
//! use h2ogpt::Client;
//!
//! let direct = Client::builder().url("http://localhost:3000").no_proxy().build()?;
//! let by_proxy = Client::builder()
//!     .url("http://chat.example.org/chat")
//!     .proxy("socks5h://user:password@localhost:1080")
//!     .build()?;
//! # Ok::<(), h2ogpt::Error>(())
//! ```
//!
//! ```no_run
//! let client = h2ogpt::Client::builder()
//!     .url("https://chat.example.org")
//!     .root_certificates(std::fs::read("our-authority.pem")?)
//!     .build()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Features and sizes
//!
//! | feature | TLS | trusted by default | size of `ask` |
//! |---|---|---|---:|
//! | `rustls` (default) | in Rust | Mozilla's root certificates | 1.8 MB |
//! | `native-tls` | the system's library | the system's root certificates | 0.8 MB |
//! | `platform-verifier` | in Rust | what the operating system's verifier says | 1.8 MB |
//! | none of them (`default-features = false`) | none, http only | | 0.7 MB |
//!
//! `ask` is the first program above with a choice of service and model, built for a small size on
//! x86-64 Linux. Most of it is ureq, TLS and the standard library. If both `rustls` and
//! `native-tls` are on, `rustls` is used. Proxies are always there.

#![forbid(unsafe_code)]
#![warn(missing_docs, missing_debug_implementations, unreachable_pub)]

mod agents;
mod builder;
mod canceller;
mod client;
mod conversation;
mod cookies;
mod error;
mod events;
mod exchange;
mod http;
mod interrupt;
mod message;
mod model;
mod origin;
mod parameters;
mod plain;
mod protocol;
mod proxy;
mod reply;
mod response;
mod role;
mod send;
mod session;
mod timeouts;
mod tls;
mod turn;

pub use builder::ClientBuilder;
pub use canceller::Canceller;
pub use client::Client;
pub use conversation::Conversation;
pub use error::{Error, Result, Step};
pub use events::Events;
pub use exchange::Exchange;
pub use message::{Message, format_prompt};
pub use model::{DEFAULT_MODEL, Model};
pub use origin::DEFAULT_URL;
pub use parameters::Parameters;
pub use protocol::event::Event;
pub use protocol::finish_reason::FinishReason;
pub use protocol::tokens::{Tokens, tokens};
pub use protocol::web_search::{Source, WebSearch};
pub use reply::Reply;
pub use role::Role;

/// The programs of the README compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
