//! What the bytes mean: the wire protocol, without any I/O of its own.

mod common;
pub(crate) mod dialect;
pub(crate) mod event;
pub(crate) mod line;
pub(crate) mod request;
pub(crate) mod search;
mod surrogates;
pub(crate) mod tokens;
pub(crate) mod update;

use std::io;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::cookies::date;
use crate::error::Error;
use crate::plain::plain;

/// The text of an error body or event: `message`, `error` as a text, or `error.message`.
pub(crate) fn message_of(object: &Value) -> Option<String> {
    let error = object.get("error");
    [
        object.get("message"),
        error,
        error.and_then(|error| error.get("message")),
    ]
    .into_iter()
    .flatten()
    .find_map(Value::as_str)
    .map(str::to_owned)
}

/// The text of an error body, whatever its type: fit to be shown, perhaps empty.
pub(crate) fn message_of_body(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let message = match serde_json::from_slice(text.as_bytes()) {
        Ok(object) => message_of(&object),
        Err(_) => title(&text).map(str::to_owned),
    };
    plain(&message.unwrap_or_else(|| text.into_owned()))
}

/// The title of an HTML page, which says more than all of its text.
fn title(page: &str) -> Option<&str> {
    let (_, rest) = page.split_once("<title>")?;
    let (title, _) = rest.split_once("</title>")?;
    Some(title).filter(|title| !title.trim().is_empty())
}

/// The reader of a reply failed: an error of this crate's own reader as it is, any other as a
/// reply that broke off.
fn broken(error: io::Error) -> Error {
    match error.downcast::<Error>() {
        Ok(own) => own,
        Err(error) => Error::incomplete(Some(Box::new(error))),
    }
}

/// How long a `Retry-After` header asks to wait: it holds seconds or a date.
pub(crate) fn retry_after(header: &str, now: SystemTime) -> Option<Duration> {
    let header = header.trim();
    if let Ok(seconds) = header.parse() {
        return Some(Duration::from_secs(seconds));
    }
    Some(date(header)?.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_of_an_error_body_is_found_wherever_it_stands() {
        for (body, message) in [
            (
                r#"{"message":"Conversation not found"}"#,
                "Conversation not found",
            ),
            (
                r#"{"error":"You have to be logged in."}"#,
                "You have to be logged in.",
            ),
            (
                r#"{"type":"error","error":{"message":"Internal Error"}}"#,
                "Internal Error",
            ),
            (r#"{"error":{"message":"a\nb"},"message":null}"#, "a b"),
            (
                "<html><title>503 Busy</title><body>x</body></html>",
                "503 Busy",
            ),
            ("<b>Bad</b> gateway\r\n", "Bad gateway"),
            ("[1]", "[1]"),
            ("", ""),
        ] {
            assert_eq!(message_of_body(body.as_bytes()), message, "{body}");
        }
        assert_eq!(message_of_body(b"caf\xe9"), "caf\u{fffd}");
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = date("Sun, 21 Nov 2027 02:42:35 GMT").unwrap();
        let wait = |header| retry_after(header, now).map(|wait| wait.as_secs());
        assert_eq!(wait(" 120 "), Some(120));
        assert_eq!(wait("Sun, 21 Nov 2027 02:43:35 GMT"), Some(60));
        assert_eq!(wait("Sun, 21 Nov 2027 02:41:35 GMT"), Some(0));
        for nonsense in ["", "-1", "soon", "1.5", "99999999999999999999999"] {
            assert_eq!(wait(nonsense), None, "{nonsense}");
        }
    }
}
