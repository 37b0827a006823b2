//! What the bytes mean: the wire protocol, without any I/O of its own.
//!
//! The service of H2O.ai (2023) was a fork of chat-ui in front of text-generation-inference (TGI).
//! Its protocol is that of chat-ui, of which v0.3 (June 2023) to the main branch of August 2026
//! were looked at on the wire. Paths never changed. How a message is encoded, what its `id` means,
//! what a line of the stream looks like and how the stream ends did.
//!
//! # Lifecycle
//!
//! | step | request | answer |
//! |---|---|---|
//! | settings | `POST /settings`: a form up to v0.6, JSON later; not needed from v0.9.6 on | 200 or 303, and the session's cookie |
//! | create | `POST /conversation`, JSON `{"model"}`, from v0.7 on with `preprompt` | `{"conversationId"}`; main adds the conversation as JSON in a text |
//! | message | `POST /conversation/{id}` | the stream |
//! | stop | `POST /conversation/{id}/stop-generating` | 200 |
//! | delete | `DELETE /conversation/{id}` | 200; 404 the second time |
//!
//! - Whatever cookie is set is to be sent back, also one that is `Secure` over plain http.
//! - Form posts need a `Referer` of the same origin up to v0.8.3, an `Origin` from v0.8.4 on.
//! - `Accept: */*`: with `text/html` first a message is taken for a page request, with
//!   `text/event-stream` alone errors come as HTML. No compression: some label what is not.
//! - A redirect is never followed. One that leads away from the origin asks for a login.
//! - 405 "welcome modal": the settings were not accepted. They are posted once more.
//! - Idle connections are closed after 5 to 6 seconds.
//! - What a form leaves out is a no: some versions take the text `false` for a yes. In JSON, what is
//!   left out is the default, which for sharing is a yes.
//!
//! # Messages
//!
//! | | v0.3 to v0.6 | v0.7 | v0.8 to v0.9.1 | v0.9.2 to today |
//! |---|---|---|---|---|
//! | body | JSON, `options` | JSON | JSON | form, `data=` that JSON |
//! | `id` | our own | our own | parent's | parent's |
//! | stream | server-sent events | JSON lines | JSON lines | JSON lines |
//! | its response | ends with it | never ends | ends with it | ends later, and then is stored |
//! | system prompt | in the settings, from v0.5 | in create | in create | in create |
//! | web search | a request before | a flag | a flag | a flag, or none |
//!
//! - The parent is the last message of `GET /api/conversation/{id}`. That is 404 on v0.7 and
//!   before, and 403 where the API is hidden.
//! - A wrong encoding is 500 or 403, and stores nothing.
//! - A retry names, on flat services, the id of the user's message; on trees that of the answer, and
//!   then has no `inputs`. On trees it must not name what is older than the message: one that was
//!   refused is no part of the history.
//! - Ids must be UUIDs. Blank inputs are 500, more than 512 KiB are 413.
//!
//! # Stream
//!
//! Lines end in LF, CRLF or CR and at nothing else; U+2028 and its like occur within the JSON. A
//! leading `data:` is dropped. What does not begin with `{` is no event: comments, other fields,
//! `[DONE]`, 4096 spaces of padding. One event may be spread over several `data:` lines.
//!
//! - Without a `type` it is TGI's: `{"token":{"text","special"},"generated_text","details"}`. Special
//!   tokens are no text. The last event has the whole text, and its token may be of either kind.
//! - With a `type`: `stream` (from v0.9.0 on filled up with NULs; on v0.8 cut within characters),
//!   `finalAnswer`, `status`, and others that are no text.
//! - Without a final event the reply is not complete, also after `status: finished`: then the
//!   backend has given no reason for its end.
//! - An error wins over a final answer that comes after it. v0.7 has no word for an error: it ends
//!   with the prompt as the answer. v0.9.6 and main try again by themselves, and may have sent
//!   tokens twice.
//! - `keepAlive` and comments are signs of life, and no progress.
//!
//! # Errors
//!
//! The text of an error is `message`, `error` or `error.message` of a JSON object, or else the body.
//! Up to v0.6 the backend's own status and body are passed on; later its errors come in the stream.
//! An unknown model is 500 or 400, an unknown conversation or a lost session 404, a rate limit 429.

mod common;
pub(crate) mod dialect;
pub(crate) mod event;
pub(crate) mod finish_reason;
pub(crate) mod halves;
pub(crate) mod json;
pub(crate) mod line;
pub(crate) mod request;
pub(crate) mod search;
pub(crate) mod tokens;
pub(crate) mod update;
pub(crate) mod web_search;

use std::io;
use std::time::{Duration, SystemTime};

use crate::cookies::date;
use crate::error::Error;
use crate::plain::{plain, split_at_words};

/// The text of an error body or event: `message`, `error` as a text, or `error.message`.
pub(crate) fn message_of(object: &str) -> Option<String> {
    let [message, error] = json::members(object, ["message", "error"]).ok()?;
    let text = message.and_then(json::text).or_else(|| json::text(error?));
    text.or_else(|| json::text_member(error?, "message"))
}

/// The text of an error body, whatever its type: fit to be shown, perhaps empty.
pub(crate) fn message_of_body(body: &str) -> String {
    let message = message_of(body).or_else(|| title(body).map(str::to_owned));
    plain(message.as_deref().unwrap_or(body))
}

/// The title of an HTML page, which says more than all of its text.
fn title(page: &str) -> Option<&str> {
    let (_, rest) = split_at_words(page, "<title>")?;
    let (title, _) = split_at_words(rest, "</title>")?;
    Some(title).filter(|title| !title.trim().is_empty())
}

/// The reader of a reply failed: an error of this crate's own reader as it is, any other as a
/// reply that broke off.
fn broken(error: io::Error) -> Box<Error> {
    let is_own = error.get_ref().is_some_and(|inner| inner.is::<Error>());
    if !is_own {
        return Error::incomplete(Some(Box::new(error)));
    }
    let own = error.into_inner().and_then(|inner| inner.downcast().ok());
    own.unwrap_or_else(|| Error::incomplete(None))
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
            assert_eq!(message_of_body(body), message, "{body}");
        }
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
