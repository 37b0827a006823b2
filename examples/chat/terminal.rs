//! The terminal that a person types at.

#[cfg(unix)]
use nix::sys::termios::{SetArg, Termios, tcgetattr, tcsetattr};
#[cfg(unix)]
use std::io::{self, Write};

/// The settings of the terminal before a line is edited on it.
pub struct Terminal {
    #[cfg(unix)]
    saved: Option<Termios>,
}

impl Terminal {
    pub fn save() -> Terminal {
        Terminal {
            #[cfg(unix)]
            saved: tcgetattr(io::stdin()).ok(),
        }
    }

    /// Leaves the terminal as it was, while another thread edits a line on it. There may be no
    /// terminal any more.
    pub fn restore(&self) {
        #[cfg(unix)]
        if let Some(saved) = &self.saved {
            let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, saved);
            // Ends the bracketed paste, and the line.
            let _ = write!(io::stderr(), "\x1b[?2004l\r\n");
        }
    }
}

/// Whether lines cannot be edited on terminals of this name.
pub fn is_plain(term: &str) -> bool {
    matches!(term, "dumb" | "cons25" | "emacs")
}

/// What was typed or pasted, without the sequences that keys send, and without control characters.
pub fn without_escapes(typed: &str) -> String {
    let mut text = String::new();
    let mut rest = typed.chars();
    while let Some(c) = rest.next() {
        match c {
            '\x1b' => skip_sequence(&mut rest),
            '\n' | '\t' => text.push(c),
            c if c.is_control() => {}
            c => text.push(c),
        }
    }
    text
}

/// Skips what follows an escape character.
fn skip_sequence(rest: &mut std::str::Chars<'_>) {
    match rest.clone().next() {
        Some('[') => {
            rest.next();
            // Parameters, up to the letter that ends them.
            while let Some('\x20'..='\x3f') = rest.clone().next() {
                rest.next();
            }
            rest.next();
        }
        Some('O') => drop((rest.next(), rest.next())),
        _ => {}
    }
}
