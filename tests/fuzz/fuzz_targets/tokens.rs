//! Whatever bytes a server sends as a reply: no panic, the same outcome however they are cut, complete
//! only with a final event, and bounded memory. Without a socket, so that there are many a second.

#![no_main]

use std::io::{BufRead, BufReader};

use h2ogpt::Tokens;
use libfuzzer_sys::fuzz_target;

/// What a reply came to.
#[derive(Debug, PartialEq)]
struct Outcome {
    tokens: String,
    text: String,
    is_complete: bool,
    error: Option<String>,
}

fuzz_target!(|bytes: &[u8]| {
    let whole = outcome(bytes, bytes.len());
    for size in [1, 7, 64] {
        assert_eq!(outcome(BufReader::with_capacity(size, bytes), bytes.len()), whole);
    }
});

fn outcome(reader: impl BufRead, length: usize) -> Outcome {
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
                let shown = failure.to_string();
                assert!(!shown.contains(char::is_control), "{shown:?}");
                error = Some(shown);
            }
        }
    }
    assert!(reply.next().is_none(), "not fused");
    assert_eq!(reply.is_complete(), error.is_none(), "complete, or an error");
    // Bytes that are not UTF-8 become three bytes each.
    assert!(reply.text().len() <= 3 * length + 3, "more text than bytes");
    Outcome {
        tokens,
        text: reply.text().to_owned(),
        is_complete: reply.is_complete(),
        error,
    }
}
