//! The reply on standard output: without leading white space, ending in one newline.

use std::borrow::Cow;
use std::io::{self, IsTerminal, StdoutLock, Write};

pub struct Output {
    stdout: StdoutLock<'static>,
    is_terminal: bool,
    /// Newlines that were not printed yet, as they may be the end of the reply.
    newlines: usize,
    begun: bool,
}

impl Output {
    pub fn new() -> Self {
        let stdout = io::stdout().lock();
        Output {
            is_terminal: stdout.is_terminal(),
            stdout,
            newlines: 0,
            begun: false,
        }
    }

    /// Prints the next piece of the reply at once.
    pub fn print(&mut self, piece: &str) -> io::Result<()> {
        let piece = match self.is_terminal {
            true => harmless(piece),
            // Whoever reads a file or a pipe gets what the service sent.
            false => Cow::Borrowed(piece),
        };
        let piece = match self.begun {
            true => &piece,
            false => piece.trim_start(),
        };
        let text = piece.trim_end_matches('\n');
        if !text.is_empty() {
            let newlines = "\n".repeat(std::mem::take(&mut self.newlines));
            write!(self.stdout, "{newlines}{text}")?;
            self.stdout.flush()?;
            self.begun = true;
        }
        if self.begun {
            self.newlines += piece.len() - text.len();
        }
        Ok(())
    }

    /// Ends the reply, if there is one: a complete one may be empty.
    pub fn finish(mut self, is_complete: bool) -> io::Result<()> {
        if self.begun || is_complete {
            writeln!(self.stdout)?;
        }
        self.stdout.flush()
    }
}

/// Without anything that steers the terminal; `\r` goes without a trace, as it mostly is half of
/// a line's end.
fn harmless(text: &str) -> Cow<'_, str> {
    let steers = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    let kept = text.chars().filter(|&c| c != '\r');
    kept.map(|c| if steers(c) { '\u{fffd}' } else { c })
        .collect()
}
