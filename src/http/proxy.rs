//! Proxies, chosen by the caller or by the environment. The URL of a proxy may hold a password, so
//! it is never shown.

use std::env;

use ureq::{Proxy, ProxyProtocol};

use super::base_url;
use super::tls::HAS_TLS;
use crate::error::{Error, Result};

/// Which proxy a client uses.
#[derive(Clone, Default)]
pub(crate) enum ProxySetting {
    /// The one of the environment, if there is one.
    #[default]
    Environment,
    /// None.
    Direct,
    /// This one.
    Url(Proxy),
}

impl ProxySetting {
    /// Rejects a proxy of the environment that cannot be used.
    pub(crate) fn checked(self) -> Result<Self> {
        if let ProxySetting::Environment = self {
            check_environment()?;
        }
        Ok(self)
    }
}

/// Rejects what ureq would ignore or panic on.
pub(crate) fn parse(url: &str) -> Result<Proxy> {
    let bad = |why: &str| Error::configuration(format!("invalid proxy URL: {why}"));
    let expected = "it does not have the form http://user:password@host:port, \
                    with http, https, socks5 or socks5h";
    let uri: ureq::http::Uri = url.trim().parse().map_err(|_| bad(expected))?;
    let scheme = uri.scheme_str().ok_or_else(|| bad(expected))?;
    let authority = uri.authority().ok_or_else(|| bad(expected))?;
    base_url::port(authority).map_err(bad)?;
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

/// Rejects a proxy of the environment that ureq would ignore or misuse: whoever relies on a proxy
/// must not go without it.
fn check_environment() -> Result<()> {
    match Proxy::try_from_env().filter(is_usable) {
        Some(_) => Ok(()),
        None => reject_what_is_set(),
    }
}

/// Whether ureq uses it correctly: it takes an invalid port for none, and without TLS it sends the
/// password in the clear.
fn is_usable(proxy: &Proxy) -> bool {
    let has_port = |authority| base_url::port(authority).is_ok();
    !proxy.host().is_empty()
        && proxy.uri().authority().is_some_and(has_port)
        && (HAS_TLS || proxy.protocol() != ProxyProtocol::Https)
}

fn reject_what_is_set() -> Result<()> {
    // Those of ureq, in its order.
    const NAMES: &str = "ALL_PROXY all_proxy HTTPS_PROXY https_proxy HTTP_PROXY http_proxy";
    for name in NAMES.split(' ') {
        if env::var_os(name).is_some_and(|value| !value.is_empty()) {
            return Err(Error::configuration(format!(
                "unusable proxy URL in the environment variable {name}"
            )));
        }
    }
    Ok(())
}
