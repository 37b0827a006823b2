//! A small chat service on the loopback interface, which speaks the protocol of every version
//! the client knows.
//!
//! It keeps to the rules a client's behaviour can depend on (cookies, checks, encodings, how a
//! stream ends and when an answer is stored) and makes up the answers: their text tells what the
//! service knows of the conversation; `answer.rs` says how. Things go wrong only when asked to, see
//! [`Fault`].
//!
//! ```ignore
//! let service = Service::builder().dialect(Dialect::Main).start()?;
//! let client = Client::new(service.url())?;
//! ```
#![allow(
    dead_code,
    unused_imports,
    reason = "everyone who includes this module uses a different part of it"
)]

mod answer;
mod conversations;
mod date;
mod dialect;
mod exchange;
mod fault;
mod flat;
mod form;
mod http;
mod lines;
mod response;
mod routes;
mod server;
mod settings;
mod sse;
mod store;
mod tree;
mod turn;
mod web_search;

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::Duration;

pub use dialect::{Dialect, UnknownDialect};
pub use fault::{Fault, Seen};
pub use store::Settings;

use server::{Config, Shared};

/// The models of the original service, its default first.
pub const MODELS: [&str; 3] = [
    "h2oai/h2ogpt-gm-oasst1-en-2048-falcon-40b-v1",
    "h2oai/h2ogpt-gm-oasst1-en-2048-falcon-7b-v3",
    "h2oai/h2ogpt-gm-oasst1-en-2048-open-llama-13b",
];

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
    /// retry it holds the newest answer only. A system prompt comes first if there is one.
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

    /// Closes the connections that are kept alive without a request under way.
    /// One whose answer has just been read may take a moment to count as idle, and gets it.
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

/// How a service is to be.
pub struct Builder {
    dialect: Dialect,
    config: Config,
}

impl Default for Builder {
    fn default() -> Builder {
        let dialect = Dialect::V0_5;
        Builder {
            dialect,
            config: Config {
                rules: dialect.rules(),
                base_path: String::new(),
                cookie_name: "hf-chat".to_owned(),
                token_delay: Duration::ZERO,
                models: MODELS.map(str::to_owned).to_vec(),
                require_login: false,
                hide_api: false,
                faults: None,
            },
        }
    }
}

impl Builder {
    /// The version to behave like; v0.5 unless set.
    pub fn dialect(mut self, dialect: Dialect) -> Builder {
        self.dialect = dialect;
        self
    }

    /// The path everything is below, such as `/chat`.
    pub fn base_path(mut self, path: &str) -> Builder {
        let path = path.trim_matches('/');
        self.config.base_path = match path {
            "" => String::new(),
            path => format!("/{path}"),
        };
        self
    }

    /// The name of the session cookie; `hf-chat` unless set.
    pub fn cookie_name(mut self, name: &str) -> Builder {
        self.config.cookie_name = name.to_owned();
        self
    }

    /// The time before each token; none unless set.
    pub fn token_delay(mut self, delay: Duration) -> Builder {
        self.config.token_delay = delay;
        self
    }

    /// The models there are; [`MODELS`] unless set.
    pub fn models(mut self, models: &[&str]) -> Builder {
        self.config.models = models.iter().map(|&model| model.to_owned()).collect();
        self
    }

    /// Whether only users who have logged in may talk, which nobody can do here.
    pub fn require_login(mut self, require: bool) -> Builder {
        self.config.require_login = require;
        self
    }

    /// Whether everything below `/api` is refused.
    pub fn hide_api(mut self, hide: bool) -> Builder {
        self.config.hide_api = hide;
        self
    }

    /// Decides for every request whether something is to go wrong with it.
    pub fn faults(
        mut self,
        faults: impl Fn(&Seen) -> Option<Fault> + Send + Sync + 'static,
    ) -> Builder {
        self.config.faults = Some(Box::new(faults));
        self
    }

    pub fn start(mut self) -> io::Result<Service> {
        self.config.rules = self.dialect.rules();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let url = format!("http://{address}{}", self.config.base_path);
        let shared = Arc::new(Shared::new(self.config));
        let listening = thread::Builder::new()
            .name("chat service".to_owned())
            .spawn({
                let shared = Arc::clone(&shared);
                move || server::listen(&shared, &listener)
            })?;
        Ok(Service {
            shared,
            address,
            url,
            listening: Some(listening),
        })
    }
}
