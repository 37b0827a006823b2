//! What a person types at the prompt, with line editing and the history of this run.

use std::env;
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

/// Without line editing, a terminal on Linux passes on so many bytes of a longer line.
const LONGEST_LINE: usize = 4095;

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
    lines: Option<LineEditor>,
    terminal: Terminal,
}

impl Editor {
    pub fn new() -> Result<Editor, Failure> {
        Ok(Editor {
            lines: Some(LineEditor::new()?),
            terminal: Terminal::save(),
        })
    }

    /// Waits for a line, or for a signal that ends the program.
    pub fn read(&mut self, signals: &Signals) -> Result<Typed, Failure> {
        let lines = self.lines.take();
        let mut lines = lines.ok_or_else(|| Failure::other("the terminal is in use"))?;
        let is_plain = lines.is_plain;
        let reading = signals.begin(move || {
            signals::receive_resizes();
            let typed = lines.read();
            (lines, typed)
        })?;
        loop {
            match reading.wait(signals) {
                Ok((lines, typed)) => {
                    self.lines = Some(lines);
                    return typed;
                }
                // As the key Ctrl-C, which is a signal where lines cannot be edited.
                Err(Failure::Signal(Signal::Interrupt)) => {
                    signals.clear_interrupt()?;
                    say(HOW_TO_LEAVE);
                    if is_plain {
                        let _ = write!(io::stderr(), "{PROMPT}");
                    }
                }
                Err(failure) => {
                    // The other thread goes on waiting for a key.
                    self.terminal.restore();
                    return Err(failure);
                }
            }
        }
    }
}

struct LineEditor {
    editor: rustyline::Editor<Assistant, MemHistory>,
    /// Whether lines cannot be edited on this terminal.
    is_plain: bool,
}

impl LineEditor {
    fn new() -> Result<LineEditor, Failure> {
        let config = Config::builder().behavior(Behavior::PreferTerm);
        let config = config.auto_add_history(true).build();
        let history = MemHistory::with_config(&config);
        let mut editor =
            rustyline::Editor::with_history(config, history).map_err(Failure::other)?;
        editor.set_helper(Some(Assistant::default()));
        let is_plain = env::var("TERM").is_ok_and(|term| terminal::is_plain(&term));
        Ok(LineEditor { editor, is_plain })
    }

    fn read(&mut self) -> Result<Typed, Failure> {
        let prompt = if self.is_plain {
            // It would go to standard output.
            let _ = write!(io::stderr(), "{PROMPT}");
            ""
        } else {
            PROMPT
        };
        if let Some(assistant) = self.editor.helper() {
            assistant.has_text.store(false, Relaxed);
        }
        match self.editor.readline(prompt) {
            Ok(text) => Ok(self.typed(&text)),
            Err(ReadlineError::Eof) => Ok(Typed::End),
            Err(ReadlineError::Interrupted) => {
                let assistant = self.editor.helper();
                let has_text = assistant.is_some_and(|it| it.has_text.load(Relaxed));
                Ok(if has_text {
                    Typed::Cleared
                } else {
                    Typed::Interrupt
                })
            }
            Err(ReadlineError::Io(error)) if error.kind() == io::ErrorKind::InvalidData => {
                Ok(Typed::Unusable("this line is not UTF-8, and not sent"))
            }
            // The terminal is gone.
            Err(error) => Err(Failure::other(error)),
        }
    }

    fn typed(&self, text: &str) -> Typed {
        if self.is_plain && text.len() == LONGEST_LINE {
            return Typed::Unusable(
                "the terminal has cut this line, which is not sent; a long prompt can come from \
                 a file: chat < FILE",
            );
        }
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
        let is_open = match line.input().trim().strip_prefix(QUOTES) {
            Some(quoted) => !quoted.ends_with(QUOTES),
            None => false,
        };
        Ok(if is_open {
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
