//! A message to the server, encoded as its dialect wants it.

use uuid::Uuid;

use super::dialect::{Dialect, MessageEncoding, WebSearchRequest};
use super::encoding::percent_encode;
use super::files::EncodedFiles;
use super::json::Json;
use super::request::{JsonObject, list, quoted};
use crate::parameters::Parameters;

/// One message, for its first try and for others.
#[derive(Clone, Debug)]
pub(crate) struct OutgoingMessage {
    pub(crate) inputs: String,
    /// Comes before them, for a server that has no other place for the system prompt.
    pub(crate) preamble: Option<String>,
    pub(crate) parameters: Parameters,
    /// Whether the caller set any of them.
    pub(crate) has_own_parameters: bool,
    /// The id under which a server without a tree stores it.
    pub(crate) id: Uuid,
    /// The id under which such a server stores the reply.
    pub(crate) response_id: Uuid,
    /// Whether it was sent before, and its reply is to be replaced.
    pub(crate) is_retry: bool,
    /// Whether the server is to search the web first.
    pub(crate) web_search: bool,
    /// The result of a web search that was a request of its own.
    pub(crate) web_search_id: String,
    /// The id by which a later version keeps a log of the reply.
    pub(crate) generation_id: Uuid,
    /// The title of the conversation, if this is its first message.
    pub(crate) title: Option<String>,
    /// The tool servers to be used; `None` for all.
    pub(crate) tools: Option<Vec<String>>,
}

/// An encoded message, and its content type.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum EncodedMessage {
    Json(String),
    Form(String),
    /// A form with files, and the boundary between its parts.
    Multipart {
        boundary: String,
        bytes: Vec<u8>,
    },
}

impl OutgoingMessage {
    pub(crate) fn new(inputs: String, parameters: Parameters) -> Self {
        OutgoingMessage {
            inputs,
            preamble: None,
            parameters,
            has_own_parameters: false,
            id: Uuid::new_v4(),
            response_id: Uuid::new_v4(),
            is_retry: false,
            web_search: false,
            web_search_id: String::new(),
            generation_id: Uuid::new_v4(),
            title: None,
            tools: None,
        }
    }

    /// All of its text.
    pub(crate) fn text(&self) -> String {
        match &self.preamble {
            Some(preamble) => format!("{preamble}\n\n{}", self.inputs),
            None => self.inputs.clone(),
        }
    }

    /// Asks for another reply to the same message.
    pub(crate) fn retry(&mut self) {
        self.is_retry = true;
        self.response_id = Uuid::new_v4();
        self.generation_id = Uuid::new_v4();
    }

    /// The message in a dialect. `dialect` is `None` for a server that has no tree of messages,
    /// and otherwise is not known yet.
    pub(crate) fn encode(
        &self,
        dialect: Option<&Dialect>,
        parent: Option<&Parent>,
        wants_details: bool,
        files: &EncodedFiles,
    ) -> EncodedMessage {
        let list = match files {
            EncodedFiles::Json(list) => list,
            EncodedFiles::None | EncodedFiles::Form(_) => "[]",
        };
        match dialect.map(|dialect| dialect.message) {
            None | Some(MessageEncoding::Flat) => {
                EncodedMessage::Json(self.flat(dialect, wants_details, list))
            }
            Some(MessageEncoding::TreeJson) => {
                EncodedMessage::Json(self.tree(dialect, parent, list))
            }
            Some(MessageEncoding::TreeForm) => {
                let data = self.tree(dialect, parent, list);
                match files {
                    EncodedFiles::Form(parts) => parts.with_message(&data),
                    _ => EncodedMessage::Form(format!("data={}", percent_encode(&data))),
                }
            }
        }
    }

    /// For servers without a tree: those up to v0.6 read `parameters` and `options`, v0.7 the
    /// members beside them.
    fn flat(&self, dialect: Option<&Dialect>, wants_details: bool, files: &str) -> String {
        let mut parameters = JsonObject::new();
        for (name, json) in self.parameters.iter() {
            parameters.raw(name, json);
        }
        if wants_details && !self.parameters.is_set("details") {
            parameters.bool("details", true);
        }
        let (id, response_id) = (self.id.to_string(), self.response_id.to_string());
        let options = JsonObject::new()
            .string("id", &id)
            .string("response_id", &response_id)
            .bool("is_retry", self.is_retry)
            .bool("use_cache", false)
            .string("web_search_id", &self.web_search_id)
            .end();
        let mut object = JsonObject::new();
        object
            .string("inputs", &self.text())
            .raw("parameters", &parameters.end())
            .bool("stream", true)
            .raw("options", &options);
        if dialect.is_some_and(|dialect| dialect.web_search == WebSearchRequest::Before) {
            return object.end();
        }
        object
            .string("id", &id)
            .string("response_id", &response_id)
            .bool("is_retry", self.is_retry)
            .bool("web_search", self.web_search && !self.is_retry)
            .raw("files", files)
            .end()
    }

