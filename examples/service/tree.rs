//! Messages of the versions whose conversations are a tree: the id of a message is its parent's.

use serde_json::Value;
use uuid::Uuid;

use super::dialect::Messages;
use super::exchange::{After, Exchange};
use super::files::{self, NewFile, Refusal};
use super::form;
use super::lines;
use super::multipart;
use super::store::{Author, Conversation, Message};
use super::tools;
use super::turn::Turn;

pub(super) fn message(exchange: &Exchange<'_>, conversation: Conversation) -> After {
    // The parent is looked up in the conversation as it is now, and at the end all of it is
    // written back: what another message does in between is lost.
    let turn = match read(exchange, conversation) {
        Ok(turn) => turn,
        Err(refusal) => return files::refused(exchange, &refusal),
    };
    // The prompt and an empty reply are there from the beginning.
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

/// The turn the body asks for.
fn read(exchange: &Exchange<'_>, conversation: Conversation) -> Result<Turn, Refusal> {
    let (json, files) = body(exchange)?;
    turn(exchange, conversation, &json, files).ok_or(Refusal::Malformed)
}

/// Nothing if the message does not make sense.
fn turn(
    exchange: &Exchange<'_>,
    mut conversation: Conversation,
    json: &Value,
    files: Vec<NewFile>,
) -> Option<Turn> {
    let inputs = match json.get("inputs") {
        None => None,
        Some(inputs) => Some(inputs.as_str()?.trim()).filter(|inputs| !inputs.is_empty()),
    };
    let flag = |name| json.get(name).map_or(Some(false), Value::as_bool);
    let (is_retry, web_search) = (flag("is_retry")?, flag("web_search")?);
    flag("is_continue")?;
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
    if let [prompt, _reply] = added.as_mut_slice() {
        prompt.files = files::keep(&mut exchange.shared.store(), &conversation.id, files);
    }
    conversation.messages.extend(added);
    let tools = tools::selected(exchange, &conversation.model, json);
    let searches = web_search && exchange.rules().web_search_kind.is_some();
    let search = if searches {
        conversation.last_prompt().map(str::to_owned)
    } else {
        None
    };
    Turn::new(exchange.shared, conversation, search, tools)
}

fn uuid(json: &Value) -> Option<&str> {
    let id = json.as_str()?;
    Uuid::try_parse(id).ok().map(|_| id)
}

/// The message and its files.
fn body(exchange: &Exchange<'_>) -> Result<(Value, Vec<NewFile>), Refusal> {
    let request = exchange.request;
    let rules = exchange.rules();
    let form = rules.messages == Messages::TreeForm;
    match request.content_type().as_str() {
        "application/json" if !form => {
            let json = serde_json::from_slice(&request.body).map_err(|_| Refusal::Malformed)?;
            let files = files::of_json(rules.files, &json)?;
            Ok((json, files))
        }
        "application/x-www-form-urlencoded" if form => {
            let data = form::field(&form::fields(&request.body), "data");
            let json = data.and_then(|data| serde_json::from_str(&data).ok());
            Ok((json.ok_or(Refusal::Malformed)?, Vec::new()))
        }
        "multipart/form-data" if form => {
            let content_type = request.header("content-type").unwrap_or_default();
            let parts = multipart::parts(content_type, &request.body);
            let parts = parts.ok_or(Refusal::Malformed)?;
            let data = parts.iter().find(|part| part.name == "data");
            let json = data.and_then(|data| serde_json::from_slice(data.body).ok());
            Ok((json.ok_or(Refusal::Malformed)?, files::of_form(&parts)?))
        }
        _ => Err(Refusal::Malformed),
    }
}

/// A new prompt below the parent, and its reply.
fn asked(parent: Option<&str>, inputs: &str) -> Vec<Message> {
    let prompt = Message::new(Author::User, parent, inputs);
    let reply = Message::new(Author::Assistant, Some(&prompt.id), "");
    vec![prompt, reply]
}

/// Another reply beside the one named; or, if a prompt is named, another prompt beside it.
fn retried(conversation: &Conversation, named: &Message, inputs: Option<&str>) -> Vec<Message> {
    let above = named.parent.as_deref();
    if named.from == Author::User {
        return asked(above, inputs.unwrap_or(&named.content));
    }
    let attempts = conversation
        .messages
        .iter()
        .filter(|message| message.from == Author::Assistant && message.parent == named.parent)
        .count();
    let mut reply = Message::new(Author::Assistant, above, "");
    reply.attempt = u32::try_from(attempts).map_or(u32::MAX, |attempts| attempts + 1);
    vec![reply]
}
