//! One event of the stream, decoded: what it says of the reply.

use serde_json::Value;

use super::event::{Event, FinishReason, WebSearch};
use super::surrogates;

/// What one event says.
#[derive(Debug, PartialEq)]
pub(crate) enum Update {
    /// The next piece of the reply. In a marked one, halves of characters are to be joined.
    Token { piece: String, is_marked: bool },
    /// The reply is complete, and this is all of it. It may bring a last piece.
    Final {
        text: String,
        token: String,
        finish_reason: Option<FinishReason>,
    },
    /// The service has come to its end, with or without a final event before.
    Finished,
    /// The service gave up.
    Error {
        message: String,
        error_type: Option<String>,
        status: Option<u16>,
    },
    /// Something that is no text of the reply.
    Event(Event),
    /// A sign of life.
    Nothing,
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

/// Decodes the JSON of any event, by way of an object of it.
pub(crate) fn decode(json: &str) -> Result<Update, NoEvent> {
    match serde_json::from_slice(json.as_bytes()) {
        Ok(event) => Ok(interpret(event, false)),
        Err(error) if error.is_eof() => Err(NoEvent::Unfinished),
        Err(_) => {
            let marked = surrogates::mark(json).ok_or(NoEvent::Invalid)?;
            let event = serde_json::from_slice(marked.as_bytes()).map_err(|_| NoEvent::Invalid)?;
            Ok(interpret(event, true))
        }
    }
}

/// With a `type` it is a line of v0.7 and later, without one an event of the 2023 service.
fn interpret(event: Value, is_marked: bool) -> Update {
    match event.get("type").and_then(Value::as_str) {
        Some("stream") => Update::Token {
            piece: unpadded(text(&event, "token").unwrap_or_default()),
            is_marked,
        },
        Some("finalAnswer") => Update::Final {
            text: text(&event, "text").unwrap_or_default(),
            token: String::new(),
            finish_reason: flag(&event, "interrupted").then_some(FinishReason::Interrupted),
        },
        Some("status") => status(event),
        Some("title") => Update::Event(Event::Title(text(&event, "title").unwrap_or_default())),
        Some("webSearch") => Update::Event(Event::WebSearch(WebSearch::read(&event))),
        Some("reasoning") => Update::Event(Event::Reasoning(event)),
        Some("tool") => Update::Event(Event::Tool(event)),
        Some(_) => Update::Event(Event::Other(event)),
        None => token_or_error(&event, is_marked),
    }
}

/// `{"type":"status","status":...}`.
fn status(event: Value) -> Update {
    match event.get("status").and_then(Value::as_str) {
        Some("error") => Update::Error {
            message: super::message_of(&event).unwrap_or_default(),
            error_type: None,
            status: code(&event, "statusCode"),
        },
        Some("title") => Update::Event(Event::Title(super::message_of(&event).unwrap_or_default())),
        Some("finished") => Update::Finished,
        _ => Update::Nothing,
    }
}

/// `{"token":{...},"generated_text":...,"details":...}` or `{"error":...,"error_type":...}`.
fn token_or_error(event: &Value, is_marked: bool) -> Update {
    if let Some(error) = event.get("error").filter(|error| !error.is_null()) {
        return Update::Error {
            message: super::message_of(event).unwrap_or_default(),
            error_type: text(event, "error_type").or_else(|| text(error, "type")),
            status: code(error, "http_status_code"),
        };
    }
    let token = event.get("token");
    let special = token.is_some_and(|token| flag(token, "special"));
    let piece = match token.and_then(|token| text(token, "text")) {
        Some(piece) if !special => piece,
        _ => String::new(),
    };
    match text(event, "generated_text") {
        Some(text) => Update::Final {
            text,
            token: piece,
            finish_reason: event.get("details").and_then(finish_reason),
        },
        None if token.is_some() => Update::Token { piece, is_marked },
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

/// From v0.9.0 on, tokens are filled up with NULs, so that their length betrays nothing.
pub(crate) fn unpadded(mut piece: String) -> String {
    piece.truncate(piece.trim_end_matches('\0').len());
    piece
}

fn text(object: &Value, name: &str) -> Option<String> {
    object.get(name)?.as_str().map(str::to_owned)
}

fn flag(object: &Value, name: &str) -> bool {
    object.get(name).and_then(Value::as_bool) == Some(true)
}

fn code(object: &Value, name: &str) -> Option<u16> {
    object.get(name)?.as_u64()?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(piece: &str) -> Result<Update, NoEvent> {
        let piece = piece.to_owned();
        Ok(Update::Token {
            piece,
            is_marked: false,
        })
    }

    fn error(
        message: &str,
        error_type: Option<&str>,
        status: Option<u16>,
    ) -> Result<Update, NoEvent> {
        Ok(Update::Error {
            message: message.to_owned(),
            error_type: error_type.map(str::to_owned),
            status,
        })
    }

    #[test]
    fn tokens_of_both_kinds() {
        assert_eq!(
            decode(r#"{"token":{"text":" a","special":false}}"#),
            token(" a")
        );
        assert_eq!(
            decode(r#"{"token":{"text":" a"},"generated_text":null}"#),
            token(" a")
        );
        assert_eq!(
            decode(r#"{"token":{"text":"</s>","special":true}}"#),
            token("")
        );
        assert_eq!(
            decode(r#"{"type":"stream","token":"a\u0000b\u0000\u0000"}"#),
            token("a\0b")
        );
        assert_eq!(decode(r#"{"token":{"id":7}}"#), token(""));
    }

    #[test]
    fn final_events_of_both_kinds() {
        let end = |text: &str, token: &str, finish_reason| {
            Ok(Update::Final {
                text: text.into(),
                token: token.into(),
                finish_reason,
            })
        };
        let tgi = |reason: &str| {
            format!(
                r#"{{"token":{{"text":"b","special":false}},"generated_text":"ab","details":{{"finish_reason":"{reason}"}}}}"#
            )
        };
        assert_eq!(
            decode(&tgi("length")),
            end("ab", "b", Some(FinishReason::Length))
        );
        assert_eq!(
            decode(&tgi("eos_token")),
            end("ab", "b", Some(FinishReason::EndOfText))
        );
        assert_eq!(
            decode(&tgi("stop_sequence")),
            end("ab", "b", Some(FinishReason::StopSequence))
        );
        assert_eq!(decode(&tgi("new")), end("ab", "b", None));
        assert_eq!(decode(r#"{"generated_text":"ab"}"#), end("ab", "", None));
        assert_eq!(
            decode(r#"{"type":"finalAnswer","text":"ab","interrupted":false}"#),
            end("ab", "", None)
        );
        assert_eq!(
            decode(r#"{"type":"finalAnswer","text":"ab","interrupted":true}"#),
            end("ab", "", Some(FinishReason::Interrupted))
        );
    }

    #[test]
    fn errors_of_every_kind() {
        assert_eq!(
            decode(r#"{"error":"Model is overloaded","error_type":"overloaded"}"#),
            error("Model is overloaded", Some("overloaded"), None)
        );
        assert_eq!(
            decode(r#"{"error":{"message":"bad","http_status_code":422}}"#),
            error("bad", None, Some(422))
        );
        assert_eq!(
            decode(r#"{"type":"status","status":"error","message":"gone","statusCode":503}"#),
            error("gone", None, Some(503))
        );
        // Beside a final text the error wins.
        assert_eq!(
            decode(r#"{"error":"x","generated_text":"y"}"#),
            error("x", None, None)
        );
    }

    #[test]
    fn what_is_no_text_is_told_apart() {
        let title = || Ok(Update::Event(Event::Title("T".into())));
        assert_eq!(decode(r#"{"type":"title","title":"T"}"#), title());
        assert_eq!(
            decode(r#"{"type":"status","status":"title","message":"T"}"#),
            title()
        );
        assert_eq!(
            decode(r#"{"type":"status","status":"keepAlive"}"#),
            Ok(Update::Nothing)
        );
        assert_eq!(
            decode(r#"{"type":"status","status":"finished"}"#),
            Ok(Update::Finished)
        );
        assert_eq!(decode(r#"{"hello":1}"#), Ok(Update::Unknown));
        assert!(matches!(
            decode(r#"{"type":"novelty","x":1}"#),
            Ok(Update::Event(Event::Other(_)))
        ));
    }

    #[test]
    fn what_is_cut_and_what_is_wrong_are_told_apart() {
        let event = r#"{"token":{"text":"é","special":false},"generated_text":null}"#;
        for (end, _) in event.char_indices().skip(1) {
            assert_eq!(decode(&event[..end]), Err(NoEvent::Unfinished), "{end}");
        }
        for wrong in ["{]", "{\"a\":tru}", "{} x", "{\"a\":\"\\ud83d\" x}"] {
            assert_eq!(decode(wrong), Err(NoEvent::Invalid), "{wrong}");
        }
    }
}
