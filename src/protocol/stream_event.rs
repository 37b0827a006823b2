//! One event of the stream, decoded: what it means for the reply.

use super::error_body;
use super::finish_reason::FinishReason;
use super::json::Json;
use super::surrogates::SurrogateJoiner;

/// What one event means.
#[derive(Debug, PartialEq)]
pub(super) enum StreamEvent<'a> {
    /// The next token.
    Token(String),
    /// The reply is complete.
    Final {
        /// Its text as it is written in JSON.
        content: &'a str,
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
    Other(OtherEvent),
    /// A sign of life.
    Nothing,
    /// An object that is not part of the protocol.
    Unknown,
}

/// What an event that is not text of the reply means for it all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OtherEvent {
    Tool,
    /// A tool asks the user something.
    Question,
    /// A question has been answered, or withdrawn.
    QuestionResolved,
    Any,
}

impl<'a> StreamEvent<'a> {
    /// Decodes any event. A lone surrogate at the end of a token is held back by `joiner`.
    pub(super) fn decode(event: Json<'a>, joiner: &mut SurrogateJoiner) -> Self {
        match event.str("type").as_deref() {
            Some("stream") => {
                let token = event.get("token").and_then(Json::content);
                let token = joiner.decode(without_padding(token.unwrap_or_default()));
                StreamEvent::Token(token.unwrap_or_default())
            }
            Some("finalAnswer") => final_answer(event),
            Some("status") => status(event),
            Some("error") => error(event),
            Some(kind) => StreamEvent::Other(OtherEvent::of_type(kind, event)),
            None if event.get_some("error").is_some() => error(event),
            None => {
                let token = event.get_some("token").map(|token| token_of(token, joiner));
                match event.get("generated_text").and_then(Json::content) {
                    Some(content) => generated_text(event, content, token.unwrap_or_default()),
                    None => token.map_or(StreamEvent::Unknown, StreamEvent::Token),
                }
            }
        }
    }
}

impl OtherEvent {
    fn of_type(kind: &str, event: Json<'_>) -> Self {
        match (kind, &*event.text("subtype")) {
            ("tool", _) => OtherEvent::Tool,
            ("elicitation", "request") => OtherEvent::Question,
            ("elicitation", "resolved") => OtherEvent::QuestionResolved,
            _ => OtherEvent::Any,
        }
    }
}

/// The text of `{"text":...,"special":...}`; a special token is not text of the reply.
fn token_of(token: Json<'_>, joiner: &mut SurrogateJoiner) -> String {
    if token.get("special").and_then(Json::as_bool) == Some(true) {
        return String::new();
    }
    let content = token.get("text").and_then(Json::content);
    joiner
        .decode(content.unwrap_or_default())
        .unwrap_or_default()
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

/// `{"generated_text":...,"details":...}`.
fn generated_text<'a>(event: Json<'a>, content: &'a str, token: String) -> StreamEvent<'a> {
    let details = event.get("details");
    let reason = details.and_then(|details| details.str("finish_reason"));
    StreamEvent::Final {
        finish_reason: reason.and_then(|reason| FinishReason::of_details(&reason)),
        content,
        token,
        is_provisional: false,
    }
}

/// `{"type":"finalAnswer","text":...,"interrupted":...}`.
fn final_answer(event: Json<'_>) -> StreamEvent<'_> {
    let Some(content) = event.get("text").and_then(Json::content) else {
        return StreamEvent::Finished;
    };
    let is_interrupted = event.get("interrupted").and_then(Json::as_bool) == Some(true);
    StreamEvent::Final {
        // The error "No output was generated" comes after it.
        is_provisional: content.is_empty() && !is_interrupted,
        content,
        token: String::new(),
        finish_reason: is_interrupted.then_some(FinishReason::Interrupted),
    }
}

/// `{"type":"status","status":...}`.
fn status(event: Json<'_>) -> StreamEvent<'_> {
    match event.str("status").as_deref() {
        Some("error") => {
            let message = event.text("message");
            let status = status_code(event.get("statusCode"));
            StreamEvent::Error {
                status: status.or_else(|| status_of_message(&message)),
                message,
                error_type: None,
            }
        }
        Some("title") => StreamEvent::Other(OtherEvent::Any),
        Some("finished") => StreamEvent::Finished,
        _ => StreamEvent::Nothing,
    }
}

/// An error of text-generation-inference, or one that is written as the body of a response.
fn error(event: Json<'_>) -> StreamEvent<'_> {
    let of_error = |name| event.get("error").and_then(|error| error.get(name));
    let error_type = event.get("error_type").or_else(|| of_error("type"));
    StreamEvent::Error {
        message: error_body::message(event).unwrap_or_default(),
        error_type: error_type.and_then(Json::as_str),
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

fn status_code(value: Option<Json<'_>>) -> Option<u16> {
    value?.as_u64()?.try_into().ok()
}

#[cfg(test)]
mod tests;
