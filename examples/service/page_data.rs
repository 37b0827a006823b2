//! `/__data.json`: what the pages are made of. Older versions tell their models and messages here,
//! also where `/api` is hidden or does not exist yet.

use super::conversations;
use super::dialect::{Files, Messages, PageData};
use super::exchange::{After, Exchange};
use super::form;
use super::response::Response;
use super::server::Config;
use super::shown;
use super::store::{Settings, is_object_id};
use super::value::{Value, object};

const SKIPPED: &str = r#"{"type":"skip"}"#;
const NOTHING: &str = "null";

/// The data of the start page, or of a conversation's: one node for what all pages have, and one
/// for the page itself.
pub(super) fn show(exchange: &Exchange<'_>, conversation: Option<&str>) -> After {
    let (with_layout, with_page) = wanted(exchange);
    let empty = exchange.rules().page_data == PageData::Empty;
    let layout = match (with_layout, empty) {
        (false, _) => SKIPPED.to_owned(),
        (true, true) => NOTHING.to_owned(),
        (true, false) => layout(exchange),
    };
    let page = match (with_page, conversation) {
        (false, _) => SKIPPED.to_owned(),
        (true, Some(id)) if !empty => page(exchange, id),
        (true, _) => NOTHING.to_owned(),
    };
    let body = format!("{{\"type\":\"data\",\"nodes\":[{layout},{page}]}}");
    let response =
        Response::sized(200, "application/json", body).header("cache-control", "private, no-store");
    match exchange.renews_cookie() {
        true => exchange.reply(response),
        false => exchange.reply_bare(response),
    }
}

/// Which of the two nodes are asked for; both if nothing is said about it.
fn wanted(exchange: &Exchange<'_>) -> (bool, bool) {
    let fields = form::fields(exchange.request.query().as_bytes());
    let Some(mask) = form::field(&fields, "x-sveltekit-invalidated") else {
        return (true, true);
    };
    let flags: Vec<bool> = match exchange.rules().page_data {
        PageData::UpToV0_6 => mask.split('_').map(|flag| !flag.is_empty()).collect(),
        _ => mask.chars().map(|flag| flag == '1').collect(),
    };
    let flag = |index| flags.get(index).copied().unwrap_or(false);
    (flag(0), flag(1))
}

fn node(exchange: &Exchange<'_>, data: &Value, uses: &str) -> String {
    let data = data.flattened(exchange.rules().page_escapes);
    format!("{{\"type\":\"data\",\"data\":{data},\"uses\":{{{uses}}}}}")
}

