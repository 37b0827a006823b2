//! What a reply brings besides its text, and how it ends.

use super::json;
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
    /// The model thinks, as the service reports it apart from the text; the event in JSON, as it came.
    Reasoning(String),
    /// A tool is used; the event in JSON, as it came.
    Tool(String),
    /// Something else that this crate knows nothing of; the event in JSON, as it came.
    Other(String),
}

/// What a reply yields within the crate. Only for those who ask for events are they read, so that
/// other programs do without the code.
#[derive(Debug, PartialEq)]
pub(crate) enum Piece {
    Token(String),
    /// A step of a web search before the reply, in JSON.
    Step(String),
    /// Any other event, in JSON.
    Event(String),
}

impl Event {
    pub(crate) fn read(piece: Piece) -> Event {
        let event = match piece {
            Piece::Token(token) => return Event::Token(token),
            Piece::Step(step) => return Event::WebSearch(WebSearch::read(&step)),
            Piece::Event(event) => event,
        };
        match json::text_member(&event, "type")
            .unwrap_or_default()
            .as_str()
        {
            "status" => Event::Title(super::message_of(&event).unwrap_or_default()),
            "title" => Event::Title(json::text_member(&event, "title").unwrap_or_default()),
            "webSearch" => Event::WebSearch(WebSearch::read(&event)),
            "reasoning" => Event::Reasoning(event),
            "tool" => Event::Tool(event),
            _ => Event::Other(event),
        }
    }
}

/// The next token of what `next_piece` yields, passing over all else.
pub(crate) fn next_token(
    mut next_piece: impl FnMut() -> Fallible<Option<Piece>>,
) -> Option<Result<String>> {
    loop {
        match next_piece() {
            Ok(Some(Piece::Token(token))) => return Some(Ok(token)),
            Ok(Some(_)) => {}
            Ok(None) => return None,
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
    pub(crate) fn read(step: &str) -> WebSearch {
        let list = |name| {
            let items = json::member(step, name).map(json::items);
            items.and_then(Result::ok).unwrap_or_default()
        };
        let mut message = json::text_member(step, "message").unwrap_or_default();
        for detail in list("args") {
            message.push_str(": ");
            message.push_str(&json::text(detail).unwrap_or_default());
        }
        let text = |source, name| json::text_member(source, name).unwrap_or_default();
        let sources = list("sources").into_iter().map(|source| Source {
            title: text(source, "title"),
            link: text(source, "link"),
        });
        WebSearch {
            message,
            sources: sources.collect(),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_told_apart() {
        let read = |json: &str| Event::read(Piece::Event(json.to_owned()));
        let title = Event::Title("T".into());
        assert_eq!(read(r#"{"type":"title","title":"T"}"#), title);
        assert_eq!(
            read(r#"{"type":"status","status":"title","message":"T"}"#),
            title
        );
        for (kind, event) in [
            ("reasoning", Event::Reasoning as fn(String) -> Event),
            ("tool", Event::Tool),
            ("novelty", Event::Other),
        ] {
            let json = format!(r#"{{"type":"{kind}","x":1}}"#);
            assert_eq!(read(&json), event(json));
        }
    }

    #[test]
    fn a_step_of_a_web_search_is_the_same_in_all_versions() {
        let step = r#"{"type":"update","message":"A","args":["b","c"],"sources":[{"title":"T","link":"L"},{}]}"#;
        let expected = Event::WebSearch(WebSearch {
            message: "A: b: c".into(),
            sources: vec![
                Source {
                    title: "T".into(),
                    link: "L".into(),
                },
                Source::default(),
            ],
        });
        assert_eq!(Event::read(Piece::Step(step.into())), expected);
        let event = step.replace("update", "webSearch");
        assert_eq!(Event::read(Piece::Event(event)), expected);
    }
}
