//! A chat in the terminal, or one question in a script; `chat --help` says how.

#[path = "chat/interrupts.rs"]
mod interrupts;
#[path = "chat/options.rs"]
mod options;
#[path = "chat/output.rs"]
mod output;
#[path = "chat/prompt.rs"]
mod prompt;
mod service;
#[path = "chat/status.rs"]
mod status;
#[path = "chat/waiting.rs"]
mod waiting;

use std::io::{self, Write};
use std::process::ExitCode;
use std::time::Duration;

use h2ogpt::{Client, Conversation, Event, FinishReason, Reply, WebSearch};

use interrupts::Interrupts;
use options::{Command, Options};
use output::Output;
use prompt::Input;
use service::Service;
use status::{Failure, one_line, say};
use waiting::Waiting;

fn main() -> ExitCode {
    let outcome = match options::parse() {
        Ok(Command::Show(text)) => io::stdout()
            .write_all(text.as_bytes())
            .map_err(Failure::from),
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
    let demo = options.demo.map(|dialect| {
        say("a demonstration: the answers are made up in this program, without a model");
        let service = Service::builder().dialect(dialect);
        service.token_delay(Duration::from_millis(40)).start()
    });
    let demo = demo.transpose().map_err(Failure::other)?;
    if let Some(service) = &demo {
        options.url = service.url().to_owned();
    }
    let interrupts = Interrupts::install()?;
    let client = options.client()?;
    if options.list_models {
        return list_models(&client).map_err(|failure| failure.explained(&options.url));
    }
    let chat = Chat {
        client,
        interrupts,
        options,
    };
    match prompt::given(&chat.options.prompt, &chat.interrupts)? {
        Some(prompt) => chat.turn(&mut None, &prompt),
        None => chat.run(),
    }
}

fn list_models(client: &Client) -> Result<(), Failure> {
    let waiting = Waiting::begin();
    let models = client.models()?;
    drop(waiting);
    let mut stdout = io::stdout().lock();
    for model in models {
        writeln!(stdout, "{}", one_line(&model.id))?;
    }
    Ok(())
}

struct Chat {
    client: Client,
    interrupts: Interrupts,
    options: Options,
}

impl Chat {
    /// Turn after turn in one conversation, until the end of the input.
    fn run(&self) -> Result<(), Failure> {
        let mut conversation = None;
        say("/new begins anew, /retry asks again, /exit or Ctrl-D ends");
        say("\"\"\" begins and ends a prompt of several lines, Ctrl-C ends a reply");
        loop {
            let outcome = match prompt::ask(&self.interrupts)? {
                Input::End => return Ok(()),
                Input::Unusable(why) => Err(Failure::Input(why)),
                Input::Text(text) if text.trim().is_empty() => continue,
                Input::Text(text) => self.turn(&mut conversation, &text),
                Input::Line(line) => match line.trim() {
                    "" => continue,
                    "/exit" => return Ok(()),
                    "/new" => {
                        conversation = None;
                        continue;
                    }
                    "/retry" => match &mut conversation {
                        Some(conversation) => self.retry(conversation),
                        None => Err(Failure::Input("there is nothing to retry yet")),
                    },
                    command if command.starts_with('/') => {
                        Err(Failure::Input("the commands are /new, /retry and /exit"))
                    }
                    prompt => self.turn(&mut conversation, prompt),
                },
            };
            match outcome {
                Ok(()) => {}
                // The next turn may go better.
                Err(failure) if failure.is_of_the_turn() => drop(failure.report()),
                Err(failure) => return Err(failure),
            }
            self.interrupts.clear();
        }
    }

    fn turn(&self, conversation: &mut Option<Conversation>, prompt: &str) -> Result<(), Failure> {
        self.explained(|| {
            let waiting = Waiting::begin();
            let conversation = match conversation {
                Some(conversation) => conversation,
                None => conversation.insert(self.client.conversation()?),
            };
            self.interrupts.check()?;
            let reply = match self.options.web_search {
                true => conversation.web_search(prompt)?,
                false => conversation.send(prompt)?,
            };
            self.print(reply, waiting)
        })
    }

    fn retry(&self, conversation: &mut Conversation) -> Result<(), Failure> {
        self.explained(|| {
            let waiting = Waiting::begin();
            self.print(conversation.retry()?, waiting)
        })
    }

    fn explained(&self, turn: impl FnOnce() -> Result<(), Failure>) -> Result<(), Failure> {
        turn().map_err(|failure| failure.explained(&self.options.url))
    }

    /// Prints a reply as it comes, or when it is complete; and what goes on besides on standard
    /// error.
    fn print(&self, mut reply: Reply<'_>, waiting: Waiting) -> Result<(), Failure> {
        let _cancels = self.interrupts.cancel(reply.canceller());
        let mut output = Output::new();
        let mut waiting = Some(waiting);
        let outcome: Result<(), Failure> = reply.events().try_for_each(|event| {
            match event? {
                Event::Token(token) if self.options.stream => {
                    waiting = None;
                    output.print(&token)?;
                }
                Event::WebSearch(step) => report_search(&step),
                _ => {}
            }
            Ok(())
        });
        drop(waiting);
        if !self.options.stream {
            // After an error too: what arrived is on standard output.
            output.print(reply.text())?;
        }
        output.finish(outcome.is_ok())?;
        outcome?;
        match reply.finish_reason() {
            Some(FinishReason::Length) => say("the reply is cut at its greatest length"),
            Some(FinishReason::Interrupted) => say("the reply was stopped on the service"),
            _ => {}
        }
        Ok(())
    }
}

fn report_search(step: &WebSearch) {
    say(format_args!("web search: {}", one_line(&step.message)));
    for source in &step.sources {
        let (title, link) = (one_line(&source.title), one_line(&source.link));
        say(format_args!("  {title} <{link}>"));
    }
}
