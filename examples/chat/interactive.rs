//! A chat at a terminal.

use std::io::{self, Write};
use std::path::Path;

use crate::editor::{Editor, HOW_TO_LEAVE, Typed};
use crate::failure::{Failure, say};
use crate::signals::Signals;
use crate::talk::Talk;

/// Every command, and what it does.
pub const COMMANDS: [(&str, &str); 9] = [
    ("/new", "begin a new conversation"),
    ("/retry", "ask for another reply"),
    ("/model", "list the models; NAME: talk to that one"),
    ("/system", "TEXT: begin anew with this system prompt"),
    ("/file", "FILE: attach it to the next prompt"),
    ("/save", "FILE: write the conversation to a new file"),
    ("/keep", "leave the conversation on the server"),
    ("/help", "list the commands"),
    ("/exit", "end the chat, as Ctrl-D does"),
];

/// Whether the chat goes on.
enum Next {
    Prompt,
    Exit,
}

/// Turn after turn in one conversation, until the end of the input.
pub fn run(talk: &mut Talk<'_>, signals: &Signals) -> Result<(), Failure> {
    let mut editor = Editor::new()?;
    say("/help lists the commands, Ctrl-C ends a reply, Ctrl-D ends the chat");
    loop {
        let outcome = match editor.read(signals)? {
            Typed::Line(line) => follow(talk, &line),
            Typed::Lines(text) => talk.turn(&text).map(|()| Next::Prompt),
            Typed::Unusable(why) => Err(Failure::input(why)),
            Typed::Cleared => Ok(Next::Prompt),
            Typed::Interrupt => {
                say(HOW_TO_LEAVE);
                Ok(Next::Prompt)
            }
            Typed::End => Ok(Next::Exit),
        };
        match outcome {
            Ok(Next::Prompt) => {}
            Ok(Next::Exit) => return Ok(()),
            // The next turn may go better.
            Err(failure) if failure.is_of_the_turn() => failure.report(),
            Err(failure) => return Err(failure),
        }
        signals.clear_interrupt()?;
    }
}

/// Does what one line asks for.
fn follow(talk: &mut Talk<'_>, line: &str) -> Result<Next, Failure> {
    let (command, argument) = match line.trim_end().split_once(char::is_whitespace) {
        Some((command, argument)) => (command, argument.trim()),
        None => (line.trim_end(), ""),
    };
    match (command, argument) {
        ("", "") => {}
        ("/new", "") => talk.end(),
        ("/retry", "") => talk.retry()?,
        ("/model", "") => talk.list_models()?,
        ("/model", name) => talk.set_model(name)?,
        ("/file", path) if !path.is_empty() => talk.attach(Path::new(path))?,
        ("/system", text) => talk.set_system(text)?,
        ("/save", path) if !path.is_empty() => talk.save(Path::new(path))?,
        (command @ ("/file" | "/save"), "") => {
            return Err(Failure::input(format!("{command} needs a FILE")));
        }
        ("/keep", "") => talk.keep()?,
        ("/help", "") => help(),
        ("/exit", "") => return Ok(Next::Exit),
        (command, _) if command.starts_with('/') => {
            return Err(Failure::input(
                "this is no command: /help lists them; a prompt may begin with a space",
            ));
        }
        _ if line.trim().is_empty() => {}
        _ => talk.turn(line.trim())?,
    }
    Ok(Next::Prompt)
}

fn help() {
    let mut text = String::new();
    for (command, meaning) in COMMANDS {
        text.push_str(&format!("{command:8} {meaning}\n"));
    }
    text.push_str("\"\"\" begins and ends a prompt of several lines; a paste is one\n");
    // Standard error may be closed.
    let _ = io::stderr().write_all(text.as_bytes());
}
