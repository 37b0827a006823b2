//! A small chat service on the loopback interface, which speaks the protocol of every version
//! the client knows.
//!
//! It keeps to the rules a client's behaviour can depend on (cookies, checks, encodings, how a
//! stream ends and when a reply is stored) and makes up the replies: their text tells what the
//! service knows of the conversation; `answer.rs` says how. Things go wrong only when asked to, see
//! [`Fault`].
//!
//! ```text
//! let service = Service::builder().dialect(Dialect::Main).start()?;
//! let client = Client::new(service.url())?;
//! ```
//!
//! How versions differ is one table, in `dialect.rs`. How servers of one version differ are the
//! setters of [`Builder`]; each says which versions care. What came of it can be looked at, see
//! [`Service`], and waited for with [`Service::wait_for`].
#![allow(
    dead_code,
    unused_imports,
    reason = "everyone who includes this module uses a different part of it"
)]

mod answer;
mod api;
mod base64;
mod builder;
mod changes;
mod conversations;
mod date;
mod dialect;
mod exchange;
mod fault;
mod files;
mod flat;
mod form;
mod generation;
mod given;
mod http;
mod image;
mod limits;
mod lines;
mod model;
mod multipart;
mod page_data;
mod planned;
mod response;
mod resume;
mod routes;
mod server;
mod settings;
mod shown;
mod sse;
mod store;
mod tools;
mod tree;
mod turn;
mod upload;
mod value;
mod web_search;

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

pub use builder::Builder;
pub use dialect::{Dialect, UnknownDialect};
pub use fault::{Fault, Seen};
pub use model::{GivenFile, Model, ModelCall, Purpose};
pub use server::{Late, Origin};
pub use store::{Settings, StoredFile};
pub use tools::{ToolOutcome, Tools};

use server::{Shared, lock};

/// The models of the original service, its default first.
pub const MODELS: [&str; 3] = [
    "h2oai/h2ogpt-gm-oasst1-en-2048-falcon-40b-v1",
    "h2oai/h2ogpt-gm-oasst1-en-2048-falcon-7b-v3",
    "h2oai/h2ogpt-gm-oasst1-en-2048-open-llama-13b",
];

/// How long [`Service::wait_for`] waits.
const PATIENCE: Duration = Duration::from_secs(10);

/// A running service. Dropping it closes the listener and every connection, and returns when all
/// of its threads have ended.
pub struct Service {
    shared: Arc<Shared>,
    address: SocketAddr,
    url: String,
    listening: Option<JoinHandle<()>>,
}

impl Service {
    /// Starts the dialect of the original service, v0.5, on a free port of 127.0.0.1.
    pub fn start() -> io::Result<Service> {
        Service::builder().start()
    }

    pub fn builder() -> Builder {
        Builder::default()
    }

    /// `http://127.0.0.1:PORT` and the base path, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The number of conversations that were created and not deleted.
    pub fn conversations(&self) -> usize {
        self.shared.store().len()
    }

    /// Who (`system`, `user` or `assistant`) said what in a conversation, oldest first. After a
    /// retry it holds the newest reply only. A system prompt comes first if there is one.
    pub fn history(&self, id: &str) -> Option<Vec<(String, String)>> {
        self.shared.store().history(id)
    }

    /// The number of connections accepted so far.
    pub fn connections(&self) -> usize {
        self.shared.accepted()
    }

    /// Every request so far, in the order they came in.
    pub fn requests(&self) -> Vec<Seen> {
        self.shared.requests()
    }

    /// Every set of settings that was taken, in order.
    pub fn settings(&self) -> Vec<Settings> {
        self.shared.store().accepted().to_vec()
    }

    /// The settings that are kept for a session, which is the value of its cookie. Nothing if it
    /// never posted any.
    pub fn settings_of(&self, session: &str) -> Option<Settings> {
        self.shared.store().settings(session).cloned()
    }

    /// The title of a conversation.
    pub fn title(&self, id: &str) -> Option<String> {
        let store = self.shared.store();
        Some(store.get(id)?.title.clone())
    }

    /// Every call of a model so far, with all that it was given.
    pub fn model_calls(&self) -> Vec<ModelCall> {
        self.shared.calls.all()
    }

    /// Lets something go wrong with the next requests of a kind, such as
    /// `fail_next(2, "POST /conversation/{id}", Fault::Status(503, None))`.
    pub fn fail_next(&self, times: usize, request: &str, fault: Fault) {
        lock(&self.shared.plan).add(request, times, fault);
    }

    /// Stores the turns that [`Late::WhenReleased`] has kept back.
    pub fn release_history(&self) {
        self.shared.store().release_late(Instant::now());
        self.shared.changes.note();
    }

    /// The number of replies that [`Fault::Hold`] keeps back.
    pub fn held_replies(&self) -> usize {
        usize::try_from(self.shared.held(0)).unwrap_or(0)
    }

    /// Lets the replies go on that [`Fault::Hold`] keeps back.
    pub fn release_replies(&self) {
        self.shared.released.fetch_add(1, Ordering::SeqCst);
        self.shared.changes.note();
    }

    /// Waits until something is so, such as a request having come; false if it is not so after
    /// ten seconds.
    pub fn wait_for(&self, is_so: impl Fn(&Service) -> bool) -> bool {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let count = self.shared.changes.count();
            if is_so(self) {
                return true;
            }
            if deadline <= Instant::now() {
                return false;
            }
            // What is due at a certain time happens without a change.
            self.shared.changes.wait(count, Duration::from_millis(20));
        }
    }

    /// Closes the connections that are kept alive without a request under way.
    /// One whose response has just been read may take a moment to count as idle, and gets it.
    pub fn close_idle_connections(&self) {
        for _ in 0..10 {
            if !self.shared.shut_down(true) {
                return;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        // Wakes the listener, which then sees that it is over. If that fails, there is none.
        let wake = TcpStream::connect(self.address);
        self.shared.shut_down(false);
        if let (Ok(_), Some(listening)) = (wake, self.listening.take()) {
            // A panic there was reported when it happened.
            let _ = listening.join();
        }
    }
}
