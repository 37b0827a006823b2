//! Client configuration.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use serde_json::Value;

use crate::client::Client;
use crate::error::{Error, Result};
use crate::exchange::Exchange;
use crate::http::base_url::{BaseUrl, DEFAULT_URL};
use crate::http::cookies::Jar;
use crate::http::headers::Headers;
use crate::http::proxy::{self, ProxySetting};
use crate::http::setup::{Agents, Setup};
use crate::http::timeouts::Timeouts;
use crate::http::tls::{self, RootCerts};
use crate::http::{Http, HttpOptions};
use crate::parameters::Parameters;
use crate::session::{Session, SessionOptions};

/// Client configuration, from [`Client::builder`].
///
/// Setters never fail and do no I/O; [`build`](ClientBuilder::build) validates. The last value of a
/// setting wins; a cookie or a header that is invalid is an error in any case.
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
#[must_use = "a builder does nothing before build"]
pub struct ClientBuilder {
    url: String,
    user_agent: String,
    proxy: Result<ProxySetting>,
    root_certificates: Option<Result<RootCerts>>,
    cookies: Jar,
    /// The first cookie or header that is invalid. They are checked when they are set, as are proxy
    /// and certificates, so that programs which set none do without the code for it, some 7 kB.
    rejected: Option<Error>,
    http: HttpOptions,
    session: SessionOptions,
}

impl ClientBuilder {
    pub(crate) fn new() -> Self {
        ClientBuilder {
            url: DEFAULT_URL.into(),
            user_agent: concat!("h2ogpt/", env!("CARGO_PKG_VERSION")).into(),
            proxy: Ok(ProxySetting::Environment),
            root_certificates: None,
            cookies: Jar::default(),
            rejected: None,
            http: HttpOptions {
                timeouts: Timeouts {
                    connect: Duration::from_secs(10),
                    token: Duration::from_secs(120),
                    reply: Duration::from_secs(60 * 60),
                    delete: Duration::from_secs(5),
                },
                headers: Headers::default(),
                retries: 0,
                observer: None,
            },
            session: SessionOptions {
                model: None,
                parameters: Parameters::new(),
                system_prompt: None,
                search_enabled: true,
                share_with_model_authors: false,
                titles: false,
                max_reply: 64 << 20,
                reattach: true,
            },
        }
    }

    /// The address of the server, such as `https://host` or `http://localhost:3000/chat`;
    /// [`DEFAULT_URL`](crate::DEFAULT_URL) by default, which is offline. It may have a user name and
    /// password for HTTP basic authentication, percent-encoded.
    pub fn url(mut self, url: impl Into<String>) -> Self {
        self.url = url.into();
        self
    }

    /// The model that replies, as the server names it. By default it is the first one that the
    /// server lists, or the one that is active in the session; and
    /// [`DEFAULT_MODEL`](crate::DEFAULT_MODEL) for [`DEFAULT_URL`](crate::DEFAULT_URL), and for a
    /// server that has no list.
    pub fn model(mut self, model: impl Into<String>) -> Self {
        self.session.model = Some(model.into());
        self
    }

    /// A proxy for all requests: `http://user:password@host:port` or `https://…` (CONNECT),
    /// `socks5://…` or `socks5h://…`. The proxy resolves the server's name, except with
    /// `socks5://`, where it is resolved here.
    ///
    /// By default, read from the environment: the first of `ALL_PROXY`, `HTTPS_PROXY` and
    /// `HTTP_PROXY` (or in lower case) is used for every server but those in `NO_PROXY`, also on
    /// loopback. If none of those that are set can be used, [`build`](ClientBuilder::build) fails.
    pub fn proxy(mut self, url: impl Into<String>) -> Self {
        self.proxy = proxy::parse(&url.into()).map(ProxySetting::Url);
        self
    }

    /// No proxy, whatever the environment says.
    pub fn no_proxy(mut self) -> Self {
        self.proxy = Ok(ProxySetting::Direct);
        self
    }

    /// Generation parameters for all messages, in place of those set so far.
    pub fn parameters(mut self, parameters: Parameters) -> Self {
        self.session.parameters = parameters;
        self
    }

