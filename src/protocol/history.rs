//! The messages that a server has stored, as far as the next message depends on them.

use super::json::Json;
use super::message::{Author, Parent};
use super::page_data::PageData;

/// What matters of a history.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct History {
    /// The last message, if there is one.
    pub(crate) last: Option<Parent>,
    /// Whether it says which tools the model has, which only some versions do.
    pub(crate) has_model_tools: bool,
}

impl History {
    /// Reads the response to `GET /api/conversation/{id}`.
    pub(crate) fn read(body: &str) -> Option<History> {
        let conversation = Json::read(body).ok()?;
        let messages = conversation.get("messages").filter(|list| list.is_list())?;
        Some(History {
            last: messages.items().last().and_then(parent),
            has_model_tools: conversation.get("modelTools").is_some(),
        })
    }
}

/// What matters of a page's data, where there is no API.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct ConversationPage {
    pub(crate) last: Option<Parent>,
    /// Whether the settings, which come with the layout, have a member of this name.
    pub(crate) has_disable_stream: bool,
    pub(crate) has_custom_prompts: bool,
    /// Whether the models say which tools they have.
    pub(crate) has_tools: bool,
}

impl ConversationPage {
    /// Reads the response to `GET /conversation/{id}/__data.json`.
    pub(crate) fn read(page: Json<'_>) -> Option<ConversationPage> {
        let page = PageData::read(page);
        let messages = page.get("messages")?.items();
        let settings = page.get("settings");
        let has = |name| settings.is_some_and(|settings| settings.get(name).is_some());
        let model = page.get("models").and_then(|models| models.items().next());
        Some(ConversationPage {
            last: messages.last().and_then(parent),
            has_disable_stream: has("disableStream"),
            has_custom_prompts: has("customPrompts"),
            has_tools: model.is_some_and(|model| model.get("tools").is_some()),
        })
    }
}

/// The text of the last message in the response to `GET /api/conversation/{id}`, if that is a reply
/// which was generated to its end.
pub(crate) fn finished_reply(body: &str) -> Option<String> {
    let last = Json::read(body).ok()?.get("messages")?.items().last()?;
    let is_reply = last.str("from")? == "assistant";
    let mut updates = last.get("updates")?.items();
    let is_finished = updates.any(|update| update.text("type") == "finalAnswer");
    let content = last.str("content")?;
    (is_reply && is_finished).then_some(content)
}

fn parent(message: Json<'_>) -> Option<Parent> {
    Some(Parent {
        id: message.str("id")?,
        author: Author::named(&message.str("from")?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_message_is_found_in_any_history() {
        let read = |body: &str| History::read(body).and_then(|history| history.last);
        let last = |id: &str, author| {
            let id = id.to_owned();
            Some(Parent { id, author })
        };
        assert_eq!(
            read(r#"{"id":"c","messages":[{"from":"system","id":"1","content":""}]}"#),
            last("1", Author::System)
        );
        assert_eq!(
            read(
                "\u{feff} { \"n\" : [1,{\"messages\":2}] , \"messages\" : [ {\"id\":\"1\"} , \
                 {\"content\":\"\\ud83d, ]}\",\"id\":\"2\",\"from\":\"assistant\"} ] }"
            ),
            last("2", Author::Assistant)
        );
        for none in [
            "",
            "[]",
            "{}",
            r#"{"messages":{}}"#,
            r#"{"messages":[]}"#,
            r#"{"messages":[{"#,
        ] {
            assert_eq!(read(none), None, "{none}");
        }
    }

    #[test]
    fn the_version_shows_in_the_members() {
        let history = History::read(r#"{"messages":[],"modelTools":false}"#).unwrap();
        assert!(history.has_model_tools && history.last.is_none());
    }
}
