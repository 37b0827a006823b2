//! What holds for every input, of all that takes bytes from elsewhere.

use std::io::{BufReader, Cursor};
use std::time::SystemTime;

use proptest::collection::vec;
use proptest::prelude::*;

use crate::cookies::Jar;
use crate::origin::{Origin, conversation_path};
use crate::plain::plain;
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
        let _ = update::decode(&json);
        let _ = update::decode(&format!("{{\"type\":{json:?},\"token\":{json:?},\"text\":{json:?}}}"));
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
        let _ = message_of_body(text.as_bytes());
    }

    #[test]
    fn any_body_has_a_message_fit_to_be_shown(body in vec(any::<u8>(), 0..300)) {
        let message = message_of_body(&body);
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
