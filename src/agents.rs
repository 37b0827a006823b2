//! How ureq is to behave, and whom it is to trust.

use std::sync::OnceLock;
use std::time::Duration;

use ureq::config::Config;
use ureq::{Agent, Proxy};

use crate::error::Error;
use crate::plain::mentions;
use crate::timeouts::Timeouts;
use crate::tls::{self, RootCerts};

/// ureq's own size costs 266 kB a stream; this is enough for any header that is borne.
const BUFFER_SIZE: usize = 16 << 10;
/// The servers close a connection that was idle for 5 s.
const MAX_IDLE_AGE: Duration = Duration::from_secs(4);

/// What all agents of a client have in common.
pub(crate) struct Setup<'a> {
    pub(crate) user_agent: &'a str,
    /// None for that of the environment.
    pub(crate) proxy: &'a Option<Option<Proxy>>,
    pub(crate) timeouts: Timeouts,
    /// Whether the service's host is a name.
    pub(crate) looks_up: bool,
}

impl Setup<'_> {
    fn config(&self, roots: Option<RootCerts>) -> Config {
        let timeouts = self.timeouts;
        let config = Config::builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .user_agent(self.user_agent)
            .accept_encoding("identity")
            .input_buffer_size(BUFFER_SIZE)
            .output_buffer_size(BUFFER_SIZE)
            // With more than that, a full buffer would look like the end of the connection.
            .max_response_header_size(BUFFER_SIZE - 1)
            .max_idle_age(MAX_IDLE_AGE)
            .timeout_connect(Some(timeouts.connect))
            // With a bound on it, a look-up costs a thread, and an address needs none.
            .timeout_resolve(self.looks_up.then_some(timeouts.connect))
            .timeout_send_request(Some(timeouts.token))
            .timeout_send_body(Some(timeouts.token))
            .timeout_recv_response(Some(timeouts.token))
            .timeout_recv_body(Some(timeouts.token));
        let config = match self.proxy {
            Some(proxy) => config.proxy(proxy.clone()),
            None => config,
        };
        tls::configure(config, roots).build()
    }
}

/// Makes agents that trust the root certificates of the caller, or the default ones. As ureq takes
/// the one or the other, and not both, they are tried in this order.
pub(crate) struct Agents {
    first: Config,
    second: Option<Config>,
    /// Whether it was the second, once a connection was made. It stays with that.
    settled: OnceLock<bool>,
}

impl Agents {
    pub(crate) fn new(setup: &Setup<'_>, roots: Option<RootCerts>) -> Self {
        let second = roots.is_some().then(|| setup.config(None));
        Agents {
            first: setup.config(roots),
            second,
            settled: OnceLock::new(),
        }
    }

    pub(crate) fn new_agent(&self) -> Agent {
        match (&self.second, self.settled.get()) {
            (Some(second), Some(true)) => second.new_agent(),
            _ => self.first.new_agent(),
        }
    }

    /// One that trusts others, if it is not known yet whom to trust.
    pub(crate) fn other_agent(&self) -> Option<Agent> {
        let unsettled = self.settled.get().is_none();
        Some(self.second.as_ref().filter(|_| unsettled)?.new_agent())
    }

    /// A connection was made, by an agent of the second kind or of the first.
    pub(crate) fn settle(&self, is_second: bool) {
        let _ = self.settled.set(is_second);
    }
}

/// Whether the server's certificate leads to no trusted root. Found out before a request is sent.
pub(crate) fn is_untrusted(error: &Error) -> bool {
    let Error::Network { source, .. } = error else {
        return false;
    };
    // The types of rustls are not those of a dependency of this crate.
    let is_of_rustls = mentions(&source.to_string(), "UnknownIssuer");
    #[cfg(feature = "native-tls")]
    if let Some(ureq::Error::NativeTls(_)) = source.downcast_ref() {
        // Comes from the handshake alone.
        return true;
    }
    is_of_rustls
}
