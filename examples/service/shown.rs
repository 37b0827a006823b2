//! Conversations and models as the server shows them.

use super::dialect::{Abilities, Files, Rules};
use super::model::Model;
use super::server::Config;
use super::store::{Author, Conversation, Message, StoredFile};
use super::value::{Value, object};

/// As `/api/conversation/{id}` does.
pub(super) fn of_api(config: &Config, conversation: &Conversation) -> Value {
    let rules = config.rules;
    let messages: Vec<Value> = conversation
        .messages
        .iter()
        .map(|message| of_api_message(rules, message))
        .collect();
    let shown = object! {
        "id": &conversation.id,
        "title": &conversation.title,
        "updatedAt": conversation.updated,
        "modelId": &conversation.model,
        "messages": messages,
    };
    if !rules.model_tools {
        return shown;
    }
    let tools = config
        .model(&conversation.model)
        .is_some_and(|model| model.tools);
    shown.with("modelTools", tools)
}

fn of_api_message(rules: &Rules, message: &Message) -> Value {
    let mut shown = object! {
        "content": &message.content,
        "from": message.from.name(),
        "id": &message.id,
        "createdAt": message.created,
        "updatedAt": message.updated,
    };
    if rules.files == Files::Parts && message.from == Author::User {
        shown = shown.with("files", files(rules, &message.files));
    }
    if rules.shows_updates {
        shown = shown.with("updates", updates(message));
    }
    shown
}

/// With all that is stored, as the response to a create and `/api/v2` do.
pub(super) fn whole(rules: &Rules, conversation: &Conversation) -> Value {
    object! {
        "messages": tree(rules, conversation),
        "title": &conversation.title,
        "model": &conversation.model,
        "preprompt": &conversation.preprompt,
        "rootMessageId": root(conversation),
        "id": &conversation.id,
        "updatedAt": conversation.updated,
        "modelId": &conversation.model,
        "shared": false,
        "deployedSpaces": Value::Undefined,
    }
}

/// As the data of its page does.
pub(super) fn of_page(rules: &Rules, conversation: &Conversation) -> Value {
    if !conversation.tree {
        let messages: Vec<Value> = conversation.messages.iter().map(of_page_message).collect();
        return object! {
            "messages": messages,
            "title": &conversation.title,
            "model": &conversation.model,
            "searches": Value::Object(Vec::new()),
        };
    }
    object! {
        "messages": tree(rules, conversation),
        "title": &conversation.title,
        "model": &conversation.model,
        "preprompt": &conversation.preprompt,
        "rootMessageId": root(conversation),
        "assistant": Value::Null,
        "shared": false,
    }
}

fn of_page_message(message: &Message) -> Value {
    let search = match message.from {
        Author::Assistant => Value::from(""),
        _ => Value::Undefined,
    };
    let mut shown = object! { "content": &message.content, "from": message.from.name() };
    if let Author::Assistant = message.from {
        shown = shown.with("webSearchId", search);
    }
    shown
        .with("id", &message.id)
        .with("createdAt", message.created)
        .with("updatedAt", message.updated)
}

/// As the lists of conversations do.
pub(super) fn listed(rules: &Rules, conversation: &Conversation) -> Value {
    let (id, model) = (&conversation.id, &conversation.model);
    if !rules.api_v2 {
        return object! {
            "id": id,
            "title": &conversation.title,
            "updatedAt": conversation.updated,
            "modelId": model,
        };
    }
    object! {
        "_id": id,
        "id": id,
        "title": &conversation.title,
        "updatedAt": conversation.updated,
        "model": model,
        "modelId": model,
    }
}

/// As `/api/models` does.
pub(super) fn model(rules: &Rules, model: &Model) -> Value {
    let mut shown = object! {
        "id": &model.id,
        "name": &model.id,
        "websiteUrl": "https://huggingface.co",
        "modelUrl": "https://huggingface.co",
        "displayName": &model.id,
        "description": &model.description,
        "promptExamples": Value::List(Vec::new()),
        "preprompt": "",
        "multimodal": model.multimodal,
    };
    match rules.abilities {
        Abilities::Multimodal => {}
        Abilities::Tools => shown = shown.with("tools", model.tools),
        Abilities::SupportsTools => shown = shown.with("supportsTools", model.tools),
        Abilities::SupportsReasoning => {
            shown = shown
                .with("supportsTools", model.tools)
                .with("supportsReasoning", model.reasoning)
                .with("supportsArtifacts", false);
        }
    }
    shown.with("unlisted", false)
}

fn root(conversation: &Conversation) -> Value {
    let root = conversation.messages.first();
    root.map_or(Value::Undefined, |root| Value::from(&root.id))
}

/// Messages with what leads to them and what follows them.
fn tree(rules: &Rules, conversation: &Conversation) -> Vec<Value> {
    let strings = |ids: Vec<&String>| -> Vec<Value> { ids.into_iter().map(Value::from).collect() };
    conversation
        .messages
        .iter()
        .map(|message| {
            let children = conversation
                .messages
                .iter()
                .filter(|child| child.parent.as_ref() == Some(&message.id))
                .map(|child| &child.id)
                .collect();
            let mut ancestors: Vec<&String> = conversation
                .line_to(message)
                .into_iter()
                .map(|ancestor| &ancestor.id)
                .collect();
            ancestors.pop();
            let mut shown = object! {
                "id": &message.id,
                "from": message.from.name(),
                "content": &message.content,
                "createdAt": message.created,
                "updatedAt": message.updated,
                "children": strings(children),
                "ancestors": strings(ancestors),
            };
            if message.from == Author::User && rules.files != Files::None {
                shown = shown.with("files", files(rules, &message.files));
            }
            if let Some(generation) = &message.generation {
                shown = shown.with("generationId", generation);
            }
            if rules.shows_updates && !message.updates.is_empty() {
                shown = shown.with("updates", updates(message));
            }
            shown
        })
        .collect()
}

fn updates(message: &Message) -> Vec<Value> {
    message.updates.iter().cloned().map(Value::Raw).collect()
}

/// The oldest versions with files keep their hashes only.
fn files(rules: &Rules, files: &[StoredFile]) -> Vec<Value> {
    let shown = |file: &StoredFile| match rules.files {
        Files::Strings => Value::from(&file.hash),
        _ => object! {
            "type": "hash",
            "value": &file.hash,
            "mime": &file.mime,
            "name": &file.name,
        },
    };
    files.iter().map(shown).collect()
}
