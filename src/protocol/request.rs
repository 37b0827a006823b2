//! The bodies of the requests.

use uuid::Uuid;

use super::json;
use crate::parameters::Encoded;

/// What `POST /settings` tells the service about this session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings<'a> {
    pub(crate) model: &'a str,
    pub(crate) system_prompt: Option<&'a str>,
    pub(crate) search_enabled: bool,
    pub(crate) share_with_model_authors: bool,
}

impl Settings<'_> {
    /// The form of v0.3 to v0.6. Leaving `shareConversationsWithModelAuthors` out is the one way
    /// to say no that all of them understand: some take the text `false` for a yes.
    pub(crate) fn form(&self) -> String {
        let mut form = String::from("ethicsModalAccepted=true&ethicsModalAcceptedAt=");
        form.push_str("&activeModel=");
        form.push_str(&escape(self.model));
        form.push_str("&searchEnabled=");
        form.push_str(if self.search_enabled { "true" } else { "false" });
        if self.share_with_model_authors {
            form.push_str("&shareConversationsWithModelAuthors=true");
        }
        if let Some(text) = self.system_prompt {
            let prompts = Object::new().text(self.model, text);
            form.push_str("&customPrompts=");
            form.push_str(&escape(&prompts.end()));
        }
        form
    }

    /// The JSON of v0.7 and later. Leaving the sharing out would be a yes here.
    pub(crate) fn json(&self) -> Vec<u8> {
        let object = Object::new()
            .flag("ethicsModalAccepted", true)
            .flag("welcomeModalSeen", true)
            .text("activeModel", self.model)
            .flag(
                "shareConversationsWithModelAuthors",
                self.share_with_model_authors,
            );
        object.end().into_bytes()
    }
}

/// The body of `POST /conversation`.
pub(crate) fn create(model: &str, system_prompt: Option<&str>) -> Vec<u8> {
    let object = Object::new().text("model", model);
    let object = match system_prompt {
        Some(text) => object.text("preprompt", text),
        None => object,
    };
    object.end().into_bytes()
}

/// One message to the service, for its first try and for others.
#[derive(Clone, Debug)]
pub(crate) struct Message {
    pub(crate) inputs: String,
    pub(crate) parameters: Encoded,
    /// The id under which a flat service keeps it.
    pub(crate) id: Uuid,
    /// Whether it was sent before, and its answer is to be replaced.
    pub(crate) is_retry: bool,
    /// Whether the service is to search the web first.
    pub(crate) web_search: bool,
    /// Whether a flat service is asked why its reply ends.
    pub(crate) wants_details: bool,
    /// The result of a web search that was a request of its own.
    pub(crate) web_search_id: String,
}

impl Message {
    pub(crate) fn new(inputs: String, parameters: Encoded) -> Self {
        Message {
            inputs,
            parameters,
            id: Uuid::new_v4(),
            is_retry: false,
            web_search: false,
            wants_details: true,
            web_search_id: String::new(),
        }
    }

    /// For v0.3 to v0.6.
    pub(crate) fn flat(&self) -> Vec<u8> {
        self.flat_object(&Uuid::new_v4().to_string())
            .end()
            .into_bytes()
    }

    /// For v0.7, which reads other members of the same object.
    pub(crate) fn flat_lines(&self) -> Vec<u8> {
        let response_id = Uuid::new_v4().to_string();
        let object = self
            .flat_object(&response_id)
            .text("id", &self.id.to_string())
            .text("response_id", &response_id)
            .flag("is_retry", self.is_retry)
            .flag("web_search", self.web_search && !self.is_retry);
        object.end().into_bytes()
    }

    fn flat_object(&self, response_id: &str) -> Object {
        let mut parameters = Object::new();
        for (name, json) in self.parameters.iter() {
            parameters = parameters.member(name, json);
        }
        if self.wants_details && !self.parameters.names("details") {
            parameters = parameters.flag("details", true);
        }
        let options = Object::new()
            .text("id", &self.id.to_string())
            .text("response_id", response_id)
            .flag("is_retry", self.is_retry)
            .flag("use_cache", false)
            .text("web_search_id", &self.web_search_id);
        Object::new()
            .text("inputs", &self.inputs)
            .member("parameters", &parameters.end())
            .flag("stream", true)
            .member("options", &options.end())
    }

    /// For v0.8 and later, where `id` is that of the parent. In a retry it is that of the message
    /// to be replaced, and an answer is replaced without repeating the prompt.
    pub(crate) fn tree(&self, parent: &Parent) -> String {
        let is_retry = self.is_retry && parent.from != From::System;
        let object = Object::new()
            .text("id", &parent.id)
            .flag("is_retry", is_retry)
            .flag("is_continue", false)
            .flag("web_search", self.web_search && !is_retry)
            .member("files", "[]");
        let object = match is_retry && parent.from == From::Assistant {
            true => object,
            false => object.text("inputs", &self.inputs),
        };
        object.end()
    }
}

