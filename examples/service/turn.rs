//! One prompt and the reply to it, between being understood and being stored.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant, SystemTime};

use super::answer::Subject;
use super::dialect::Stop;
use super::fault::Fault;
use super::generation::{End, Generation};
use super::given;
use super::model::{ModelCall, Purpose};
use super::response::Stream;
use super::server::{Late, Shared};
use super::store::{Author, Conversation, Message};
use super::tools;

/// How long after its message a reply ends that meets the mark of a stop.
const MARK_ENDS_AFTER: Duration = Duration::from_millis(340);
/// Longer than any test.
pub(super) const FOR_EVER: Duration = Duration::from_secs(60 * 60);

pub(super) struct Turn {
    /// The conversation it belongs to.
    pub id: String,
    /// All messages of the conversation, the reply last and without its text as yet.
    pub messages: Vec<Message>,
    /// The text of the reply.
    pub text: String,
    pub prompt: String,
    /// What was searched the web for.
    pub search: Option<String>,
    /// The title of the conversation, if this prompt gives it one.
    pub title: Option<String>,
    /// What the model is to be given, or why it cannot be.
    pub call: Result<ModelCall, given::Problem>,
    /// The name of the reply, where replies are logged.
    pub generation: Option<String>,
    /// When the mark of an earlier stop ends the reply.
    ends_at: Option<Instant>,
    started: Instant,
}

impl Turn {
    /// Of a conversation that ends with the reply to give, its text still missing.
    pub(super) fn new(
        shared: &Shared,
        conversation: Conversation,
        search: Option<String>,
        tools: Vec<String>,
    ) -> Option<Turn> {
        let rules = shared.config.rules;
        let last = conversation.messages.last()?;
        let line = conversation.line_to(last);
        let prompts: Vec<&str> = line
            .iter()
            .filter(|message| message.from == Author::User)
            .map(|message| message.content.as_str())
            .collect();
        let store = shared.store();
        let system = store.system_prompt(&conversation);
        let prompt = prompts.last().copied().unwrap_or_default().to_owned();
        let uses_tools = !tools.is_empty();
        let call = given::call(&shared.config, &store, &conversation, &line, tools);
        let subject = Subject {
            prompts: &prompts,
            files: call.as_ref().map(ModelCall::files).unwrap_or_default(),
            system: system.as_deref(),
            search: search
                .as_deref()
                .filter(|_| !shared.config.web_search_fails),
            attempt: last.attempt,
        };
        let text = shared.next_reply().unwrap_or_else(|| subject.text());
        let text = match uses_tools {
            true => tools::told(shared.config.tools.outcome, &text),
            false => text,
        };
        let is_first = prompts.len() == 1 && last.attempt == 1;
        let asks = rules.asks_title && is_first && conversation.title == rules.untitled;
        let title = asks.then(|| {
            let words: Vec<&str> = prompt.split_whitespace().take(5).collect();
            words.join(" ")
        });
        let started = Instant::now();
        let marked = conversation.marked.is_some_and(|until| until > started);
        Some(Turn {
            generation: last.generation.clone(),
            id: conversation.id,
            messages: conversation.messages,
            text,
            prompt,
            search,
            title,
            call,
            ends_at: marked.then(|| started + MARK_ENDS_AFTER),
            started,
        })
    }

    /// Notes that the model is asked for the title of the conversation.
    pub(super) fn call_for_title(&self, shared: &Shared) {
        if let Ok(call) = &self.call {
            shared.calls.add(ModelCall {
                purpose: Purpose::Title,
                system: None,
                messages: vec![("user".to_owned(), self.prompt.clone())],
                images: Vec::new(),
                documents: Vec::new(),
                tools: Vec::new(),
                ..call.clone()
            });
            shared.changes.note();
        }
    }

    /// Notes that the model is asked for the reply.
    pub(super) fn call_for_reply(&self, shared: &Shared) {
        if let Ok(call) = &self.call {
            shared.calls.add(call.clone());
            shared.changes.note();
        }
    }

    /// Stores the conversation as this turn knows it, the reply with that text. Whatever was
    /// stored in the meantime is lost, as it is with the original.
    pub(super) fn store(&mut self, shared: &Shared, text: &str) {
        self.fill(text);
        shared
            .store()
            .save(&self.id, &self.messages, self.title.as_deref());
        shared.changes.note();
    }