    /// For servers with a tree, where `id` is that of the parent. In a retry it is that of the
    /// message to be replaced, and a reply is replaced without repeating the prompt.
    fn tree(&self, dialect: Option<&Dialect>, parent: Option<&Parent>, files: &str) -> String {
        let author = parent.map(|parent| parent.author);
        let mut object = JsonObject::new();
        if let Some(parent) = parent {
            object.string("id", &parent.id);
        }
        object
            .bool("is_retry", self.is_retry)
            .bool("is_continue", false)
            .bool("web_search", self.web_search && !self.is_retry)
            .raw("files", files);
        if dialect.is_some_and(|dialect| dialect.keeps_generating) {
            object.string("generationId", &self.generation_id.to_string());
        }
        if let Some(names) = &self.tools
            && dialect.is_some_and(|dialect| dialect.takes_tools)
        {
            let names = list(names.iter().map(|name| quoted(name)));
            object
                .raw("selectedMcpServerNames", &names)
                .raw("selectedMcpServers", "[]");
        }
        if !(self.is_retry && author == Some(Author::Assistant)) {
            object.string("inputs", &self.text());
        }
        object.end()
    }
}

/// The message of a tree that another one follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parent {
    pub(crate) id: String,
    pub(crate) author: Author,
}

impl Parent {
    /// The root of a new conversation, if the response to its creation has it: as a string of
    /// JSON within the JSON.
    pub(crate) fn of_created(created: Json<'_>) -> Option<Parent> {
        let conversation = created.str("conversation")?;
        let conversation = Json::read(&conversation).ok()?.get("json")?;
        Some(Parent {
            id: conversation.str("rootMessageId")?,
            author: Author::System,
        })
    }
}

/// Whose message it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Author {
    /// The system prompt, which every tree begins with, perhaps empty.
    System,
    User,
    Assistant,
}

impl Author {
    /// By the name that servers use.
    pub(crate) fn named(name: &str) -> Self {
        match name {
            "assistant" => Author::Assistant,
            "user" => Author::User,
            _ => Author::System,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::dialect::{V0_3, V0_7, V0_8};
    use super::*;
    use serde_json::{Value, json};

    fn encoded(
        message: &OutgoingMessage,
        dialect: Option<&Dialect>,
        parent: Option<&Parent>,
    ) -> Value {
        match message.encode(dialect, parent, true, &EncodedFiles::None) {
            EncodedMessage::Json(json) => serde_json::from_str(&json).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    fn tree(is_retry: bool, author: Author) -> Value {
        let mut message = OutgoingMessage::new("Hi".into(), Parameters::new());
        message.is_retry = is_retry;
        let id = "7".to_owned();
        encoded(&message, Some(&V0_8), Some(&Parent { id, author }))
    }

    #[test]
    fn a_message_in_a_tree_names_its_parent() {
        for author in [Author::System, Author::User, Author::Assistant] {
            assert_eq!(
                tree(false, author),
                json!({"inputs": "Hi", "id": "7", "is_retry": false, "is_continue": false,
                    "web_search": false, "files": []})
            );
        }
    }

    #[test]
    fn a_retry_in_a_tree_replaces_what_is_there() {
        for (author, inputs) in [
            (Author::Assistant, Value::Null),
            (Author::User, json!("Hi")),
        ] {
            let retry = tree(true, author);
            assert_eq!(
                (&retry["is_retry"], &retry["inputs"]),
                (&json!(true), &inputs)
            );
        }
    }

    #[test]
    fn without_a_tree_one_body_serves_servers_that_are_not_known_yet() {
        let message = OutgoingMessage::new("Hi".into(), Parameters::new());
        let known = encoded(&message, Some(&V0_3), None);
        assert_eq!(known.get("id"), None);
        assert_eq!(known["options"]["id"], message.id.to_string());
        for dialect in [None, Some(&V0_7)] {
            let unknown = encoded(&message, dialect, None);
            assert_eq!(unknown["id"], unknown["options"]["id"]);
            assert_eq!(unknown["response_id"], unknown["options"]["response_id"]);
        }
    }
}
