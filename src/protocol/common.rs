//! The lines that make up nearly all of a stream, told by their form, as the services write them.
//!
//! Whatever is not exactly of such a form is decoded member by member, which comes to the same and
//! takes longer.

use super::halves::{Halves, unpadded};
use super::json::{Read, Reader};

/// A part of a line.
#[derive(Clone, Copy)]
enum Part {
    As(&'static str),
    Text,
    Number,
}
use Part::{As, Number, Text};

const OF_FLAT_SERVICES: &[Part] = &[
    As("{\"token\":{\"id\":"),
    Number,
    As(",\"text\":"),
    Text,
    As(",\"logprob\":"),
    Number,
    As(",\"special\":false},\"generated_text\":null,\"details\":null}"),
];
const OF_TREE_SERVICES: &[Part] = &[As("{\"type\":\"stream\",\"token\":"), Text, As("}")];

/// The text that a common line adds to the reply; `None` if it is another line.
pub(crate) fn token(line: &str, halves: &mut Halves) -> Option<String> {
    let content = match text_of(line, OF_FLAT_SERVICES) {
        Ok(content) => content,
        Err(_) => unpadded(text_of(line, OF_TREE_SERVICES).ok()?),
    };
    halves.read(content)
}

/// The text in a line of this form.
fn text_of<'a>(line: &'a str, form: &[Part]) -> Read<&'a str> {
    let mut reader = Reader::new(line);
    let mut text = "";
    for part in form {
        match *part {
            As(written) => reader.written(written)?,
            Number => reader.number()?,
            Text => text = reader.text()?,
        }
    }
    reader.end()?;
    Ok(text)
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
}