    /// One generation parameter for all messages, as in [`Parameters::set`].
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.session.parameters = self.session.parameters.set(name, value);
        self
    }

    /// Instructions for the model, in every conversation that is created; none by default.
    ///
    /// Servers before chat-ui v0.5 have no system prompts, and those before v0.7 have them in the
    /// settings of the session, which are left alone if a [`cookie`](ClientBuilder::cookie) was
    /// given. There the system prompt is put in front of the first message.
    pub fn system_prompt(mut self, text: impl Into<String>) -> Self {
        let text = Some(text.into());
        self.session.system_prompt = text.filter(|text| !text.trim().is_empty());
        self
    }

    /// Whether conversations are shared with the authors of the model; false by default.
    ///
    /// This is part of the session's settings: if true, they are posted even if a
    /// [`cookie`](ClientBuilder::cookie) was given, and replace those of its owner.
    pub fn share_with_model_authors(mut self, share: bool) -> Self {
        self.session.share_with_model_authors = share;
        self
    }

    /// Whether the server may search the web when a prompt asks for it; true by default. If not, a
    /// prompt that asks for it is an error. The server does not search by itself because of this.
    pub fn search_enabled(mut self, enabled: bool) -> Self {
        self.session.search_enabled = enabled;
        self
    }

    /// Whether the server may ask the model for the titles of new conversations; false by default.
    ///
    /// Otherwise the beginning of the first prompt becomes the title: the model would be called
    /// twice for the first message, and on a server that replies to one request at a time, the
    /// reply would wait for the title.
    pub fn titles(mut self, titles: bool) -> Self {
        self.session.titles = titles;
        self
    }

    /// A cookie to begin the session with, such as that of a session that is logged in, which
    /// chat-ui calls `hf-chat` by default. The settings of such a session are left alone, unless
    /// the server asks for its terms to be accepted.
    pub fn cookie(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let set = self.cookies.insert(&name.into(), &value.into());
        self.keep_first_error(set)
    }

    /// A header to be sent with every request, for gateways and proxies that want one. Its value is
    /// never shown. Headers that the client sets itself are rejected, except `Authorization`, which
    /// replaces the credentials of the URL.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        let set = self.http.headers.insert(&name.into(), &value.into());
        self.keep_first_error(set)
    }

    /// The value of the `User-Agent` header; `h2ogpt/` and this crate's version by default.
    pub fn user_agent(mut self, user_agent: impl Into<String>) -> Self {
        self.user_agent = user_agent.into();
        self
    }

    /// Certificates of authorities to trust as well, one or more in PEM format: a server that they
    /// do not verify may still be one that the default ones do. The first successful connection
    /// decides which set is used from then on, also for an `https://` proxy in between.
    pub fn root_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.root_certificates = Some(tls::roots(&pem.into()));
        self
    }

    /// How often a request is sent again that the server refuses for the moment (429 and 503, or
    /// 502 and 504 where nothing can have begun), or whose connection it refuses; 0 by default.
    ///
    /// Before each retry the client waits for as long as the server's `Retry-After` says, or else
    /// 0.5 s at first, and twice as long each time, all within `timeout_token`. A message is never
    /// sent again that the server may have looked at. chat-ui's own limit of messages a minute also
    /// counts those that it refuses: there, only waiting helps.
    pub fn retries(mut self, retries: u32) -> Self {
        self.http.retries = retries;
        self
    }

    /// Whether a reply whose connection broke is picked up where it broke, as often as that brings
    /// it further, without the caller noticing; true by default.
    ///
    /// Servers from chat-ui v0.10 on keep a log of each reply. On v0.9.2 to v0.9.6, the rest comes
    /// when the reply is complete, if that is within 10 s. Earlier ones give a reply up.
    pub fn reattach(mut self, reattach: bool) -> Self {
        self.session.reattach = reattach;
        self
    }

    /// Longest reply in bytes, 64 MiB by default. A longer one fails with [`Error::Protocol`], which
    /// holds the text so far.
    pub fn max_reply(mut self, bytes: usize) -> Self {
        self.session.max_reply = bytes;
        self
    }

    /// Longest wait for a connection, including the proxy and TLS; 10 s by default. Resolving the
    /// server's name is bounded by the system, and by `timeout_token`.
    pub fn timeout_connect(mut self, timeout: Duration) -> Self {
        self.http.timeouts.connect = timeout;
        self
    }

    /// Longest wait for the next token; 120 s by default. What a server sends in between, such as
    /// keep-alive events, does not reset this limit, and the time that passes between two calls of
    /// `next` does not count. It also bounds everything before the reply: creating a conversation,
    /// and sending a message.
    ///
    /// A token that is late may be awaited up to a sixteenth longer than this. If the process was
    /// stopped or suspended meanwhile, what has arrived still counts.
    pub fn timeout_token(mut self, timeout: Duration) -> Self {
        self.http.timeouts.token = timeout;
        self
    }

    /// Longest time for a whole reply, from sending the prompt to the last token; one hour by
    /// default.
    pub fn timeout_reply(mut self, timeout: Duration) -> Self {
        self.http.timeouts.reply = timeout;
        self
    }

    /// Longest time for deleting a conversation, connecting and a second try included: how long
    /// `Drop` and [`close`](crate::Conversation::close) can take; 5 s by default. Dropping a reply
    /// that is not complete takes at most 0.5 s, or this if it is shorter, to stop it.
    pub fn timeout_delete(mut self, timeout: Duration) -> Self {
        self.http.timeouts.delete = timeout;
        self
    }

    /// Called after each request with its outcome, for a log: on the thread that waited for it, or
    /// on one of the client's where nobody waits any more. A panic of the observer is caught and
    /// ignored.
    pub fn on_exchange(mut self, observer: impl Fn(&Exchange<'_>) + Send + Sync + 'static) -> Self {
        self.http.observer = Some(Box::new(move |exchange| {
            // It may run while a panic unwinds and drops a conversation: a second one would abort.
            let _ = catch_unwind(AssertUnwindSafe(|| observer(exchange)));
        }));
        self
    }

    fn keep_first_error(mut self, set: Result<()>) -> Self {
        self.rejected = self.rejected.or(set.err());
        self
    }

    /// The client. Reads the environment for a proxy, and does no I/O.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if a setting is invalid: it says which, and why.
    pub fn build(mut self) -> Result<Client> {
        let base_url = BaseUrl::parse(&self.url)?;
        if let Some(model) = &self.session.model {
            check_model(model)?;
        }
        check_user_agent(&self.user_agent)?;
        self.session.parameters.check()?;
        self.http.timeouts.check()?;
        if let Some(error) = self.rejected {
            return Err(error);
        }
        let setup = Setup {
            user_agent: &self.user_agent,
            proxy: self.proxy?.checked()?,
            timeouts: self.http.timeouts,
        };
        let agents = Agents::new(&setup, self.root_certificates.transpose()?);
        let http = Http::new(base_url, agents, self.cookies, self.http);
        Ok(Client::with_session(Session::new(http, self.session)))
    }
}

fn check_model(model: &str) -> Result<()> {
    if model.trim().is_empty() || model.contains(char::is_control) {
        return Err(Error::configuration(
            "the model's name is empty or has control characters in it",
        ));
    }
    Ok(())
}

/// ureq panics on a user agent that is not a valid header.
fn check_user_agent(user_agent: &str) -> Result<()> {
    let is_printable = |byte| matches!(byte, b' '..=b'~');
    if user_agent.is_empty() || !user_agent.bytes().all(is_printable) {
        return Err(Error::configuration(
            "the user agent must be one line of printable ASCII characters",
        ));
    }
    Ok(())
}

/// Shows neither cookies, headers nor the proxy, nor credentials in the URL.
impl fmt::Debug for ClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientBuilder")
            .field("url", &BaseUrl::parse(&self.url).ok())
            .field("model", &self.session.model)
            .field("parameters", &self.session.parameters)
            .field("timeouts", &self.http.timeouts)
            .finish_non_exhaustive()
    }
}