/// A JSON object, written member by member, which takes less code than a tree of values.
struct Object {
    json: String,
}

impl Object {
    fn new() -> Self {
        Object {
            json: String::from("{"),
        }
    }

    fn member(mut self, name: &str, json: &str) -> Self {
        if self.json.len() > 1 {
            self.json.push(',');
        }
        self.json.push_str(&quoted(name));
        self.json.push(':');
        self.json.push_str(json);
        self
    }

    fn text(self, name: &str, text: &str) -> Self {
        self.member(name, &quoted(text))
    }

    fn flag(self, name: &str, value: bool) -> Self {
        self.member(name, if value { "true" } else { "false" })
    }

    fn end(mut self) -> String {
        self.json.push('}');
        self.json
    }
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

/// The message of a tree that another one follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parent {
    pub(crate) id: String,
    pub(crate) from: From,
}

/// Whose message it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum From {
    /// The instructions, which every tree begins with, perhaps empty.
    System,
    User,
    Assistant,
}

impl Parent {
    /// The root of a new conversation, if the service says it: in the answer to the creation, as
    /// a text of JSON within the JSON.
    pub(crate) fn root(created: &str) -> Option<Parent> {
        let conversation = json::text_member(created, "conversation")?;
        let id = json::text_member(json::member(&conversation, "json")?, "rootMessageId")?;
        let from = From::System;
        Some(Parent { id, from })
    }

    /// The last message of a conversation.
    pub(crate) fn last(conversation: &str) -> Option<Parent> {
        let messages = json::items(json::member(conversation, "messages")?).ok()?;
        let [id, from] = json::members(messages.last()?, ["id", "from"]).ok()?;
        let from = match from.and_then(json::text).as_deref() {
            Some("assistant") => From::Assistant,
            Some("user") => From::User,
            _ => From::System,
        };
        let id = json::text(id?)?;
        Some(Parent { id, from })
    }
}

/// Escapes a text so that it is one path segment, or one value of a form, whatever it holds.
pub(crate) fn escape(text: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |nibble: u8| {
        HEX.get(usize::from(nibble))
            .map_or('0', |&digit| digit.into())
    };
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(byte.into());
        } else {
            escaped.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn settings(share_with_model_authors: bool) -> Settings<'static> {
        Settings {
            model: "a/b c&d",
            system_prompt: None,
            search_enabled: true,
            share_with_model_authors,
        }
    }

    #[test]
    fn sharing_is_not_mentioned_in_a_form_unless_it_is_wanted() {
        assert_eq!(
            settings(false).form(),
            "ethicsModalAccepted=true&ethicsModalAcceptedAt=&activeModel=a%2Fb%20c%26d&searchEnabled=true"
        );
        assert_eq!(
            settings(true).form(),
            settings(false).form() + "&shareConversationsWithModelAuthors=true"
        );
    }

    #[test]
    fn sharing_is_denied_in_json_unless_it_is_wanted() {
        for share in [false, true] {
            let json: Value = serde_json::from_slice(&settings(share).json()).unwrap();
            assert_eq!(json["shareConversationsWithModelAuthors"], share);
            assert_eq!(json["activeModel"], "a/b c&d");
        }
    }

    fn tree(is_retry: bool, from: From) -> Value {
        let mut message = Message::new("Hi".into(), Encoded::default());
        message.is_retry = is_retry;
        let id = "7".to_owned();
        serde_json::from_str(&message.tree(&Parent { id, from })).unwrap()
    }

    #[test]
    fn a_message_in_a_tree_names_its_parent() {
        for from in [From::System, From::User, From::Assistant] {
            assert_eq!(
                tree(false, from),
                json!({"inputs": "Hi", "id": "7", "is_retry": false, "is_continue": false,
                    "web_search": false, "files": []})
            );
        }
    }

    #[test]
    fn a_retry_in_a_tree_replaces_what_is_there() {
        let answer = tree(true, From::Assistant);
        assert_eq!(
            (&answer["is_retry"], &answer["inputs"]),
            (&json!(true), &Value::Null)
        );
        let unanswered = tree(true, From::User);
        assert_eq!(
            (&unanswered["is_retry"], &unanswered["inputs"]),
            (&json!(true), &json!("Hi"))
        );
        let unstored = tree(true, From::System);
        assert_eq!(
            (&unstored["is_retry"], &unstored["inputs"]),
            (&json!(false), &json!("Hi"))
        );
    }
}
