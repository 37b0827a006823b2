//! What a reply brings besides its text.

use super::json;
use super::web_search::WebSearch;
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

#[cfg(test)]
mod tests {
    use super::super::web_search::Source;
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
