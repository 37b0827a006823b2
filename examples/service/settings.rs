//! `/settings`: a form on the older versions, JSON on the later ones.

use std::collections::BTreeMap;

use serde_json::Value;

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
        Some(model) if known.contains(&model) => Some(model),
        Some(_) => return None,
        None => known.first().cloned(),
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
        custom_prompts,
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
        accepted: flag("ethicsModalAccepted", false)?,
        custom_prompts: BTreeMap::new(),
    })
}
