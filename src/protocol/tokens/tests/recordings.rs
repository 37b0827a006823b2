//! Recorded lines are decoded as `serde_json` reads them.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::protocol::json::Json;
use crate::protocol::stream_event::StreamEvent;
use crate::protocol::surrogates::SurrogateJoiner;
use crate::protocol::token_line::TokenLine;

/// Every recorded line that is a JSON object, without `data:`. The published package is without
/// tests/, and has none.
fn lines() -> Option<Vec<String>> {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    if !tests.exists() {
        return None;
    }
    let recordings = tests.join("recordings");
    let mut lines = Vec::new();
    for version in ["v0.5", "v0.8.4", "main"] {
        for file in fs::read_dir(recordings.join(version)).unwrap() {
            let bytes = fs::read(file.unwrap().path()).unwrap();
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let json = text
                .split(['\n', '\r'])
                .map(|line| line.trim_start_matches("data:").trim());
            lines.extend(json.filter(|json| json.starts_with('{')).map(str::to_owned));
        }
    }
    Some(lines)
}

/// The token that `serde_json` finds in an event.
fn token(value: &Value) -> Option<String> {
    if value["type"] == "stream" {
        return Some(value["token"].as_str()?.trim_end_matches('\0').to_owned());
    }
    let is_token = value["token"]["special"] == false && value["generated_text"].is_null();
    Some(
        value["token"]["text"]
            .as_str()
            .filter(|_| is_token)?
            .to_owned(),
    )
}

/// Whether all members, items and strings are found.
fn assert_same(json: Json<'_>, value: &Value) {
    match value {
        Value::Object(object) => {
            for (name, value) in object {
                assert_same(json.get(name).unwrap(), value);
            }
        }
        Value::Array(list) => {
            assert_eq!(json.items().count(), list.len());
            json.items()
                .zip(list)
                .for_each(|(item, value)| assert_same(item, value));
        }
        Value::String(string) => assert_eq!(json.as_str().unwrap(), *string),
        _ => assert_eq!(json.to_value(), *value),
    }
}

#[test]
fn every_recorded_line_is_decoded_as_serde_json_reads_it() {
    let Some(lines) = lines() else { return };
    let (mut objects, mut quick) = (0, 0);
    for line in lines {
        let Ok(value) = serde_json::from_str::<Value>(&line) else {
            continue;
        };
        objects += 1;
        let object = Json::read_object(&line).unwrap();
        assert_eq!(object.to_value(), value);
        assert_same(object, &value);
        let mut joiner = SurrogateJoiner::default();
        let event = StreamEvent::decode(object, &mut joiner);
        if let Some(token) = token(&value) {
            assert_eq!(event, StreamEvent::Token(token.clone()), "{line}");
            let content = TokenLine::find(line.as_bytes()).expect(&line).content;
            assert_eq!(joiner.decode(content), Some(token));
            quick += 1;
        } else {
            assert_eq!(TokenLine::find(line.as_bytes()), None, "{line}");
        }
    }
    assert!(objects > 300 && quick > 200, "{objects}, {quick}");
}
