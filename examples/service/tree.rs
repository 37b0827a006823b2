//! Messages of the versions whose conversations are a tree: the id of a message is its parent's.

use serde_json::Value;
use uuid::Uuid;

use super::dialect::Messages;
use super::exchange::{After, Exchange};
use super::form;
use super::lines;
use super::store::{Author, Conversation, Message};
use super::turn::Turn;

pub(super) fn message(exchange: &Exchange<'_>, conversation: Conversation) -> After {
    // The parent is looked up in the conversation as it is now, and at the end all of it is
    // written back: what another message does in between is lost.
    let Some(turn) = read(exchange, conversation) else {
        return exchange.internal_error();
    };
    // The prompt and an empty answer are there from the beginning.
    let shared = exchange.shared;
    let mut store = shared.store();
    store.save(&turn.id, &turn.messages, None);
    if let Some(generation) = &turn.generation {
        store.generations.start(generation, &turn.id);
    }
    drop(store);
    shared.changes.note();
    lines::stream(exchange, turn)
}

/// The turn the body asks for, or nothing if it does not make sense.
fn read(exchange: &Exchange<'_>, mut conversation: Conversation) -> Option<Turn> {
    let json = body(exchange)?;
    let inputs = match json.get("inputs") {
        None => None,
        Some(inputs) => Some(inputs.as_str()?.trim()).filter(|inputs| !inputs.is_empty()),
    };
    let flag = |name| json.get(name).map_or(Some(false), Value::as_bool);
    let (is_retry, web_search) = (flag("is_retry")?, flag("web_search")?);
    flag("is_continue")?;
    if json.get("files").is_some_and(|files| !files.is_array()) {
        return None;
    }
    let generation = match json.get("generationId") {
        Some(id) => uuid(id)?.to_owned(),
        None => Uuid::new_v4().to_string(),
    };
    let mut added = match json.get("id") {
        Some(id) => {
            let named = conversation.find(uuid(id)?)?;
            match is_retry {
                true => retried(&conversation, named, inputs),
                false => asked(Some(&named.id), inputs?),
            }
        }
        // Only the first message of all follows none.
        None if conversation.messages.is_empty() => asked(None, inputs?),
        None => return None,
    };
    if let Some(reply) = added.last_mut()
        && exchange.rules().resumable
    {
        reply.generation = Some(generation);
    }
    conversation.messages.extend(added);
    let search = match web_search {
        true => conversation.last_prompt().map(str::to_owned),
        false => None,
    };
    Turn::new(exchange.shared, conversation, search)
}

fn uuid(json: &Value) -> Option<&str> {
    let id = json.as_str()?;
    Uuid::try_parse(id).ok().map(|_| id)
}

fn body(exchange: &Exchange<'_>) -> Option<Value> {
    let request = exchange.request;
    let content_type = request.content_type();
    match exchange.rules().messages {
        Messages::TreeForm => {
            (content_type == "application/x-www-form-urlencoded").then_some(())?;
            let data = form::field(&form::fields(&request.body), "data")?;
            serde_json::from_str(&data).ok()
        }
        _ => {
            (content_type == "application/json").then_some(())?;
            serde_json::from_slice(&request.body).ok()
        }
    }
}

/// A new prompt below the parent, and its reply.
fn asked(parent: Option<&str>, inputs: &str) -> Vec<Message> {
    let prompt = Message::new(Author::User, parent, inputs);
    let answer = Message::new(Author::Assistant, Some(&prompt.id), "");
    vec![prompt, answer]
}

/// Another answer beside the one named; or, if a prompt is named, another prompt beside it.
fn retried(conversation: &Conversation, named: &Message, inputs: Option<&str>) -> Vec<Message> {
    let above = named.parent.as_deref();
    if let (Author::User, Some(above)) = (named.from, above) {
        return asked(Some(above), inputs.unwrap_or(&named.content));
    }
    let attempts = conversation
        .messages
        .iter()
        .filter(|message| message.from == Author::Assistant && message.parent == named.parent)
        .count();
    let mut answer = Message::new(Author::Assistant, above, "");
    answer.attempt = u32::try_from(attempts).map_or(u32::MAX, |attempts| attempts + 1);
    vec![answer]
}
