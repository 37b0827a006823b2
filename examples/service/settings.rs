//! `/settings`: a form on the older versions, JSON on the later ones.

use std::collections::BTreeMap;
use std::time::SystemTime;

use serde_json::{Map, Value};

use super::answer;
use super::dialect::SettingsBody;
use super::exchange::{After, Exchange, preferred};
use super::form;
use super::response::Response;
use super::store::Settings;

pub(super) fn accept(exchange: &Exchange<'_>) -> After {
    match exchange.rules().settings {
        SettingsBody::Json => match from_json(exchange) {
            Some(settings) => {
                exchange.shared.store().accept(settings);
                exchange.reply(Response::empty(200))
            }
            None => exchange.internal_error(),
        },
        SettingsBody::Form | SettingsBody::FormAnyText => {
            let json = wants_json(exchange);
            match from_form(exchange) {
                Some(settings) => {
                    exchange.shared.store().accept(settings);
                    let referer = exchange.request.header("referer");
                    let location = referer.map_or_else(|| exchange.origin(), str::to_owned);
                    exchange.reply(match json {
                        true => redirect(303, &location),
                        false => Response::empty(303).header("location", location),
                    })
                }
                None => exchange.reply(match json {
                    true => Response::sized(
                        500,
                        "application/json",
                        r#"{"type":"error","error":{"message":"Internal Error"}}"#.to_owned(),
                    ),
                    false => Response::page(500, "Internal Error"),
                }),
            }
        }
    }
}

/// A redirect as forms get it that were sent by a script.
pub(super) fn redirect(status: u16, location: &str) -> Response {
    let location = answer::string(location);
    let body = format!("{{\"type\":\"redirect\",\"status\":{status},\"location\":{location}}}");
    Response::sized(200, "application/json", body)
}

fn wants_json(exchange: &Exchange<'_>) -> bool {
    let accept = exchange.request.header("accept").unwrap_or("*/*");
    preferred(accept, &["application/json", "text/html"]) == Some("application/json")
}

fn from_form(exchange: &Exchange<'_>) -> Option<Settings> {
    if exchange.request.content_type() != "application/x-www-form-urlencoded" {
        return None;
    }
    let fields = form::fields(&exchange.request.body);
    let value = |name| form::field(&fields, name).unwrap_or_default();
    let known = &exchange.shared.config.models;
    let active_model = match form::field(&fields, "activeModel") {
        Some(model) if known.iter().any(|known| known.id == model) => Some(model),
        Some(_) => return None,
        None => known.first().map(|model| model.id.clone()),
    };
    let share = value("shareConversationsWithModelAuthors");
    let share = match exchange.rules().settings {
        SettingsBody::FormAnyText => !share.is_empty(),
        _ => share == "true" || share == "on",
    };
    let custom_prompts = match form::field(&fields, "customPrompts") {
        Some(json) if exchange.rules().custom_prompts => serde_json::from_str(&json).ok()?,
        _ => BTreeMap::new(),
    };
    Some(Settings {
        session: exchange.session.clone(),
        active_model,
        share,
        accepted: !value("ethicsModalAccepted").is_empty(),
        search_enabled: !value("searchEnabled").is_empty(),
        custom_prompts,
        posted: Some(SystemTime::now()),
        ..Settings::default()
    })
}

fn from_json(exchange: &Exchange<'_>) -> Option<Settings> {
    if exchange.request.content_type() != "application/json" {
        return None;
    }
    let json: Value = serde_json::from_slice(&exchange.request.body).ok()?;
    let fields = json.as_object()?;
    let flag = |name, missing| match fields.get(name) {
        None => Some(missing),
        Some(value) => value.as_bool(),
    };
    let active_model = match fields.get("activeModel") {
        None => None,
        Some(model) => Some(model.as_str()?.to_owned()),
    };
    Some(Settings {
        session: exchange.session.clone(),
        active_model,
        share: flag("shareConversationsWithModelAuthors", true)?,
        accepted: flag("ethicsModalAccepted", false)? || flag("welcomeModalSeen", false)?,
        search_enabled: false,
        custom_prompts: by_model(fields, "customPrompts", string)?,
        tools_overrides: by_model(fields, "toolsOverrides", Value::as_bool)?,
        reasoning_efforts: by_model(fields, "reasoningEffortOverrides", string)?,
        posted: Some(SystemTime::now()),
    })
}

/// A member that says something about models; nothing is said if it is missing.
fn by_model<'v, T>(
    fields: &'v Map<String, Value>,
    name: &str,
    read: fn(&'v Value) -> Option<T>,
) -> Option<BTreeMap<String, T>> {
    let Some(models) = fields.get(name) else {
        return Some(BTreeMap::new());
    };
    models
        .as_object()?
        .iter()
        .map(|(model, value)| Some((model.clone(), read(value)?)))
        .collect()
}

fn string(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}
