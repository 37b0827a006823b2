//! How ureq is set up, and which root certificates it trusts.

use std::sync::OnceLock;
use std::time::Duration;

use ureq::Agent;
use ureq::config::Config;

use super::proxy::ProxySetting;
use super::timeouts::Timeouts;
use super::tls::{self, RootCerts};
use crate::error::Error;

/// ureq's own size costs 266 kB a stream; this is enough for any header within its limit.
const BUFFER_SIZE: usize = 16 << 10;
/// The servers close a connection that was idle for 5 s.
const MAX_IDLE_AGE: Duration = Duration::from_secs(4);

/// What all agents of a client have in common.
pub(crate) struct Setup<'a> {
    pub(crate) user_agent: &'a str,
    pub(crate) proxy: ProxySetting,
    pub(crate) timeouts: Timeouts,
}

impl Setup<'_> {
    /// Connecting is all that ureq bounds by itself. The rest is up to the watchdog and to whoever
    /// waits for a response, who can be cancelled, and who notice if the process was suspended.
    /// With a `bound`, ureq bounds each step of a request.
    fn config(&self, roots: Option<RootCerts>, bound: Option<Duration>) -> Config {
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
            .timeout_connect(Some(bound.unwrap_or(self.timeouts.connect)))
            .timeout_send_request(bound)
            .timeout_recv_response(bound)
            .timeout_recv_body(bound);
        let config = match &self.proxy {
            ProxySetting::Environment => config,
            ProxySetting::Direct => config.proxy(None),
            ProxySetting::Url(proxy) => config.proxy(Some(proxy.clone())),
        };
        tls::configure(config, roots).build()
    }
}

/// Makes agents that trust the root certificates of the caller, or the default ones. As ureq takes
/// the one or the other, and not both, they are tried in this order.
pub(crate) struct Agents {
    first: Config,
    second: Option<Config>,
    /// Like the first, for a DELETE without any other thread.
    bounded: Config,
    /// Which of them the server is verified by, once a connection was made. It stays with that.
    settled: OnceLock<Roots>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Roots {
    First,
    Second,
}

impl Agents {
    pub(crate) fn new(setup: &Setup<'_>, roots: Option<RootCerts>) -> Self {
        let delete = Some(setup.timeouts.delete);
        let second = roots.is_some().then(|| setup.config(None, None));
        Agents {
            bounded: setup.config(roots.clone(), delete),
            first: setup.config(roots, None),
            second,
            settled: OnceLock::new(),
        }
    }

    pub(crate) fn new_agent(&self) -> Agent {
        match (&self.second, self.settled.get()) {
            (Some(second), Some(Roots::Second)) => second.new_agent(),
            _ => self.first.new_agent(),
        }
    }

    /// One that needs no watchdog.
    pub(crate) fn bounded_agent(&self) -> Agent {
        self.bounded.new_agent()
    }

    /// One that trusts the other root certificates, unless it is settled on the first ones.
    pub(crate) fn other_agent(&self) -> Option<Agent> {
        // Another thread may have settled on the second ones meanwhile.
        let is_first = self.settled.get() == Some(&Roots::First);
        Some(self.second.as_ref().filter(|_| !is_first)?.new_agent())
    }

    /// A connection was made by an agent of the first kind.
    pub(crate) fn settle_on_first(&self) {
        let _ = self.settled.set(Roots::First);
    }

    /// A connection was made by an agent of the second kind.
    pub(crate) fn settle_on_second(&self) {
        let _ = self.settled.set(Roots::Second);
    }
}

/// Whether the server's certificate leads to no trusted root. Found out before a request is sent.
pub(crate) fn is_untrusted(error: &Error) -> bool {
    let Error::Network { source, .. } = error else {
        return false;
    };
    #[cfg(feature = "native-tls")]
    if let Some(ureq::Error::NativeTls(_)) = source.downcast_ref() {
        // Comes from the handshake alone.
        return true;
    }
    // The types of rustls are not those of a dependency of this crate.
    source.to_string().contains("UnknownIssuer")
}
