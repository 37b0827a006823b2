//! What a person types at the prompt, with line editing and the history of this run.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::MemHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Behavior, Config, Context, Helper};

use crate::failure::{Failure, say};
use crate::interactive::COMMANDS;
use crate::signals::{self, Signal, Signals};
use crate::terminal::{self, Terminal};

const PROMPT: &str = "> ";

pub const HOW_TO_LEAVE: &str = "Ctrl-D or /exit ends the chat";

/// Encloses a prompt of several lines.
const QUOTES: &str = "\"\"\"";

/// Without line editing, a terminal on Linux cuts a line after so many bytes.
const LONGEST_LINE: usize = 4095;

const CUT: &str = "the terminal has cut this line, which is not sent; a long prompt can come from a \
                   file: chat < FILE";

/// What a person has typed.
#[derive(Debug, PartialEq, Eq)]
pub enum Typed {
    Line(String),
    /// Several lines, which are no command whatever they begin with.
    Lines(String),
    /// Something that must not be sent, and why.
    Unusable(&'static str),
    /// Ctrl-C on a line with something on it.
    Cleared,
    /// Ctrl-C on an empty line.
    Interrupt,
    End,
}

pub struct Editor {
    /// `None` while another thread waits for a key.
    lines: Option<Lines>,
    terminal: Terminal,
}

impl Editor {
    pub fn new() -> Result<Editor, Failure> {
        Ok(Editor {
            lines: Some(Lines::new()?),
            terminal: Terminal::save(),
        })
    }

    /// Waits for a line, or for a signal that ends the program.
    pub fn read(&mut self, signals: &Signals) -> Result<Typed, Failure> {
        let lines = self.lines.take();
        let mut lines = lines.ok_or_else(|| Failure::other("the terminal is in use"))?;
        let is_plain = matches!(lines, Lines::Plain);
        let reading = signals.begin(move || {
            signals::receive_resizes();
            let typed = lines.read();
            (lines, typed)
        })?;
        let failure = loop {
            match reading.wait(signals) {
                Ok((lines, typed)) => {
                    self.lines = Some(lines);
                    return typed;
                }
                // As the key Ctrl-C, which is a signal where lines cannot be edited.
                Err(Failure::Signal(Signal::Interrupt)) => {
                    if let Err(failure) = signals.clear_interrupt() {
                        break failure;
                    }
                    say(HOW_TO_LEAVE);
                    if is_plain {
                        let _ = write!(io::stderr(), "{PROMPT}");
                    }
                }
                Err(failure) => break failure,
            }
        };
        // The other thread goes on waiting for a key.
        self.terminal.restore();
        Err(failure)
    }
}

/// How lines are read.
enum Lines {
    Edited(Box<rustyline::Editor<Assistant, MemHistory>>),
    /// As the terminal passes them on.
    Plain,
}

impl Lines {
    fn new() -> Result<Lines, Failure> {
        if terminal::is_plain() {
            return Ok(Lines::Plain);
        }
        let config = Config::builder().behavior(Behavior::PreferTerm);
        let config = config.auto_add_history(true).build();
        let history = MemHistory::with_config(&config);
        let mut editor =
            rustyline::Editor::with_history(config, history).map_err(Failure::other)?;
        editor.set_helper(Some(Assistant::default()));
        Ok(Lines::Edited(Box::new(editor)))
    }

    fn read(&mut self) -> Result<Typed, Failure> {
        let read = match self {
            Lines::Edited(editor) => read_edited(editor),
            Lines::Plain => read_plain(),
        };
        match read {
            Err(ReadlineError::Eof) => Ok(Typed::End),
            Err(ReadlineError::Io(error)) if error.kind() == io::ErrorKind::InvalidData => {
                Ok(Typed::Unusable("this line is not UTF-8, and not sent"))
            }
            // Perhaps before SIGHUP.
            Err(error) if is_hang_up(&error) => Err(Failure::Signal(Signal::HangUp)),
            Err(error) => Err(Failure::other(error)),
            Ok(typed) => Ok(typed),
        }
    }
}

/// Whether the terminal is gone.
#[cfg(unix)]
fn is_hang_up(error: &ReadlineError) -> bool {
    let code = match error {
        ReadlineError::Io(error) => error.raw_os_error(),
        ReadlineError::Errno(number) => Some(*number as i32),
        _ => None,
    };
    code == Some(nix::libc::EIO)
}

#[cfg(not(unix))]
fn is_hang_up(_: &ReadlineError) -> bool {
    false
}

fn read_edited(editor: &mut rustyline::Editor<Assistant, MemHistory>) -> rustyline::Result<Typed> {
    if let Some(assistant) = editor.helper() {
        assistant.has_text.store(false, Relaxed);
    }
    match editor.readline(PROMPT) {
        Err(ReadlineError::Interrupted) => {
            let assistant = editor.helper();
            let has_text = assistant.is_some_and(|it| it.has_text.load(Relaxed));
            Ok(if has_text {
                Typed::Cleared
            } else {
                Typed::Interrupt
            })
        }
        read => Ok(typed(&read?)),
    }
}

fn read_plain() -> rustyline::Result<Typed> {
    // Standard output is for replies.
    let _ = write!(io::stderr(), "{PROMPT}");
    let (mut text, mut is_cut) = (String::new(), false);
    loop {
        let length = io::stdin().read_line(&mut text)?;
        if length == 0 {
            return Err(ReadlineError::Eof);
        }
        is_cut |= length > LONGEST_LINE;
        if !is_open(&text) {
            break;
        }
    }
    Ok(if is_cut {
        Typed::Unusable(CUT)
    } else {
        typed(&text)
    })
}

fn typed(text: &str) -> Typed {
    let text = terminal::without_escapes(text);
    match text.trim_start().strip_prefix(QUOTES) {
        Some(quoted) => {
            let quoted = quoted.trim_end();
            let quoted = quoted.strip_suffix(QUOTES).unwrap_or(quoted);
            Typed::Lines(quoted.trim_matches('\n').to_owned())
        }
        None if text.trim_end().contains('\n') => Typed::Lines(text),
        None => Typed::Line(text),
    }
}

/// Whether the quotes around several lines are still open.
fn is_open(text: &str) -> bool {
    let quoted = text.trim().strip_prefix(QUOTES);
    quoted.is_some_and(|quoted| !quoted.ends_with(QUOTES))
}

/// Knows when a prompt is complete, and how commands go on.
#[derive(Default)]
struct Assistant {
    /// Whether there is something on the line.
    has_text: AtomicBool,
}

impl Helper for Assistant {}

impl Highlighter for Assistant {}

impl Hinter for Assistant {
    type Hint = String;

    /// Called whenever the line has changed.
    fn hint(&self, line: &str, _cursor: usize, _context: &Context<'_>) -> Option<String> {
        self.has_text.store(!line.is_empty(), Relaxed);
        None
    }
}

impl Validator for Assistant {
    fn validate(&self, line: &mut ValidationContext) -> rustyline::Result<ValidationResult> {
        Ok(if is_open(line.input()) {
            ValidationResult::Incomplete
        } else {
            ValidationResult::Valid(None)
        })
    }
}

impl Completer for Assistant {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        cursor: usize,
        _context: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        let typed = line.get(..cursor).unwrap_or_default();
        let is_begun = |command: &&str| typed.starts_with('/') && command.starts_with(typed);
        let commands = COMMANDS.iter().map(|(command, _)| *command);
        Ok((0, commands.filter(is_begun).map(str::to_owned).collect()))
    }
}
