//! One conversation, turn by turn, and what becomes of it.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use h2ogpt::{Client, Conversation, Error, FinishReason, Ignored, Prompt, Reply};

use crate::client::{Surroundings, connect};
use crate::environment::{Cookie, SESSION_COOKIE};
use crate::failure::{Failure, say};
use crate::json;
use crate::kept::{self, Kept};
use crate::options::{Options, attachment};
use crate::printer::Printer;
use crate::shown::one_line;
use crate::waiting::Waiting;

/// How many models are named to those who want another one.
const MODELS_NAMED: usize = 10;

pub struct Talk<'a> {
    options: Options,
    surroundings: &'a Surroundings,
    client: Client,
    conversation: Option<Conversation>,
    /// Whether it was there before, and stays.
    is_resumed: bool,
    /// Whether it stays because of `/keep`.
    is_kept: bool,
    /// The prompts so far, and their replies.
    turns: Vec<Turn>,
    /// What was said to be ignored.
    ignored: Vec<Ignored>,
}

#[derive(Default)]
struct Turn {
    prompt: String,
    reply: String,
}

/// What has come of a reply.
#[derive(Default)]
struct Received {
    text: String,
    finish_reason: Option<FinishReason>,
}

impl<'a> Talk<'a> {
    pub fn begin(options: Options, surroundings: &'a Surroundings) -> Result<Self, Failure> {
        // What is resumed is remembered already, if it is.
        if options.keep && options.resume.is_none() && options.demo.is_none() {
            kept::check().map_err(|why| Failure::other(format!("--keep: {why}")))?;
        }
        Ok(Talk {
            client: connect(&options, options.cookie.as_ref(), surroundings)?,
            options,
            surroundings,
            conversation: None,
            is_resumed: false,
            is_kept: false,
            turns: Vec::new(),
            ignored: Vec::new(),
        })
    }

    /// Sends a prompt, and prints the reply.
    pub fn turn(&mut self, prompt: &str) -> Result<(), Failure> {
        self.turns.push(Turn {
            prompt: prompt.to_owned(),
            reply: String::new(),
        });
        let prompt = Prompt::new(prompt).web_search(self.options.web_search);
        let files = self.options.files.drain(..);
        let prompt = files.fold(prompt, Prompt::attach);
        self.exchange(|conversation| conversation.send(prompt))
    }

    /// Asks for another reply to the last prompt.
    pub fn retry(&mut self) -> Result<(), Failure> {
        if self.conversation.is_none() {
            return Err(Failure::input("there is nothing to retry yet"));
        }
        self.exchange(|conversation| conversation.retry())
    }

    fn exchange(
        &mut self,
        send: impl for<'c> FnOnce(&'c mut Conversation) -> h2ogpt::Result<Reply<'c>>,
    ) -> Result<(), Failure> {
        let mut received = Received::default();
        let waiting = Waiting::begin();
        let outcome = match self.open() {
            Ok(mut conversation) => {
                let outcome = match send(&mut conversation) {
                    Ok(reply) => self.receive(reply, waiting, &mut received),
                    Err(error) => Err(self.failure(error)),
                };
                self.conversation = Some(conversation);
                outcome
            }
            Err(failure) => Err(failure),
        };
        if self.options.json {
            let conversation = self.conversation.as_ref();
            json::print(&json::outcome(&json::Outcome {
                failure: outcome.as_ref().err(),
                finish_reason: received.finish_reason,
                text: &received.text,
                model: match conversation {
                    Some(conversation) => conversation.model(),
                    None => self.options.model.as_deref(),
                },
                conversation: conversation.map(Conversation::id),
            }))?;
        }
        if let Some(turn) = self.turns.last_mut() {
            turn.reply = received.text;
        }
        outcome
    }

    /// The conversation, which is created by its first message.
    fn open(&mut self) -> Result<Conversation, Failure> {
        if let Some(conversation) = self.conversation.take() {
            return Ok(conversation);
        }
        self.is_resumed = self.options.resume.is_some();
        let opened = match self.options.resume.take() {
            Some(id) => self.client.resume(id),
            None => self.client.conversation(),
        };
        let conversation = opened.map_err(|error| self.failure(error))?;
        if !self.is_resumed {
            self.surroundings.creations.succeeded(conversation.id());
        }
        Ok(conversation)
    }

    /// Prints a reply as it comes, or when it is complete.
    fn receive(
        &mut self,
        mut reply: Reply<'_>,
        waiting: Waiting,
        received: &mut Received,
    ) -> Result<(), Failure> {
        self.say_ignored(reply.ignored());
        let mut printer = Printer::new(&self.options, waiting);
        let printed = printer.print(&mut reply);
        let printed = printed.map_err(|failure| match failure {
            Failure::Client(error) => self.failure(error),
            other => other,
        });
        received.text = reply.text().to_owned();
        received.finish_reason = reply.finish_reason();
        printer.finish(&received.text, printed)?;
        match received.finish_reason {
            Some(FinishReason::Length) => say("the reply was cut off at its maximum length"),
            Some(FinishReason::Interrupted) => say("the reply was stopped on the server"),
            Some(FinishReason::Question) => say("the reply waits for an answer to a question"),
            _ => {}
        }
        Ok(())
    }

    /// Says what the server ignores, once in a conversation.
    fn say_ignored(&mut self, ignored: &[Ignored]) {
        let is_new = |ignored: &&Ignored| !self.ignored.contains(ignored);
        let new: Vec<Ignored> = ignored.iter().filter(is_new).copied().collect();
        if !new.is_empty() {
            let named: Vec<String> = new.iter().map(Ignored::to_string).collect();
            say(format_args!("this server ignores {}", named.join(" and ")));
        }
        self.ignored.extend(new);
    }

    fn failure(&self, error: Error) -> Failure {
        self.surroundings.failure(error, &self.options)
    }
}

