//! Messages of the versions whose conversations are a list: the id of a message is its own.

use serde_json::Value;
use uuid::Uuid;

use super::dialect::Messages;
use super::exchange::{After, Exchange};
use super::files;
use super::lines;
use super::response::Response;
use super::sse::{self, Parameters};
use super::store::{Author, Conversation, Message, StoredFile};
use super::turn::Turn;

/// The fields that say what to do, wherever the version has them.
struct Asked {
    inputs: String,
    id: Option<String>,
    response_id: Option<String>,
    is_retry: bool,
}

pub(super) fn message(exchange: &Exchange<'_>, conversation: Conversation) -> After {
    let json: Option<Value> = match exchange.request.content_type().as_str() {
        "application/json" => serde_json::from_slice(&exchange.request.body).ok(),
        _ => None,
    };
    let Some(json) = json else {
        return exchange.internal_error();
    };
    match exchange.rules().messages {
        Messages::Options => with_options(exchange, conversation, &json),
        _ => plain(exchange, conversation, &json),
    }
    .unwrap_or_else(|| exchange.internal_error())
}

/// v0.3 to v0.6: nothing if the body does not make sense.
fn with_options(
    exchange: &Exchange<'_>,
    conversation: Conversation,
    json: &Value,
) -> Option<After> {
    let options = json.get("options")?;
    let asked = asked(json, options)?;
    let search = match options.get("web_search_id") {
        None => None,
        Some(id) => match id.as_str()? {
            "" => None,
            id => exchange.shared.store().search(id)?,
        },
    };
    let parameters = match Parameters::read(json.get("parameters")) {
        Ok(parameters) => parameters,
        Err(problem) => {
            let body = format!(
                "{{\"error\":\"Input validation error: {problem}\",\"error_type\":\"validation\"}}"
            );
            return Some(exchange.reply(Response::sized(422, "application/json", body)));
        }
    };
    let conversation = appended(conversation, asked, Vec::new());
    let turn = Turn::new(exchange.shared, conversation, search, Vec::new())?;
    Some(match json.get("stream") {
        Some(Value::Bool(true)) => sse::stream(exchange, turn, &parameters),
        _ => sse::whole(exchange, &turn, &parameters),
    })
}

/// v0.7.
fn plain(exchange: &Exchange<'_>, conversation: Conversation, json: &Value) -> Option<After> {
    let asked = asked(json, json)?;
    let search = flag(json, "web_search")?.then(|| asked.inputs.clone());
    let files = match files::of_json(exchange.rules().files, json) {
        Ok(files) => files::keep(&mut exchange.shared.store(), &conversation.id, files),
        Err(refusal) => return Some(files::refused(exchange, &refusal)),
    };
    let conversation = appended(conversation, asked, files);
    let turn = Turn::new(exchange.shared, conversation, search, Vec::new())?;
    Some(lines::stream(exchange, turn))
}

fn asked(json: &Value, options: &Value) -> Option<Asked> {
    let inputs = json.get("inputs")?.as_str()?.trim();
    (!inputs.is_empty()).then_some(())?;
    Some(Asked {
        inputs: inputs.to_owned(),
        id: uuid(options, "id")?,
        response_id: uuid(options, "response_id")?,
        is_retry: flag(options, "is_retry")?,
    })
}

/// A field that is missing or a UUID; nothing if it is neither.
fn uuid(json: &Value, name: &str) -> Option<Option<String>> {
    match json.get(name) {
        None => Some(None),
        Some(value) => {
            let text = value.as_str()?;
            Uuid::try_parse(text).ok()?;
            Some(Some(text.to_owned()))
        }
    }
}

/// A field that is missing or a boolean; nothing if it is neither.
fn flag(json: &Value, name: &str) -> Option<bool> {
    json.get(name).map_or(Some(false), Value::as_bool)
}

/// The conversation with the prompt and an empty reply. A retry of a message that is known
/// forgets that message and all after it; of an unknown one, it is a message like any other.
fn appended(mut conversation: Conversation, asked: Asked, files: Vec<StoredFile>) -> Conversation {
    let retried = conversation
        .messages
        .iter()
        .position(|message| Some(&message.id) == asked.id.as_ref())
        .filter(|_| asked.is_retry);
    let mut attempt = 1;
    if let Some(index) = retried {
        let reply = conversation.messages.get(index + 1);
        attempt += reply.map_or(0, |reply| reply.attempt);
        conversation.messages.truncate(index);
    }
    let mut prompt = Message::new(Author::User, None, &asked.inputs);
    prompt.files = files;
    if let Some(id) = asked.id {
        prompt.id = id;
    }
    let mut reply = Message::new(Author::Assistant, None, "");
    reply.attempt = attempt;
    if let Some(id) = asked.response_id {
        reply.id = id;
    }
    conversation.messages.extend([prompt, reply]);
    conversation
}
