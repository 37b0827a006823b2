//! The cookies of one session with one server.
//!
//! Less than a browser's jar, on purpose: one origin, so no domains and paths; and `Secure` is
//! not obeyed, as servers send it over plain http too and want the cookie back.

use std::time::{Duration, SystemTime};

use super::date::date;
use crate::error::{Error, Result};

/// The session's cookie as chat-ui calls it by default.
const SESSION: &str = "hf-chat";

/// Bounds on what a server can make us keep and send back with every request.
const MAX_COOKIES: usize = 32;
const MAX_TOTAL: usize = 4096;

/// Names and values, in the order in which they were first set.
#[derive(Clone, Default)]
pub(crate) struct Jar {
    cookies: Vec<(String, String)>,
    /// Those of the caller, one of which is the session's, whatever its name.
    lent: Vec<String>,
    /// For how long the session's cookie is valid, counted from when the server set it last.
    lifetime: Option<Duration>,
}

impl Jar {
    /// Adds a cookie of the caller.
    pub(crate) fn insert(&mut self, name: &str, value: &str) -> Result<()> {
        // The value stays out of the message: it is a credential.
        if !is_name(name) || !is_value(value) {
            return Err(Error::configuration(
                "a cookie must have a name and a value of visible ASCII characters, without ; and ,",
            ));
        }
        if !self.put(name, value) {
            return Err(Error::configuration(
                "the cookies are more than 32, or longer than 4096 bytes in all",
            ));
        }
        self.lent.push(name.to_owned());
        Ok(())
    }

    /// Obeys one `Set-Cookie` header. What cannot be sent back is ignored.
    pub(crate) fn store(&mut self, header: &str, now: SystemTime) {
        let mut parts = header.split(';').map(str::trim);
        let pair = parts.next().and_then(|pair| pair.split_once('='));
        let Some((name, value)) = pair.map(|(name, value)| (name.trim(), value.trim())) else {
            return;
        };
        if !is_name(name) {
            return;
        }
        match lifetime(parts, now) {
            Lifetime::Expired => self.cookies.retain(|(known, _)| known != name),
            lifetime if is_value(value) => {
                self.put(name, value);
                // The cookie of a load balancer tells nothing of the server.
                let is_sessions = name == SESSION || self.lent.iter().any(|lent| lent == name);
                if let Lifetime::For(duration) = lifetime
                    && is_sessions
                {
                    self.lifetime = Some(duration);
                }
            }
            _ => {}
        }
    }

    /// For how long the session's cookie is valid, counted from when the server set it last.
    pub(crate) fn lifetime(&self) -> Option<Duration> {
        self.lifetime
    }

    /// The value of the `Cookie` header, if there is a cookie.
    pub(crate) fn header(&self) -> Option<String> {
        let mut header = String::new();
        for (name, value) in &self.cookies {
            if !header.is_empty() {
                header.push_str("; ");
            }
            header.push_str(name);
            header.push('=');
            header.push_str(value);
        }
        Some(header).filter(|header| !header.is_empty())
    }

    /// Names and values.
    pub(crate) fn all(&self) -> &[(String, String)] {
        &self.cookies
    }

    /// The value of a cookie.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let cookie = self.cookies.iter().find(|(known, _)| known == name);
        cookie.map(|(_, value)| value.as_str())
    }

    /// Returns whether there is room for it.
    fn put(&mut self, name: &str, value: &str) -> bool {
        let others = self.cookies.iter().filter(|(known, _)| known != name);
        let (count, size) = others.fold((0, 0), |(count, size), (name, value)| {
            (count + 1, size + name.len() + value.len())
        });
        if count >= MAX_COOKIES || size + name.len() + value.len() > MAX_TOTAL {
            return false;
        }
        match self.cookies.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => value.clone_into(known),
            None => self.cookies.push((name.to_owned(), value.to_owned())),
        }
        true
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?={}".contains(&byte))
}

fn is_value(value: &str) -> bool {
    value
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && !b";,".contains(&byte))
}

/// For how long a cookie is valid.
enum Lifetime {
    /// It is to be deleted.
    Expired,
    For(Duration),
    /// For as long as the client lives.
    Session,
}

