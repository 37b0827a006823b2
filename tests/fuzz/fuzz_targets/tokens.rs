//! Whatever bytes a server sends as a reply: no panic, the same outcome however they are cut, complete
//! only with a final event, and bounded memory. Without a socket, so that there are many a second.
//!
//! `tests/fuzz/tokens.sh 60` runs it for a minute, with seeds and with flags for speed.

#![no_main]

use std::collections::hash_map::DefaultHasher;
use std::hash::Hasher;
use std::io::{self, BufRead, Read};

use h2ogpt::{FinishReason, Tokens};
use libfuzzer_sys::fuzz_target;

/// What a reply without an error has at least one of. Escapes can write any of them.
const FINAL: [&[u8]; 4] = [b"generated_text", b"finalAnswer", b"elicitation", b"\\u"];

/// What a reply came to.
#[derive(Debug, PartialEq)]
struct Outcome {
    tokens: String,
    text: String,
    finish_reason: Option<FinishReason>,
    error: Option<String>,
}

fuzz_target!(|bytes: &[u8]| {
    let whole = outcome(bytes);
    check(&whole, bytes);
    let cut = outcome(Cut::new(bytes));
    assert_eq!(cut, whole, "cut in parts, and whole");
});

fn outcome(reader: impl BufRead) -> Outcome {
    let mut reply = Tokens::new(reader);
    let mut tokens = String::new();
    let mut error = None;
    for token in reply.by_ref() {
        match token {
            Ok(token) => {
                assert!(!token.is_empty(), "an empty token");
                tokens.push_str(&token);
            }
            Err(failure) => {
                assert_eq!(failure.partial().unwrap_or_default(), tokens);
                error = Some(failure.to_string());
            }
        }
    }
    assert!(reply.next().is_none(), "not fused");
    assert_eq!(
        reply.is_complete(),
        error.is_none(),
        "complete, or an error"
    );
    Outcome {
        tokens,
        text: reply.text().to_owned(),
        finish_reason: reply.finish_reason(),
        error,
    }
}

fn check(outcome: &Outcome, bytes: &[u8]) {
    let Outcome { tokens, text, .. } = outcome;
    // Each byte that is not UTF-8 becomes three bytes.
    assert!(text.len() <= 3 * bytes.len() + 3, "more text than bytes");
    match &outcome.error {
        Some(error) => {
            assert_eq!(text, tokens);
            assert!(!error.contains(char::is_control), "{error:?}");
        }
        None => {
            assert!(
                text == tokens || !text.starts_with(tokens),
                "a token is missing"
            );
            let has = |word: &&[u8]| bytes.windows(word.len()).any(|part| part == *word);
            assert!(FINAL.iter().any(has), "complete without a final event");
        }
    }
}

/// The bytes in parts of sizes that depend on the bytes: over many inputs, every cut is met, and an
/// input that fails does so again.
struct Cut<'a> {
    rest: &'a [u8],
    /// The length of the part that is read.
    part: usize,
    /// No part is longer.
    longest: u64,
    random: u64,
}

impl<'a> Cut<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        let mut hasher = DefaultHasher::new();
        hasher.write(bytes);
        let hash = hasher.finish();
        let mut cut = Cut {
            rest: bytes,
            part: 0,
            longest: 1 << (hash % 10),
            random: hash | 1,
        };
        cut.begin_part();
        cut
    }

    fn begin_part(&mut self) {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        let length = 1 + (self.random >> 11) % self.longest;
        self.part = self.rest.len().min(length as usize);
    }
}

impl BufRead for Cut<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        Ok(&self.rest[..self.part])
    }

    fn consume(&mut self, length: usize) {
        self.rest = &self.rest[length..];
        self.part -= length;
        if self.part == 0 {
            self.begin_part();
        }
    }
}

impl Read for Cut<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.fill_buf()?.read(buffer)?;
        self.consume(length);
        Ok(length)
    }
}