    /// The same, but as late as configured.
    pub(super) fn store_late(&mut self, shared: &Shared, text: &str, late: Late) {
        self.fill(text);
        let due = match late {
            Late::After(time) => Some(Instant::now() + time),
            Late::WhenReleased => None,
        };
        let title = self.title.as_deref();
        shared
            .store()
            .save_late(due, &self.id, &self.messages, title);
        shared.changes.note();
    }

    fn fill(&mut self, text: &str) {
        if let Some(reply) = self.messages.last_mut() {
            reply.content = text.to_owned();
            reply.updated = SystemTime::now();
        }
    }

    /// Adds to the log of the reply, where there is one.
    pub(super) fn log(&self, shared: &Shared, add: impl FnOnce(&mut Generation)) {
        let Some(id) = &self.generation else {
            return;
        };
        if let Some(generation) = shared.store().generations.get(id) {
            add(generation);
        }
        shared.changes.note();
    }

    /// Ends the log of the reply; a reply that is lost has none any more.
    pub(super) fn end_log(&self, shared: &Shared, end: Option<End>) {
        match (end, &self.generation) {
            (Some(end), _) => self.log(shared, |generation| generation.finish(end)),
            (None, Some(id)) => shared.store().generations.forget(id),
            (None, None) => {}
        }
    }

    /// Whether somebody wants the reply to end, or wanted the one before.
    pub(super) fn is_stopped(&self, shared: &Shared) -> bool {
        if self.ends_at.is_some_and(|end| end <= Instant::now()) {
            return true;
        }
        let mut store = shared.store();
        match &self.generation {
            Some(id) => {
                let generation = store.generations.get(id);
                generation.is_some_and(|generation| generation.stop.is_some())
            }
            None => store.stopped_since(&self.id, self.started),
        }
    }

    /// Whether it ends now, wherever it is, on a version that stops at once.
    pub(super) fn ends_now(&self, shared: &Shared) -> bool {
        shared.config.rules.stop == Stop::Final && self.is_stopped(shared)
    }

    /// What is left of the text when the reply was stopped: what the one who stopped it had seen,
    /// if that was said. A mark is used up.
    pub(super) fn stopped_text(&self, shared: &Shared, text: &str) -> String {
        let mut store = shared.store();
        // A stop of its own says nothing about the mark.
        if self.ends_at.is_some_and(|end| end <= Instant::now())
            && let Some(conversation) = store.get_mut(&self.id)
        {
            conversation.marked = None;
        }
        let seen = self
            .generation
            .as_ref()
            .and_then(|id| store.generations.get(id)?.stop?.seen);
        match seen {
            Some(seen) => {
                let units: Vec<u16> = text.encode_utf16().take(seen).collect();
                String::from_utf16_lossy(&units)
            }
            None => text.to_owned(),
        }
    }
}

/// What happens next in a stream of tokens.
pub(super) enum Step<'f> {
    Token,
    Fault(&'f Fault),
    /// Stopped, on a version that stops at once.
    Stopped,
    /// Nobody reads any more, and the version cares.
    Gone,
    /// The server stops.
    End,
}

/// Lets the time between two tokens pass and says what is next, of `total` tokens before the
/// final event. A fault beyond the end happens at the end.
pub(super) fn step<'f>(
    shared: &Shared,
    turn: &Turn,
    stream: &mut Stream<'_>,
    fault: Option<&'f Fault>,
    token: usize,
    total: usize,
) -> Step<'f> {
    let watched = shared.config.rules.closing_stops;
    let stopped = || turn.ends_now(shared);
    if let Some(fault) = fault
        && fault.after().is_some_and(|after| after.min(total) == token)
    {
        match fault {
            Fault::Disconnect(_) => stream.disconnect(),
            Fault::Hold(_) => {
                // Looked at first: whoever sees that the reply is held may release it.
                let before = shared.released.load(Ordering::SeqCst);
                let over = || stopped() || shared.released.load(Ordering::SeqCst) != before;
                shared.held(1);
                stream.wait_until(FOR_EVER, watched, &over);
                shared.held(-1);
            }
            _ => return Step::Fault(fault),
        }
    }
    stream.wait_until(shared.config.token_delay, watched, &stopped);
    if stream.is_stopping() {
        Step::End
    } else if stopped() {
        Step::Stopped
    } else if stream.is_gone() && watched {
        Step::Gone
    } else {
        Step::Token
    }
}
