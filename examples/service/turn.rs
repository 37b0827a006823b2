//! One prompt and the answer to it, between being understood and being stored.

use std::time::Instant;

use super::answer::Subject;
use super::fault::Fault;
use super::response::Stream;
use super::server::Shared;
use super::store::{Author, Conversation, Message};

pub(super) struct Turn {
    /// The conversation it belongs to.
    pub id: String,
    /// All messages of the conversation, the answer last and without its text as yet.
    pub messages: Vec<Message>,
    /// The text of the answer.
    pub text: String,
    pub prompt: String,
    /// What was searched the web for.
    pub search: Option<String>,
    /// The title of the conversation, if this prompt gives it one.
    pub title: Option<String>,
    started: Instant,
}

impl Turn {
    /// Of a conversation that ends with the answer to give, its text still missing.
    pub(super) fn new(
        shared: &Shared,
        conversation: Conversation,
        search: Option<String>,
    ) -> Option<Turn> {
        let last = conversation.messages.last()?;
        let line = conversation.line_to(last);
        let prompts: Vec<&str> = line
            .iter()
            .filter(|message| message.from == Author::User)
            .map(|message| message.content.as_str())
            .collect();
        let system = shared.store().system_prompt(&conversation);
        let prompt = prompts.last().copied().unwrap_or_default().to_owned();
        let subject = Subject {
            prompts: &prompts,
            system: system.as_deref(),
            search: search.as_deref(),
            attempt: last.attempt,
        };
        let text = subject.text();
        let is_first = prompts.len() == 1 && last.attempt == 1;
        let title = is_first.then(|| {
            let words: Vec<&str> = prompt.split_whitespace().take(5).collect();
            words.join(" ")
        });
        Some(Turn {
            id: conversation.id,
            messages: conversation.messages,
            text,
            prompt,
            search,
            title,
            started: Instant::now(),
        })
    }

    /// Stores the conversation as this turn knows it, the answer with that text. Whatever was
    /// stored in the meantime is lost, as it is with the original.
    pub(super) fn store(&mut self, shared: &Shared, text: &str) {
        if let Some(answer) = self.messages.last_mut() {
            answer.content = text.to_owned();
        }
        shared
            .store()
            .save(&self.id, &self.messages, self.title.as_deref());
    }

    pub(super) fn is_stopped(&self, shared: &Shared) -> bool {
        shared.store().stopped_since(&self.id, self.started)
    }
}

/// What happens next in a stream of tokens.
pub(super) enum Step<'f> {
    Token,
    Fault(&'f Fault),
    /// Nobody reads any more, and the version cares.
    Gone,
    /// The service stops.
    End,
}

/// Lets the time between two tokens pass and says what is next, of `total` tokens before the
/// final event. A fault beyond the end happens at the end.
pub(super) fn step<'f>(
    shared: &Shared,
    stream: &mut Stream<'_>,
    fault: Option<&'f Fault>,
    token: usize,
    total: usize,
) -> Step<'f> {
    if let Some(fault) = fault
        && fault.after().is_some_and(|after| after.min(total) == token)
    {
        return Step::Fault(fault);
    }
    let watched = shared.config.rules.closing_stops;
    stream.wait(Some(shared.config.token_delay), watched);
    if stream.is_stopping() {
        Step::End
    } else if stream.is_gone() && watched {
        Step::Gone
    } else {
        Step::Token
    }
}
