//! What a conversation's own path does: create, change, share, stop, delete.

use std::time::{Duration, Instant, SystemTime};

use serde_json::Value as Json;

use super::dialect::{Messages, Stop};
use super::exchange::{After, Exchange};
use super::form;
use super::generation::StopRequest;
use super::limits;
use super::response::Response;
use super::shown;
use super::store::{Author, Conversation, Message, is_object_id, object_id};
use super::value::{Value, object};

/// The message about conversations that do not exist, or not for this session.
pub(super) const NOT_FOUND: &str = "Conversation not found";
/// How long a stop that found nothing to stop is remembered.
const MARK_LASTS: Duration = Duration::from_secs(5);
/// How long after a stop a busy server ends what begins then.
const BUSY_MARK_LASTS: Duration = Duration::from_millis(300);
/// The longest title, in characters.
const LONGEST_TITLE: usize = 100;

/// The conversation of that id, if the session owns it; else the response.
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
    if exchange.request.content_type() != "application/json" {
        return exchange.internal_error();
    }
    let Some(conversation) = read(exchange) else {
        return match exchange.rules().unknown_model {
            500 => exchange.internal_error(),
            status => exchange.error(status, "Invalid request"),
        };
    };
    if let Some(refused) = limits::conversation(exchange) {
        return refused;
    }
    let mut body = object! { "conversationId": &conversation.id };
    if exchange.rules().create_tells_root {
        let whole = shown::whole(exchange.rules(), &conversation).with_types();
        body = body.with("conversation", whole.as_str());
    }
    exchange.shared.store().insert(conversation);
    exchange.shared.changes.note();
    exchange.reply(Response::chunked(200, "application/json", body.json()))
}

/// The conversation that the body asks for.
fn read(exchange: &Exchange<'_>) -> Option<Conversation> {
    let rules = exchange.rules();
    let json: Json = serde_json::from_slice(&exchange.request.body).ok()?;
    let model = json["model"].as_str()?;
    exchange.shared.config.model(model)?;
    if let Some(share) = json["fromShare"].as_str()
        && rules.copies_shares
    {
        return copied(exchange, share);
    }
    let preprompt = match json.get("preprompt") {
        Some(Json::String(preprompt)) if rules.preprompt => preprompt.as_str(),
        Some(Json::String(_)) | None => "",
        Some(_) => return None,
    };
    let tree = matches!(rules.messages, Messages::TreeJson | Messages::TreeForm);
    let messages = match tree {
        true => vec![Message::new(Author::System, None, preprompt)],
        false => Vec::new(),
    };
    Some(Conversation {
        id: object_id(),
        owner: exchange.session.clone(),
        model: model.to_owned(),
        title: rules.untitled.to_owned(),
        preprompt: preprompt.to_owned(),
        tree,
        messages,
        updated: SystemTime::now(),
        stopped: None,
        marked: None,
        share: None,
    })
}

/// A copy of a shared conversation, with all its messages.
fn copied(exchange: &Exchange<'_>, share: &str) -> Option<Conversation> {
    let mut store = exchange.shared.store();
    let shared = store.shares.get(share).cloned()?;
    let id = object_id();
    store.uploads.copy(&shared.id, &id);
    Some(Conversation {
        id,
        owner: exchange.session.clone(),
        updated: SystemTime::now(),
        ..shared
    })
}

/// Changes the title or the model.
pub(super) fn patch(exchange: &Exchange<'_>, id: &str) -> After {
    if let Err(after) = find(exchange, id) {
        return after;
    }
    let json: Option<Json> = serde_json::from_slice(&exchange.request.body).ok();
    if json.and_then(|json| apply(exchange, id, &json)).is_none() {
        return exchange.internal_error();
    }
    exchange.shared.changes.note();
    match exchange.renews_cookie() {
        true => exchange.reply(Response::empty(200)),
        false => exchange.reply_bare(Response::empty(200)),
    }
}

/// Nothing if the change makes no sense, or is not possible in this version.
pub(super) fn apply(exchange: &Exchange<'_>, id: &str, json: &Json) -> Option<()> {
    let (config, rules) = (&exchange.shared.config, exchange.rules());
    let title = match json.get("title") {
        Some(title) => {
            let title = title.as_str()?;
            let length = title.chars().count();
            (1..=LONGEST_TITLE)
                .contains(&length)
                .then_some(Some(title))?
        }
        None => None,
    };
    let model = match json.get("model") {
        Some(model) if rules.changes_model => Some(config.model(model.as_str()?)?.id.clone()),
        _ => None,
    };
    if title.is_none() && model.is_none() {
        return None;
    }
    let mut store = exchange.shared.store();
    let conversation = store.get_mut(id)?;
    if let Some(title) = title {
        conversation.title = title.to_owned();
    }
    if let Some(model) = model {
        conversation.model = model;
    }
    Some(())
}

