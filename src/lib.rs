//! A blocking client for the chat protocol of H2O.ai's server of 2023, which self-hosted
//! [chat-ui](https://github.com/huggingface/chat-ui) servers speak today: v0.3 to the latest. You
//! send a prompt and iterate over the reply's tokens.
//!
//! ```no_run
//! use std::io::{Write, stdout};
//!
//! use h2ogpt::Client;
//!
//! fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let client = Client::new("http://localhost:3000")?;
//!     for token in client.generate("What is a monad?")? {
//!         print!("{}", token?);
//!         stdout().flush()?;
//!     }
//!     println!();
//!     Ok(())
//! }
//! ```
//!
//! [`Client::generate`] sends one prompt, in a conversation of its own that is deleted afterwards.
//! The server's default model replies; [`Client::builder`] chooses another one, and everything
//! else that can be configured: [`Parameters`], a system prompt, a session that is logged in. The
//! client learns the server's version from its responses.
//!
//! # Several turns
//!
//! A [`Conversation`] lives on the server, which stores its history:
//!
//! ```no_run
//! let client = h2ogpt::Client::new("http://localhost:3000")?;
//! let mut conversation = client.conversation()?;
//! for prompt in ["Name a prime number.", "And the next one?"] {
//!     println!("{}", conversation.send(prompt)?.into_text()?);
//! }
//! conversation.close()?; // dropping it also deletes it, but ignores errors
//! # Ok::<(), h2ogpt::Error>(())
//! ```
//!
//! A text is a prompt; a [`Prompt`] can have more: parameters, a web search, files, a choice of
//! tools. [`Reply::events`] reports the progress of searches and tools, and
//! [`Reply::ignored`] what this server does not do. [`retry`](Conversation::retry) asks for another
//! reply to the last message. [`keep`](Conversation::keep) leaves the conversation on the server,
//! [`Client::resume`] continues it, and [`Client::conversations`] lists what is there.
//!
//! # Errors
//!
//! [`send`](Conversation::send) sends at once, and fails if the server refuses the message. What
//! goes wrong later is the last item of the [`Reply`]. `None` means that the server has said that
//! the reply is complete. A reply that is cut short is [`Error::Incomplete`], never a silent end.
//!
//! ```no_run
//! use std::thread::sleep;
//!
//! use h2ogpt::{Conversation, Error};
//!
//! fn ask(conversation: &mut Conversation, prompt: &str) -> Result<String, Error> {
//!     let sent = conversation.send(prompt);
//!     let error = match sent.and_then(|reply| reply.into_text()) {
//!         Ok(text) => return Ok(text),
//!         Err(error) => error,
//!     };
//!     match &error {
//!         // Too many requests. The message is not in the history.
//!         Error::Http { retry_after: Some(wait), .. } if wait.as_secs() < 60 => {
//!             sleep(*wait);
//!             conversation.send(prompt)?.into_text()
//!         }
//!         // The reply was cut short; ask for a replacement.
//!         Error::Incomplete { partial, .. } => {
//!             eprintln!("trying again, there was only: {partial}");
//!             conversation.retry()?.into_text()
//!         }
//!         _ => Err(error),
//!     }
//! }
//! # let client = h2ogpt::Client::new("http://localhost:3000")?;
//! # ask(&mut client.conversation()?, "Hello")?;
//! # Ok::<(), Error>(())
//! ```
//!
//! The crate never sends a message again that the server may have looked at.
//! [`ClientBuilder::retries`] lets it retry what the server refuses for the moment.
//! [`Error::is_retryable`] says whether retrying may succeed, [`Error::partial`] returns the part of
//! the reply that had arrived, and [`Error::step`] what was being done.
//!
//! `Display` is one line for a user. The cause is not in that line, but in
//! [`source`](std::error::Error::source). `Debug`, which a `main` that returns the error prints, is
//! the line followed by all causes.
//!
//! # Time and cancelling
//!
//! Whatever a server or a network does, the client returns. Four settings limit every wait:
//! [`timeout_connect`](ClientBuilder::timeout_connect) (10 s by default),
//! [`timeout_token`](ClientBuilder::timeout_token) (120 s), which starts anew for each token,
//! [`timeout_reply`](ClientBuilder::timeout_reply) (an hour) and
//! [`timeout_delete`](ClientBuilder::timeout_delete) (5 s). [`Error::Timeout`] names the limit that
//! expired. A model on a slow machine may need more than 120 s for its first token.
//!
//! [`Client::until`] sets a point in time by which everything ends but the deletion. A
//! [`Canceller`] ends every wait from another thread, within 0.1 s:
//!
//! ```no_run
//! use std::thread;
//! use std::time::Duration;
//!
//! use h2ogpt::{Canceller, Client, Error};
//!
//! let canceller = Canceller::new();
//! let client = Client::new("http://localhost:3000")?.cancelled_by(&canceller);
//! thread::spawn(move || {
//!     thread::sleep(Duration::from_secs(5)); // or wait for Ctrl-C, a button, a channel
//!     canceller.cancel();
//! });
//! match client.generate("Count to a million.").and_then(|reply| reply.into_text()) {
//!     Err(Error::Cancelled { partial, .. }) => println!("until then: {partial}"),
//!     text => println!("{}", text?),
//! }
//! # Ok::<(), Error>(())
//! ```
//!
//! On the thread that reads, it is enough to stop reading: dropping a reply closes its connection
//! and asks the server to stop.
//!
//! Each request is made on a short-lived thread, and a watchdog thread enforces the limits while
//! replies are read. If the system has no thread to spare, requests fail, except those that delete.
//!
//! # What `Drop` does, and what it cannot do
//!
//! Dropping a [`Conversation`] deletes it on the server, however its scope is left: at its end, by
//! `return` or `?`, by a panic that unwinds. So does dropping the reply of [`Client::generate`].
//! That is one request, which takes at most `timeout_delete`; a reply that is not complete is
//! stopped before, which takes at most half a second. Errors are ignored;
//! [`close`](Conversation::close) returns them.
//!
//! Where `Drop` does not run, the conversation remains on the server: after
//! [`std::process::exit`], an abort, a signal, or on a thread that is still running when `main`
//! returns. So let `main` return an [`ExitCode`](std::process::ExitCode), keep `panic = "unwind"`,
//! wait for threads, and handle signals by cancelling.
//!
//! # Threads
//!
//! A [`Client`] is cheap to clone and safe to share between threads: clones share one session and
//! its kept-alive connections. Each thread has conversations of its own. On a single thread, the
//! replies of several conversations are generated at the same time if all prompts are sent first.
//!
//! ```no_run
//! use h2ogpt::Client;
//!
//! let client = Client::new("http://localhost:3000")?;
//! let questions = ["What is a monad?", "What is a nomad?"];
//! let replies = questions.map(|question| client.generate(question));
//! for reply in replies {
//!     println!("{}", reply?.into_text()?);
//! }
//! # Ok::<(), h2ogpt::Error>(())
//! ```
//!
//! In an async program, read a reply in a task that may block, such as tokio's `spawn_blocking`.
//!
//! # Proxies and TLS
//!
//! The proxy of the environment is used, unless another one or none is configured. Certificates of
//! your own are trusted in addition to the default ones.
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
//! | `rustls` (default) | in Rust | Mozilla's root certificates | 1.9 MB |
//! | `native-tls` | the system's library | the system's root certificates | 0.9 MB |
//! | `platform-verifier` | in Rust | what the operating system's verifier says | 1.9 MB |
//! | none of them (`default-features = false`) | none, http only | | 0.8 MB |
//!
//! `ask` is the first program above with a choice of server and model, built for a small size on
//! x86-64 Linux. Most of it is ureq, TLS and the standard library. If both `rustls` and
//! `native-tls` are on, `rustls` is used. Proxies are always available.

