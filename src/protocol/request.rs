//! The bodies of the requests around a message.

use uuid::Uuid;

use super::encoding::percent_encode;
use crate::error::{Error, Result};

/// Longest title that servers accept, in UTF-16 units.
const MAX_TITLE: usize = 100;

/// What `POST /settings` tells the server about the session.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings<'a> {
    pub(crate) model: &'a str,
    pub(crate) system_prompt: Option<&'a str>,
    pub(crate) search_enabled: bool,
    pub(crate) share_with_model_authors: bool,
}

impl Settings<'_> {
    /// The form of v0.3 to v0.6. Leaving a field out is the one way to say no that all of them
    /// understand: some take the text `false` for true.
    pub(crate) fn form(&self) -> String {
        let mut form = format!(
            "ethicsModalAccepted=true&ethicsModalAcceptedAt=&activeModel={}",
            percent_encode(self.model)
        );
        if self.search_enabled {
            form.push_str("&searchEnabled=true");
        }
        if self.share_with_model_authors {
            form.push_str("&shareConversationsWithModelAuthors=true");
        }
        if let Some(text) = self.system_prompt {
            let prompts = JsonObject::new().string(self.model, text).end();
            form.push_str("&customPrompts=");
            form.push_str(&percent_encode(&prompts));
        }
        form
    }

    /// The JSON of v0.7 and later. Leaving the sharing out would opt in here.
    pub(crate) fn json(&self) -> String {
        JsonObject::new()
            .bool("ethicsModalAccepted", true)
            .bool("welcomeModalSeen", true)
            .string("activeModel", self.model)
            .bool(
                "shareConversationsWithModelAuthors",
                self.share_with_model_authors,
            )
            .end()
    }
}

/// The body of `POST /conversation`.
pub(crate) fn create(model: &str, system_prompt: Option<&str>) -> String {
    let mut object = JsonObject::new();
    object.string("model", model);
    if let Some(text) = system_prompt {
        object.string("preprompt", text);
    }
    object.end()
}

/// The body of `PATCH /conversation/{id}` that sets a title.
pub(crate) fn title(title: &str) -> String {
    JsonObject::new().string("title", title).end()
}

/// The body of `POST /conversation/{id}/stop-generating`. Later versions cut the reply that they
/// store to what was seen of it, in UTF-16 units; others do not read it.
pub(crate) fn stop(generation_id: Option<Uuid>, seen: usize) -> String {
    let mut object = JsonObject::new();
    if let Some(id) = generation_id {
        object
            .string("generationId", &id.to_string())
            .raw("seenContentLength", &seen.to_string());
    }
    object.end()
}

/// Rejects a title that no server accepts.
pub(crate) fn check_title(title: &str) -> Result<()> {
    if title.is_empty() || title.encode_utf16().count() > MAX_TITLE {
        return Err(Error::configuration(
            "a title must have 1 to 100 characters",
        ));
    }
    Ok(())
}

/// A title made of the beginning of a prompt, as servers make one when the model gives none.
pub(crate) fn title_of_prompt(prompt: &str) -> String {
    let mut title = String::new();
    let mut units = 0;
    for word in prompt.split_whitespace().take(12) {
        let length = word.encode_utf16().count() + 1;
        if units + length > MAX_TITLE {
            break;
        }
        if units > 0 {
            title.push(' ');
        }
        title.push_str(word);
        units += length;
    }
    if title.is_empty() {
        // A word that is too long, as in languages without spaces.
        title = prompt.trim().chars().take(MAX_TITLE / 2).collect();
    }
    title
}

/// A JSON object, written member by member. Building a `serde_json::Value` first would link its
/// writer into programs that need nothing else of it, which is more than 4 kB.
pub(crate) struct JsonObject {
    json: String,
}

impl JsonObject {
    pub(crate) fn new() -> Self {
        JsonObject {
            json: String::from("{"),
        }
    }

    /// A member whose value is JSON already.
    pub(crate) fn raw(&mut self, name: &str, json: &str) -> &mut Self {
        if self.json.len() > 1 {
            self.json.push(',');
        }
        self.json.push_str(&quoted(name));
        self.json.push(':');
        self.json.push_str(json);
        self
    }

    pub(crate) fn string(&mut self, name: &str, value: &str) -> &mut Self {
        self.raw(name, &quoted(value))
    }

    pub(crate) fn bool(&mut self, name: &str, value: bool) -> &mut Self {
        self.raw(name, if value { "true" } else { "false" })
    }

    pub(crate) fn end(&mut self) -> String {
        self.json.push('}');
        std::mem::take(&mut self.json)
    }
}

/// A JSON string.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap_or_default()
}

/// A JSON list of what is JSON already.
pub(super) fn list(items: impl Iterator<Item = String>) -> String {
    let items: Vec<String> = items.collect();
    format!("[{}]", items.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn settings(share_with_model_authors: bool) -> Settings<'static> {
        Settings {
            model: "a/b c&d",
            system_prompt: None,
            search_enabled: true,
            share_with_model_authors,
        }
    }

    #[test]
    fn a_form_mentions_sharing_and_searching_only_if_they_are_wanted() {
        assert_eq!(
            settings(false).form(),
            "ethicsModalAccepted=true&ethicsModalAcceptedAt=&activeModel=a%2Fb%20c%26d&searchEnabled=true"
        );
        assert_eq!(
            settings(true).form(),
            settings(false).form() + "&shareConversationsWithModelAuthors=true"
        );
        let neither = Settings {
            search_enabled: false,
            ..settings(false)
        };
        assert!(!neither.form().contains("search"), "{}", neither.form());
    }

    #[test]
    fn json_opts_out_of_sharing_unless_it_is_wanted() {
        for share in [false, true] {
            let json: Value = serde_json::from_str(&settings(share).json()).unwrap();
            assert_eq!(json["shareConversationsWithModelAuthors"], share);
            assert_eq!(json["activeModel"], "a/b c&d");
        }
    }

    #[test]
    fn a_title_is_the_beginning_of_the_prompt_within_the_limit() {
        assert_eq!(title_of_prompt("  Name a\nprime.  "), "Name a prime.");
        let long = title_of_prompt(&"wörd ".repeat(100));
        assert_eq!(long.split(' ').count(), 12);
        let unbroken = title_of_prompt(&"😀".repeat(1000));
        assert!(unbroken.encode_utf16().count() <= MAX_TITLE && !unbroken.is_empty());
    }
}
