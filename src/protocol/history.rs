//! The messages that a server has stored, read without building them: a history may be large, and
//! mostly only its last message matters.

use serde_json::value::RawValue;
use serde_json::{Deserializer, Value};

use super::message::{Author, Parent};
use super::page_data;

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
        let messages = member(body, "messages")?;
        Some(History {
            last: elements(messages)?.last().and_then(parent),
            has_model_tools: member(body, "modelTools").is_some(),
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
    pub(crate) fn read(body: &str) -> Option<ConversationPage> {
        let page: Value = serde_json::from_str(body).ok()?;
        let messages = page_data::roots(&page).find_map(|root| root.get("messages"))?;
        let last = messages.items().next_back().and_then(|message| {
            let id = message.get("id")?.as_str()?.to_owned();
            let author = Author::named(message.get("from")?.as_str()?);
            Some(Parent { id, author })
        });
        let settings = page_data::roots(&page).find_map(|root| root.get("settings"));
        let has = |name| settings.is_some_and(|settings| settings.get(name).is_some());
        Some(ConversationPage {
            last,
            has_disable_stream: has("disableStream"),
            has_custom_prompts: has("customPrompts"),
            has_tools: page_data::roots(&page)
                .find_map(|root| root.get("models")?.items().next()?.get("tools"))
                .is_some(),
        })
    }
}

/// The text of the last message in the response to `GET /api/conversation/{id}`, if that is a reply
/// which was generated to its end.
pub(crate) fn finished_reply(body: &str) -> Option<String> {
    let last = elements(member(body, "messages")?)?.last()?;
    let is_final = |update: &str| {
        let kind = member(update, "type").and_then(string);
        kind.as_deref() == Some("finalAnswer")
    };
    let is_reply = string(member(last, "from")?)? == "assistant";
    let is_finished = elements(member(last, "updates")?)?.any(is_final);
    let content = string(member(last, "content")?)?;
    (is_reply && is_finished).then_some(content)
}

fn parent(message: &str) -> Option<Parent> {
    Some(Parent {
        id: string(member(message, "id")?)?,
        author: Author::named(&string(member(message, "from")?)?),
    })
}

fn string(json: &str) -> Option<String> {
    serde_json::from_str(json).ok()
}

/// The value of a member of an object, in JSON.
fn member<'a>(object: &'a str, name: &str) -> Option<&'a str> {
    let mut rest = object.trim_start_matches('\u{feff}').trim_start();
    rest = rest.strip_prefix('{')?;
    loop {
        let (known, after) = value(rest)?;
        let (value, after) = value(after.trim_start().strip_prefix(':')?)?;
        if string(known).as_deref() == Some(name) {
            return Some(value);
        }
        rest = after.trim_start().strip_prefix(',')?;
    }
}

/// The elements of a list, in JSON. What follows an element that is not JSON is left out.
fn elements(list: &str) -> Option<impl Iterator<Item = &str>> {
    let mut rest = Some(list.trim_start().strip_prefix('[')?);
    Some(std::iter::from_fn(move || {
        let (value, after) = value(rest?)?;
        rest = after.trim_start().strip_prefix(',');
        Some(value)
    }))
}

/// The first value, and what follows it.
fn value(json: &str) -> Option<(&str, &str)> {
    let mut values = Deserializer::from_str(json).into_iter::<&RawValue>();
    let value = values.next()?.ok()?.get();
    Some((value, json.get(values.byte_offset()..)?))
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
