//! JSON, read without building anything of it: what is asked for is found in one pass, which
//! checks all the rest.
//!
//! Of its own, as a tree of values takes some 20 kB of code and an allocation for every name and
//! text, and refuses the half characters that some services send (see [`halves`](super::halves)).

use super::halves::{Halves, is_plain};

/// Deepest nesting that is read.
const MAX_DEPTH: usize = 128;

/// Why something could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotJson {
    /// It has no end in this text.
    Unfinished,
    Invalid,
}

pub(crate) type Read<T> = Result<T, NotJson>;

/// The members of an object that have these names, in JSON; `None` for one that is missing or
/// `null`. All of the text must be that object.
pub(crate) fn members<'a, const N: usize>(
    object: &'a str,
    names: [&str; N],
) -> Read<[Option<&'a str>; N]> {
    let mut members = [None; N];
    let mut reader = Reader::new(object);
    reader.object(&mut |name, value| {
        if let Some(at) = names.iter().position(|known| *known == name)
            && let Some(member) = members.get_mut(at)
        {
            *member = Some(value).filter(|&value| value != "null");
        }
    })?;
    reader.end()?;
    Ok(members)
}

/// One member of an object; `None` also if this is no object.
pub(crate) fn member<'a>(object: &'a str, name: &str) -> Option<&'a str> {
    let [member] = members(object, [name]).ok()?;
    member
}

/// The items of a list, in JSON. All of the text must be that list.
pub(crate) fn items(list: &str) -> Read<Vec<&str>> {
    let mut items = Vec::new();
    let mut reader = Reader::new(list);
    reader.list(&mut |item| items.push(item))?;
    reader.end()?;
    Ok(items)
}

/// The first value of several in a row, and what comes after it.
pub(crate) fn first(json: &str) -> Read<(&str, &str)> {
    let mut reader = Reader::new(json);
    let value = reader.value()?;
    Ok((value, json.get(reader.at..).unwrap_or_default()))
}

/// A text, in which half a character becomes U+FFFD.
pub(crate) fn text(json: &str) -> Option<String> {
    let mut halves = Halves::default();
    let mut text = halves.read(content(json)?)?;
    halves.give_up(&mut text);
    Some(text)
}

/// What stands between the quotation marks of a text.
pub(crate) fn content(json: &str) -> Option<&str> {
    json.strip_prefix('"')?.strip_suffix('"')
}

/// A member of an object that is a text.
pub(crate) fn text_member(object: &str, name: &str) -> Option<String> {
    text(member(object, name)?)
}

