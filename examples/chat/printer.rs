//! Prints a reply and what goes on besides: as text, or as JSON.

use std::io;

use h2ogpt::{Event, Reasoning, Reply, ToolUpdate, WebSearch};

use crate::failure::{Failure, say};
use crate::json;
use crate::options::Options;
use crate::output::Output;
use crate::shown::one_line;
use crate::waiting::Waiting;

pub struct Printer {
    form: Form,
    streams: bool,
    /// Whether only tokens are expected, so that none of them needs to be looked at alone.
    takes_batches: bool,
    /// Until something is printed.
    waiting: Option<Waiting>,
}

enum Form {
    Text(Output),
    Json,
}

impl Printer {
    pub fn new(options: &Options, waiting: Waiting) -> Printer {
        Printer {
            form: if options.json {
                Form::Json
            } else {
                Form::Text(Output::new())
            },
            streams: options.stream,
            takes_batches: !options.json && !options.web_search,
            waiting: Some(waiting),
        }
    }

    /// Prints the reply as it comes, if it is to be streamed, and everything else that happens.
    pub fn print(&mut self, reply: &mut Reply<'_>) -> Result<(), Failure> {
        while let Some(event) = reply.events().next() {
            match event? {
                Event::Token(token) if self.streams => {
                    self.waiting = None;
                    self.token(&token)?;
                    // What has arrived with it is written with it.
                    while let Some(token) = self.ready(reply) {
                        self.token(&token)?;
                    }
                    self.flush()?;
                }
                Event::Token(_) => {}
                event => self.event(&event)?,
            }
        }
        Ok(())
    }

    /// Prints what was not printed yet, also after an error.
    pub fn finish(self, text: &str, printed: Result<(), Failure>) -> Result<(), Failure> {
        drop(self.waiting);
        let finished = match self.form {
            Form::Json => Ok(()),
            Form::Text(mut output) => {
                if !self.streams {
                    output.push(text);
                }
                output.finish(printed.is_ok())
            }
        };
        printed?;
        Ok(finished?)
    }

    /// The next token if it has arrived.
    fn ready(&self, reply: &mut Reply<'_>) -> Option<String> {
        if self.takes_batches {
            reply.ready()
        } else {
            None
        }
    }

    fn token(&mut self, token: &str) -> io::Result<()> {
        match &mut self.form {
            Form::Text(output) => {
                output.push(token);
                Ok(())
            }
            Form::Json => json::print(&json::token(token)),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.form {
            Form::Text(output) => output.flush(),
            Form::Json => Ok(()),
        }
    }

    fn event(&mut self, event: &Event) -> io::Result<()> {
        match self.form {
            Form::Json => return json::print(&json::event(event)),
            Form::Text(_) => say_event(event),
        }
        Ok(())
    }
}

/// Says on standard error what goes on.
fn say_event(event: &Event) {
    match event {
        Event::WebSearch(search) => say_search(search),
        Event::Tool(ToolUpdate::Call { name, .. }) => say(format_args!("tool: {}", one_line(name))),
        Event::Tool(ToolUpdate::Error { message, .. }) => {
            say(format_args!("tool failed: {}", one_line(message)));
        }
        Event::Reasoning(Reasoning::Status(status)) => say(one_line(status)),
        Event::File(file) => say(format_args!("file: {}", one_line(&file.name))),
        Event::Question(question) => say(format_args!("question: {}", one_line(&question.message))),
        _ => {}
    }
}

fn say_search(search: &WebSearch) {
    let message = one_line(&search.message);
    if !message.trim().is_empty() {
        say(format_args!("web search: {message}"));
    }
    for source in &search.sources {
        let (title, link) = (one_line(&source.title), one_line(&source.link));
        say(format_args!("  {title} <{link}>"));
    }
}
