use super::*;

fn decode(json: &str) -> StreamEvent<'_> {
    let event = Json::read_object(json).unwrap();
    StreamEvent::decode(event, &mut SurrogateJoiner::default())
}

fn token(token: &str) -> StreamEvent<'_> {
    StreamEvent::Token(token.to_owned())
}

fn error(message: &str, error_type: Option<&str>, status: Option<u16>) -> StreamEvent<'static> {
    StreamEvent::Error {
        message: message.to_owned(),
        error_type: error_type.map(str::to_owned),
        status,
    }
}

#[test]
fn tokens_of_both_kinds() {
    for (json, text) in [
        (r#"{"token":{"text":" a","special":false}}"#, " a"),
        (r#"{"token":{"text":" a"},"generated_text":null}"#, " a"),
        (r#"{"token":{"text":"</s>","special":true}}"#, ""),
        (r#"{"token":{"text":"a\u0000"}}"#, "a\0"),
        (
            r#"{"type":"stream","token":"a\u0000b\u0000\u0000"}"#,
            "a\0b",
        ),
        (
            r#"{ "token" : "a\\u0000" , "type" : "stream" }"#,
            "a\\u0000",
        ),
        (r#"{"x":{"token":"b"},"token":"a","type":"stream"}"#, "a"),
        (r#"{"tok\u0065n":"a\u0000","type":"stream"}"#, "a"),
        (r#"{"token":{"id":7}}"#, ""),
        (r#"{"type":"stream","token":null}"#, ""),
    ] {
        assert_eq!(decode(json), token(text), "{json}");
    }
}

#[test]
fn surrogates_are_joined_in_tokens_of_any_form() {
    let mut joiner = SurrogateJoiner::default();
    let mut decode = |json: &'static str| {
        let event = Json::read_object(json).unwrap();
        StreamEvent::decode(event, &mut joiner)
    };
    assert_eq!(
        decode(r#"{ "type":"stream","token":"a\ud83d" }"#),
        token("a")
    );
    assert_eq!(
        decode(r#"{"token":"\ude00b\ud83d\u0000","type":"stream"}"#),
        token("😀b")
    );
    assert_eq!(
        decode(r#"{"token":{"special":false,"text":"\ude00"}}"#),
        token("😀")
    );
}

#[test]
fn final_events_of_both_kinds() {
    let end = |content: &'static str, token: &str, finish_reason| StreamEvent::Final {
        content,
        token: token.into(),
        finish_reason,
        is_provisional: false,
    };
    for (reason, expected) in [
        ("length", Some(FinishReason::Length)),
        ("eos_token", Some(FinishReason::EndOfText)),
        ("stop_sequence", Some(FinishReason::StopSequence)),
        ("new", None),
    ] {
        let json = format!(
            r#"{{"token":{{"text":"b","special":false}},"generated_text":"ab","details":{{"finish_reason":"{reason}"}}}}"#
        );
        assert_eq!(decode(&json), end("ab", "b", expected));
    }
    assert_eq!(decode(r#"{"generated_text":"ab"}"#), end("ab", "", None));
    assert_eq!(decode(r#"{"generated_text":""}"#), end("", "", None));
    assert_eq!(
        decode(r#"{"type":"finalAnswer","text":"ab","interrupted":false}"#),
        end("ab", "", None)
    );
    for text in ["ab", ""] {
        let json = format!(r#"{{"type":"finalAnswer","text":"{text}","interrupted":true}}"#);
        let interrupted = Some(FinishReason::Interrupted);
        assert_eq!(decode(&json), end(text, "", interrupted));
    }
}

#[test]
fn an_empty_final_answer_may_be_followed_by_an_error() {
    let event = decode(r#"{"type":"finalAnswer","text":"","interrupted":false}"#);
    let is_provisional = matches!(
        event,
        StreamEvent::Final {
            is_provisional: true,
            ..
        }
    );
    assert!(is_provisional);
}

#[test]
fn errors_of_every_kind() {
    assert_eq!(
        decode(r#"{"error":"Model is overloaded","error_type":"overloaded"}"#),
        error("Model is overloaded", Some("overloaded"), None)
    );
    assert_eq!(
        decode(r#"{"error":{"message":"bad","type":"t","http_status_code":422}}"#),
        error("bad", Some("t"), Some(422))
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
    // Some versions name the status in the message alone.
    for (message, status) in [
        ("429 slow down", Some(429)),
        ("42 is not one", None),
        ("2024 was", None),
    ] {
        let json = format!(r#"{{"type":"status","status":"error","message":"{message}"}}"#);
        assert_eq!(decode(&json), error(message, None, status));
    }
    // It wins over a final text in the same event.
    assert_eq!(
        decode(r#"{"error":"x","generated_text":"y"}"#),
        error("x", None, None)
    );
}

#[test]
fn what_is_not_text_is_told_apart() {
    use OtherEvent::{Any, Question, QuestionResolved, Tool};
    for (json, expected) in [
        (r#"{"type":"title","title":"T"}"#, Any),
        (r#"{"type":"status","status":"title","message":"T"}"#, Any),
        (r#"{"type":"novelty"}"#, Any),
        (r#"{"type":"tool","subtype":"call"}"#, Tool),
        (r#"{"type":"elicitation","subtype":"request"}"#, Question),
        (
            r#"{"type":"elicitation","subtype":"resolved"}"#,
            QuestionResolved,
        ),
    ] {
        assert_eq!(decode(json), StreamEvent::Other(expected), "{json}");
    }
    for (json, expected) in [
        (
            r#"{"type":"status","status":"keepAlive"}"#,
            StreamEvent::Nothing,
        ),
        (
            r#"{"type":"status","status":"finished"}"#,
            StreamEvent::Finished,
        ),
        // The final text is unknown.
        (
            r#"{"type":"finalAnswer","text":null}"#,
            StreamEvent::Finished,
        ),
        (r#"{"hello":1}"#, StreamEvent::Unknown),
    ] {
        assert_eq!(decode(json), expected, "{json}");
    }
}
