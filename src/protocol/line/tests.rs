use super::*;
use std::io::{BufReader, Read};

impl<R: Read> Buffered for BufReader<R> {
    fn buffered(&self) -> &[u8] {
        self.buffer()
    }
}

fn lines(bytes: &[u8], chunk: usize) -> Vec<Vec<u8>> {
    let mut lines = Lines::new(BufReader::with_capacity(chunk, bytes));
    let mut all = Vec::new();
    loop {
        match lines.next(<[u8]>::to_vec).unwrap() {
            Line::Complete(line) => all.push(line),
            Line::Cut => {}
            Line::End => return all,
        }
    }
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
    for chunk in [3, 100] {
        assert_eq!(lines(text.as_bytes(), chunk), [text.as_bytes()]);
    }
}

#[test]
fn a_byte_order_mark_is_dropped_at_the_very_start_only() {
    let bytes = b"\xEF\xBB\xBFone\n\xEF\xBB\xBFtwo";
    for chunk in 1..=bytes.len() {
        assert_eq!(lines(bytes, chunk), [&b"one"[..], b"\xEF\xBB\xBFtwo"]);
    }
}

#[test]
fn a_line_that_ends_in_cr_is_not_held_back_until_the_next_byte() {
    // A reader that fails when it is asked for more than the one line.
    struct Once<'a>(&'a [u8]);
    impl Read for Once<'_> {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            assert!(!self.0.is_empty(), "asked for more than the line");
            self.0.read(buf)
        }
    }
    let mut lines = Lines::new(BufReader::new(Once(b"one\r")));
    let line = lines.next(<[u8]>::to_vec).unwrap();
    assert_eq!(line, Line::Complete(b"one".to_vec()));
}

#[test]
fn a_line_that_is_whole_in_the_buffer_is_not_copied() {
    let bytes = b"one\r\ntwo\n";
    let mut lines = Lines::new(&bytes[..]);
    for at in [0, 5] {
        let line = lines.next(|line| line.as_ptr_range()).unwrap();
        assert_eq!(line, Line::Complete(bytes[at..at + 3].as_ptr_range()));
    }
    assert!(lines.cut().is_empty());
}

#[test]
fn buffered_lines_are_decoded_without_reading() {
    struct Chunks(Vec<&'static str>);
    impl Read for Chunks {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            let chunk = self.0.remove(0);
            buf[..chunk.len()].copy_from_slice(chunk.as_bytes());
            Ok(chunk.len())
        }
    }
    let chunks = Chunks(vec!["one\ntwo\r", "\nthree\nfo", "ur\n"]);
    let mut lines = Lines::new(BufReader::new(chunks));
    let decode = |line: &[u8]| String::from_utf8(line.to_vec()).unwrap();
    let complete = |line: &str| Line::Complete(line.to_owned());
    assert_eq!(lines.next_buffered(decode), Line::Cut);
    assert_eq!(lines.next(decode).unwrap(), complete("one"));
    assert_eq!(lines.next_buffered(decode), complete("two"));
    assert_eq!(lines.next_buffered(decode), Line::Cut);
    assert_eq!(lines.next(decode).unwrap(), complete("three"));
    assert_eq!(lines.next_buffered(decode), Line::Cut);
    assert_eq!(lines.next_buffered(decode), Line::Cut);
    assert_eq!(lines.next(decode).unwrap(), complete("four"));
}
