//! JSON strings whose characters are cut in two.
//!
//! chat-ui v0.8 cuts its tokens every five UTF-16 units: the first half of an emoji ends one token
//! (`"abcd\ud83d"`), and the second half begins the next (`"\ude00efgh"`). Such a lone surrogate is
//! an error for any JSON reader, so strings that may have one are read here.

/// Decodes the strings of consecutive tokens, and joins the surrogates at their ends.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct SurrogateJoiner {
    /// The first half of a character whose second half has not come yet.
    high: Option<u16>,
}

/// One part of a string as it is written in JSON.
enum Part<'a> {
    /// Characters that stand for themselves; never empty.
    Plain(&'a str),
    /// What an escape stands for.
    Unit(u16),
}

impl SurrogateJoiner {
    /// Decodes what stands between the quotation marks of a JSON string; `None`, and no change, if
    /// it is invalid. A surrogate at its end is held back for the next string; one that turns out
    /// to be alone becomes U+FFFD.
    pub(super) fn decode(&mut self, content: &str) -> Option<String> {
        let mut joiner = *self;
        let mut text = String::with_capacity(content.len());
        let mut rest = content;
        while !rest.is_empty() {
            let (part, after) = next_part(rest)?;
            match part {
                Part::Plain(plain) => {
                    joiner.flush(&mut text);
                    text.push_str(plain);
                }
                Part::Unit(unit) => joiner.push(&mut text, unit),
            }
            rest = after;
        }
        *self = joiner;
        Some(text)
    }

    /// Whether a surrogate is held back.
    pub(super) fn is_waiting(&self) -> bool {
        self.high.is_some()
    }

    fn push(&mut self, text: &mut String, unit: u16) {
        if let (Some(high), 0xDC00..0xE000) = (self.high, unit) {
            self.high = None;
            text.extend(char::decode_utf16([high, unit]).flatten());
            return;
        }
        self.flush(text);
        if matches!(unit, 0xD800..0xDC00) {
            self.high = Some(unit);
        } else {
            text.push(char::from_u32(unit.into()).unwrap_or(char::REPLACEMENT_CHARACTER));
        }
    }

    /// Gives up on the second half.
    fn flush(&mut self, text: &mut String) {
        if self.high.take().is_some() {
            text.push(char::REPLACEMENT_CHARACTER);
        }
    }
}

/// Decodes a string that is not continued elsewhere.
pub(super) fn decode(content: &str) -> Option<String> {
    let mut joiner = SurrogateJoiner::default();
    let mut text = joiner.decode(content)?;
    joiner.flush(&mut text);
    Some(text)
}

/// What follows in `content` after the part of it that stands for `text`; `None` if it does not
/// begin with that, and where it takes a closer look.
pub(super) fn strip_decoded<'a>(mut content: &'a str, mut text: &str) -> Option<&'a str> {
    while !text.is_empty() {
        let (part, after) = next_part(content)?;
        let mut buffer = [0; 4];
        let part = match part {
            Part::Plain(plain) => plain,
            Part::Unit(unit) => char::from_u32(unit.into())?.encode_utf8(&mut buffer),
        };
        if let Some(rest) = part.strip_prefix(text) {
            return content.get(content.len() - after.len() - rest.len()..);
        }
        text = text.strip_prefix(part)?;
        content = after;
    }
    Some(content)
}

/// Writes `\ufffd` in place of every lone surrogate in a JSON document, which makes it readable for
/// any JSON reader.
pub(super) fn replace_lone(json: &str) -> String {
    let mut repaired = String::with_capacity(json.len());
    let mut rest = json;
    while let Some((before, escape)) = rest.split_once('\\') {
        repaired.push_str(before);
        let length = match unit(escape) {
            Some(0xD800..0xDC00) if has_low(escape) => 11,
            Some(0xD800..0xE000) => {
                repaired.push_str("\\ufffd");
                rest = escape.get(5..).unwrap_or_default();
                continue;
            }
            // What is escaped may be a backslash.
            _ => escape.chars().next().map_or(0, char::len_utf8),
        };
        repaired.push('\\');
        let (kept, after) = escape.split_at_checked(length).unwrap_or_default();
        repaired.push_str(kept);
        rest = after;
    }
    repaired + rest
}

/// Whether an escape such as `ud83d` is followed by a second half.
fn has_low(escape: &str) -> bool {
    let second = escape.get(5..).and_then(|rest| rest.strip_prefix('\\'));
    matches!(second.and_then(unit), Some(0xDC00..0xE000))
}

/// Splits off the first part of a string; `None` if it is empty or invalid.
fn next_part(content: &str) -> Option<(Part<'_>, &str)> {
    let length = content.bytes().position(|byte| !is_plain(byte));
    let (plain, escape) = content.split_at_checked(length.unwrap_or(content.len()))?;
    if !plain.is_empty() {
        return Some((Part::Plain(plain), escape));
    }
    let escape = escape.strip_prefix('\\')?;
    let unit = match escape.bytes().next()? {
        b'n' => b'\n',
        b't' => b'\t',
        b'r' => b'\r',
        b'b' => 0x8,
        b'f' => 0xC,
        byte @ (b'"' | b'\\' | b'/') => byte,
        _ => return Some((Part::Unit(unit(escape)?), escape.get(5..)?)),
    };
    Some((Part::Unit(unit.into()), escape.get(1..)?))
}

/// Whether a byte stands for itself in a JSON string.
pub(super) fn is_plain(byte: u8) -> bool {
    !matches!(byte, b'"' | b'\\' | b'\0'..b' ')
}

/// The UTF-16 unit of an escape such as `ud83d`, which may have more after it.
fn unit(escape: &str) -> Option<u16> {
    let digits = escape.strip_prefix('u')?.get(..4)?;
    // The standard library's parser also accepts a sign.
    let is_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    u16::from_str_radix(digits, 16).ok().filter(|_| is_hex)
}

#[cfg(test)]
mod tests;
