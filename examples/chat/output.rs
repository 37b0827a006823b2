//! The reply on standard output: without leading white space, ending in one newline.

use std::io::{self, StdoutLock, Write};

pub struct Output {
    stdout: StdoutLock<'static>,
    /// Newlines that were not printed yet, as they may be the end of the reply.
    newlines: usize,
    begun: bool,
}

impl Output {
    pub fn new() -> Self {
        Output {
            stdout: io::stdout().lock(),
            newlines: 0,
            begun: false,
        }
    }

    /// Prints the next piece of the reply at once.
    pub fn print(&mut self, piece: &str) -> io::Result<()> {
        let piece = if self.begun {
            piece
        } else {
            piece.trim_start()
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
