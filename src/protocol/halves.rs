//! Texts in JSON, and characters cut in two: chat-ui v0.8 cuts its tokens every five UTF-16 units,
//! so that a half of an emoji stands at the end of one token (`"\ud83d"`) and the other half at the
//! start of the next. No JSON reader takes a half alone, hence this one.

/// Reads texts one after the other, and joins the halves at their ends.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Halves {
    /// The first half of a character whose second half has not come yet.
    high: Option<u16>,
}

impl Halves {
    /// What stands between the quotation marks, with its escapes taken out; `None` if it is not
    /// what may stand there. A half without its other half becomes U+FFFD.
    pub(crate) fn read(&mut self, content: &str) -> Option<String> {
        let mut rest = content;
        let mut text = String::with_capacity(rest.len());
        while let Some(end) = rest.bytes().position(|byte| !is_plain(byte)) {
            let (plain, escape) = rest.split_at_checked(end)?;
            self.push(&mut text, plain);
            let mut after = escape.strip_prefix('\\')?.chars();
            let c = match after.next()? {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                'b' => '\u{8}',
                'f' => '\u{c}',
                c @ ('"' | '\\' | '/') => c,
                'u' => {
                    let (digits, after) = after.as_str().split_at_checked(4)?;
                    self.push_unit(&mut text, unit(digits)?);
                    rest = after;
                    continue;
                }
                _ => return None,
            };
            self.push(&mut text, c.encode_utf8(&mut [0; 4]));
            rest = after.as_str();
        }
        self.push(&mut text, rest);
        Some(text)
    }

    /// Ends the text: what is still half a character stays one.
    pub(crate) fn give_up(&mut self, text: &mut String) {
        if self.high.take().is_some() {
            text.push(char::REPLACEMENT_CHARACTER);
        }
    }

    fn push(&mut self, text: &mut String, plain: &str) {
        if !plain.is_empty() {
            self.give_up(text);
            text.push_str(plain);
        }
    }

    fn push_unit(&mut self, text: &mut String, unit: u16) {
        if let (Some(high), 0xDC00..0xE000) = (self.high, unit) {
            self.high = None;
            text.extend(char::decode_utf16([high, unit]).flatten());
            return;
        }
        self.give_up(text);
        match unit {
            0xD800..0xDC00 => self.high = Some(unit),
            _ => text.push(char::from_u32(unit.into()).unwrap_or(char::REPLACEMENT_CHARACTER)),
        }
    }
}

/// Whether a byte stands for itself in a text.
pub(crate) fn is_plain(byte: u8) -> bool {
    !matches!(byte, b'"' | b'\\' | b'\0'..b' ')
}

/// The content of a text without NULs at its end, which from v0.9.0 on fill tokens up, so that their
/// length betrays nothing.
pub(crate) fn unpadded(mut content: &str) -> &str {
    while let Some(rest) = content.strip_suffix("\\u0000") {
        let backslashes = rest.bytes().rev().take_while(|&byte| byte == b'\\');
        if backslashes.count() % 2 == 1 {
            // The one of this escape is itself escaped.
            break;
        }
        content = rest;
    }
    content
}

fn unit(digits: &str) -> Option<u16> {
    // A sign would be taken for a number too.
    let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    u16::from_str_radix(digits, 16).ok().filter(|_| is_hex)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(pieces: &[&str]) -> String {
        let mut halves = Halves::default();
        let texts = pieces.iter().map(|piece| halves.read(piece).unwrap());
        texts.collect()
    }

    #[test]
    fn halves_meet_across_pieces() {
        assert_eq!(joined(&["abcd\\ud83d", "\\ude00efgh"]), "abcd😀efgh");
        assert_eq!(joined(&["\\uD83D", "", "\\uDE00"]), "😀");
        assert_eq!(joined(&["\\ud83d\\ude00\\ud83d", "\\ude00"]), "😀😀");
    }

    #[test]
    fn a_half_that_stays_alone_is_replaced() {
        assert_eq!(joined(&["a\\ud83d", "b"]), "a\u{fffd}b");
        assert_eq!(joined(&["a\\ud83d", "\\n"]), "a\u{fffd}\n");
        assert_eq!(
            joined(&["\\ude00a\\ud83d\\ud83d", "\\ude00"]),
            "\u{fffd}a\u{fffd}😀"
        );
        let mut halves = Halves::default();
        let mut text = halves.read("a\\ud83d").unwrap();
        halves.give_up(&mut text);
        assert_eq!(text, "a\u{fffd}");
    }

    #[test]
    fn whole_texts_are_read_as_any_json_reader_does() {
        for text in ["", "é😀", "\n\t\r\u{8}\u{c}\"\\/\0.", "\\ud83d", "a\\\\n"] {
            let json = serde_json::to_string(text).unwrap();
            let content = json.trim_matches('"');
            assert_eq!(joined(&[content]), text, "{json}");
        }
        assert_eq!(joined(&["\\/\\u00e9\\u20AC\\uD83D\\ude00"]), "/é€😀");
    }

    #[test]
    fn what_is_no_text_is_refused() {
        for content in [
            "\"", "a\tb", "\\", "\\x", "\\u12", "\\u+123", "\\ud83", "\\uzzzz", "\\ud83é", "\\é",
        ] {
            assert_eq!(Halves::default().read(content), None, "{content}");
        }
    }
}
