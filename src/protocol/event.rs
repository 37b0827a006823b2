//! What a reply brings, text and other things.

use serde_json::Value;

use super::json::Json;
use super::tool_update::ToolUpdate;
use super::web_search::WebSearch;

/// One thing that happens while a reply is generated; from [`Reply::events`](crate::Reply::events).
///
/// ```no_run
/// use h2ogpt::{Client, Event, Reasoning, ToolUpdate};
///
/// let client = Client::new("http://localhost:3000")?;
/// for event in client.generate("What is the weather in Paris?")?.events() {
///     match event? {
///         Event::Token(token) => print!("{token}"),
///         Event::Reasoning(Reasoning::Token(token)) => eprint!("{token}"),
///         Event::Tool(ToolUpdate::Call { name, arguments, .. }) => eprintln!("{name} {arguments}"),
///         _ => {}
///     }
/// }
/// # Ok::<(), h2ogpt::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// The next part of the text, as the plain iterator yields it.
    Token(String),
    /// The title that the server gives the conversation.
    Title(String),
    /// The model's reasoning, where the server reports it apart from the text.
    Reasoning(Reasoning),
    /// The model uses a tool.
    Tool(ToolUpdate),
    /// A step of a web search.
    WebSearch(WebSearch),
    /// A file that a tool has made.
    File(StreamedFile),
    /// A tool asks the user something. A reply that ends with the question still open has
    /// [`FinishReason::Question`](crate::FinishReason::Question).
    Question(Question),
    /// An event of any other type, as the server sent it.
    Other(Value),
}

/// Part of the model's reasoning.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reasoning {
    /// The next part of its text.
    Token(String),
    /// What the server says of it, such as a summary or `Done in 3s.`
    Status(String),
}

/// A file that the server has stored with the reply.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamedFile {
    /// Its name.
    pub name: String,
    /// The SHA-256 by which the server knows it.
    pub hash: String,
    /// Its MIME type.
    pub mime: String,
}

/// A question to the user.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Question {
    /// The question, in the words of the tool.
    pub message: String,
    /// The whole event, with the fields to be filled in or the address to be visited.
    pub value: Value,
}

/// What a stream yields within the crate.
#[derive(Debug, PartialEq)]
pub(crate) enum StreamItem {
    /// The next part of the text; never empty.
    Token(String),
    /// Any other event, in JSON. It is decoded only for those who ask for events.
    Event(String),
}

impl From<StreamItem> for Event {
    fn from(item: StreamItem) -> Event {
        match item {
            StreamItem::Token(token) => Event::Token(token),
            StreamItem::Event(json) => Event::read(&json),
        }
    }
}

impl Event {
    /// Reads an event that has a `type` and is neither text nor status of the reply.
    fn read(json: &str) -> Event {
        let Ok(event) = Json::read(json) else {
            return Event::Other(Value::Null);
        };
        let other = || Event::Other(event.to_value());
        match (event.text("type").as_str(), event.text("subtype").as_str()) {
            ("status", _) => Event::Title(event.text("message")),
            ("title", _) => Event::Title(event.text("title")),
            ("reasoning", "stream") => Event::Reasoning(Reasoning::Token(event.text("token"))),
            ("reasoning", "status") => Event::Reasoning(Reasoning::Status(event.text("status"))),
            ("tool", _) => ToolUpdate::read(event).map_or_else(other, Event::Tool),
            ("webSearch", _) => Event::WebSearch(WebSearch::read(event)),
            ("file", _) => Event::File(StreamedFile {
                name: event.text("name"),
                hash: event.text("sha"),
                mime: event.text("mime"),
            }),
            ("elicitation", "request") => Event::Question(Question {
                message: event
                    .get("request")
                    .map(|request| request.text("message"))
                    .unwrap_or_default(),
                value: event.to_value(),
            }),
            _ => other(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(event: &Value) -> Event {
        Event::read(&event.to_string())
    }

    #[test]
    fn events_are_told_apart() {
        assert_eq!(
            read(&json!({"type": "title", "title": "T"})),
            Event::Title("T".into())
        );
        assert_eq!(
            read(&json!({"type": "reasoning", "subtype": "stream", "token": "Hm"})),
            Event::Reasoning(Reasoning::Token("Hm".into()))
        );
        assert_eq!(
            read(&json!({"type": "reasoning", "subtype": "status", "status": "Done in 3s."})),
            Event::Reasoning(Reasoning::Status("Done in 3s.".into()))
        );
        assert_eq!(
            read(&json!({"type": "file", "name": "a.png", "sha": "f00", "mime": "image/png"})),
            Event::File(StreamedFile {
                name: "a.png".into(),
                hash: "f00".into(),
                mime: "image/png".into(),
            })
        );
        let step = json!({"type": "webSearch", "subtype": "update", "message": "A"});
        let message = "A".to_owned();
        let read_step = WebSearch {
            message,
            ..WebSearch::default()
        };
        assert_eq!(read(&step), Event::WebSearch(read_step));
    }

    #[test]
    fn a_question_has_its_message_and_all_the_rest() {
        let value = json!({
            "type": "elicitation", "subtype": "request", "expiresAt": 1,
            "request": {"elicitationId": "e", "mode": "form", "message": "Which city?", "fields": []},
        });
        let message = "Which city?".to_owned();
        assert_eq!(read(&value), Event::Question(Question { message, value }));
    }

    #[test]
    fn what_is_unknown_comes_as_it_is() {
        for event in [
            json!({"type": "novelty", "x": [1]}),
            json!({"type": "reasoning", "subtype": "novelty"}),
            json!({"type": "tool", "subtype": "novelty", "uuid": "u"}),
            json!({"type": "routerMetadata", "route": "r", "model": "m"}),
            json!({"type": "elicitation", "subtype": "resolved", "action": "accept"}),
            json!({"type": "agent", "agent": "a", "content": "c"}),
        ] {
            assert_eq!(read(&event), Event::Other(event));
        }
    }
}
