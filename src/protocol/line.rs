//! Lines of bytes from any `BufRead`, handed out where they lie in its buffer.

use std::io::{self, BufRead};
use std::mem;

/// The largest buffer that is kept for the next line that has to be copied.
const MAX_KEPT: usize = 64 << 10;

/// The least room that is made for the rest of a line: enough for that of a token.
const MIN_SPARE: usize = 512;

/// A reader that can show what it has buffered, without reading.
pub(crate) trait Buffered: BufRead {
    /// The bytes that `fill_buf` would return without I/O; empty if it would have to read.
    fn buffered(&self) -> &[u8];
}

/// The outcome of looking for one line end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line<T> {
    /// A line ended, and this was made of it.
    Complete(T),
    /// No line ended in the buffer. Its bytes are kept for the next call.
    Cut,
    /// The reader has ended.
    End,
}

/// Splits what a reader yields into lines that end in LF, CRLF or CR. A last line without an end
/// counts as a line.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    reader: R,
    splitter: Splitter,
}

#[derive(Debug)]
struct Splitter {
    /// The beginning of a line whose end was not in the buffer.
    cut: Vec<u8>,
    /// The last line ended in CR: an LF that comes next belongs to the same line end.
    after_cr: bool,
    at_start: bool,
}

impl<R> Lines<R> {
    pub(crate) fn new(reader: R) -> Self {
        Lines {
            reader,
            splitter: Splitter {
                cut: Vec::new(),
                after_cr: false,
                at_start: true,
            },
        }
    }

    pub(crate) fn into_inner(self) -> R {
        self.reader
    }

    /// The beginning of the line that is being read, if it had to be copied.
    pub(crate) fn cut(&self) -> &[u8] {
        &self.splitter.cut
    }

    /// Makes room for the rest of a line whose length can be guessed.
    pub(crate) fn reserve(&mut self, length: usize) {
        let cut = &mut self.splitter.cut;
        cut.reserve_exact(length.saturating_sub(cut.len()));
    }
}

impl<R: BufRead> Lines<R> {
    /// The buffer if it begins with a line, else nothing. Reads if the buffer is empty.
    pub(crate) fn peek(&mut self) -> io::Result<&[u8]> {
        if self.splitter.is_within_line() {
            return Ok(&[]);
        }
        match self.reader.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(&[]),
            chunk => chunk,
        }
    }

    /// Skips whole lines that end in LF.
    pub(crate) fn skip(&mut self, length: usize) {
        self.splitter.at_start = false;
        self.reader.consume(length);
    }

    /// Decodes the next line if it ends in the buffer, which is filled first if it is empty.
    pub(crate) fn next<T>(&mut self, decode: impl FnOnce(&[u8]) -> T) -> io::Result<Line<T>> {
        let chunk = match self.reader.fill_buf() {
            Ok(chunk) => chunk,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(Line::Cut),
            Err(error) => return Err(error),
        };
        if chunk.is_empty() {
            return Ok(if self.splitter.cut.is_empty() {
                Line::End
            } else {
                Line::Complete(self.splitter.complete(&[], decode))
            });
        }
        let (line, used) = self.splitter.split(chunk, decode);
        self.reader.consume(used);
        Ok(line)
    }
}

impl<R: Buffered> Lines<R> {
    /// Like [`peek`](Lines::peek), but never reads.
    pub(crate) fn peek_buffered(&self) -> &[u8] {
        if self.splitter.is_within_line() {
            return &[];
        }
        self.reader.buffered()
    }

    /// Like [`next`](Lines::next), but never reads.
    pub(crate) fn next_buffered<T>(&mut self, decode: impl FnOnce(&[u8]) -> T) -> Line<T> {
        let (line, used) = self.splitter.split(self.reader.buffered(), decode);
        self.reader.consume(used);
        line
    }
}

impl Splitter {
    /// Whether the next byte may belong to a line that has begun, or to its end.
    fn is_within_line(&self) -> bool {
        self.after_cr || !self.cut.is_empty()
    }

    /// Decodes the first line of `chunk`. Returns how many bytes are used up.
    fn split<T>(&mut self, chunk: &[u8], decode: impl FnOnce(&[u8]) -> T) -> (Line<T>, usize) {
        let is_skipped = self.after_cr && chunk.first() == Some(&b'\n');
        let rest = chunk.get(usize::from(is_skipped)..).unwrap_or_default();
        self.after_cr &= chunk.is_empty();
        let Some(length) = end_of_line(rest) else {
            self.keep(rest);
            return (Line::Cut, chunk.len());
        };
        let (line, end) = rest.split_at_checked(length).unwrap_or_default();
        self.after_cr = end.first() == Some(&b'\r');
        let used = usize::from(is_skipped) + length + 1;
        (Line::Complete(self.complete(line, decode)), used)
    }

    /// Decodes a line that ends with `line`.
    fn complete<T>(&mut self, line: &[u8], decode: impl FnOnce(&[u8]) -> T) -> T {
        let at_start = mem::replace(&mut self.at_start, false);
        if self.cut.is_empty() {
            return decode(without_mark(line, at_start));
        }
        self.keep(line);
        let decoded = decode(without_mark(&self.cut, at_start));
        self.cut.clear();
        self.cut.shrink_to(MAX_KEPT);
        decoded
    }

    /// Grows by a quarter, not to double size: the last line of a reply is as long as all of it.
    fn keep(&mut self, bytes: &[u8]) {
        if self.cut.capacity() - self.cut.len() < bytes.len() {
            let spare = MIN_SPARE.max(self.cut.len() / 4);
            self.cut.reserve_exact(bytes.len() + spare);
        }
        self.cut.extend_from_slice(bytes);
    }
}

/// The first line of a stream without its byte order mark.
fn without_mark(line: &[u8], at_start: bool) -> &[u8] {
    match line {
        [0xEF, 0xBB, 0xBF, rest @ ..] if at_start => rest,
        line => line,
    }
}

/// The position of the first LF or CR.
fn end_of_line(bytes: &[u8]) -> Option<usize> {
    let is_end = |byte: &u8| matches!(byte, b'\n' | b'\r');
    let (blocks, _) = bytes.as_chunks::<32>();
    // Without an early exit from a block, the compiler compares all of its bytes at once.
    let has_end = |block: &&[u8; 32]| block.iter().fold(false, |found, byte| found | is_end(byte));
    let before = 32 * blocks.iter().take_while(|block| !has_end(block)).count();
    let rest = bytes.get(before..)?;
    Some(before + rest.iter().position(is_end)?)
}

#[cfg(test)]
mod tests;
