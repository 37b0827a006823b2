//! What is below `/api`: models, lists, histories, and what deletes them.

use std::cmp::Reverse;

use super::conversations::{self, NOT_FOUND, find};
use super::exchange::{After, Exchange};
use super::form;
use super::response::Response;
use super::shown;
use super::store::Conversation;
use super::tools;
use super::value::{Value, object};

/// The handler of a path below `/api`; nothing if this version has none.
pub(super) fn route(exchange: &Exchange<'_>, method: &str, path: &[&str]) -> Option<After> {
    let rules = exchange.rules();
    Some(match (method, path) {
        ("GET", ["models"]) => models(exchange),
        ("GET", ["conversations"]) => list(exchange),
        ("DELETE", ["conversations"]) if rules.api_deletes => delete_all(exchange),
        (method, ["conversations"]) => {
            let body = format!("{method} method not allowed");
            let response = Response::sized(405, "text/plain", body).header("allow", "GET, HEAD");
            exchange.reply_bare(response)
        }
        ("GET", ["conversation", id]) => show(exchange, id),
        ("DELETE", ["conversation", id, "message", message]) if rules.api_deletes => {
            delete_message(exchange, id, message)
        }
        ("GET", ["mcp", "servers"]) if rules.tools => tools::list(exchange),
        ("GET", ["user"]) => {
            let body = object! { "message": "Must be signed in" };
            exchange.reply_bare(Response::chunked(401, "application/json", body.json()))
        }
        (method, ["v2", path @ ..]) if rules.api_v2 => return v2(exchange, method, path),
        _ => return None,
    })
}

/// The same with the types that JSON lacks.
fn v2(exchange: &Exchange<'_>, method: &str, path: &[&str]) -> Option<After> {
    let success = || json(exchange, object! { "success": true }.with_types());
    Some(match (method, path) {
        ("GET", ["models"]) => {
            let models = shown_models(exchange);
            json(exchange, Value::List(models).with_types())
        }
        ("GET", ["conversations"]) => {
            let (conversations, more) = page(exchange);
            let listed = object! { "conversations": conversations, "hasMore": more };
            json(exchange, listed.with_types())
        }
        ("DELETE", ["conversations"]) => {
            let count = exchange.shared.store().remove_all(&exchange.session);
            exchange.shared.changes.note();
            json(exchange, format!("{{\"json\":{count}}}"))
        }
        ("GET", ["conversations", id]) => match find(exchange, id) {
            Ok(found) => json(
                exchange,
                shown::whole(exchange.rules(), &found).with_types(),
            ),
            Err(after) => after,
        },
        ("PATCH", ["conversations", id]) => match find(exchange, id) {
            Ok(_) => {
                let body = serde_json::from_slice(&exchange.request.body).unwrap_or_default();
                match conversations::apply(exchange, id, &body) {
                    Some(()) => success(),
                    None => exchange.internal_error(),
                }
            }
            Err(after) => after,
        },
        ("DELETE", ["conversations", id]) => match find(exchange, id) {
            Ok(_) => {
                exchange.shared.store().remove(id, &exchange.session);
                exchange.shared.changes.note();
                success()
            }
            Err(after) => after,
        },
        _ => return None,
    })
}

fn json(exchange: &Exchange<'_>, body: String) -> After {
    exchange.reply_bare(Response::chunked(200, "application/json", body))
}

fn shown_models(exchange: &Exchange<'_>) -> Vec<Value> {
    let models = exchange.shared.config.models.iter();
    models
        .map(|model| shown::model(exchange.rules(), model))
        .collect()
}

fn models(exchange: &Exchange<'_>) -> After {
    json(exchange, Value::List(shown_models(exchange)).json())
}

fn show(exchange: &Exchange<'_>, id: &str) -> After {
    match find(exchange, id) {
        Ok(found) => json(
            exchange,
            shown::of_api(&exchange.shared.config, &found).json(),
        ),
        Err(after) => after,
    }
}

fn list(exchange: &Exchange<'_>) -> After {
    let (conversations, _) = page(exchange);
    json(exchange, Value::List(conversations).json())
}

/// A page of the session's conversations, the newest first, and whether there are more.
fn page(exchange: &Exchange<'_>) -> (Vec<Value>, bool) {
    let fields = form::fields(exchange.request.query().as_bytes());
    let number = form::field(&fields, "p").and_then(|page| page.parse().ok());
    let size = exchange.shared.config.page_size;
    let first = number.unwrap_or(0_usize).saturating_mul(size);
    let store = exchange.shared.store();
    let mut all: Vec<&Conversation> = store.owned_by(&exchange.session).collect();
    all.sort_by_key(|conversation| Reverse((conversation.updated, &conversation.id)));
    let listed = all.iter().skip(first).take(size);
    let listed = listed
        .map(|conversation| shown::listed(exchange.rules(), conversation))
        .collect();
    (listed, all.len() > first.saturating_add(size))
}

fn delete_all(exchange: &Exchange<'_>) -> After {
    exchange.shared.store().remove_all(&exchange.session);
    exchange.shared.changes.note();
    exchange.reply_bare(Response::empty(200))
}

/// Deletes a message and all that follow it.
fn delete_message(exchange: &Exchange<'_>, id: &str, message: &str) -> After {
    if let Err(after) = find(exchange, id) {
        return after;
    }
    let deleted = {
        let mut store = exchange.shared.store();
        let conversation = store.get_mut(id);
        conversation.is_some_and(|conversation| conversation.cut_off(message))
    };
    if !deleted {
        return exchange.error(404, NOT_FOUND);
    }
    exchange.shared.changes.note();
    exchange.reply_bare(Response::empty(200))
}
