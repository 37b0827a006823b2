//! Headers of the caller, sent with every request.

use ureq::http::{HeaderMap, HeaderName, HeaderValue};

use crate::error::{Error, Result};

/// Headers that this crate sets itself, or that decide where a message ends.
const RESERVED: [&str; 13] = [
    "accept-encoding",
    "connection",
    "content-length",
    "content-type",
    "cookie",
    "expect",
    "host",
    "origin",
    "referer",
    "te",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

/// Headers of the caller. Their values may be credentials, so they are never shown.
#[derive(Clone, Default)]
pub(crate) struct Headers {
    headers: HeaderMap,
}

impl Headers {
    /// Sets a header, in place of an earlier one of that name.
    pub(crate) fn insert(&mut self, name: &str, value: &str) -> Result<()> {
        let invalid = |why: &str| {
            let excerpt: String = name.chars().take(40).collect();
            Error::configuration(format!("invalid header {excerpt:?}: {why}"))
        };
        let known = HeaderName::from_bytes(name.as_bytes());
        let header = known.map_err(|_| invalid("its name is not that of a header"))?;
        if RESERVED.contains(&header.as_str()) {
            return Err(invalid("the client sets it itself"));
        }
        let value = HeaderValue::from_str(value);
        let mut value =
            value.map_err(|_| invalid("its value is not one line of visible ASCII characters"))?;
        value.set_sensitive(true);
        self.headers.insert(header, value);
        Ok(())
    }

    pub(crate) fn add_to(&self, headers: &mut HeaderMap) {
        for (name, value) in &self.headers {
            headers.insert(name, value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_cannot_break_a_request() {
        let mut headers = Headers::default();
        headers.insert("X-Email", "me@example.org").unwrap();
        for (name, value) in [
            ("", "x"),
            ("a b", "x"),
            ("x:", "x"),
            ("x", "a\r\nb: c"),
            ("x", "é\u{1}"),
            ("Host", "evil"),
            ("content-length", "1"),
            ("Transfer-Encoding", "chunked"),
        ] {
            let error = headers.insert(name, value).unwrap_err();
            assert!(
                matches!(error, Error::Configuration { .. }),
                "{name}: {error}"
            );
        }
        let mut sent = HeaderMap::new();
        headers.add_to(&mut sent);
        assert_eq!(sent.len(), 1);
    }
}
