//! What can be chosen about a client, and what is refused before anything is sent.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;
use ureq::Proxy;

use crate::agents::{Agents, Setup};
use crate::client::Client;
use crate::cookies::Jar;
use crate::error::{Error, Fallible, Result};
use crate::exchange::{Exchange, Observer};
use crate::http::Http;
use crate::origin::{DEFAULT_URL, Origin};
use crate::parameters::{Encoded, Parameters};
use crate::proxy;
use crate::session::Session;
use crate::timeouts::Timeouts;
use crate::tls;

/// Everything that can be chosen about a [`Client`]; from [`Client::builder`].
///
/// Setters take anything, and do no I/O: [`build`](ClientBuilder::build) refuses what cannot
/// work, even if it was set again later.
///
/// ```
/// use std::time::Duration;
///
/// let client = h2ogpt::Client::builder()
///     .url("http://localhost:3000/chat")
///     .model("mistralai/Mistral-7B-Instruct-v0.1")
///     .timeout_token(Duration::from_secs(30))
///     .build()?;
/// # Ok::<(), h2ogpt::Error>(())
/// ```
pub struct ClientBuilder {
    // What few programs set is read by its setter, so that the others do without the code.
    /// What was wrong with that, for `build` to say.
    error: Option<Box<Error>>,
    url: String,
    model: Option<String>,
    /// None for that of the environment.
    proxy: Option<Option<Proxy>>,
    parameters: Parameters,
    encoded: Encoded,
    system_prompt: Option<String>,
    share_with_model_authors: bool,
    search_enabled: bool,
    cookies: Jar,
    user_agent: String,
    roots: Option<tls::RootCerts>,
    timeouts: Timeouts,
    observer: Option<Box<Observer>>,
}

impl Client {
    /// A client of the service at `url`, with defaults for everything else. Does no I/O.
    ///
    /// The URL may have a path that the service lives under (`https://host/chat`), and a user
    /// name and password for HTTP basic authentication.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if this is no URL of a service.
    pub fn new(url: impl Into<String>) -> Result<Client> {
        Client::builder().url(url).build()
    }

    /// Everything that can be chosen about a client.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::new()
    }
}

impl ClientBuilder {
    pub(crate) fn new() -> Self {
        ClientBuilder {
            url: DEFAULT_URL.into(),
            model: None,
            error: None,
            proxy: None,
            parameters: Parameters::new(),
            encoded: Encoded::default(),
            system_prompt: None,
            share_with_model_authors: false,
            search_enabled: true,
            cookies: Jar::default(),
            user_agent: concat!("h2ogpt/", env!("CARGO_PKG_VERSION")).into(),
            roots: None,
            timeouts: Timeouts {
                connect: Duration::from_secs(10),
                token: Duration::from_secs(120),
                reply: Duration::from_secs(60 * 60),
                delete: Duration::from_secs(5),
            },
            observer: None,
        }
    }

