//! What can be chosen about a client, and what is refused before anything is sent.

use std::sync::{Arc, Mutex};
use std::time::Duration;
use std::{env, fmt};

use serde_json::Value;
use ureq::config::Config;
use ureq::{Proxy, ProxyProtocol};

use crate::client::Client;
use crate::cookies::Jar;
use crate::error::{Error, Fallible, Result};
use crate::http::{Exchange, Http, Observer, Roots, Timeouts};
use crate::origin::{self, DEFAULT_URL, Origin};
use crate::parameters::{Encoded, Parameters};
use crate::session::Session;

/// ureq's own size costs 266 kB a stream; this is enough for any header that is borne.
const BUFFER_SIZE: usize = 16 << 10;
/// The servers close a connection that was idle for 5 s.
const MAX_IDLE_AGE: Duration = Duration::from_secs(4);
/// Whether this crate was built with TLS.
const HAS_TLS: bool = cfg!(any(feature = "rustls", feature = "native-tls"));
/// Longer than anybody waits, and short enough to be added to any point in time.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// Everything that can be chosen about a [`Client`]; from [`Client::builder`].
///
/// Setters take anything, and do no I/O: [`build`](ClientBuilder::build) refuses what cannot
/// work.
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
        let proxy = proxy(&url.into());
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
    /// `Drop` and [`close`](crate::Conversation::close) can take; 5 s by default.
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
        // How ureq is to behave, for every agent that trusts these root certificates, or else the
        // default ones.
        let config = |roots| {
            let config = Config::builder()
                .http_status_as_error(false)
                .max_redirects(0)
                .max_redirects_will_error(false)
                .user_agent(&*self.user_agent)
                .accept_encoding("identity")
                .input_buffer_size(BUFFER_SIZE)
                .output_buffer_size(BUFFER_SIZE)
                // With more than that, a full buffer would look like the end of the connection.
                .max_response_header_size(BUFFER_SIZE - 1)
                .max_idle_age(MAX_IDLE_AGE)
                .timeout_connect(Some(timeouts.connect))
                // With a bound on it, a look-up costs a thread, and an address needs none.
                .timeout_resolve(origin.host_is_name().then_some(timeouts.connect))
                .timeout_send_request(Some(timeouts.token))
                .timeout_send_body(Some(timeouts.token))
                .timeout_recv_response(Some(timeouts.token))
                .timeout_recv_body(Some(timeouts.token));
            let config = match &self.proxy {
                Some(proxy) => config.proxy(proxy.clone()),
                None => config,
            };
            tls::configure(config, roots).build()
        };
        if self.proxy.is_none() && Proxy::try_from_env().filter(is_usable).is_none() {
            refuse_unusable_proxies()?;
        }
        let roots = match self.roots {
            None => Roots::new(config(None), None),
            Some(own) => Roots::new(config(Some(own)), Some(config(None))),
        };
        let http = Http {
            origin,
            timeouts,
            roots,
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
            known: Mutex::default(),
        }))
    }
}

impl Timeouts {
    fn checked(mut self) -> Fallible<Timeouts> {
        for (name, timeout) in [
            ("timeout_connect", &mut self.connect),
            ("timeout_token", &mut self.token),
            ("timeout_reply", &mut self.reply),
            ("timeout_delete", &mut self.delete),
        ] {
            if timeout.is_zero() {
                let message = format!("{name} must be longer than nothing");
                return Err(Error::configuration(&message));
            }
            *timeout = LONGEST.min(*timeout);
        }
        Ok(self)
    }
}

/// Whether ureq talks to it as it should: without TLS, it sends the password in the clear.
fn is_usable(proxy: &Proxy) -> bool {
    HAS_TLS || proxy.protocol() != ProxyProtocol::Https
}