#![forbid(unsafe_code)]
#![warn(missing_docs, missing_debug_implementations, unreachable_pub)]

mod attachment;
mod builder;
mod canceller;
mod client;
mod conversation;
mod conversations;
mod error;
mod exchange;
mod http;
mod ignored;
mod linked;
mod model;
mod parameters;
mod prompt;
mod protocol;
mod reply;
mod sanitize;
mod session;
mod stored;

pub use attachment::Attachment;
pub use builder::ClientBuilder;
pub use canceller::Canceller;
pub use client::Client;
pub use conversation::Conversation;
pub use conversations::Conversations;
pub use error::{Error, Result, Step, TimeLimit};
pub use exchange::Exchange;
pub use http::base_url::DEFAULT_URL;
pub use ignored::Ignored;
pub use model::{DEFAULT_MODEL, Model};
pub use parameters::Parameters;
pub use prompt::{Message, Prompt, Role, format_prompt};
pub use protocol::event::{Event, Question, Reasoning, StreamedFile};
pub use protocol::finish_reason::FinishReason;
pub use protocol::tokens::Tokens;
pub use protocol::tool_update::ToolUpdate;
pub use protocol::web_search::{Source, WebSearch};
pub use reply::{Events, Reply};
pub use stored::{ConversationInfo, StoredFile, StoredMessage, ToolServer};

/// The programs of the README compile.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
