//! What a reply brings besides its text, and how it ends.

use serde_json::Value;

use crate::error::{Fallible, Result};

/// One thing that happens while a reply comes in; from [`Reply::events`](crate::Reply::events).
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The next piece of the text, as the plain iterator yields it.
    Token(String),
    /// The title that the service gives the conversation.
    Title(String),
    /// A step of a web search.
    WebSearch(WebSearch),
    /// The model thinks, as the service reports it apart from the text; the event as it came.
    Reasoning(Value),
    /// A tool is used; the event as it came.
    Tool(Value),
    /// Something else that this crate knows nothing of; the event as it came.
    Other(Value),
}

/// The next token of what `next_event` yields, passing over all else.
pub(crate) fn next_token(
    mut next_event: impl FnMut() -> Option<Fallible<Event>>,
) -> Option<Result<String>> {
    loop {
        match next_event()? {
            Ok(Event::Token(token)) => return Some(Ok(token)),
            Ok(_) => {}
            Err(error) => return Some(Err(*error)),
        }
    }
}

/// A step of a web search.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WebSearch {
    /// What is being done, in the service's words; also why it failed, in which case the reply
    /// comes without search results.
    pub message: String,
    /// The pages found, in the step that names them.
    pub sources: Vec<Source>,
}

/// A page that a web search found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Source {
    /// Its title; empty if the service does not say.
    pub title: String,
    /// Its address.
    pub link: String,
}

impl WebSearch {
    /// Reads a step of any version: what matters is the same in all of them.
    pub(crate) fn read(step: &Value) -> WebSearch {
        let text = |object: &Value, name| {
            let text = object.get(name).and_then(Value::as_str);
            text.unwrap_or_default().to_owned()
        };
        let mut message = text(step, "message");
        for detail in step
            .get("args")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            message.push_str(": ");
            message.push_str(detail.as_str().unwrap_or_default());
        }
        let mut sources = Vec::new();
        let found = step.get("sources").and_then(Value::as_array);
        for source in found.into_iter().flatten() {
            let (title, link) = (text(source, "title"), text(source, "link"));
            sources.push(Source { title, link });
        }
        WebSearch { message, sources }
    }
}

/// Why a reply ended where it did, as far as the service says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FinishReason {
    /// The model had nothing more to say.
    EndOfText,
    /// The reply reached `max_new_tokens`: the text is cut there.
    Length,
    /// The model wrote one of the `stop` texts.
    StopSequence,
    /// Somebody stopped the reply on the server: the text is cut there.
    Interrupted,
}
