//! The lines that make up nearly all of a stream, told by their form, as the services write them.
//!
//! Whatever is not exactly of such a form is decoded member by member, which comes to the same and
//! takes longer.

use super::halves::{Halves, unpadded};
use super::json::{Read, Reader};

/// The text that a common line adds to the reply; `None` if it is another line.
pub(crate) fn token(line: &str, halves: &mut Halves) -> Option<String> {
    let content = match of_flat_services(line) {
        Ok(content) => content,
        Err(_) => of_tree_services(line)?,
    };
    // If this is another line after all, the half that is waited for is still to come.
    let mut joined = *halves;
    let text = joined.read(content)?;
    *halves = joined;
    Some(text)
}

fn of_flat_services(line: &str) -> Read<&str> {
    let mut reader = Reader::new(line);
    reader.written("{\"token\":{\"id\":")?;
    reader.number()?;
    reader.written(",\"text\":")?;
    let text = reader.text()?;
    reader.written(",\"logprob\":")?;
    reader.number()?;
    reader.written(",\"special\":false},\"generated_text\":null,\"details\":null}")?;
    reader.end()?;
    Ok(text)
}

fn of_tree_services(line: &str) -> Option<&str> {
    let text = line.strip_prefix("{\"type\":\"stream\",\"token\":\"")?;
    Some(unpadded(text.strip_suffix("\"}")?))
}

#[cfg(test)]
mod tests {
    use super::super::update::{self, Update};
    use super::*;

    /// What the decoder of all events says of a line, if that is a token.
    fn any(json: &str) -> Option<String> {
        match update::decode(json, &mut Halves::default()) {
            Ok(Update::Token(piece)) => Some(piece),
            _ => None,
        }
    }

    fn common(json: &str) -> Option<String> {
        token(json, &mut Halves::default())
    }

    #[test]
    fn the_lines_that_services_write_are_common() {
        for (json, text) in [
            (
                r#"{"token":{"id":100,"text":" a","logprob":-0.1,"special":false},"generated_text":null,"details":null}"#,
                " a",
            ),
            (
                r#"{"token":{"id":0,"text":"\n\"é\u00e9","logprob":-12.25,"special":false},"generated_text":null,"details":null}"#,
                "\n\"éé",
            ),
            (r#"{"type":"stream","token":" a\u0000\u0000"}"#, " a"),
            (r#"{"type":"stream","token":"\\u0000"}"#, "\\u0000"),
            (r#"{"type":"stream","token":"\\\u0000"}"#, "\\"),
            (r#"{"type":"stream","token":"\ude00a"}"#, "\u{fffd}a"),
            (r#"{"type":"stream","token":""}"#, ""),
        ] {
            assert_eq!(common(json).as_deref(), Some(text), "{json}");
            assert_eq!(any(json).as_deref(), Some(text), "{json}");
        }
    }

    #[test]
    fn all_other_lines_are_not() {
        for json in [
            r#"{"token":{"id":2,"text":"</s>","logprob":0,"special":true},"generated_text":null,"details":null}"#,
            r#"{"token":{"id":1,"text":"a","logprob":-0.1,"special":false},"generated_text":"a","details":null}"#,
            r#"{"token":{"id":1,"text":"a","logprob":-0.1,"special":false},"generated_text":null,"details":null,"error":"x"}"#,
            r#"{"token":{"id":1,"text":"a","logprob":01,"special":false},"generated_text":null,"details":null}"#,
            r#"{"token":{"id":,"text":"a","logprob":1.,"special":false},"generated_text":null,"details":null}"#,
            "{\"type\":\"stream\",\"token\":\"a\tb\"}",
            r#"{"type":"stream","token":"a\x"}"#,
            r#"{"type":"stream","token":"a"},"#,
            r#"{"type":"stream","token":"a"#,
            r#"{"type":"stream","token":"a\"#,
            r#"{"type":"stream","token":null}"#,
        ] {
            assert_eq!(common(json), None, "{json}");
        }
    }

    #[test]
    fn a_line_that_is_not_common_leaves_halves_as_they_are() {
        let mut halves = Halves::default();
        halves.read(r"a\ud83d").unwrap();
        for json in [
            r#"{"type":"stream","token":"\ude00\ud83d","x":"b"}"#,
            r#"{"type":"stream","token":"b\x"}"#,
        ] {
            assert_eq!(token(json, &mut halves), None, "{json}");
        }
        assert_eq!(halves.read(r"\ude00").as_deref(), Some("😀"));
    }
}
