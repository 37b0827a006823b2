//! The address of the service: one origin, perhaps with a base path.

use std::fmt;

use ureq::http::Uri;
use ureq::http::uri::Authority;

use crate::error::{Error, Fallible, Result};
use crate::protocol::request::escape;

/// The public service of 2023, which answers no longer. It stands for the default of everything
/// that speaks its protocol; today's servers are your own.
pub const DEFAULT_URL: &str = "https://gpt-gm.h2o.ai";

/// Where the service lives, checked and normalized once.
#[derive(Clone)]
pub(crate) struct Origin {
    /// What every request's path is appended to. It may hold a user name and password.
    base: String,
    /// Scheme, host and port, without credentials, as browsers write it.
    origin: String,
    /// The base path, without a slash at its end.
    path: String,
    host_is_name: bool,
}

impl Origin {
    pub(crate) fn parse(url: &str) -> Fallible<Origin> {
        let origin = Origin::read(url.trim());
        origin.map_err(|why| Error::configuration(&format!("bad service URL: {why}")))
    }

    fn read(url: &str) -> Result<Origin, &'static str> {
        if url.contains(['?', '#']) {
            return Err("it must not have a query or a fragment");
        }
        let uri: Uri = url
            .parse()
            .map_err(|_| "it does not have the form http://host:port/path")?;
        let scheme = match uri.scheme_str() {
            Some("http") => "http",
            Some("https") => https()?,
            Some(_) => return Err("it must begin with http:// or https://"),
            None => return Err("it does not begin with http:// or https://"),
        };
        let authority = uri.authority().ok_or("it has no host")?;
        let host = authority.host().to_ascii_lowercase();
        if host.is_empty() {
            return Err("it has no host");
        }
        let port = match (port(authority)?, scheme) {
            (None, _) | (Some(80), "http") | (Some(443), "https") => String::new(),
            (Some(port), _) => format!(":{port}"),
        };
        let after_credentials = authority.as_str().rfind('@').map_or(0, |at| at + 1);
        let credentials = authority.as_str().get(..after_credentials);
        let path = uri.path().trim_end_matches('/');
        let parts = [
            scheme,
            "://",
            credentials.unwrap_or_default(),
            &host,
            &port,
            path,
        ];
        let is_of_addresses = |byte| matches!(byte, b'0'..=b'9' | b'.');
        Ok(Origin {
            base: parts.concat(),
            origin: [scheme, "://", &host, &port].concat(),
            path: path.to_owned(),
            host_is_name: !host.starts_with('[') && !host.bytes().all(is_of_addresses),
        })
    }

    /// The whole URL of a path below the service, for a request only: it may hold credentials.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// The value of the `Origin` header.
    pub(crate) fn header(&self) -> &str {
        &self.origin
    }

    /// The value of the `Referer` header.
    pub(crate) fn referer(&self) -> String {
        format!("{}{}/", self.origin, self.path)
    }

    /// Whether the host has to be looked up.
    pub(crate) fn host_is_name(&self) -> bool {
        self.host_is_name
    }

    /// Whether a `Location` leads away from the service: to its login.
    pub(crate) fn is_foreign(&self, location: &str) -> bool {
        if location.starts_with('/') && !location.starts_with("//") {
            return false;
        }
        let rest = location.strip_prefix(self.origin.as_str());
        !rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#']))
    }
}

/// Without credentials.
impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin, self.path)
    }
}

/// The port, if one is named. A wrong one is not taken for none.
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

fn https() -> Result<&'static str, &'static str> {
    match cfg!(any(feature = "rustls", feature = "native-tls")) {
        true => Ok("https"),
        false => Err("https needs the feature `rustls` or `native-tls` of h2ogpt"),
    }
}

/// The path of a conversation. Its id comes from a server or a caller, and becomes one path
/// segment whatever it holds.
pub(crate) fn conversation_path(id: &str) -> Fallible<String> {
    match id {
        "" | "." | ".." => Err(Error::configuration(&format!(
            "{id:?} is not the id of a conversation"
        ))),
        id => Ok(format!("/conversation/{}", escape(id))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(url: &str) -> String {
        Origin::parse(url).unwrap().url("/settings")
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
        let origin = Origin::parse("HTTP://Me:secret@Host.Example:80/Chat/").unwrap();
        assert_eq!(origin.header(), "http://host.example");
        assert_eq!(origin.referer(), "http://host.example/Chat/");
        assert_eq!(format!("{origin:?}"), "http://host.example/Chat");
        assert_eq!(origin.url(""), "http://Me:secret@host.example/Chat");
    }

    #[test]
    fn what_is_no_service_url_is_refused() {
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
            let error = Origin::parse(url).map(drop).expect_err(url);
            assert!(
                matches!(*error, Error::Configuration { .. }),
                "{url}: {error}"
            );
        }
    }

    #[test]
    fn a_refused_url_does_not_betray_its_password() {
        let error = Origin::parse("http://me:secret@host:99999").unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secret"));
    }

    #[test]
    fn a_login_page_elsewhere_is_told_from_the_service_itself() {
        let origin = Origin::parse("http://host:3000/chat").unwrap();
        for own in ["/", "/chat/login", "http://host:3000/", "http://host:3000"] {
            assert!(!origin.is_foreign(own), "{own}");
        }
        for foreign in [
            "//evil/",
            "http://host:30001/",
            "https://host:3000/",
            "https://login.example/",
        ] {
            assert!(origin.is_foreign(foreign), "{foreign}");
        }
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
        for id in ["", ".", ".."] {
            assert!(conversation_path(id).is_err(), "{id}");
        }
    }
}
