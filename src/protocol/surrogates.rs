//! Characters cut in two: chat-ui v0.8 cuts its tokens every five UTF-16 units, so that a half of
//! an emoji stands at the end of one token (`"\ud83d"`) and the other half at the start of the
//! next. No JSON reader and no `String` takes a half alone. It is carried by a private character
//! from the JSON to where the halves meet.

/// Halves are carried as U+10F800 to U+10FFFF, in a line that was marked only.
const CARRIER: u32 = 0x10_F800 - 0xD800;

/// Replaces escapes of lone halves by their carriers; `None` if there is none.
pub(crate) fn mark(json: &str) -> Option<String> {
    let mut marked = String::with_capacity(json.len());
    let mut found = false;
    let mut rest = json;
    while let Some(at) = rest.find('\\') {
        let (before, escape) = rest.split_at(at);
        marked.push_str(before);
        let unit = unit(escape);
        let length = match unit {
            Some(high)
                if is_high(high) && escape.get(6..).and_then(self::unit).is_some_and(is_low) =>
            {
                12
            }
            Some(half) if is_high(half) || is_low(half) => {
                found = true;
                marked.extend(char::from_u32(CARRIER + u32::from(half)));
                rest = escape.get(6..)?;
                continue;
            }
            _ => 2,
        };
        let (escape, after) = escape.split_at_checked(length)?;
        marked.push_str(escape);
        rest = after;
    }
    marked.push_str(rest);
    found.then_some(marked)
}

/// The UTF-16 unit of an escape that `text` begins with.
fn unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    u16::from_str_radix(digits, 16).ok()
}

fn is_high(unit: u16) -> bool {
    (0xD800..0xDC00).contains(&unit)
}

fn is_low(unit: u16) -> bool {
    (0xDC00..0xE000).contains(&unit)
}

/// The half that a character carries.
fn half(carrier: char) -> Option<u16> {
    let unit = u32::from(carrier).checked_sub(CARRIER)?;
    (0xD800..0xE000).contains(&unit).then_some(unit as u16)
}

/// Joins halves from piece to piece. A half without its other half becomes U+FFFD.
#[derive(Debug, Default)]
pub(crate) struct Joiner {
    high: Option<u16>,
}

impl Joiner {
    /// Whether pieces can be taken as they are.
    pub(crate) fn is_idle(&self) -> bool {
        self.high.is_none()
    }

    /// The piece with its halves joined; `is_marked` if it was marked before it was read.
    pub(crate) fn join(&mut self, piece: &str, is_marked: bool) -> String {
        let mut joined = String::with_capacity(piece.len() + 4);
        for c in piece.chars() {
            let unit = half(c).filter(|_| is_marked);
            match (self.high.take(), unit) {
                (Some(high), Some(low)) if is_low(low) => {
                    joined.extend(char::decode_utf16([high, low]).flatten());
                    continue;
                }
                (Some(_), _) => joined.push(char::REPLACEMENT_CHARACTER),
                (None, _) => {}
            }
            match unit {
                Some(high) if is_high(high) => self.high = Some(high),
                Some(_) => joined.push(char::REPLACEMENT_CHARACTER),
                None => joined.push(c),
            }
        }
        joined
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn joined(pieces: &[&str]) -> String {
        let mut joiner = Joiner::default();
        let mut text = String::new();
        for piece in pieces {
            let json = format!("\"{piece}\"");
            let marked = mark(&json);
            let read: String = serde_json::from_str(marked.as_deref().unwrap_or(&json)).unwrap();
            text += &joiner.join(&read, marked.is_some());
        }
        text
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
        assert_eq!(
            joined(&["\\ude00a\\ud83d\\ud83d", "\\ude00"]),
            "\u{fffd}a\u{fffd}😀"
        );
    }

    #[test]
    fn what_is_whole_stays_as_it_is() {
        for whole in ["a\\ud83d\\ude00b", "\\\\ud83d", "\\n\\u00e9\\\\", "é😀", ""] {
            assert_eq!(mark(whole), None, "{whole}");
        }
        assert_eq!(joined(&["\u{10FABC}", "\\\\ud83d"]), "\u{10FABC}\\ud83d");
    }

    #[test]
    fn broken_escapes_are_left_to_the_json_reader() {
        for broken in [
            "\\",
            "\\u",
            "\\ud8",
            "\\ud83",
            "\\ud83d\\",
            "\\uzzzz",
            "\\ud83dé",
            "\\é",
        ] {
            let _ = mark(broken);
        }
    }
}
