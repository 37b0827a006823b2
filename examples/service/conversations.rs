//! Conversations as a whole: create, show, stop, delete; and the list of models.

use std::time::SystemTime;

use serde_json::Value;

use super::answer;
use super::date;
use super::dialect::{Messages, Stop};
use super::exchange::{After, Exchange};
use super::response::Response;
use super::store::{Author, Conversation, Message, is_object_id, object_id};

/// What is answered about conversations that do not exist, or not for this session.
const NOT_FOUND: &str = "Conversation not found";

/// The conversation of that id, if the session owns it; else what to answer.
pub(super) fn find(exchange: &Exchange<'_>, id: &str) -> Result<Conversation, After> {
    if !is_object_id(id) {
        return Err(exchange.internal_error());
    }
    let found = {
        let store = exchange.shared.store();
        store.owned(id, &exchange.session).cloned()
    };
    found.ok_or_else(|| exchange.error(404, NOT_FOUND))
}

pub(super) fn create(exchange: &Exchange<'_>) -> After {
    let rules = exchange.rules();
    let refuse = || match rules.unknown_model {
        500 => exchange.internal_error(),
        status => exchange.error(status, "Invalid request"),
    };
    if exchange.request.content_type() != "application/json" {
        return exchange.internal_error();
    }
    let json: Value = match serde_json::from_slice(&exchange.request.body) {
        Ok(json) => json,
        Err(_) => return refuse(),
    };
    let model = json["model"].as_str().unwrap_or_default();
    if !exchange.shared.config.models.iter().any(|m| m == model) {
        return refuse();
    }
    let preprompt = match json.get("preprompt") {
        Some(Value::String(preprompt)) if rules.preprompt => preprompt.as_str(),
        Some(Value::String(_)) | None => "",
        Some(_) => return refuse(),
    };
    let tree = matches!(rules.messages, Messages::TreeJson | Messages::TreeForm);
    let messages = match tree {
        true => vec![Message::new(Author::System, None, preprompt)],
        false => Vec::new(),
    };
    let conversation = Conversation {
        id: object_id(),
        owner: exchange.session.clone(),
        model: model.to_owned(),
        title: "New Chat".to_owned(),
        preprompt: preprompt.to_owned(),
        tree,
        messages,
        updated: SystemTime::now(),
        stopped: None,
    };
    let body = match rules.create_tells_root {
        true => format!(
            "{{\"conversationId\":\"{}\",\"conversation\":{}}}",
            conversation.id,
            answer::string(&with_metadata(&conversation))
        ),
        false => format!("{{\"conversationId\":\"{}\"}}", conversation.id),
    };
    exchange.shared.store().insert(conversation);
    exchange.reply(Response::chunked(200, "application/json", body))
}

pub(super) fn show(exchange: &Exchange<'_>, id: &str) -> After {
    let conversation = match find(exchange, id) {
        Ok(conversation) => conversation,
        Err(after) => return after,
    };
    let messages: Vec<String> = conversation.messages.iter().map(shown).collect();
    let body = format!(
        "{{\"id\":\"{id}\",\"title\":{},\"updatedAt\":\"{}\",\"modelId\":{},\"messages\":[{}]}}",
        answer::string(&conversation.title),
        date::iso(conversation.updated),
        answer::string(&conversation.model),
        messages.join(",")
    );
    exchange.reply_bare(Response::chunked(200, "application/json", body))
}

pub(super) fn stop(exchange: &Exchange<'_>, id: &str) -> After {
    if let Err(after) = find(exchange, id) {
        return after;
    }
    let once = exchange.rules().stop == Stop::Cut;
    exchange.shared.store().stop(id, once);
    exchange.reply(Response::empty(200))
}

pub(super) fn delete(exchange: &Exchange<'_>, id: &str) -> After {
    if let Err(after) = find(exchange, id) {
        return after;
    }
    if !exchange.shared.store().remove(id, &exchange.session) {
        return exchange.error(404, NOT_FOUND);
    }
    match exchange.renews_cookie() {
        true => exchange.reply(Response::empty(200)),
        false => exchange.reply_bare(Response::empty(200)),
    }
}

pub(super) fn models(exchange: &Exchange<'_>) -> After {
    let models: Vec<String> = exchange
        .shared
        .config
        .models
        .iter()
        .map(|model| {
            let name = answer::string(model);
            format!(
                "{{\"id\":{name},\"name\":{name},\"websiteUrl\":\"https://huggingface.co\",\
                 \"modelUrl\":\"https://huggingface.co\",\"displayName\":{name},\
                 \"description\":\"\",\"promptExamples\":[],\"preprompt\":\"\",\
                 \"multimodal\":false,\"unlisted\":false}}"
            )
        })
        .collect();
    let body = format!("[{}]", models.join(","));
    exchange.reply_bare(Response::chunked(200, "application/json", body))
}

fn shown(message: &Message) -> String {
    let created = date::iso(message.created);
    format!(
        "{{\"content\":{},\"from\":\"{}\",\"id\":\"{}\",\"createdAt\":\"{created}\",\
         \"updatedAt\":\"{created}\"}}",
        answer::string(&message.content),
        message.from.name(),
        message.id,
    )
}

/// A new conversation in the format that keeps the types JSON has not, dates here.
fn with_metadata(conversation: &Conversation) -> String {
    let Some(root) = conversation.messages.first() else {
        return String::new();
    };
    let (id, model) = (&conversation.id, answer::string(&conversation.model));
    let (root_id, created) = (&root.id, date::iso(root.created));
    let updated = date::iso(conversation.updated);
    let preprompt = answer::string(&conversation.preprompt);
    let title = answer::string(&conversation.title);
    format!(
        "{{\"json\":{{\"messages\":[{{\"id\":\"{root_id}\",\"from\":\"system\",\
         \"content\":{preprompt},\"createdAt\":\"{created}\",\"updatedAt\":\"{created}\",\
         \"children\":[],\"ancestors\":[]}}],\"title\":{title},\"model\":{model},\
         \"preprompt\":{preprompt},\"rootMessageId\":\"{root_id}\",\"id\":\"{id}\",\
         \"updatedAt\":\"{updated}\",\"modelId\":{model},\"shared\":false,\
         \"deployedSpaces\":null}},\"meta\":{{\"values\":{{\
         \"messages.0.createdAt\":[\"Date\"],\"messages.0.updatedAt\":[\"Date\"],\
         \"updatedAt\":[\"Date\"],\"deployedSpaces\":[\"undefined\"]}},\"v\":1}}}}"
    )
}
