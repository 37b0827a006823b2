//! The grammar of JSON.

use super::super::halves::is_plain;
use super::{NotJson, Read};

/// Deepest nesting that is read.
const MAX_DEPTH: usize = 128;

/// Reads on, value by value.
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

    /// What is left to be read.
    pub(super) fn rest(&self) -> &'a str {
        self.json.get(self.at..).unwrap_or_default()
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

    pub(super) fn object(&mut self, take: &mut dyn FnMut(&'a str, &'a str)) -> Read<()> {
        self.sequence(b'{', b'}', &mut |reader| {
            let name = reader.text()?;
            reader.expect(b':')?;
            take(name, reader.value()?);
            Ok(())
        })
    }

    pub(super) fn list(&mut self, take: &mut dyn FnMut(&'a str)) -> Read<()> {
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
        let rest = self.rest();
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