    /// The address of the service, such as `https://host` or `http://localhost:3000/chat`;
    /// [`DEFAULT_URL`] by default. It may hold a user name and password for HTTP basic
    /// authentication.
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.url = url.into();
        self
    }

    /// The model that answers, as the service names it. By default it is the first one that the
    /// service lists, or [`DEFAULT_MODEL`](crate::DEFAULT_MODEL) if it has no list.
    pub fn model(mut self, model: impl Into<String>) -> Self {
        self.model = Some(model.into());
        self
    }

    /// A proxy for everything: `http://user:password@host:port` or `https://…` (CONNECT),
    /// `socks5://…` or `socks5h://…`. The proxy looks the service's name up, except for
    /// `socks5://`, where it is looked up here.
    ///
    /// By default the environment says it: the first of `ALL_PROXY`, `HTTPS_PROXY`, `HTTP_PROXY`
    /// (or in lower case) is used for every service but those in `NO_PROXY`, also on loopback. If
    /// none of those that are set can be used, [`build`](ClientBuilder::build) refuses that.
    pub fn proxy(mut self, url: impl Into<String>) -> Self {
        let proxy = proxy::parse(&url.into());
        self.proxy = self.checked(proxy).map(Some);
        self
    }

    /// No proxy, whatever the environment says.
    pub fn no_proxy(mut self) -> Self {
        self.proxy = Some(None);
        self
    }

    /// Generation parameters for all messages, in place of those set so far.
    pub fn parameters(mut self, parameters: Parameters) -> Self {
        self.encoded = self.checked(parameters.encode()).unwrap_or_default();
        self.parameters = parameters;
        self
    }

    /// One generation parameter for all messages, as in [`Parameters::set`].
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        let parameters = std::mem::take(&mut self.parameters);
        self.parameters(parameters.set(name, value))
    }

    /// Instructions that the model answers under, in every conversation; none by default.
    ///
    /// Servers before chat-ui v0.5 do not have them and ignore them.
    pub fn system_prompt(mut self, text: impl Into<String>) -> Self {
        self.system_prompt = Some(text.into());
        self
    }

    /// Whether conversations are shared with the authors of the model; false by default.
    pub fn share_with_model_authors(mut self, share: bool) -> Self {
        self.share_with_model_authors = share;
        self
    }

    /// Whether the service may search the web when it is asked to; true by default. It does not
    /// search by itself because of this.
    pub fn search_enabled(mut self, enabled: bool) -> Self {
        self.search_enabled = enabled;
        self
    }

    /// A cookie to begin the session with, such as that of a session that is logged in, which
    /// chat-ui calls `hf-chat` by default. The session's settings are posted all the same: its
    /// model becomes that of the client.
    pub fn cookie(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let inserted = self.cookies.insert(&name.into(), &value.into());
        self.checked(inserted);
        self
    }

    /// The value of the `User-Agent` header; `h2ogpt/` and this crate's version by default.
    pub fn user_agent(mut self, user_agent: impl Into<String>) -> Self {
        self.user_agent = user_agent.into();
        self
    }

    /// Certificates of authorities to trust too, one or more in PEM format: a server that they do
    /// not verify may still be one that the default ones do. Which of the two it is turns out with
    /// the first connection, and holds for the client from then on, also for an `https://` proxy
    /// in between.
    pub fn root_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.roots = self.checked(tls::roots(&pem.into()));
        self
    }

    /// Longest wait for a connection: looking the name up, and then connecting, including the
    /// proxy and TLS; 10 s by default.
    pub fn timeout_connect(mut self, timeout: Duration) -> Self {
        self.timeouts.connect = timeout;
        self
    }

    /// Longest wait for the next token, or for the answer to any other request; 120 s by
    /// default. What a server sends to keep the connection alive is no progress. The time that
    /// passes between two calls of `next` does not count. A token that is late may be awaited up
    /// to a sixteenth longer than this, and 1 ms at least.
    ///
    /// Half of it, 30 s at most, is what a service has for ending its response before the next
    /// message is sent: some lose a reply that they have not stored by then.
    pub fn timeout_token(mut self, timeout: Duration) -> Self {
        self.timeouts.token = timeout;
        self
    }

    /// Longest time for a whole reply, from sending the prompt to the last token; one hour by
    /// default.
    pub fn timeout_reply(mut self, timeout: Duration) -> Self {
        self.timeouts.reply = timeout;
        self
    }

    /// Longest time for deleting a conversation, connecting and a second try included: how long
    /// `Drop` and [`close`](crate::Conversation::close) can take; 5 s by default. Dropping a reply
    /// that is not complete can take 0.5 s, or this if it is shorter, to stop it.
    pub fn timeout_delete(mut self, timeout: Duration) -> Self {
        self.timeouts.delete = timeout;
        self
    }

    /// Called after each request with its outcome, on the thread that made it: for a log.
    pub fn on_exchange(mut self, observer: impl Fn(&Exchange<'_>) + Send + Sync + 'static) -> Self {
        self.observer = Some(Box::new(observer));
        self
    }

    /// Keeps the first error for `build`.
    fn checked<T>(&mut self, setting: Fallible<T>) -> Option<T> {
        match setting {
            Ok(setting) => Some(setting),
            Err(error) => {
                self.error.get_or_insert(error);
                None
            }
        }
    }

    /// The client. Reads the environment for a proxy, and does no I/O.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if a setting cannot work: it says which, and why.
    pub fn build(self) -> Result<Client> {
        if let Some(error) = self.error {
            return Err(*error);
        }
        let origin = Origin::parse(&self.url)?;
        let is_bad = |name: &String| name.trim().is_empty() || name.contains(char::is_control);
        if self.model.as_ref().is_some_and(is_bad) {
            return Err(*Error::configuration(
                "the model's name is empty or has control characters in it",
            ));
        }
        // ureq panics on a user agent that is no header.
        let printable = |byte| matches!(byte, b' '..=b'~');
        if self.user_agent.is_empty() || !self.user_agent.bytes().all(printable) {
            return Err(*Error::configuration(
                "the user agent must be one line of printable ASCII characters",
            ));
        }
        let timeouts = self.timeouts.checked()?;
        if self.proxy.is_none() {
            proxy::check_environment()?;
        }
        let setup = Setup {
            user_agent: &self.user_agent,
            proxy: &self.proxy,
            timeouts,
            looks_up: origin.host_is_name(),
        };
        let http = Http {
            origin,
            timeouts,
            agents: Agents::new(&setup, self.roots),
            cookies: Mutex::new(self.cookies),
            observer: self.observer,
            idle: Mutex::new(Vec::new()),
        };
        Ok(Client::with_session(Session {
            http: Arc::new(http),
            model: self.model,
            parameters: self.encoded.over_defaults(),
            system_prompt: self.system_prompt,
            search_enabled: self.search_enabled,
            share_with_model_authors: self.share_with_model_authors,
            begun: Mutex::default(),
            known: Mutex::default(),
        }))
    }
}

/// Shows neither cookies nor the proxy, nor credentials in the URL.
impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("url", &Origin::parse(&self.url).ok())
            .field("model", &self.model)
            .field("parameters", &self.parameters)
            .field("timeouts", &self.timeouts)
            .finish_non_exhaustive()
    }
}
