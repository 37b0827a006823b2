//! The lines that make up nearly all of a stream, read without building an object of them.
//!
//! Each is recognised letter by letter, as the services write it. Whatever is not exactly of that
//! form goes to the full decoder, which says the same of these lines.

/// The text that a common line adds to the reply; `None` if it is another line.
pub(crate) fn token(json: &str) -> Option<String> {
    if let Some(rest) = json.strip_prefix("{\"type\":\"stream\",\"token\":") {
        let (text, rest) = Text::read(rest)?;
        return text.unpadded().filter(|_| rest == "}");
    }
    let rest = json.strip_prefix("{\"token\":{\"id\":")?;
    let rest = number(rest)?.strip_prefix(",\"text\":")?;
    let (text, rest) = Text::read(rest)?;
    let rest = rest.strip_prefix(",\"logprob\":")?;
    match number(rest)?.strip_prefix(",\"special\":")? {
        "false},\"generated_text\":null,\"details\":null}" => text.unescaped(),
        "true},\"generated_text\":null,\"details\":null}" => {
            text.unescaped().map(|_| String::new())
        }
        _ => None,
    }
}

/// A JSON text without its quotation marks.
#[derive(Clone, Copy)]
struct Text<'a> {
    content: &'a str,
    has_escapes: bool,
}

impl<'a> Text<'a> {
    /// Reads the text that `json` begins with, and returns what comes after it.
    fn read(json: &'a str) -> Option<(Text<'a>, &'a str)> {
        let content = json.strip_prefix('"')?;
        let mut length = content.find('"')?;
        if content.get(..length)?.ends_with('\\') {
            // Perhaps that of an escape, which ends nothing.
            length = unescaped_quote(content)?;
        }
        let (content, rest) = content.split_at_checked(length)?;
        let has_escapes = content.contains('\\');
        let text = Text {
            content,
            has_escapes,
        };
        Some((text, rest.strip_prefix('"')?))
    }

    /// Without NULs at its end, which from v0.9.0 on fill tokens up, so that their length betrays
    /// nothing.
    fn unpadded(mut self) -> Option<String> {
        let mut padded = self.content;
        while let Some(rest) = padded.strip_suffix("\\u0000") {
            padded = rest;
        }
        // After a backslash it was not all padding: `\\u0000` is a backslash and a word.
        if !padded.ends_with('\\') {
            self.content = padded;
            self.has_escapes = self.has_escapes && padded.contains('\\');
        }
        self.unescaped().map(super::update::unpadded)
    }

    fn unescaped(&self) -> Option<String> {
        match self.has_escapes {
            true => serde_json::from_slice(format!("\"{}\"", self.content).as_bytes()).ok(),
            false => Some(self.content)
                .filter(|text| !has_controls(text))
                .map(str::to_owned),
        }
    }
}

/// Whether there are control characters, which JSON has as escapes only.
fn has_controls(text: &str) -> bool {
    text.bytes()
        .fold(false, |found, byte| found | (byte < b' '))
}

/// Where a text ends that has escapes in it.
fn unescaped_quote(content: &str) -> Option<usize> {
    let mut bytes = content.bytes().enumerate();
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
fn number(json: &str) -> Option<&str> {
    let rest = json.strip_prefix('-').unwrap_or(json);
    let rest = match rest.strip_prefix('0') {
        Some(rest) => rest,
        None => digits(rest)?,
    };
    let rest = match rest.strip_prefix('.') {
        Some(fraction) => digits(fraction)?,
        None => rest,
    };
    (json.len() - rest.len() <= 30).then_some(rest)
}

fn digits(json: &str) -> Option<&str> {
    let rest = json.trim_start_matches(|c: char| c.is_ascii_digit());
    (rest.len() < json.len()).then_some(rest)
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
            assert_eq!(token(json).as_deref(), Some(text), "{json}");
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
            assert_eq!(token(json), None, "{json}");
        }
    }
}