/// What the attributes say. `Max-Age` wins over `Expires`.
fn lifetime<'a>(attributes: impl Iterator<Item = &'a str>, now: SystemTime) -> Lifetime {
    let mut max_age = None;
    let mut expires = None;
    for attribute in attributes {
        let (name, value) = attribute.split_once('=').unwrap_or((attribute, ""));
        let (name, value) = (name.trim(), value.trim());
        if name.eq_ignore_ascii_case("max-age") {
            // A negative one is as good as zero.
            max_age = if value.starts_with('-') {
                Some(0)
            } else {
                value.parse().ok()
            };
        } else if name.eq_ignore_ascii_case("expires") {
            expires = date(value);
        }
    }
    let left = match (max_age, expires) {
        (Some(seconds), _) => Duration::from_secs(seconds),
        (None, Some(expires)) => expires.duration_since(now).unwrap_or_default(),
        (None, None) => return Lifetime::Session,
    };
    if left.is_zero() {
        Lifetime::Expired
    } else {
        Lifetime::For(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jar(headers: &[&str]) -> String {
        let now = date("Sat, 21 Nov 2026 02:42:35 GMT").unwrap();
        let mut jar = Jar::default();
        for header in headers {
            jar.store(header, now);
        }
        jar.header().unwrap_or_default()
    }

    #[test]
    fn what_is_set_is_sent_back() {
        let session = "hf-chat=9213be9a; Path=/; Expires=Sun, 21 Nov 2027 02:42:35 GMT; HttpOnly; Secure; SameSite=None";
        assert_eq!(jar(&[session]), "hf-chat=9213be9a");
        assert_eq!(
            jar(&["a=1", "b=x=y; path=/z", "a=2", "quoted=\"q\""]),
            "a=2; b=x=y; quoted=\"q\""
        );
    }

    #[test]
    fn a_cookie_goes_when_the_server_says_so() {
        assert_eq!(jar(&["a=1", "b=2", "a=; Max-Age=0"]), "b=2");
        assert_eq!(jar(&["a=1", "a=1; max-age = -5"]), "");
        assert_eq!(
            jar(&["a=1", "a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT"]),
            ""
        );
        assert_eq!(
            jar(&["a=1; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT"]),
            "a=1"
        );
        assert_eq!(jar(&["a=1; Max-Age=x"]), "a=1");
    }

    #[test]
    fn the_lifetime_is_that_of_the_sessions_last_cookie() {
        let now = date("Sat, 21 Nov 2026 02:42:35 GMT").unwrap();
        let mut jar = Jar::default();
        let mut lifetime = |header| {
            jar.store(header, now);
            jar.lifetime().map(|lifetime| lifetime.as_secs())
        };
        assert_eq!(lifetime("hf-chat=1"), None);
        assert_eq!(lifetime("hf-chat=1; Max-Age=60"), Some(60));
        let day = "hf-chat=1; Expires=Sun, 22 Nov 2026 02:42:35 GMT";
        assert_eq!(lifetime(day), Some(86_400));
        assert_eq!(lifetime("AWSALB=1; Max-Age=604800"), Some(86_400));
        let mut lent = Jar::default();
        lent.insert("my.sid", "1").unwrap();
        lent.store("my.sid=1; Max-Age=60", now);
        assert_eq!(lent.lifetime(), Some(Duration::from_secs(60)));
    }

    #[test]
    fn what_would_break_the_header_is_ignored() {
        assert_eq!(
            jar(&[
                "",
                "=x",
                "noequals",
                "a b=1",
                "a=1 2",
                "ü=1",
                "a=ü",
                "a=1\r\nX: y"
            ]),
            ""
        );
    }

    #[test]
    fn a_server_cannot_fill_the_jar() {
        let many: Vec<String> = (0..100)
            .map(|n| format!("n{n}={}", "x".repeat(100)))
            .collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(jar(&many).len() < 5000);
        assert_eq!(jar(&[&format!("a={}", "x".repeat(5000)), "b=1"]), "b=1");
    }
}
