//! One event of the stream, decoded: what it means for the reply.

use std::borrow::Cow;

use serde_json::Value;

use super::error_body;
use super::event::Event;
use super::finish_reason::FinishReason;
use super::json::{self, Object};
use super::surrogates::{self, SurrogateJoiner};

/// What one event means.
#[derive(Debug, PartialEq)]
pub(super) enum StreamEvent {
    /// The next token.
    Token(String),
    /// The reply is complete, and this is its text.
    Final {
        text: String,
        /// The last token, if it comes with this event.
        token: String,
        finish_reason: Option<FinishReason>,
        /// Whether the server may still report an error.
        is_provisional: bool,
    },
    /// The server has finished, with or without a final event before.
    Finished,
    /// The server has failed.
    Error {
        message: String,
        error_type: Option<String>,
        status: Option<u16>,
    },
    /// Something that is not text of the reply.
    Event(Event),
    /// A sign of life.
    Nothing,
    /// An object that is not part of the protocol.
    Unknown,
}

impl StreamEvent {
    /// Decodes any event; `json` is the same as it was sent. A lone surrogate at the end of a
    /// token is held back by `joiner`.
    pub(super) fn decode(mut event: Object, json: &str, joiner: &mut SurrogateJoiner) -> Self {
        let kind = json::str(&event, "type").map(str::to_owned);
        match kind.as_deref() {
            Some("stream") => {
                let content = content(&event, "token", json);
                let token = joiner.decode(without_padding(&content));
                StreamEvent::Token(token.unwrap_or_default())
            }
            Some("finalAnswer") => final_answer(event),
            Some("status") => status(event),
            Some("error") => error(&event),
            Some(kind) => StreamEvent::Event(Event::read(kind, event)),
            None if json::member(&event, "error").is_some() => error(&event),
            None => {
                let object = json::member(&event, "token");
                let token = object.map(|object| token_of(object, json, joiner));
                if json::str(&event, "generated_text").is_some() {
                    generated_text(&mut event, token.unwrap_or_default())
                } else {
                    token.map_or(StreamEvent::Unknown, StreamEvent::Token)
                }
            }
        }
    }
}

/// The text of `{"text":...,"special":...}`; a special token is not text of the reply.
fn token_of(token: &Value, json: &str, joiner: &mut SurrogateJoiner) -> String {
    match token.as_object() {
        Some(token) if token.get("special") != Some(&Value::Bool(true)) => {
            let content = content(token, "text", json);
            joiner.decode(&content).unwrap_or_default()
        }
        _ => String::new(),
    }
}

/// Strips the NULs that fill up tokens from v0.9.0 on, so that their length reveals nothing.
fn without_padding(mut content: &str) -> &str {
    while let Some(rest) = content.strip_suffix("\\u0000") {
        let backslashes = rest.bytes().rev().take_while(|&byte| byte == b'\\');
        if backslashes.count() % 2 == 1 {
            // The backslash of this escape is itself escaped.
            break;
        }
        content = rest;
    }
    content
}

/// What stands between the quotation marks of a string member, which may have lone surrogates.
fn content<'a>(object: &Object, name: &str, json: &'a str) -> Cow<'a, str> {
    let string = json::to_string(object.get(name));
    let written = json::string_member(json, name).and_then(|range| json.get(range));
    // Where the name occurs twice, or is written with escapes, this may be another string.
    let same = written.filter(|content| surrogates::decode(content).as_ref() == Some(&string));
    match same {
        Some(content) => content.into(),
        None => {
            let json = serde_json::to_string(&string).unwrap_or_default();
            let content = json
                .strip_prefix('"')
                .and_then(|json| json.strip_suffix('"'));
            content.unwrap_or_default().to_owned().into()
        }
    }
}

/// `{"generated_text":...,"details":...}`.
fn generated_text(event: &mut Object, token: String) -> StreamEvent {
    let details = event.get("details");
    let reason = details.and_then(|details| details.get("finish_reason"));
    StreamEvent::Final {
        finish_reason: reason
            .and_then(Value::as_str)
            .and_then(FinishReason::of_details),
        text: json::take_string(event, "generated_text"),
        token,
        is_provisional: false,
    }
}

/// `{"type":"finalAnswer","text":...,"interrupted":...}`.
fn final_answer(mut event: Object) -> StreamEvent {
    if json::str(&event, "text").is_none() {
        return StreamEvent::Finished;
    }
    let is_interrupted = event.get("interrupted") == Some(&Value::Bool(true));
    let text = json::take_string(&mut event, "text");
    StreamEvent::Final {
        // The error "No output was generated" comes after it.
        is_provisional: text.is_empty() && !is_interrupted,
        text,
        token: String::new(),
        finish_reason: is_interrupted.then_some(FinishReason::Interrupted),
    }
}

/// `{"type":"status","status":...}`.
fn status(mut event: Object) -> StreamEvent {
    match json::str(&event, "status") {
        Some("error") => {
            let message = json::to_string(event.get("message"));
            let status = status_code(event.get("statusCode"));
            StreamEvent::Error {
                status: status.or_else(|| status_of_message(&message)),
                message,
                error_type: None,
            }
        }
        Some("title") => StreamEvent::Event(Event::Title(json::take_string(&mut event, "message"))),
        Some("finished") => StreamEvent::Finished,
        _ => StreamEvent::Nothing,
    }
}

/// An error of text-generation-inference, or one that is written as the body of a response.
fn error(event: &Object) -> StreamEvent {
    let of_error = |name| event.get("error").and_then(|error| error.get(name));
    let error_type = event.get("error_type").or_else(|| of_error("type"));
    StreamEvent::Error {
        message: error_body::message(event).unwrap_or_default().to_owned(),
        error_type: error_type.and_then(Value::as_str).map(str::to_owned),
        status: status_code(of_error("http_status_code")),
    }
}

/// The status that a message begins with, such as `429 Too many requests`: v0.7 to v0.9.3 have no
/// other place for it.
fn status_of_message(message: &str) -> Option<u16> {
    let (status, _) = message.split_once(' ')?;
    let status = status.parse().ok()?;
    (400..600).contains(&status).then_some(status)
}

fn status_code(value: Option<&Value>) -> Option<u16> {
    value?.as_u64()?.try_into().ok()
}

#[cfg(test)]
mod tests;