/// Shares the conversation as it is; the same share again if nothing was said since.
pub(super) fn share(exchange: &Exchange<'_>, id: &str) -> After {
    let conversation = match find(exchange, id) {
        Ok(conversation) => conversation,
        Err(after) => return after,
    };
    let count = conversation.messages.len();
    let known = conversation.share.clone();
    let share = match known.filter(|(_, messages)| *messages == count) {
        Some((share, _)) => share,
        None => {
            let share = object_id()[17..].to_owned();
            let mut store = exchange.shared.store();
            store.shares.insert(share.clone(), conversation);
            if let Some(conversation) = store.get_mut(id) {
                conversation.share = Some((share.clone(), count));
            }
            share
        }
    };
    let body = if exchange.rules().share_is_url {
        let (origin, base) = (exchange.origin(), &exchange.shared.config.base_path);
        object! { "url": &format!("{origin}{base}/r/{share}") }
    } else {
        object! { "shareId": &share }
    };
    exchange.reply(Response::chunked(200, "application/json", body.json()))
}

/// The page of a share, for everybody.
pub(super) fn shared_page(exchange: &Exchange<'_>, share: &str) -> After {
    let title = {
        let store = exchange.shared.store();
        store.shares.get(share).map(|shared| shared.title.clone())
    };
    exchange.reply_bare(match title {
        Some(title) => {
            let page = format!("<!doctype html>\n<title>{title}</title>\n");
            Response::chunked(200, "text/html", page)
        }
        None => Response::page(404, "Conversation not found"),
    })
}

pub(super) fn stop(exchange: &Exchange<'_>, id: &str) -> After {
    if let Err(after) = find(exchange, id) {
        return after;
    }
    let rules = exchange.rules();
    if rules.resumable {
        stop_generation(exchange, id);
    } else {
        let once = rules.stop == Stop::Cut;
        exchange.shared.store().stop(id, once);
    }
    exchange.shared.changes.note();
    exchange.reply(Response::empty(200))
}

/// Stops the generation that is named, or the newest; if it does not run, a mark is left behind.
fn stop_generation(exchange: &Exchange<'_>, id: &str) {
    let json: Json = serde_json::from_slice(&exchange.request.body).unwrap_or_default();
    let seen = json["seenContentLength"].as_u64();
    let mut store = exchange.shared.store();
    let generation = match json["generationId"].as_str() {
        Some(generation) => store.generations.get(generation),
        None => store.generations.newest(id),
    };
    let running = generation.filter(|generation| generation.end.is_none());
    let busy = exchange.shared.config.busy;
    let mark = match running {
        Some(running) => {
            let seen = seen.and_then(|seen| usize::try_from(seen).ok());
            let seen = if busy { Some(0) } else { seen };
            running.stop = Some(StopRequest { seen });
            busy.then_some(BUSY_MARK_LASTS)
        }
        None => exchange.rules().stop_leaves_mark.then_some(MARK_LASTS),
    };
    if let (Some(lasts), Some(conversation)) = (mark, store.get_mut(id)) {
        conversation.marked = Some(Instant::now() + lasts);
    }
}

pub(super) fn delete(exchange: &Exchange<'_>, id: &str) -> After {
    if let Err(after) = find(exchange, id) {
        return after;
    }
    if !exchange.shared.store().remove(id, &exchange.session) {
        return exchange.error(404, NOT_FOUND);
    }
    exchange.shared.changes.note();
    match exchange.renews_cookie() {
        true => exchange.reply(Response::empty(200)),
        false => exchange.reply_bare(Response::empty(200)),
    }
}

/// The button of the page that deletes all conversations, a form: nothing if this is none.
pub(super) fn delete_all_form(exchange: &Exchange<'_>) -> Option<After> {
    let deletes = form::fields(exchange.request.query().as_bytes())
        .first()
        .is_some_and(|(name, _)| name == "/delete");
    if !deletes || exchange.rules().api_deletes {
        return None;
    }
    exchange.shared.store().remove_all(&exchange.session);
    exchange.shared.changes.note();
    let home = format!("{}/", exchange.shared.config.base_path);
    Some(exchange.reply(super::settings::redirect(303, &home)))
}
