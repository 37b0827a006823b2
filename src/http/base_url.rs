//! The address of the server: one origin, perhaps with a base path.

use std::fmt;

use ureq::http::uri::Authority;
use ureq::http::{HeaderValue, Uri};

use super::tls::HAS_TLS;
use crate::error::{Error, Result};
use crate::protocol::encoding::{base64, percent_decode, percent_encode};

/// The public server of 2023, which is offline. It stands for the defaults of everything that
/// speaks its protocol; today's servers are your own.
pub const DEFAULT_URL: &str = "https://gpt-gm.h2o.ai";

/// Longest id of a conversation; real ones have 24 characters.
const MAX_ID: usize = 256;

/// Where the server lives, checked and normalized once.
#[derive(Clone)]
pub(crate) struct BaseUrl {
    is_https: bool,
    /// Host and port as browsers write them.
    host: String,
    /// The base path, without a slash at its end.
    path: String,
    /// The `Authorization` header, if the URL has a user name.
    authorization: Option<HeaderValue>,
}

impl BaseUrl {
    pub(crate) fn parse(url: &str) -> Result<BaseUrl> {
        let base_url = BaseUrl::read(url.trim());
        base_url.map_err(|why| Error::configuration(format!("invalid server URL: {why}")))
    }

    fn read(url: &str) -> Result<BaseUrl, &'static str> {
        if url.contains(['?', '#']) {
            return Err("it must not have a query or a fragment");
        }
        let uri: Uri = url
            .parse()
            .map_err(|_| "it does not have the form http://host:port/path")?;
        let is_https = match uri.scheme_str() {
            Some("http") => false,
            Some("https") if HAS_TLS => true,
            Some("https") => {
                return Err("https needs the feature `rustls` or `native-tls` of h2ogpt");
            }
            Some(_) => return Err("it must begin with http:// or https://"),
            None => return Err("it does not begin with http:// or https://"),
        };
        let authority = uri.authority().ok_or("it has no host")?;
        let mut host = authority.host().to_ascii_lowercase();
        if host.is_empty() {
            return Err("it has no host");
        }
        match (port(authority)?, is_https) {
            (None, _) | (Some(80), false) | (Some(443), true) => {}
            (Some(port), _) => host.push_str(&format!(":{port}")),
        }
        let authorization = match authority.as_str().rsplit_once('@') {
            Some((credentials, _)) => Some(basic_authorization(credentials)?),
            None => None,
        };
        Ok(BaseUrl {
            is_https,
            host,
            path: uri.path().trim_end_matches('/').to_owned(),
            authorization,
        })
    }

    /// The whole URL of a path below the server, without credentials.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{}{path}", self.origin(false), self.path)
    }

    /// The value of the `Origin` header: scheme, host and port.
    pub(crate) fn origin(&self, swaps_scheme: bool) -> String {
        let scheme = if self.is_https != swaps_scheme {
            "https"
        } else {
            "http"
        };
        format!("{scheme}://{}", self.host)
    }

    /// The value of the `Referer` header.
    pub(crate) fn referer(&self, swaps_scheme: bool) -> String {
        format!("{}{}/", self.origin(swaps_scheme), self.path)
    }

    /// The value of the `Authorization` header.
    pub(crate) fn authorization(&self) -> Option<HeaderValue> {
        self.authorization.clone()
    }

    pub(crate) fn is_https(&self) -> bool {
        self.is_https
    }

    /// Whether a `Location` is on another site: a login page, mostly. The scheme may differ, as a
    /// server that was not told its address takes itself for `https`.
    pub(crate) fn is_off_site(&self, location: &str) -> bool {
        let after_scheme = location
            .strip_prefix("http://")
            .or_else(|| location.strip_prefix("https://"))
            .or_else(|| location.strip_prefix("//"));
        let Some(after_scheme) = after_scheme else {
            // A relative one, unless it has a scheme of its own.
            return location
                .split(['/', '?', '#'])
                .next()
                .is_some_and(|first| first.contains(':'));
        };
        let rest = after_scheme.strip_prefix(self.host.as_str());
        !rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#']))
    }
}

/// Without credentials.
impl fmt::Debug for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url(""))
    }
}

/// The header for `user:password` as a URL has it, percent-encoded.
fn basic_authorization(credentials: &str) -> Result<HeaderValue, &'static str> {
    let decoded = percent_decode(credentials).ok_or("its user name or password is malformed")?;
    let with_colon = if credentials.contains(':') { "" } else { ":" };
    let decoded = [decoded.as_slice(), with_colon.as_bytes()].concat();
    let value = format!("Basic {}", base64(&decoded));
    let mut value = HeaderValue::from_str(&value).map_err(|_| "its credentials are malformed")?;
    value.set_sensitive(true);
    Ok(value)
}

