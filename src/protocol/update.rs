//! One event of the stream, decoded: what it says of the reply.

use serde_json::Value;

use super::tokens::FinishReason;

/// What one event says.
#[derive(Debug, PartialEq)]
pub(crate) enum Update {
    /// The next piece of the reply.
    Token(String),
    /// The reply is complete, and this is all of it. It may bring a last piece.
    Final {
        text: String,
        token: String,
        finish_reason: Option<FinishReason>,
    },
    /// The service gave up.
    Error {
        message: String,
        error_type: Option<String>,
        status: Option<u16>,
    },
    /// An object of a kind that the protocol does not have.
    Unknown,
}

/// Why a text is no event.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NoEvent {
    /// The object does not end in this text.
    Unfinished,
    /// This is not JSON.
    Invalid,
}

/// Decodes the JSON of one event.
pub(crate) fn decode(json: &str) -> Result<Update, NoEvent> {
    match serde_json::from_str(json) {
        Ok(event) => Ok(interpret(event)),
        Err(error) if error.is_eof() => Err(NoEvent::Unfinished),
        Err(_) => Err(NoEvent::Invalid),
    }
}

fn interpret(event: Value) -> Update {
    if let Some(error) = event.get("error").filter(|error| !error.is_null()) {
        return Update::Error {
            message: super::message_of(&event).unwrap_or_default(),
            error_type: text(&event, "error_type").or_else(|| text(error, "error_type")),
            status: status(error, "http_status_code"),
        };
    }
    let token = event.get("token");
    let special = token.is_some_and(|token| token.get("special") == Some(&Value::Bool(true)));
    let piece = match token.and_then(|token| text(token, "text")) {
        Some(piece) if !special => piece,
        _ => String::new(),
    };
    match text(&event, "generated_text") {
        Some(text) => Update::Final {
            text,
            token: piece,
            finish_reason: event.get("details").and_then(finish_reason),
        },
        None if token.is_some() => Update::Token(piece),
        None => Update::Unknown,
    }
}

fn finish_reason(details: &Value) -> Option<FinishReason> {
    match details.get("finish_reason")?.as_str()? {
        "eos_token" => Some(FinishReason::EndOfText),
        "length" => Some(FinishReason::Length),
        "stop_sequence" => Some(FinishReason::StopSequence),
        _ => None,
    }
}

fn text(object: &Value, name: &str) -> Option<String> {
    object.get(name)?.as_str().map(str::to_owned)
}

fn status(object: &Value, name: &str) -> Option<u16> {
    object.get(name)?.as_u64()?.try_into().ok()
}
