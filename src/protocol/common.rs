//! The lines that make up nearly all of a stream, read without building an object of them.
//!
//! Each is recognised letter by letter, as the services write it. Whatever is not exactly of that
//! form goes to the full decoder, which says the same of these lines.

use std::io::BufRead;

use serde_json::Value;

/// The text that a common line adds to the reply; `None` if it is another line.
pub(crate) fn token(json: &[u8]) -> Option<String> {
    if let Some(rest) = json.strip_prefix(b"{\"type\":\"stream\",\"token\":") {
        let (text, rest) = Text::read(rest)?;
        return text.unpadded().filter(|_| rest == b"}");
    }
    let rest = json.strip_prefix(b"{\"token\":{\"id\":")?;
    let rest = number(rest)?.strip_prefix(b",\"text\":")?;
    let (text, rest) = Text::read(rest)?;
    let rest = number(rest.strip_prefix(b",\"logprob\":")?)?;
    match rest.strip_prefix(b",\"special\":")? {
        b"false},\"generated_text\":null,\"details\":null}" => text.unescaped(),
        b"true},\"generated_text\":null,\"details\":null}" => {
            text.unescaped().map(|_| String::new())
        }
        _ => None,
    }
}

/// A JSON text without its quotation marks.
#[derive(Clone, Copy)]
struct Text<'a> {
    content: &'a [u8],
}

impl<'a> Text<'a> {
    /// Reads the text that `json` begins with, and returns what comes after it.
    fn read(json: &'a [u8]) -> Option<(Text<'a>, &'a [u8])> {
        let content = json.strip_prefix(b"\"")?;
        let mut rest = content;
        // The standard library's fast search, which counts the quotation mark too.
        let mut length = rest.skip_until(b'"').ok()?.checked_sub(1)?;
        if content.get(..length)?.ends_with(b"\\") {
            // Perhaps that of an escape, which ends nothing.
            length = unescaped_quote(content)?;
        }
        let (content, rest) = content.split_at_checked(length)?;
        Some((Text { content }, rest.strip_prefix(b"\"")?))
    }

    /// Without NULs at its end, which from v0.9.0 on fill tokens up, so that their length betrays
    /// nothing.
    fn unpadded(self) -> Option<String> {
        let plain = self
            .content
            .iter()
            .take_while(|&&byte| byte != b'\\')
            .count();
        let (content, escapes) = self.content.split_at_checked(plain)?;
        // Mostly there are no other escapes.
        if escapes.chunks(6).all(|escape| escape == b"\\u0000") {
            return Text { content }.unescaped();
        }
        self.unescaped().map(super::update::unpadded)
    }

    fn unescaped(self) -> Option<String> {
        if self.content.contains(&b'\\') {
            let quoted = [b"\"", self.content, b"\""].concat();
            // As a value like all else, which needs no decoder of its own.
            return match serde_json::from_slice(&quoted) {
                Ok(Value::String(text)) => Some(text),
                _ => None,
            };
        }
        // JSON has control characters as escapes only.
        let has_controls = self
            .content
            .iter()
            .fold(false, |found, &byte| found | (byte < b' '));
        let text = str::from_utf8(self.content)
            .ok()
            .filter(|_| !has_controls)?;
        Some(text.to_owned())
    }
}

/// Where a text ends that has escapes in it.
fn unescaped_quote(content: &[u8]) -> Option<usize> {
    let mut bytes = content.iter().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => return Some(at),
            b'\\' => drop(bytes.next()),
            _ => {}
        }
    }
    None
}

/// Skips a plain number: no exponent, no superfluous zero, and not so long that it could be out
/// of any range.
fn number(json: &[u8]) -> Option<&[u8]> {
    let rest = json.strip_prefix(b"-").unwrap_or(json);
    let rest = match rest.strip_prefix(b"0") {
        Some(rest) => rest,
        None => digits(rest)?,
    };
    let rest = match rest.strip_prefix(b".") {
        Some(fraction) => digits(fraction)?,
        None => rest,
    };
    (json.len() - rest.len() <= 30).then_some(rest)
}

fn digits(json: &[u8]) -> Option<&[u8]> {
    let count = json.iter().take_while(|byte| byte.is_ascii_digit()).count();
    json.get(count..).filter(|_| count > 0)
}

#[cfg(test)]
mod tests {
    use super::super::update::{self, Update};
    use super::*;

    /// What the full decoder says of a line, if that is a token.
    fn full(json: &str) -> Option<String> {
        match update::decode(json) {
            Ok(Update::Token {
                piece,
                is_marked: false,
            }) => Some(piece),
            _ => None,
        }
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
            (
                r#"{"token":{"id":2,"text":"</s>","logprob":0,"special":true},"generated_text":null,"details":null}"#,
                "",
            ),
            (r#"{"type":"stream","token":" a\u0000\u0000"}"#, " a"),
            (r#"{"type":"stream","token":"\\u0000"}"#, "\\u0000"),
            (r#"{"type":"stream","token":""}"#, ""),
        ] {
            assert_eq!(token(json.as_bytes()).as_deref(), Some(text), "{json}");
            assert_eq!(full(json).as_deref(), Some(text), "{json}");
        }
    }

    #[test]
    fn all_other_lines_are_left_to_the_full_decoder() {
        for json in [
            r#"{"token":{"id":1,"text":"a","logprob":-0.1,"special":false},"generated_text":"a","details":null}"#,
            r#"{"token":{"id":1,"text":"a","logprob":-0.1,"special":false},"generated_text":null,"details":null,"error":"x"}"#,
            r#"{"token":{"id":1,"text":"a","logprob":01,"special":false},"generated_text":null,"details":null}"#,
            r#"{"token":{"id":1,"text":"a","logprob":1e5,"special":false},"generated_text":null,"details":null}"#,
            r#"{"token":{"id":1,"text":"a","logprob":-,"special":false},"generated_text":null,"details":null}"#,
            r#"{"token":{"id":,"text":"a","logprob":1.,"special":false},"generated_text":null,"details":null}"#,
            r#"{"token":{"id":1,"text":"\ud83d","logprob":1,"special":false},"generated_text":null,"details":null}"#,
            "{\"type\":\"stream\",\"token\":\"a\tb\"}",
            r#"{"type":"stream","token":"a\x"}"#,
            r#"{"type":"stream","token":"\ude00a"}"#,
            r#"{"type":"stream","token":"a"},"#,
            r#"{"type":"stream","token":"a"#,
            r#"{"type":"stream","token":"a\"#,
            r#"{"type":"stream","token":null}"#,
        ] {
            assert_eq!(token(json.as_bytes()), None, "{json}");
        }
    }
}
