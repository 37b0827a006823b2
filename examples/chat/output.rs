//! The reply on standard output: without leading white space, ending in one newline.

use std::borrow::Cow;
use std::io::{self, IsTerminal, Write};

use crate::shown::Filter;

pub struct Output {
    stdout: Box<dyn Write>,
    /// Only for a terminal: a file or a pipe gets what the server sent.
    filter: Option<Filter>,
    /// What was not written yet.
    buffer: String,
    /// Newlines that were not printed yet, as they may be the end of the reply.
    newlines: usize,
    has_begun: bool,
}

impl Output {
    pub fn new() -> Self {
        Output {
            stdout: unbuffered(),
            filter: io::stdout().is_terminal().then(Filter::default),
            buffer: String::new(),
            newlines: 0,
            has_begun: false,
        }
    }

    /// Adds the next part of the reply.
    pub fn push(&mut self, part: &str) {
        let part = match &mut self.filter {
            Some(filter) => filter.pass(part),
            None => Cow::Borrowed(part),
        };
        let part = if self.has_begun {
            &part
        } else {
            part.trim_start()
        };
        let text = part.trim_end_matches('\n');
        if !text.is_empty() {
            let newlines = std::mem::take(&mut self.newlines);
            self.buffer.extend(std::iter::repeat_n('\n', newlines));
            self.buffer.push_str(text);
            self.has_begun = true;
        }
        if self.has_begun {
            self.newlines += part.len() - text.len();
        }
    }

    /// Writes what was added, all at once.
    pub fn flush(&mut self) -> io::Result<()> {
        self.stdout.write_all(self.buffer.as_bytes())?;
        self.buffer.clear();
        self.stdout.flush()
    }

    /// Ends the reply, if there is one: a complete one may be empty.
    pub fn finish(mut self, is_complete: bool) -> io::Result<()> {
        if self.has_begun || is_complete {
            self.buffer.push('\n');
        }
        self.flush()
    }
}

/// Standard output without the buffer of the standard library, which writes the lines of a text
/// before the rest of it.
#[cfg(unix)]
fn unbuffered() -> Box<dyn Write> {
    use std::fs::File;
    use std::os::fd::AsFd;

    match io::stdout().as_fd().try_clone_to_owned() {
        Ok(stdout) => Box::new(File::from(stdout)),
        Err(_) => Box::new(io::stdout()),
    }
}

#[cfg(not(unix))]
fn unbuffered() -> Box<dyn Write> {
    Box::new(io::stdout())
}