/// The port, if one is named. An invalid one is not taken for none.
pub(crate) fn port(authority: &Authority) -> Result<Option<u16>, &'static str> {
    let text = authority.as_str();
    let without_credentials = text.rsplit_once('@').map_or(text, |(_, after)| after);
    match authority.port_u16() {
        Some(0) => Err("its port is not one from 1 to 65535"),
        None if without_credentials.len() > authority.host().len() => {
            Err("its port is not one from 1 to 65535")
        }
        port => Ok(port),
    }
}

/// The path of a conversation. Its id comes from a server or a caller, and becomes one path
/// segment whatever it holds.
pub(crate) fn conversation_path(id: &str) -> Result<String> {
    if matches!(id, "" | "." | "..") || id.len() > MAX_ID {
        let excerpt: String = id.chars().take(40).collect();
        return Err(Error::configuration(format!(
            "{excerpt:?} is not the id of a conversation"
        )));
    }
    Ok(format!("/conversation/{}", percent_encode(id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(url: &str) -> String {
        BaseUrl::parse(url).unwrap().url("/settings")
    }

    #[test]
    fn every_path_is_below_the_base_path() {
        assert_eq!(base("http://host"), "http://host/settings");
        assert_eq!(base("http://host/"), "http://host/settings");
        assert_eq!(base(" http://host/chat// "), "http://host/chat/settings");
        assert_eq!(
            base("http://[::1]:3000/chat"),
            "http://[::1]:3000/chat/settings"
        );
    }

    #[test]
    fn the_origin_is_written_as_browsers_write_it() {
        let url = BaseUrl::parse("HTTP://Me:secret@Host.Example:80/Chat/").unwrap();
        assert_eq!(url.origin(false), "http://host.example");
        assert_eq!(url.origin(true), "https://host.example");
        assert_eq!(url.referer(false), "http://host.example/Chat/");
        assert_eq!(format!("{url:?}"), "http://host.example/Chat");
        assert_eq!(url.url("/x"), "http://host.example/Chat/x");
    }

    #[test]
    fn invalid_server_urls_are_rejected() {
        for url in [
            "",
            "host",
            "host:3000",
            "/chat",
            "ftp://host",
            "http://",
            "http:///chat",
            "http://host:99999",
            "http://host:0",
            "http://host:x",
            "http://ho st",
            "http://host/?q=1",
            "http://host/#top",
            "http://hö.st",
            "http://a\r\nb",
        ] {
            let error = BaseUrl::parse(url).map(drop).expect_err(url);
            assert!(
                matches!(error, Error::Configuration { .. }),
                "{url}: {error}"
            );
        }
    }

    #[test]
    fn a_rejected_url_does_not_show_its_password() {
        let error = BaseUrl::parse("http://me:secret@host:99999").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secret"));
    }

    #[test]
    fn a_login_page_on_another_site_is_told_from_the_server() {
        let url = BaseUrl::parse("http://host:3000/chat").unwrap();
        for own in [
            "/",
            "/chat/login",
            "login",
            "./?next=http://evil/",
            "http://host:3000/",
            "http://host:3000",
            "https://host:3000/",
        ] {
            assert!(!url.is_off_site(own), "{own}");
        }
        for foreign in [
            "//evil/",
            "http://host:30001/",
            "https://host:3000.evil/",
            "https://login.example/",
            "javascript:alert(1)",
        ] {
            assert!(url.is_off_site(foreign), "{foreign}");
        }
    }

    #[test]
    fn credentials_are_percent_decoded() {
        let authorization = |url| BaseUrl::parse(url).unwrap().authorization();
        let basic = |credentials: &str| {
            Some(
                HeaderValue::from_str(&format!("Basic {}", base64(credentials.as_bytes())))
                    .unwrap(),
            )
        };
        assert_eq!(authorization("http://me:p%40ss@host"), basic("me:p@ss"));
        assert_eq!(authorization("http://me@host"), basic("me:"));
        assert_eq!(authorization("http://host"), None);
        assert!(BaseUrl::parse("http://me:%zz@host").is_err());
    }

    #[test]
    fn an_id_is_one_path_segment() {
        let path = |id| conversation_path(id).unwrap();
        assert_eq!(path("65a0"), "/conversation/65a0");
        assert_eq!(
            path("../settings?a#b"),
            "/conversation/..%2Fsettings%3Fa%23b"
        );
        assert_eq!(path("é%2F\r\n"), "/conversation/%C3%A9%252F%0D%0A");
        for id in ["", ".", "..", &"x".repeat(1000)] {
            assert!(conversation_path(id).is_err(), "{id}");
        }
    }
}