/// Refuses a proxy of the environment that ureq could not read, as ureq would do without: who
/// relies on a proxy must not be without one. It may hold a password: it is not repeated.
fn refuse_unusable_proxies() -> Fallible<()> {
    // Those of ureq, in its order.
    const NAMES: &[&str] = &[
        "ALL_PROXY",
        "all_proxy",
        "HTTPS_PROXY",
        "https_proxy",
        "HTTP_PROXY",
        "http_proxy",
    ];
    for name in NAMES {
        if env::var_os(name).is_some_and(|value| !value.is_empty()) {
            return Err(Error::configuration(&format!(
                "unusable proxy URL in the environment variable {name}"
            )));
        }
    }
    Ok(())
}

/// Checks what ureq would ignore or panic on. The URL may hold a password: it is not repeated.
fn proxy(url: &str) -> Fallible<Proxy> {
    let bad = |why: &str| Error::configuration(&format!("bad proxy URL: {why}"));
    let expected = "it does not have the form http://user:password@host:port, \
                    with http, https, socks5 or socks5h";
    let uri: ureq::http::Uri = url.trim().parse().map_err(|_| bad(expected))?;
    let scheme = uri.scheme_str().ok_or_else(|| bad(expected))?;
    let authority = uri.authority().ok_or_else(|| bad(expected))?;
    origin::port(authority).map_err(bad)?;
    if authority.host().is_empty() {
        return Err(bad("it has no host"));
    }
    if scheme.eq_ignore_ascii_case("https") && !HAS_TLS {
        return Err(bad(
            "https needs the feature `rustls` or `native-tls` of h2ogpt",
        ));
    }
    Proxy::new(url.trim()).map_err(|_| bad(expected))
}

#[cfg(any(feature = "rustls", feature = "native-tls"))]
mod tls {
    use ureq::config::ConfigBuilder;
    pub(super) use ureq::tls::RootCerts;
    use ureq::tls::{PemItem, TlsConfig, TlsProvider, parse_pem};
    use ureq::typestate::AgentScope;

    use crate::error::{Error, Fallible};

    /// Sets what ureq does not derive from its features: it would panic, or ignore the platform.
    pub(super) fn configure(
        config: ConfigBuilder<AgentScope>,
        roots: Option<RootCerts>,
    ) -> ConfigBuilder<AgentScope> {
        let provider = if cfg!(feature = "rustls") {
            TlsProvider::Rustls
        } else {
            TlsProvider::NativeTls
        };
        let is_mozillas = cfg!(all(feature = "rustls", not(feature = "platform-verifier")));
        let roots = roots.unwrap_or(match is_mozillas {
            true => RootCerts::WebPki,
            false => RootCerts::PlatformVerifier,
        });
        let tls = TlsConfig::builder().provider(provider).root_certs(roots);
        config.tls_config(tls.build())
    }

    pub(super) fn roots(pem: &[u8]) -> Fallible<RootCerts> {
        let mut certificates = Vec::new();
        for item in parse_pem(pem) {
            let item = item.map_err(|error| {
                Error::configuration(&format!("the root certificates are no PEM: {error}"))
            })?;
            if let PemItem::Certificate(certificate) = item {
                certificates.push(certificate);
            }
        }
        if certificates.is_empty() {
            return Err(Error::configuration(
                "there is no certificate among the root certificates",
            ));
        }
        Ok(RootCerts::from(certificates))
    }
}

#[cfg(not(any(feature = "rustls", feature = "native-tls")))]
mod tls {
    use ureq::config::ConfigBuilder;
    use ureq::typestate::AgentScope;

    use crate::error::{Error, Fallible};

    /// There are none.
    pub(super) enum RootCerts {}

    pub(super) fn configure(
        config: ConfigBuilder<AgentScope>,
        _: Option<RootCerts>,
    ) -> ConfigBuilder<AgentScope> {
        config
    }

    pub(super) fn roots(_: &[u8]) -> Fallible<RootCerts> {
        Err(Error::configuration(
            "root certificates need the feature `rustls` or `native-tls` of h2ogpt",
        ))
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
