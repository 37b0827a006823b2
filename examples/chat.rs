//! A chat in the terminal, or one question in a script; `chat --help` says how.

#[path = "chat/client.rs"]
mod client;
#[path = "chat/creations.rs"]
mod creations;
#[path = "chat/editor.rs"]
mod editor;
#[path = "chat/environment.rs"]
mod environment;
#[path = "chat/failure.rs"]
mod failure;
#[path = "chat/fault.rs"]
mod fault;
#[path = "chat/help.rs"]
mod help;
#[path = "chat/input.rs"]
mod input;
#[path = "chat/interactive.rs"]
mod interactive;
#[path = "chat/json.rs"]
mod json;
#[path = "chat/kept.rs"]
mod kept;
#[path = "chat/options.rs"]
mod options;
#[path = "chat/output.rs"]
mod output;
#[path = "chat/parameters.rs"]
mod parameters;
#[path = "chat/printer.rs"]
mod printer;
#[path = "chat/serve.rs"]
mod serve;
mod service;
#[path = "chat/shown.rs"]
mod shown;
#[path = "chat/signals.rs"]
mod signals;
#[path = "chat/stored.rs"]
mod stored;
#[path = "chat/suggestion.rs"]
mod suggestion;
#[path = "chat/talk.rs"]
mod talk;
#[path = "chat/terminal.rs"]
mod terminal;
#[path = "chat/waiting.rs"]
mod waiting;

use std::io::{self, Write};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

use client::Surroundings;
use creations::Creations;
use failure::{Failure, say};
use options::{Options, Task};
use shown::one_line;
use signals::Signals;
use talk::Talk;
use waiting::Waiting;

fn main() -> ExitCode {
    let ended = Options::parse().and_then(run);
    ExitCode::from(ended.unwrap_or_else(|failure| status_of(&failure)))
}

/// The exit status of an outcome, which is reported if it is a failure.
fn status(outcome: Result<(), Failure>) -> u8 {
    outcome.err().as_ref().map_or(0, status_of)
}

fn status_of(failure: &Failure) -> u8 {
    failure.report();
    failure.exit_status()
}

/// Everything that must be cleaned up is dropped here, before the process exits.
fn run(mut options: Options) -> Result<u8, Failure> {
    if let Task::Show(text) = &options.task {
        io::stdout().write_all(text.as_bytes())?;
        return Ok(0);
    }
    // None for what is beyond the clock.
    let deadline = options
        .within
        .and_then(|within| Instant::now().checked_add(within));
    let creations = Arc::<Creations>::default();
    let created = Arc::clone(&creations);
    let signals = Signals::install(move || {
        if created.may_remain() {
            say("the conversation may remain on the server");
        }
    });
    let surroundings = Surroundings {
        signals: signals?.until(deadline),
        creations,
        deadline,
    };
    let _demo = serve::start_demo(&mut options)?;
    let status = match &options.task {
        Task::Talk => talk(options, &surroundings)?,
        Task::ListModels => status(list_models(&options, &surroundings)),
        Task::List => status(stored::list(&options, &surroundings)),
        Task::Delete(which) => status(stored::delete(&options, which, &surroundings)),
        Task::Serve(dialect) => status(serve::serve(&options, *dialect, &surroundings.signals)),
        Task::Show(_) => 0,
    };
    if !surroundings.creations.settle() {
        say("the conversation that was being created may remain on the server");
    }
    Ok(status)
}

fn list_models(options: &Options, surroundings: &Surroundings) -> Result<(), Failure> {
    let client = client::connect(options, options.cookie.as_ref(), surroundings)?;
    let waiting = Waiting::begin();
    let models = client.models();
    drop(waiting);
    let models = models.map_err(|error| surroundings.failure(error, options))?;
    for model in models {
        if options.json {
            json::print(&json::model(&model))?;
        } else {
            writeln!(io::stdout(), "{}", one_line(&model.id))?;
        }
    }
    Ok(())
}

/// One turn, or as many as are asked for.
fn talk(options: Options, surroundings: &Surroundings) -> Result<u8, Failure> {
    let prompt = input::given(&options.prompt, &surroundings.signals)?;
    let mut talk = Talk::begin(options, surroundings)?;
    let outcome = match prompt {
        Some(prompt) => talk.turn(&prompt),
        None => interactive::run(&mut talk, &surroundings.signals),
    };
    // Before the conversation is deleted, which may take a while.
    let status = status(outcome);
    talk.end();
    Ok(status)
}
