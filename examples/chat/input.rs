//! The prompt, in the words of the command line and on standard input.

use std::fmt::Display;
use std::io::{self, IsTerminal, Read};

use crate::failure::Failure;
use crate::signals::Signals;

/// Longest standard input, in bytes.
const LONGEST: u64 = 64 << 20;

/// The prompt of the command line and of standard input; `None` asks for an interactive chat.
pub fn given(words: &str, signals: &Signals) -> Result<Option<String>, Failure> {
    let words = if words.trim().is_empty() { "" } else { words };
    if io::stdin().is_terminal() {
        return Ok(Some(words.to_owned()).filter(|words| !words.is_empty()));
    }
    let text = standard_input(signals)?;
    match (words, text.trim_end()) {
        ("", "") => Err(Failure::usage(
            "there is no prompt, neither as an argument nor on standard input",
        )),
        ("", text) => Ok(Some(text.to_owned())),
        (words, "") => Ok(Some(words.to_owned())),
        (words, text) => Ok(Some(format!("{words}\n\n{text}"))),
    }
}

fn standard_input(signals: &Signals) -> Result<String, Failure> {
    let unreadable =
        |error: &dyn Display| Failure::usage(format!("standard input cannot be read: {error}"));
    let read = signals.wait_for(|| {
        let mut bytes = Vec::new();
        let read = io::stdin().take(LONGEST + 1).read_to_end(&mut bytes);
        read.map(|_| bytes)
    })?;
    let bytes = read.map_err(|error| unreadable(&error))?;
    if bytes.len() as u64 > LONGEST {
        return Err(Failure::usage("standard input is longer than 64 MiB"));
    }
    String::from_utf8(bytes).map_err(|error| unreadable(&error))
}
