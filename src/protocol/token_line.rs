//! The lines that make up nearly all of a stream, recognized by their form.
//!
//! For speed only: any other line is read by `serde_json`, with the same result.

use super::surrogates::is_plain;

/// A NUL. From v0.9.0 on, NULs fill tokens up, so that their length reveals nothing.
const NUL: &[u8] = br"\u0000";

/// A line in one of the forms in which servers write tokens.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TokenLine<'a> {
    /// The token as it stands between the quotation marks. It need not be a valid string.
    pub(super) content: &'a str,
    pub(super) has_escapes: bool,
    /// The bytes after the event.
    pub(super) rest: &'a [u8],
}

impl<'a> TokenLine<'a> {
    /// Finds such a line at the start of `bytes`.
    pub(super) fn find(bytes: &'a [u8]) -> Option<Self> {
        let event = bytes.strip_prefix(b"data:").unwrap_or(bytes);
        let event = event.strip_prefix(b" ").unwrap_or(event);
        let (content, first_escape, rest) = match event.strip_prefix(TREE) {
            Some(string) => {
                let lengths = Lengths::of(string)?;
                let (content, rest) = string.split_at_checked(lengths.without_padding)?;
                let padding = lengths.all - lengths.without_padding;
                (
                    content,
                    lengths.plain,
                    rest.get(padding..)?.strip_prefix(b"\"}")?,
                )
            }
            None => flat(event)?,
        };
        Some(TokenLine {
            content: str::from_utf8(content).ok()?,
            has_escapes: first_escape < content.len(),
            rest,
        })
    }
}

const TREE: &[u8] = br#"{"type":"stream","token":""#;