/// What becomes of a conversation.
impl Talk<'_> {
    /// Ends the conversation. The next prompt begins another one.
    pub fn end(&mut self) {
        self.ignored.clear();
        self.turns.clear();
        let is_kept = std::mem::take(&mut self.is_kept) || self.options.keep;
        match self.conversation.take() {
            Some(conversation) if self.is_resumed => drop(conversation.keep()),
            Some(conversation) if is_kept => self.leave(conversation),
            Some(conversation) => close(conversation),
            None => {}
        }
    }

    /// Leaves the conversation on the server.
    pub fn keep(&mut self) -> Result<(), Failure> {
        let conversation = self.conversation.as_ref();
        let conversation = conversation.ok_or_else(|| Failure::input("nothing was said yet"))?;
        if self.options.demo.is_none() {
            kept::check().map_err(|why| Failure::input(format!("/keep: {why}")))?;
        }
        say(format_args!(
            "the conversation {} will stay on the server",
            one_line(conversation.id())
        ));
        self.is_kept = true;
        Ok(())
    }

    fn leave(&self, conversation: Conversation) {
        let id = conversation.keep();
        self.surroundings.creations.kept(&id);
        say(format_args!("kept the conversation {}", one_line(&id)));
        if self.options.demo.is_some() {
            return;
        }
        let kept = Kept {
            url: self.options.url.clone(),
            id,
            cookie: self.options.cookie.clone().or_else(|| self.session()),
        };
        if let Err(why) = kept::remember(&kept) {
            say(format_args!("it cannot be remembered: {why}"));
        }
    }
}

impl Talk<'_> {
    /// The cookie of the session: the one that servers set by default, or else the first one.
    fn session(&self) -> Option<Cookie> {
        let cookies = self.client.cookies();
        let usual = cookies.iter().position(|(name, _)| name == SESSION_COOKIE);
        let (name, value) = cookies.into_iter().nth(usual.unwrap_or(0))?;
        Some(Cookie { name, value })
    }
}

/// What else can be typed in an interactive chat.
impl Talk<'_> {
    /// Attaches a file to the next prompt.
    pub fn attach(&mut self, path: &Path) -> Result<(), Failure> {
        let file = attachment(path).map_err(|failure| Failure::input(failure.message()))?;
        self.options.files.push(file);
        Ok(())
    }

    pub fn list_models(&self) -> Result<(), Failure> {
        for model in self.models()? {
            say(one_line(&model));
        }
        Ok(())
    }

    /// Talks to another model from now on.
    pub fn set_model(&mut self, name: &str) -> Result<(), Failure> {
        let models = self.models().unwrap_or_default();
        if !models.is_empty() && !models.iter().any(|model| model == name) {
            let named = models[..models.len().min(MODELS_NAMED)].join(", ");
            return Err(Failure::input(format!(
                "the server has no model {name:?}; it has {named}"
            )));
        }
        self.options.model = Some(name.to_owned());
        self.begin_anew()
    }

    /// Talks with another system prompt, or without one, from now on.
    pub fn set_system(&mut self, text: &str) -> Result<(), Failure> {
        self.options.system = Some(text.to_owned()).filter(|text| !text.is_empty());
        self.begin_anew()
    }

    fn begin_anew(&mut self) -> Result<(), Failure> {
        self.end();
        let session = self.options.cookie.as_ref();
        self.client = connect(&self.options, session, self.surroundings)?;
        say("the next prompt begins a new conversation");
        Ok(())
    }

    fn models(&self) -> Result<Vec<String>, Failure> {
        let _waiting = Waiting::begin();
        let models = self.client.models();
        let models = models.map_err(|error| self.failure(error))?;
        Ok(models.into_iter().map(|model| model.id).collect())
    }

    /// Writes all that was said to a file, which must be a new one.
    pub fn save(&self, path: &Path) -> Result<(), Failure> {
        let mut text = String::new();
        for turn in &self.turns {
            let prompt = turn.prompt.replace('\n', "\n> ");
            text.push_str(&format!("> {prompt}\n\n{}\n\n", turn.reply.trim()));
        }
        let text = format!("{}\n", text.trim_end());
        let file = OpenOptions::new().write(true).create_new(true).open(path);
        file.and_then(|mut file| file.write_all(text.as_bytes()))
            .map_err(|error| Failure::input(format!("{}: {error}", path.display())))?;
        say(format_args!("saved in {}", path.display()));
        Ok(())
    }
}

/// Deletes the conversation, and says so if that fails.
fn close(conversation: Conversation) {
    let Err(error) = conversation.close() else {
        return;
    };
    let remains = match error {
        Error::Http { status: 404, .. } => "may remain",
        Error::Http { .. } | Error::LoginRequired { .. } => "remains",
        _ => "may remain",
    };
    say(format_args!(
        "the conversation {remains} on the server: {error:?}"
    ));
}
