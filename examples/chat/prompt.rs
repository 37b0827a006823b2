//! What is asked: in the words of the command line, on standard input, or line by line.

use std::fmt::Display;
use std::io::{self, BufRead, IsTerminal, Read, Write};

use crate::interrupts::Interrupts;
use crate::status::Failure;

/// Encloses a text of several lines.
const QUOTES: &str = "\"\"\"";

/// Of a longer line, a terminal on Linux passes on so many bytes, its end among them.
const LONGEST_LINE: usize = 4096;

/// What a person has typed.
pub enum Input {
    Line(String),
    /// Several lines, which are no command whatever they begin with.
    Text(String),
    /// Something that must not be sent, and why.
    Unusable(&'static str),
    End,
}

/// The prompt of the command line and of standard input; none asks for an interactive chat.
pub fn given(words: &str, interrupts: &Interrupts) -> Result<Option<String>, Failure> {
    let words = match words.trim() {
        "" => "",
        _ => words,
    };
    if io::stdin().is_terminal() {
        return Ok(Some(words.to_owned()).filter(|words| !words.is_empty()));
    }
    let unreadable =
        |error: &dyn Display| Failure::usage(format!("standard input cannot be read: {error}"));
    let bytes = interrupts.read(|| {
        let mut bytes = Vec::new();
        io::stdin().read_to_end(&mut bytes).map(|_| bytes)
    })?;
    let bytes = bytes.map_err(|error| unreadable(&error))?;
    let text = String::from_utf8(bytes).map_err(|error| unreadable(&error))?;
    match (words, text.trim_end()) {
        ("", "") => Err(Failure::usage(
            "there is no prompt, neither as an argument nor on standard input",
        )),
        ("", text) => Ok(Some(text.to_owned())),
        (words, "") => Ok(Some(words.to_owned())),
        (words, text) => Ok(Some(format!("{words}\n\n{text}"))),
    }
}

/// Asks for a line, or for several between quotes.
pub fn ask(interrupts: &Interrupts) -> Result<Input, Failure> {
    let _ = write!(io::stderr(), "> ");
    let mut input = read_line(interrupts)?;
    let mut text = match &input {
        Input::Line(line) => match line.trim_start().strip_prefix(QUOTES) {
            Some(begun) => begun.to_owned(),
            None => return Ok(input),
        },
        _ => return Ok(input),
    };
    let mut unusable = None;
    while !text.trim_end().ends_with(QUOTES) {
        input = read_line(interrupts)?;
        match input {
            Input::Line(line) | Input::Text(line) => text.push_str(&line),
            // What follows is not to be taken for prompts.
            Input::Unusable(_) => unusable = Some(input),
            Input::End => break,
        }
    }
    let text = text.trim_end();
    let text = text.strip_suffix(QUOTES).unwrap_or(text);
    let text = text.trim_matches(['\r', '\n']).to_owned();
    Ok(unusable.unwrap_or(Input::Text(text)))
}

fn read_line(interrupts: &Interrupts) -> Result<Input, Failure> {
    let read = interrupts.read(|| {
        let mut line = Vec::new();
        io::stdin()
            .lock()
            .read_until(b'\n', &mut line)
            .map(|_| line)
    })?;
    let line = read.map_err(Failure::other)?;
    if !line.ends_with(b"\n") {
        // Ctrl-D has ended it.
        let _ = writeln!(io::stderr());
    }
    Ok(match line.len() {
        0 => Input::End,
        LONGEST_LINE => Input::Unusable(
            "the terminal has cut this line, which is not sent; a long prompt can come from a \
             file: chat < FILE",
        ),
        _ => match String::from_utf8(line) {
            Ok(line) => Input::Line(line),
            Err(_) => Input::Unusable("this line is not UTF-8, and not sent"),
        },
    })
}
