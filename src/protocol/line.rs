//! Lines of bytes from any `BufRead`: ended by LF, CRLF or CR, never held back, never unbounded.

use std::io::{self, BufRead};

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// What reading one line came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// The buffer holds a line, without its end.
    Complete,
    /// The line is longer than the limit; the buffer holds its beginning.
    TooLong,
    /// There is nothing more.
    End,
}

/// Cuts what a reader gives into lines. A last line without an end counts as a line.
#[derive(Debug)]
pub(crate) struct Lines<R> {
    reader: R,
    /// The last line ended in CR: an LF that comes next belongs to that same end.
    after_cr: bool,
    at_start: bool,
}

impl<R: BufRead> Lines<R> {
    pub(crate) fn new(reader: R) -> Self {
        Lines {
            reader,
            after_cr: false,
            at_start: true,
        }
    }

    pub(crate) fn into_inner(self) -> R {
        self.reader
    }

    /// Reads the next line into `line`, of at most about `limit` bytes.
    pub(crate) fn read(&mut self, line: &mut Vec<u8>, limit: usize) -> io::Result<Line> {
        line.clear();
        loop {
            let chunk = match self.reader.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if chunk.is_empty() {
                let line_found = !line.is_empty();
                self.strip_byte_order_mark(line);
                return Ok(if line_found {
                    Line::Complete
                } else {
                    Line::End
                });
            }
            let (used, ended) = take(chunk, line, &mut self.after_cr);
            self.reader.consume(used);
            if ended {
                self.strip_byte_order_mark(line);
                return Ok(Line::Complete);
            }
            if line.len() > limit {
                return Ok(Line::TooLong);
            }
        }
    }

    fn strip_byte_order_mark(&mut self, line: &mut Vec<u8>) {
        if self.at_start && line.starts_with(BYTE_ORDER_MARK) {
            line.drain(..BYTE_ORDER_MARK.len());
        }
        self.at_start = false;
    }
}

/// Moves bytes of `chunk` to `line` up to the first line end. Returns how many bytes of the
/// chunk are used up, and whether the line ended.
fn take(chunk: &[u8], line: &mut Vec<u8>, after_cr: &mut bool) -> (usize, bool) {
    let skipped = usize::from(*after_cr && chunk.first() == Some(&b'\n'));
    *after_cr = false;
    let rest = chunk.get(skipped..).unwrap_or_default();

    let end = end_of_line(rest);
    let length = end.unwrap_or(rest.len());
    let (added, after) = rest.split_at_checked(length).unwrap_or_default();
    line.extend_from_slice(added);
    *after_cr = after.first() == Some(&b'\r');
    let ended = end.is_some();
    (skipped + length + usize::from(ended), ended)
}

/// Where the first LF or CR is.
fn end_of_line(bytes: &[u8]) -> Option<usize> {
    let is_end = |byte: &u8| matches!(byte, b'\n' | b'\r');
    let (blocks, _) = bytes.as_chunks::<32>();
    // Without a way out of a block, all of its bytes are looked at in one step.
    let has_end = |block: &&[u8; 32]| block.iter().fold(false, |found, byte| found | is_end(byte));
    let before = 32 * blocks.iter().take_while(|block| !has_end(block)).count();
    let rest = bytes.get(before..)?;
    Some(before + rest.iter().position(is_end)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::BufReader;

    fn lines(bytes: &[u8], chunk: usize) -> Vec<Vec<u8>> {
        let mut lines = Lines::new(BufReader::with_capacity(chunk, bytes));
        let mut line = Vec::new();
        let mut all = Vec::new();
        while lines.read(&mut line, 1000).unwrap() == Line::Complete {
            all.push(line.clone());
        }
        all
    }

    #[test]
    fn every_line_end_ends_a_line_wherever_chunks_are_cut() {
        let bytes = b"one\ntwo\r\nthree\rfour\n\nsix\r\rseven\r\n\r\nlast";
        for chunk in 1..=bytes.len() {
            assert_eq!(
                lines(bytes, chunk),
                [
                    &b"one"[..],
                    b"two",
                    b"three",
                    b"four",
                    b"",
                    b"six",
                    b"",
                    b"seven",
                    b"",
                    b"last"
                ],
                "chunks of {chunk}"
            );
        }
    }

    #[test]
    fn unicode_separators_do_not_end_a_line() {
        let text = "a\u{2028}b\u{2029}c\u{85}d\u{b}e";
        assert_eq!(lines(text.as_bytes(), 3), [text.as_bytes()]);
    }

    #[test]
    fn a_byte_order_mark_is_dropped_at_the_very_start_only() {
        assert_eq!(
            lines(b"\xEF\xBB\xBFone\n\xEF\xBB\xBFtwo", 2),
            [&b"one"[..], b"\xEF\xBB\xBFtwo"]
        );
    }

    #[test]
    fn a_line_that_ends_in_cr_is_not_held_back_until_the_next_byte() {
        // A reader that fails when it is asked for more than the one line.
        struct Once<'a>(&'a [u8]);
        impl io::Read for Once<'_> {
            fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                assert!(!self.0.is_empty(), "asked for more than the line");
                self.0.read(buf)
            }
        }
        let mut lines = Lines::new(BufReader::new(Once(b"one\r")));
        let mut line = Vec::new();
        assert_eq!(lines.read(&mut line, 10).unwrap(), Line::Complete);
        assert_eq!(line, b"one");
    }

    #[test]
    fn an_endless_line_is_given_up() {
        let mut lines = Lines::new(BufReader::new(io::repeat(b'x')));
        let mut line = Vec::new();
        assert_eq!(lines.read(&mut line, 100_000).unwrap(), Line::TooLong);
        assert!(line.len() < 120_000);
    }
}
