//! The text of errors, in the bodies of responses and in events.

use super::json::Json;
use crate::sanitize::sanitize;

/// The text of an error in JSON: `message`, `error` as a string, or `error.message`.
pub(super) fn message(object: Json<'_>) -> Option<String> {
    let error = || object.get("error");
    let message = object.str("message");
    message.or_else(|| error()?.as_str().or_else(|| error()?.str("message")))
}

/// The text of an error body of any type, sanitized; may be empty.
pub(crate) fn message_of_body(body: &str) -> String {
    match Json::read(body).ok().and_then(message) {
        Some(message) => sanitize(&message),
        None => sanitize(html_title(body).unwrap_or(body)),
    }
}

/// The title of an HTML page, which says more than all of its text.
fn html_title(page: &str) -> Option<&str> {
    let (_, rest) = page.split_once("<title>")?;
    let (title, _) = rest.split_once("</title>")?;
    Some(title).filter(|title| !title.trim().is_empty())
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
            assert_eq!(message_of_body(body), message, "{body}");
        }
    }
}
