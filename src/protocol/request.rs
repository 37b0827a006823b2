//! The bodies of the requests.

use serde_json::{Map, Value, json};
use uuid::Uuid;

/// What `POST /settings` tells the service about this session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings<'a> {
    pub(crate) model: &'a str,
    pub(crate) system_prompt: Option<&'a str>,
    pub(crate) search_enabled: bool,
    pub(crate) share_with_model_authors: bool,
}

impl Settings<'_> {
    /// The form of the 2023 dialect. Leaving `shareConversationsWithModelAuthors` out is the one
    /// way to say no that every version understands: some take the text `false` for a yes.
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
            let prompts = json!({ self.model: text }).to_string();
            form.push_str("&customPrompts=");
            form.push_str(&escape(&prompts));
        }
        form
    }
}

/// The body of `POST /conversation`.
pub(crate) fn create(model: &str) -> Vec<u8> {
    json!({ "model": model }).to_string().into_bytes()
}

/// One message to the service, for its first try and for others.
#[derive(Clone, Debug)]
pub(crate) struct Prompt {
    pub(crate) inputs: String,
    pub(crate) parameters: Map<String, Value>,
    /// The id under which the service keeps the message.
    pub(crate) id: Uuid,
    /// Whether it was sent before, and its reply is to be replaced.
    pub(crate) is_retry: bool,
}

impl Prompt {
    pub(crate) fn new(inputs: String, parameters: Map<String, Value>) -> Self {
        let id = Uuid::new_v4();
        Prompt {
            inputs,
            parameters,
            id,
            is_retry: false,
        }
    }

    /// The body of `POST /conversation/{id}`.
    pub(crate) fn body(&self) -> Vec<u8> {
        json!({
            "inputs": self.inputs,
            "parameters": self.parameters,
            "stream": true,
            "options": {
                "id": self.id.to_string(),
                "response_id": Uuid::new_v4().to_string(),
                "is_retry": self.is_retry,
                "use_cache": false,
                "web_search_id": "",
            },
        })
        .to_string()
        .into_bytes()
    }
}

/// Escapes a text so that it is one path segment, or one value of a form, whatever it holds.
pub(crate) fn escape(text: &str) -> String {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(byte.into());
        } else {
            let digit = |nibble: u8| {
                HEX.get(usize::from(nibble))
                    .map_or('0', |&digit| digit.into())
            };
            escaped.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(share_with_model_authors: bool) -> String {
        let settings = Settings {
            model: "a/b c&d",
            system_prompt: None,
            search_enabled: true,
            share_with_model_authors,
        };
        settings.form()
    }

    #[test]
    fn sharing_is_not_mentioned_unless_it_is_wanted() {
        assert_eq!(
            form(false),
            "ethicsModalAccepted=true&ethicsModalAcceptedAt=&activeModel=a%2Fb%20c%26d&searchEnabled=true"
        );
        assert_eq!(
            form(true),
            form(false) + "&shareConversationsWithModelAuthors=true"
        );
    }
}
