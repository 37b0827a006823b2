//! What a reply brings, text and other things.

use serde_json::Value;

use super::json::{self, Object};
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
    /// Any other event.
    Event(Event),
}

impl From<StreamItem> for Event {
    fn from(item: StreamItem) -> Event {
        match item {
            StreamItem::Token(token) => Event::Token(token),
            StreamItem::Event(event) => event,
        }
    }
}

impl Event {
    /// Whether a question has been answered, or withdrawn.
    pub(super) fn is_question_resolved(&self) -> bool {
        let Event::Other(Value::Object(event)) = self else {
            return false;
        };
        json::str(event, "type") == Some("elicitation")
            && json::str(event, "subtype") == Some("resolved")
    }

    /// Reads an event that has a `type` and is neither text nor status of the reply.
    pub(super) fn read(kind: &str, mut event: Object) -> Event {
        let subtype = json::str(&event, "subtype").unwrap_or_default();
        match (kind, subtype) {
            ("title", _) => Event::Title(json::take_string(&mut event, "title")),
            ("reasoning", "stream") => {
                Event::Reasoning(Reasoning::Token(json::take_string(&mut event, "token")))
            }
            ("reasoning", "status") => {
                Event::Reasoning(Reasoning::Status(json::take_string(&mut event, "status")))
            }
            ("tool", _) => match ToolUpdate::read(&event) {
                Some(update) => Event::Tool(update),
                None => Event::Other(Value::Object(event)),
            },
            ("webSearch", _) => Event::WebSearch(WebSearch::read(&event)),
            ("file", _) => Event::File(StreamedFile {
                name: json::take_string(&mut event, "name"),
                hash: json::take_string(&mut event, "sha"),
                mime: json::take_string(&mut event, "mime"),
            }),
            ("elicitation", "request") => Event::Question(Question::read(event)),
            _ => Event::Other(Value::Object(event)),
        }
    }
}

impl Question {
    fn read(event: Object) -> Question {
        let message = event
            .get("request")
            .and_then(|request| request.get("message"));
        Question {
            message: json::to_string(message),
            value: Value::Object(event),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(event: &Value) -> Event {
        let event = event.as_object().unwrap().clone();
        let kind = json::str(&event, "type").unwrap().to_owned();
        Event::read(&kind, event)
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
        let read_step = WebSearch::read(step.as_object().unwrap());
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