pub(crate) struct Reader<'a> {
    json: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(json: &'a str) -> Self {
        let (at, depth) = (0, 0);
        Reader { json, at, depth }
    }

    /// The next byte, without going on.
    fn peek(&self) -> Read<u8> {
        let byte = self.json.as_bytes().get(self.at);
        byte.copied().ok_or(NotJson::Unfinished)
    }

    fn next(&mut self) -> Read<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Ok(byte)
    }

    /// Exactly this, without space around it.
    pub(crate) fn written(&mut self, written: &str) -> Read<()> {
        let rest = self.json.as_bytes().get(self.at..).unwrap_or_default();
        match rest.starts_with(written.as_bytes()) {
            true => {
                self.at += written.len();
                Ok(())
            }
            false => Err(NotJson::Invalid),
        }
    }

    fn skip_space(&mut self) {
        while let Ok(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    fn expect(&mut self, sign: u8) -> Read<()> {
        self.skip_space();
        match self.next()? == sign {
            true => Ok(()),
            false => Err(NotJson::Invalid),
        }
    }

    pub(crate) fn end(&mut self) -> Read<()> {
        self.skip_space();
        match self.peek() {
            Ok(_) => Err(NotJson::Invalid),
            Err(_) => Ok(()),
        }
    }

    pub(crate) fn value(&mut self) -> Read<&'a str> {
        self.skip_space();
        let start = self.at;
        match self.peek()? {
            b'"' => drop(self.text()?),
            b'{' => self.object(&mut |_, _| ())?,
            b'[' => self.list(&mut |_| ())?,
            b'-' | b'0'..=b'9' => self.number()?,
            _ => self.word()?,
        }
        self.json.get(start..self.at).ok_or(NotJson::Invalid)
    }

    fn object(&mut self, take: &mut dyn FnMut(&'a str, &'a str)) -> Read<()> {
        self.sequence(b'{', b'}', &mut |reader| {
            let name = reader.text()?;
            reader.expect(b':')?;
            take(name, reader.value()?);
            Ok(())
        })
    }

    fn list(&mut self, take: &mut dyn FnMut(&'a str)) -> Read<()> {
        self.sequence(b'[', b']', &mut |reader| {
            take(reader.value()?);
            Ok(())
        })
    }

    fn sequence(
        &mut self,
        open: u8,
        close: u8,
        element: &mut dyn FnMut(&mut Self) -> Read<()>,
    ) -> Read<()> {
        self.expect(open)?;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(NotJson::Invalid);
        }
        self.skip_space();
        if self.peek()? == close {
            self.at += 1;
        } else {
            loop {
                element(self)?;
                self.skip_space();
                match self.next()? {
                    b',' => {}
                    sign if sign == close => break,
                    _ => return Err(NotJson::Invalid),
                }
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// A text, without its quotation marks.
    pub(crate) fn text(&mut self) -> Read<&'a str> {
        self.expect(b'"')?;
        let start = self.at;
        loop {
            let rest = self.json.as_bytes().get(self.at..).unwrap_or_default();
            self.at += rest.iter().take_while(|&&byte| is_plain(byte)).count();
            match self.next()? {
                b'"' => break,
                b'\\' => self.escape()?,
                _ => return Err(NotJson::Invalid),
            }
        }
        self.json.get(start..self.at - 1).ok_or(NotJson::Invalid)
    }

    fn escape(&mut self) -> Read<()> {
        let digits = match self.next()? {
            b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => 0,
            b'u' => 4,
            _ => return Err(NotJson::Invalid),
        };
        for _ in 0..digits {
            if !self.next()?.is_ascii_hexdigit() {
                return Err(NotJson::Invalid);
            }
        }
        Ok(())
    }

    pub(crate) fn number(&mut self) -> Read<()> {
        if self.peek()? == b'-' {
            self.at += 1;
        }
        match self.peek()? {
            b'0' => self.at += 1,
            _ => self.digits()?,
        }
        if self.peek() == Ok(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if let Ok(b'e' | b'E') = self.peek() {
            self.at += 1;
            if let b'+' | b'-' = self.peek()? {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    /// At least one digit.
    fn digits(&mut self) -> Read<()> {
        if !self.next()?.is_ascii_digit() {
            return Err(NotJson::Invalid);
        }
        while let Ok(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        Ok(())
    }

    fn word(&mut self) -> Read<()> {
        let rest = self.json.get(self.at..).unwrap_or_default();
        for word in ["true", "false", "null"] {
            if rest.starts_with(word) {
                self.at += word.len();
                return Ok(());
            }
            if word.starts_with(rest) {
                return Err(NotJson::Unfinished);
            }
        }
        Err(NotJson::Invalid)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::fs;
    use std::path::Path;

    use serde_json::Value;

    use super::*;

    #[test]
    fn every_recorded_line_is_read_as_serde_json_reads_it() {
        let recordings = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings");
        let mut lines = 0;
        for version in ["v0.5", "v0.8.4", "main"] {
            for file in fs::read_dir(recordings.join(version)).unwrap() {
                let bytes = fs::read(file.unwrap().path()).unwrap();
                for line in String::from_utf8_lossy(&bytes).lines() {
                    let json = line.trim_start_matches("data:");
                    if let Ok(value) = serde_json::from_str(json) {
                        assert_same(json, &value);
                        assert_unfinished(json.trim());
                        lines += 1;
                    }
                }
            }
        }
        assert!(lines > 300, "{lines}");
    }

    /// Reads all of `json` level by level.
    pub(crate) fn assert_same(json: &str, value: &Value) {
        match value {
            Value::Object(object) => {
                for (name, value) in object {
                    match member(json, name) {
                        Some(json) => assert_same(json, value),
                        None => assert!(value.is_null(), "{name} of {json}"),
                    }
                }
            }
            Value::Array(list) => {
                let items = items(json).unwrap();
                assert_eq!(items.len(), list.len(), "{json}");
                for (json, value) in items.into_iter().zip(list) {
                    assert_same(json, value);
                }
            }
            Value::String(expected) => assert_eq!(text(json).as_ref(), Some(expected), "{json}"),
            other => assert_eq!(serde_json::from_str::<Value>(json).unwrap(), *other),
        }
    }

    /// Wherever an object is cut, its end is what is missing.
    fn assert_unfinished(json: &str) {
        if json.starts_with('{') && json.len() < 500 {
            for (end, _) in json.char_indices() {
                let cut = json.get(..end).unwrap();
                assert_eq!(members(cut, [""]), Err(NotJson::Unfinished), "{cut}");
            }
        }
    }

    #[test]
    fn the_last_of_several_members_counts_and_null_is_none() {
        let json = r#" { "a" : 1 , "b" : null, "a" : [ 2 ] } "#;
        assert_eq!(
            members(json, ["a", "b", "c"]),
            Ok([Some("[ 2 ]"), None, None])
        );
    }

    #[test]
    fn values_in_a_row_are_taken_one_by_one() {
        assert_eq!(first(r#"{"a":"}"}{"b""#), Ok((r#"{"a":"}"}"#, r#"{"b""#)));
        assert_eq!(first(r#"{"b""#), Err(NotJson::Unfinished));
    }

    #[test]
    fn nesting_has_a_bound() {
        assert!(items(&("[".repeat(128) + &"]".repeat(128))).is_ok());
        assert_eq!(items(&"[".repeat(100_000)), Err(NotJson::Invalid));
    }
}