/// Conversations, settings and models.
fn layout(exchange: &Exchange<'_>) -> String {
    let config = &exchange.shared.config;
    let old = config.rules.page_data == PageData::UpToV0_6;
    let store = exchange.shared.store();
    let mut listed: Vec<_> = store.owned_by(&exchange.session).collect();
    listed.sort_by_key(|conversation| std::cmp::Reverse(conversation.updated));
    let conversations: Vec<Value> = listed
        .into_iter()
        .map(|conversation| {
            let shown = object! {
                "id": &conversation.id,
                "title": &conversation.title,
                "model": &conversation.model,
            };
            match old {
                true => shown,
                false => shown
                    .with("updatedAt", conversation.updated)
                    .with("assistantId", Value::Undefined)
                    .with("avatarHash", Value::Null),
            }
        })
        .collect();
    let posted = store.settings(&exchange.session);
    let models: Vec<Value> = config.models.iter().map(|m| model(config, m)).collect();
    let nothing = || Value::List(Vec::new());
    let data = object! {
        "conversations": conversations,
        "settings": settings(config, posted),
        "models": models,
        "oldModels": nothing(),
    };
    let data = match old {
        true => data
            .with("user", Value::Undefined)
            .with("requiresLogin", config.require_login)
            .with("messagesBeforeLogin", 0.0),
        false => data
            .with("assistants", nothing())
            .with("user", Value::Undefined)
            .with("assistant", Value::Null)
            .with("enableAssistants", false)
            .with("enableAssistantsRAG", false)
            .with("loginRequired", config.require_login)
            .with("loginEnabled", config.require_login)
            .with("guestMode", false),
    };
    let url = if old { r#","url":1"# } else { "" };
    node(
        exchange,
        &data,
        &format!("\"dependencies\":[\"conversation:list\"]{url}"),
    )
}

fn settings(config: &Config, posted: Option<&Settings>) -> Value {
    let default = config.models.first().map(|model| &model.id);
    let active = posted.and_then(|settings| settings.active_model.as_ref());
    let accepted = posted.filter(|settings| settings.accepted);
    let active = Value::or_null(active.or(default));
    let share = posted.is_none_or(|settings| settings.share);
    let accepted_at = Value::or_null(accepted.and_then(|settings| settings.posted));
    let search = posted.is_some_and(|settings| settings.search_enabled);
    let prompts = posted.map(|settings| &settings.custom_prompts);
    let prompts: Vec<(String, Value)> = prompts
        .into_iter()
        .flatten()
        .map(|(model, prompt)| (model.clone(), Value::from(prompt)))
        .collect();
    if config.rules.page_data == PageData::UpToV0_6 {
        let shown = object! {
            "shareConversationsWithModelAuthors": share,
            "ethicsModalAcceptedAt": accepted_at,
            "activeModel": active,
            "searchEnabled": search,
        };
        return if config.rules.custom_prompts {
            shown.with("customPrompts", Value::Object(prompts))
        } else {
            shown
        };
    }
    let shown = object! {
        "searchEnabled": search,
        "ethicsModalAccepted": accepted.is_some(),
        "ethicsModalAcceptedAt": accepted_at,
        "activeModel": active,
        "hideEmojiOnSidebar": false,
        "shareConversationsWithModelAuthors": share,
        "customPrompts": Value::Object(prompts),
        "assistants": Value::List(Vec::new()),
    };
    if config.rules.messages == Messages::TreeForm {
        shown.with("disableStream", false)
    } else {
        shown
    }
}

fn model(config: &Config, model: &super::Model) -> Value {
    let old = config.rules.page_data == PageData::UpToV0_6;
    let description = match model.description.as_str() {
        "" => Value::Undefined,
        description => Value::from(description),
    };
    let mut shown = object! {
        "id": &model.id,
        "name": &model.id,
        "websiteUrl": Value::Undefined,
        "modelUrl": Value::Undefined,
        "datasetName": Value::Undefined,
        "datasetUrl": Value::Undefined,
        "displayName": &model.id,
        "description": description,
        "promptExamples": Value::Undefined,
        "parameters": object! {
            "temperature": 0.9,
            "truncate": 1_000_000.0,
            "max_new_tokens": 1024.0,
        },
        "preprompt": "",
    };
    if !old {
        shown = shown
            .with("multimodal", model.multimodal)
            .with("unlisted", false);
    }
    // The page says so two releases before the API.
    if config.rules.model_tools || config.rules.files == Files::Objects {
        shown = shown.with("tools", model.tools);
    }
    shown
}

/// The messages, or the error instead of them, which changes nothing about the status.
fn page(exchange: &Exchange<'_>, id: &str) -> String {
    let found = is_object_id(id)
        .then(|| {
            exchange
                .shared
                .store()
                .owned(id, &exchange.session)
                .cloned()
        })
        .flatten();
    let Some(conversation) = found else {
        let message = format!("{}.", conversations::NOT_FOUND);
        let error = object! { "message": message.as_str() };
        return object! { "type": "error", "error": error, "status": 404.0 }.json();
    };
    let data = shown::of_page(exchange.rules(), &conversation);
    let origin = exchange.origin();
    node(
        exchange,
        &data,
        &format!("\"dependencies\":[\"{origin}/conversation/conversation\"],\"params\":[\"id\"]"),
    )
}
