//! What holds for every input, of all that takes bytes from elsewhere.

use std::io::{BufReader, Cursor};
use std::time::SystemTime;

use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::Value;

use crate::cookies::Jar;
use crate::origin::{Origin, conversation_path};
use crate::plain::plain;
use crate::protocol::halves::Halves;
use crate::protocol::json::{self, NotJson};
use crate::protocol::line::{Line, Lines};
use crate::protocol::request::escape;
use crate::protocol::tokens::tokens;
use crate::protocol::{message_of_body, retry_after, update};

/// Bytes as a stream has them, with everything that has a meaning somewhere.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        Just(b"data:".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"\r".to_vec()),
        Just(b"\xEF\xBB\xBF".to_vec()),
        Just("\u{2028}é😀".as_bytes().to_vec()),
        Just(br#"{"token":{"id":1,"text":" a","logprob":-0.1,"special":false},"generated_text":null,"details":null}"#.to_vec()),
        Just(br#"{"token":{"id":1,"text":"</s>","special":true},"generated_text":" a a"}"#.to_vec()),
        Just(br#"{"type":"stream","token":"\ud83d"}"#.to_vec()),
        Just(br#"{"type":"stream","token":"\ude00\u0000"}"#.to_vec()),
        Just(br#"{"type":"finalAnswer","text":" a","interrupted":false}"#.to_vec()),
        Just(br#"{"type":"status","status":"error","message":"x"}"#.to_vec()),
        Just(br#"{"token":"#.to_vec()),
        Just(br#"{"text":"b"}}"#.to_vec()),
        Just(b": comment".to_vec()),
        vec(any::<u8>(), 0..6),
    ];
    vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

/// Any JSON, with names as protocols have them.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<i32>().prop_map(|number| Value::from(f64::from(number) / 8.0)),
        "\\PC*|[\\x00-\\x7f]*".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            vec(("[a-zA-Z_]{1,3}", inner), 0..6)
                .prop_map(|members| members.into_iter().collect::<Value>()),
        ]
    })
}

/// What JSON is made of, in any order.
fn scraps() -> impl Strategy<Value = String> {
    let scrap = prop::sample::select(vec![
        "{", "}", "[", "]", ":", ",", "\"", "\"a\"", "\"a\":", "\\", "\\\"", "\\n", "\\u00e9",
        "\\u0", "true", "fal", "se", "null", "nul", "-", "0", "1", "12", ".", ".5", "e", "E+",
        "e-3", " ", "\n", "\t", "\r", "\u{b}", "é", "[]", "{}", "[1,", "{\"b\":[",
    ]);
    vec(scrap, 0..8).prop_map(|scraps| scraps.concat())
}

fn lines(bytes: &[u8], chunk: usize) -> Vec<Vec<u8>> {
    let mut lines = Lines::new(BufReader::with_capacity(chunk, bytes));
    let mut line = Vec::new();
    let mut all = Vec::new();
    while lines.read(&mut line, usize::MAX).unwrap() == Line::Complete {
        all.push(line.clone());
    }
    all
}

fn reply(bytes: &[u8], chunk: usize) -> (Vec<String>, String, Option<String>) {
    let mut reply = tokens(BufReader::with_capacity(chunk, Cursor::new(bytes)));
    let mut pieces = Vec::new();
    let mut failure = None;
    for token in reply.by_ref() {
        match token {
            Ok(token) => pieces.push(token),
            Err(error) => failure = Some(format!("{error}: {:?}", error.partial())),
        }
    }
    (pieces, reply.text().to_owned(), failure)
}

proptest! {
    #[test]
    fn lines_are_the_same_however_the_bytes_are_cut(bytes in stream(), chunk in 1usize..64) {
        prop_assert_eq!(lines(&bytes, chunk), lines(&bytes, 4096));
    }

    #[test]
    fn no_line_holds_a_line_end(bytes in stream()) {
        for line in lines(&bytes, 16) {
            prop_assert!(!line.contains(&b'\n') && !line.contains(&b'\r'));
        }
    }

    #[test]
    fn a_reply_is_the_same_however_the_bytes_are_cut(bytes in stream(), chunk in 1usize..64) {
        prop_assert_eq!(reply(&bytes, chunk), reply(&bytes, 4096));
    }

    #[test]
    fn what_was_said_is_in_the_error(bytes in stream()) {
        let mut said = String::new();
        for token in tokens(&bytes[..]) {
            match token {
                Ok(token) => said.push_str(&token),
                Err(error) => prop_assert_eq!(error.partial().unwrap_or_default(), said.as_str()),
            }
        }
    }

    #[test]
    fn any_event_is_decoded_or_refused(json in "\\PC*") {
        let _ = update::decode(&json, &mut Halves::default());
        let event = format!("{{\"type\":{json:?},\"token\":{json:?},\"text\":{json:?}}}");
        let _ = update::decode(&event, &mut Halves::default());
    }

    #[test]
    fn any_json_is_read_as_serde_json_reads_it(value in value()) {
        json::tests::assert_same(&value.to_string(), &value);
        json::tests::assert_same(&format!("{value:#}"), &value);
    }

    #[test]
    fn what_is_no_json_is_refused_as_serde_json_refuses_it(json in scraps()) {
        let ours = json::first(&json).and_then(|(_, rest)| match rest.trim_ascii() {
            "" => Ok(()),
            _ => Err(NotJson::Invalid),
        });
        let theirs = serde_json::from_str::<Value>(&json).map(drop);
        // Of an escape it needs all four digits before it looks at the first.
        let is_cut = json.rfind("\\u").is_some_and(|at| json.len() - at < 6);
        if is_cut && theirs.as_ref().is_err_and(serde_json::Error::is_eof) {
            prop_assert!(ours.is_err());
            return Ok(());
        }
        prop_assert_eq!(ours, theirs.map_err(|error| match error.is_eof() {
            true => NotJson::Unfinished,
            false => NotJson::Invalid,
        }));
    }

    #[test]
    fn what_a_jar_sends_is_a_header_and_bounded(headers in vec("\\PC{0,40}|[a-c]=[a-z;,= ]{0,20}(; (Max-Age|Expires)=.{0,30})?", 0..60)) {
        let mut jar = Jar::default();
        for header in &headers {
            jar.store(header, SystemTime::UNIX_EPOCH);
        }
        let sent = jar.header().unwrap_or_default();
        prop_assert!(sent.len() < 5000);
        prop_assert!(sent.bytes().all(|byte| (b' '..=b'~').contains(&byte)));
    }

    #[test]
    fn any_retry_after_is_a_time_or_nothing(header in "\\PC*|[0-9]{1,30}|Sun, [0-9]{2} [A-Z][a-z]{2} [0-9]{2,5} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT") {
        let _ = retry_after(&header, SystemTime::now());
    }

    #[test]
    fn an_escaped_text_is_one_segment_and_comes_back(text in "\\PC*|[./%?#&=+\r\n é]*") {
        let escaped = escape(&text);
        prop_assert!(escaped.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte)));
        let mut bytes = Vec::new();
        let mut rest = escaped.bytes();
        while let Some(byte) = rest.next() {
            bytes.push(match byte {
                b'%' => {
                    let digits = [rest.next().unwrap(), rest.next().unwrap()];
                    u8::from_str_radix(std::str::from_utf8(&digits).unwrap(), 16).unwrap()
                }
                byte => byte,
            });
        }
        prop_assert_eq!(bytes, text.as_bytes());
    }

    #[test]
    fn an_id_stays_below_its_conversation(id in "\\PC{1,20}|[./]{1,5}") {
        if let Ok(path) = conversation_path(&id) {
            let segments: Vec<&str> = path.split('/').collect();
            prop_assert_eq!(segments.len(), 3);
            prop_assert!(!["", ".", ".."].contains(&segments[2]));
        }
    }

    #[test]
    fn what_is_shown_is_one_short_line(text in "(\\PC|[<>/a-z\r\n\t\u{1b}\u{202e}])*") {
        let shown = plain(&text);
        prop_assert!(!shown.contains(char::is_control));
        prop_assert!(shown.chars().count() <= 301);
        let _ = message_of_body(&text);
    }

    #[test]
    fn any_body_has_a_message_fit_to_be_shown(body in vec(any::<u8>(), 0..300)) {
        let message = message_of_body(&String::from_utf8_lossy(&body));
        prop_assert!(!message.contains(char::is_control));
    }

    #[test]
    fn any_url_is_taken_or_refused_without_its_password(host in "\\PC{0,20}", port in "(:[0-9a-z]{0,6})?") {
        let url = format!("http://me:secret@{host}{port}/x");
        match Origin::parse(&url) {
            Ok(origin) => {
                let shown = format!("{origin:?} {} {}", origin.header(), origin.referer());
                prop_assert!(!shown.contains("secret"));
            }
            Err(error) => {
                let shown = format!("{error} {error:?}");
                prop_assert!(!shown.contains("secret"));
            }
        }
    }
}
