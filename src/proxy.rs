//! Proxies, of the program's choice or of the environment's. A URL of one may hold a password: it is
//! never repeated.

use std::env;

use ureq::{Proxy, ProxyProtocol};

use crate::error::{Error, Fallible};
use crate::origin;
use crate::tls::HAS_TLS;

/// Checks what ureq would ignore or panic on.
pub(crate) fn parse(url: &str) -> Fallible<Proxy> {
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

/// Refuses a proxy of the environment that ureq would do without, or misuse: who relies on a proxy
/// must not be without one.
pub(crate) fn check_environment() -> Fallible<()> {
    match Proxy::try_from_env().filter(is_usable) {
        Some(_) => Ok(()),
        None => refuse_those_that_are_set(),
    }
}

/// Whether ureq talks to it as it should: it takes a bad port for none, and without TLS it sends the
/// password in the clear.
fn is_usable(proxy: &Proxy) -> bool {
    let has_port = |authority| origin::port(authority).is_ok();
    !proxy.host().is_empty()
        && proxy.uri().authority().is_some_and(has_port)
        && (HAS_TLS || proxy.protocol() != ProxyProtocol::Https)
}

fn refuse_those_that_are_set() -> Fallible<()> {
    // Those of ureq, in its order.
    const NAMES: &str = "ALL_PROXY all_proxy HTTPS_PROXY https_proxy HTTP_PROXY http_proxy";
    for name in NAMES.split(' ') {
        if env::var_os(name).is_some_and(|value| !value.is_empty()) {
            return Err(Error::configuration(&format!(
                "unusable proxy URL in the environment variable {name}"
            )));
        }
    }
    Ok(())
}
