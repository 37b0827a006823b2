//! A chat in the terminal, or one question in a script; `chat --help` says how.

#[path = "chat/interrupts.rs"]
mod interrupts;
#[path = "chat/options.rs"]
mod options;
#[path = "chat/output.rs"]
mod output;
mod service;
#[path = "chat/status.rs"]
mod status;

use std::io::{self, IsTerminal, Read};
use std::process::ExitCode;
use std::time::Duration;

use h2ogpt::{Client, Conversation, Reply};

use interrupts::{Input, Interrupts};
use options::{Command, Options};
use output::Output;
use service::Service;
use status::Failure;

fn main() -> ExitCode {
    let outcome = match options::parse() {
        Ok(Command::Show(text)) => {
            print!("{text}");
            return ExitCode::SUCCESS;
        }
        Ok(Command::Chat(options)) => run(*options),
        Err(usage) => Err(usage),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(),
    }
}

/// Everything that must be cleaned up is dropped here, before the process exits.
fn run(mut options: Options) -> Result<(), Failure> {
    let demo = options.demo.then(|| {
        eprintln!(
            "chat: a demonstration: the answers are made up in this program, without a model"
        );
        let service = Service::builder().token_delay(Duration::from_millis(40));
        service.start()
    });
    let demo = demo.transpose().map_err(Failure::other)?;
    if let Some(service) = &demo {
        options.url = service.url().to_owned();
    }
    let interrupts = Interrupts::install()?;
    let client = options.client()?;
    match prompt(&options.prompt)? {
        Some(prompt) => {
            let mut conversation = client.conversation()?;
            interrupts.check()?;
            print(conversation.send(prompt)?, &interrupts, options.stream)
        }
        None => chat(&client, &interrupts, options.stream),
    }
}

/// The prompt of the command line and of standard input; none asks for an interactive chat.
fn prompt(words: &str) -> Result<Option<String>, Failure> {
    if io::stdin().is_terminal() {
        return Ok(Some(words.to_owned()).filter(|words| !words.is_empty()));
    }
    let mut text = String::new();
    io::stdin()
        .read_to_string(&mut text)
        .map_err(|error| Failure::usage(format!("standard input cannot be read: {error}")))?;
    let text = text.trim_end();
    match (words, text) {
        ("", "") => Err(Failure::usage(
            "there is no prompt, neither as an argument nor on standard input",
        )),
        ("", text) => Ok(Some(text.to_owned())),
        (words, "") => Ok(Some(words.to_owned())),
        (words, text) => Ok(Some(format!("{words}\n\n{text}"))),
    }
}

/// Prints a reply as it comes, or when it is complete.
fn print(mut reply: Reply<'_>, interrupts: &Interrupts, stream: bool) -> Result<(), Failure> {
    let _cancels = interrupts.cancel(reply.canceller());
    let mut output = Output::new();
    let outcome = reply.by_ref().try_for_each(|token| match token {
        Ok(token) if stream => output.print(&token).map_err(Failure::from),
        Ok(_) => Ok(()),
        Err(error) => Err(Failure::from(error)),
    });
    if !stream {
        // After an error too: what arrived is on standard output.
        output.print(reply.text())?;
    }
    output.finish()?;
    outcome
}

/// Turn after turn in one conversation, until the end of the input.
fn chat(client: &Client, interrupts: &Interrupts, stream: bool) -> Result<(), Failure> {
    let mut conversation = None;
    eprintln!("chat: /new begins anew, /retry asks again, /exit or Ctrl-D ends");
    loop {
        let line = match interrupts.read_line("> ")? {
            Input::Line(line) => line,
            Input::End => return Ok(()),
        };
        let outcome = match line.trim() {
            "" => continue,
            "/exit" => return Ok(()),
            "/new" => {
                conversation = None;
                continue;
            }
            "/retry" => match &mut conversation {
                Some(conversation) => retry(conversation, interrupts, stream),
                None => Err(Failure::usage("there is nothing to retry yet")),
            },
            command if command.starts_with('/') => {
                Err(Failure::usage("there are /new, /retry and /exit"))
            }
            prompt => turn(client, &mut conversation, prompt, interrupts, stream),
        };
        match outcome {
            Ok(()) => {}
            // The next turn may go better.
            Err(failure) if failure.is_of_the_turn() => drop(failure.report()),
            Err(failure) => return Err(failure),
        }
    }
}

fn turn(
    client: &Client,
    conversation: &mut Option<Conversation>,
    prompt: &str,
    interrupts: &Interrupts,
    stream: bool,
) -> Result<(), Failure> {
    let conversation = match conversation {
        Some(conversation) => conversation,
        None => conversation.insert(client.conversation()?),
    };
    interrupts.check()?;
    print(conversation.send(prompt)?, interrupts, stream)
}

fn retry(
    conversation: &mut Conversation,
    interrupts: &Interrupts,
    stream: bool,
) -> Result<(), Failure> {
    print(conversation.retry()?, interrupts, stream)
}
