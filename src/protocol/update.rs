//! One event of the stream, decoded: what it says of the reply.

use super::finish_reason::FinishReason;
use super::halves::{Halves, unpadded};
use super::json::{self, NotJson};

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
    /// The service has come to its end, with or without a final event before.
    Finished,
    /// The service gave up.
    Error {
        message: String,
        error_type: Option<String>,
        status: Option<u16>,
    },
    /// Something that is no text of the reply.
    Event,
    /// A sign of life.
    Nothing,
    /// An object of a kind that the protocol does not have.
    Unknown,
}

/// Decodes the JSON of any event. What is half a character at the end of a token is left to the
/// next one.
pub(crate) fn decode(event: &str, halves: &mut Halves) -> Result<Update, NotJson> {
    let names = ["type", "token", "error", "generated_text", "details"];
    let [kind, token, error, text, details] = json::members(event, names)?;
    let kind = kind.and_then(json::content);
    match kind {
        Some("stream") => {
            let content = token.and_then(json::content).map(unpadded);
            return Ok(Update::Token(read(content, halves)));
        }
        Some("finalAnswer") => return Ok(final_answer(event)),
        Some("status") => return Ok(status(event)),
        // Written as in the body of an error.
        Some("error") | None => {}
        Some(_) => return Ok(Update::Event),
    }
    if let Some(error) = error.or(kind) {
        let kind = json::text_member(event, "error_type");
        return Ok(Update::Error {
            message: super::message_of(event).unwrap_or_default(),
            error_type: kind.or_else(|| json::text_member(error, "type")),
            status: number(error, "http_status_code"),
        });
    }
    let token = token.map(|token| piece(token, halves));
    Ok(match text.and_then(json::text) {
        Some(text) => Update::Final {
            text,
            token: token.unwrap_or_default(),
            finish_reason: details.and_then(finish_reason),
        },
        None => token.map_or(Update::Unknown, Update::Token),
    })
}

/// `{"type":"finalAnswer","text":...,"interrupted":...}`.
fn final_answer(event: &str) -> Update {
    let Some(text) = json::text_member(event, "text") else {
        return Update::Finished;
    };
    let is_interrupted = json::member(event, "interrupted") == Some("true");
    Update::Final {
        text,
        token: String::new(),
        finish_reason: is_interrupted.then_some(FinishReason::Interrupted),
    }
}

/// `{"type":"status","status":...}`.
fn status(event: &str) -> Update {
    match json::text_member(event, "status").as_deref() {
        Some("error") => Update::Error {
            message: super::message_of(event).unwrap_or_default(),
            error_type: None,
            status: number(event, "statusCode"),
        },
        Some("title") => Update::Event,
        Some("finished") => Update::Finished,
        _ => Update::Nothing,
    }
}

/// The text of `{"text":...,"special":...}`, which is none of the reply if it is special.
fn piece(token: &str, halves: &mut Halves) -> String {
    match json::members(token, ["text", "special"]) {
        Ok([Some(text), special]) if special != Some("true") => read(json::content(text), halves),
        _ => String::new(),
    }
}

fn read(content: Option<&str>, halves: &mut Halves) -> String {
    let text = content.and_then(|content| halves.read(content));
    text.unwrap_or_default()
}

fn finish_reason(details: &str) -> Option<FinishReason> {
    match json::text_member(details, "finish_reason")?.as_str() {
        "eos_token" => Some(FinishReason::EndOfText),
        "length" => Some(FinishReason::Length),
        "stop_sequence" => Some(FinishReason::StopSequence),
        _ => None,
    }
}

fn number(object: &str, name: &str) -> Option<u16> {
    json::member(object, name)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(json: &str) -> Result<Update, NotJson> {
        super::decode(json, &mut Halves::default())
    }

    fn token(piece: &str) -> Result<Update, NotJson> {
        Ok(Update::Token(piece.to_owned()))
    }

    fn error(
        message: &str,
        error_type: Option<&str>,
        status: Option<u16>,
    ) -> Result<Update, NotJson> {
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
        for json in [
            r#"{"type":"error","message":"boom"}"#,
            r#"{"type":"error","error":{"message":"boom"}}"#,
        ] {
            assert_eq!(decode(json), error("boom", None, None), "{json}");
        }
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
        for event in [
            r#"{"type":"title","title":"T"}"#,
            r#"{"type":"status","status":"title","message":"T"}"#,
            r#"{"type":"novelty","x":1}"#,
        ] {
            assert_eq!(decode(event), Ok(Update::Event), "{event}");
        }
        assert_eq!(
            decode(r#"{"type":"status","status":"keepAlive"}"#),
            Ok(Update::Nothing)
        );
        assert_eq!(
            decode(r#"{"type":"status","status":"finished"}"#),
            Ok(Update::Finished)
        );
        // Nobody knows what the final text is.
        assert_eq!(
            decode(r#"{"type":"finalAnswer","text":null}"#),
            Ok(Update::Finished)
        );
        assert_eq!(decode(r#"{"hello":1}"#), Ok(Update::Unknown));
    }

    #[test]
    fn what_is_cut_and_what_is_wrong_are_told_apart() {
        let event = r#"{"token":{"text":"é","special":false},"generated_text":null}"#;
        for (end, _) in event.char_indices().skip(1) {
            assert_eq!(decode(&event[..end]), Err(NotJson::Unfinished), "{end}");
        }
        for wrong in ["{]", "{\"a\":tru}", "{} x", "{\"a\":\"\\ud83d\" x}"] {
            assert_eq!(decode(wrong), Err(NotJson::Invalid), "{wrong}");
        }
    }
}
