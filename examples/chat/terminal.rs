//! The terminal that a person types at.

use std::env;
#[cfg(unix)]
use std::io::{self, Write};

#[cfg(unix)]
use nix::sys::termios::{SetArg, Termios, tcgetattr, tcsetattr};

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
            let end = if is_plain() { "\n" } else { "\x1b[?2004l\r\n" };
            let _ = write!(io::stderr(), "{end}");
        }
    }
}

/// Whether the terminal understands no escape sequences, so that lines cannot be edited on it.
pub fn is_plain() -> bool {
    let is_known_as_plain = |term: &str| {
        let plain = ["", "dumb", "cons25", "emacs"];
        plain.iter().any(|name| term.eq_ignore_ascii_case(name))
    };
    match env::var("TERM") {
        Ok(term) => is_known_as_plain(&term),
        // Terminals of Windows have no name.
        Err(_) => cfg!(not(windows)),
    }
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