/// `{"token":{"id":1,"text":"a","logprob":-0.5,"special":false},"generated_text":null,
/// "details":null}`, with `"index":1,` before it from newer text-generation-inference.
fn flat(event: &[u8]) -> Option<(&[u8], usize, &[u8])> {
    let token = match event.strip_prefix(br#"{"index":"#) {
        Some(index) => number(index)?.strip_prefix(b",")?,
        None => event.strip_prefix(b"{")?,
    };
    let id = token.strip_prefix(br#""token":{"id":"#)?;
    let string = number(id)?.strip_prefix(br#","text":""#)?;
    let lengths = Lengths::of(string)?;
    let (content, rest) = string.split_at_checked(lengths.all)?;
    let logprob = rest.strip_prefix(br#"","logprob":"#)?;
    let end = br#","special":false},"generated_text":null,"details":null}"#;
    Some((content, lengths.plain, number(logprob)?.strip_prefix(end)?))
}

/// How long a JSON string is, which begins after its quotation mark.
struct Lengths {
    /// Up to its first escape, or its end.
    plain: usize,
    /// Up to the NULs at its end.
    without_padding: usize,
    all: usize,
}

impl Lengths {
    fn of(json: &[u8]) -> Option<Self> {
        let plain = plain_length(json)?;
        let mut at = plain;
        loop {
            let without_padding = at;
            let mut rest = json.get(at..)?;
            while let Some(after) = rest.strip_prefix(NUL) {
                rest = after;
            }
            at = json.len() - rest.len();
            match rest.first()? {
                b'"' => {
                    return Some(Lengths {
                        plain,
                        without_padding,
                        all: at,
                    });
                }
                // What is escaped may be a quotation mark.
                b'\\' => at += 2,
                _ => {}
            }
            let length = plain_length(json.get(at..)?)?;
            if at + length == without_padding {
                // Neither an escape nor the end.
                return None;
            }
            at += length;
        }
    }
}

/// The length up to the first byte that does not stand for itself.
fn plain_length(json: &[u8]) -> Option<usize> {
    json.iter().position(|&byte| !is_plain(byte))
}

/// The rest after a JSON number.
fn number(json: &[u8]) -> Option<&[u8]> {
    let json = json.strip_prefix(b"-").unwrap_or(json);
    let mut rest = match json.strip_prefix(b"0") {
        Some(rest) => rest,
        None => digits(json)?,
    };
    if let Some(fraction) = rest.strip_prefix(b".") {
        rest = digits(fraction)?;
    }
    match rest {
        [b'e' | b'E', b'+' | b'-', exponent @ ..] | [b'e' | b'E', exponent @ ..] => {
            digits(exponent)
        }
        _ => Some(rest),
    }
}

/// The rest after at least one digit.
fn digits(json: &[u8]) -> Option<&[u8]> {
    let length = json.iter().position(|byte| !byte.is_ascii_digit());
    let length = length.unwrap_or(json.len());
    json.get(length..).filter(|_| length > 0)
}

#[cfg(test)]
mod tests {
    use super::super::surrogates::decode;
    use super::*;
    use serde_json::Value;

    fn token(json: &str) -> Option<String> {
        let line = TokenLine::find(json.as_bytes())?;
        let text = decode(line.content).filter(|_| line.rest.is_empty())?;
        assert_eq!(line.has_escapes, line.content.contains('\\'), "{json}");
        Some(text)
    }

    #[test]
    fn the_lines_that_servers_write_are_recognized() {
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
                r#"{"index":12,"token":{"id":7,"text":"a","logprob":-1.5e-7,"special":false},"generated_text":null,"details":null}"#,
                "a",
            ),
            (r#"{"type":"stream","token":" a\u0000\u0000"}"#, " a"),
            (
                r#"{"type":"stream","token":"\u0000\u0000a\n\u0000"}"#,
                "\0\0a\n",
            ),
            (
                r#"{"type":"stream","token":"\u0000\n\"\u0000\u0000"}"#,
                "\0\n\"",
            ),
            (r#"data: {"type":"stream","token":"a"}"#, "a"),
            (r#"{"type":"stream","token":"\\u0000"}"#, "\\u0000"),
            (r#"{"type":"stream","token":"\\\u0000"}"#, "\\"),
            (r#"{"type":"stream","token":""}"#, ""),
        ] {
            assert_eq!(token(json).as_deref(), Some(text), "{json}");
            let value: Value = serde_json::from_str(json.trim_start_matches("data: ")).unwrap();
            let token = &value["token"];
            let same = token.as_str().or_else(|| token["text"].as_str()).unwrap();
            assert_eq!(same.trim_end_matches('\0'), text, "{json}");
        }
    }

    #[test]
    fn all_other_lines_are_not() {
        for json in [
            "",
            "{",
            r#"{"token":{"id":2,"text":"</s>","logprob":0,"special":true},"generated_text":null,"details":null}"#,
            r#"{"token":{"id":1,"text":"a","logprob":-0.1,"special":false},"generated_text":"a","details":null}"#,
            r#"{"token":{"id":1,"text":"a","logprob":-0.1,"special":false},"generated_text":null,"details":null,"error":"x"}"#,
            r#"{"token":{"id":1,"text":"a","logprob":01,"special":false},"generated_text":null,"details":null}"#,
            r#"{"token":{"id":,"text":"a","logprob":1.,"special":false},"generated_text":null,"details":null}"#,
            r#"{"index":,"token":{"id":1,"text":"a","logprob":1,"special":false},"generated_text":null,"details":null}"#,
            r#"{"token":{"id":1,"text":"a\"#,
            "{\"type\":\"stream\",\"token\":\"a\tb\"}",
            r#"{"type":"stream","token":"a\x"}"#,
            r#"{"type":"stream","token":"a","b":"c"}"#,
            r#"{"type":"stream","token":"a"},"#,
            r#"{"type":"stream","token":"a"#,
            r#"{"type":"stream","token":"a\"#,
            r#"{"type":"stream","token":null}"#,
        ] {
            assert_eq!(token(json), None, "{json}");
        }
    }

    #[test]
    fn numbers_are_those_of_json() {
        for json in ["0", "-0", "10", "1.5", "-0.25e+10", "1E5", "2e-3"] {
            assert_eq!(number(json.as_bytes()), Some(&b""[..]), "{json}");
            assert!(serde_json::from_str::<Value>(json).is_ok(), "{json}");
        }
        for json in ["", "-", ".5", "1.", "1e", "1e+", "--1", "e5", "x"] {
            assert_eq!(number(json.as_bytes()), None, "{json}");
            assert!(serde_json::from_str::<Value>(json).is_err(), "{json}");
        }
    }
}
