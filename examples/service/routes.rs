//! The checks every request passes, in the order of the original, and the way to its handler.

use super::api;
use super::conversations;
use super::dialect::{Files, Messages, SameOrigin};
use super::exchange::{After, Exchange, preferred};
use super::fault::Fault;
use super::files;
use super::flat;
use super::limits;
use super::page_data;
use super::response::{Response, reason};
use super::resume;
use super::settings;
use super::tree;
use super::web_search;

const FORM_TYPES: [&str; 3] = [
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "text/plain",
];
const LOG_IN: &str = "You have to be logged in.";
/// Where an unknown user is sent to; a name that never resolves.
const LOGIN_PAGE: &str = "https://login.invalid/oauth/authorize?client_id=abc&response_type=code";

pub(super) fn route(exchange: &Exchange<'_>) -> After {
    if let Some(after) = failed(exchange) {
        return after;
    }
    let request = exchange.request;
    if request.too_large {
        return exchange.reply_bare(match exchange.rules().body_limit {
            0..1_000_000 => Response::sized(413, "text/plain", "Invalid request body".to_owned()),
            _ => Response::message(exchange.rules().body_too_large, "An error occurred"),
        });
    }
    let base = exchange.shared.config.base_path.as_str();
    let path = request.path();
    let inside = path
        .strip_prefix(base)
        .filter(|rest| rest.is_empty() || rest.starts_with('/'));
    let Some(inside) = inside else {
        return not_found(exchange);
    };
    if inside.len() > 1 && inside.ends_with('/') {
        return without_slash(exchange, path);
    }
    if let Some(after) = checked(exchange, inside) {
        return after;
    }
    let segments: Vec<&str> = inside.split('/').skip(1).collect();
    let rules = exchange.rules();
    match (request.method.as_str(), segments.as_slice()) {
        ("GET", [] | [""]) => exchange.reply(Response::chunked(
            200,
            "text/html",
            "<!doctype html>\n<title>Chat</title>\n".to_owned(),
        )),
        ("POST", ["settings"]) => settings::accept(exchange),
        ("POST", ["conversation"]) => conversations::create(exchange),
        ("GET", ["__data.json"]) => page_data::show(exchange, None),
        ("GET", ["conversation", id, "__data.json"]) => page_data::show(exchange, Some(id)),
        ("GET", ["r", share]) => conversations::shared_page(exchange, share),
        ("POST", ["conversations"]) => {
            conversations::delete_all_form(exchange).unwrap_or_else(|| not_found(exchange))
        }
        ("PATCH", ["conversation", id]) => conversations::patch(exchange, id),
        ("POST", ["conversation", id, "share"]) => conversations::share(exchange, id),
        ("GET", ["conversation", id, "output", hash]) if rules.files != Files::None => {
            files::download(exchange, id, hash)
        }
        ("GET", ["conversation", id, "stream"]) if rules.resumable => resume::stream(exchange, id),
        ("POST", ["conversation", id]) => message(exchange, id),
        ("DELETE", ["conversation", id]) => conversations::delete(exchange, id),
        ("POST", ["conversation", id, "stop-generating"]) => conversations::stop(exchange, id),
        ("GET", ["conversation", id, "web-search"]) => web_search::stream(exchange, id),
        (method, ["api", path @ ..]) if rules.api => {
            api::route(exchange, method, path).unwrap_or_else(|| not_found(exchange))
        }
        (method, ["settings" | "conversation", ..]) if method != "GET" => {
            exchange.error(405, &format!("{method} method not allowed"))
        }
        _ => not_found(exchange),
    }
}

fn message(exchange: &Exchange<'_>, id: &str) -> After {
    // The same path has a page, and who likes HTML best asked for that.
    let accept = exchange.request.header("accept").unwrap_or("*/*");
    if preferred(accept, &["*", "text/html"]) == Some("text/html") {
        let message = "POST method not allowed. No actions exist for this page";
        return exchange.reply(Response::page(405, message));
    }
    let conversation = match conversations::find(exchange, id) {
        Ok(conversation) => conversation,
        Err(after) => return after,
    };
    if let Some(refused) = limits::message(exchange, &conversation) {
        return refused;
    }
    match exchange.rules().messages {
        Messages::Options | Messages::Plain => flat::message(exchange, conversation),
        Messages::TreeJson | Messages::TreeForm => tree::message(exchange, conversation),
    }
}

/// The faults that come instead of a response, or before one.
fn failed(exchange: &Exchange<'_>) -> Option<After> {
    match exchange.fault.as_ref()? {
        Fault::Status(status, retry_after) => {
            let message = match status {
                401 => LOG_IN,
                410 => "Model not available anymore",
                429 => "You are sending too many messages. Try again later.",
                500 => "Internal Error",
                _ => reason(*status),
            };
            let mut response = Response::message(*status, message);
            if let Some(seconds) = retry_after {
                response = response.header("retry-after", seconds.to_string());
            }
            Some(exchange.reply_bare(response))
        }
        Fault::Answer {
            status,
            content_type,
            body,
        } => Some(exchange.reply_bare(Response::sized(*status, content_type, body.clone()))),
        Fault::Delay(duration) => {
            exchange.shared.sleep(*duration);
            None
        }
        _ => None,
    }
}

/// Refused before it reaches a handler: foreign forms, unknown users, unaccepted terms.
fn checked(exchange: &Exchange<'_>, path: &str) -> Option<After> {
    let config = &exchange.shared.config;
    let rules = exchange.rules();
    let reads = matches!(exchange.request.method.as_str(), "GET" | "HEAD" | "OPTIONS");
    if let Some(header) = &config.wanted_header
        && exchange.request.header(header).is_none()
    {
        return Some(exchange.reply_bare(Response::page(401, "Unauthorized")));
    }
    let hidden = config.hide_api || (!config.expose_api && rules.api_can_be_hidden);
    if path.starts_with("/api/") && rules.api && hidden {
        let response = Response::chunked(403, "text/plain", "API is disabled".to_owned());
        return Some(exchange.reply_bare(response));
    }
    let form = FORM_TYPES.contains(&exchange.request.content_type().as_str());
    if exchange.request.method == "POST" && form {
        let problem = match rules.same_origin {
            SameOrigin::Referer => foreign_referer(exchange),
            SameOrigin::Origin => foreign_origin(exchange),
        };
        if let Some(problem) = problem {
            return Some(exchange.refuse(403, problem));
        }
    }
    let settings = path == "/settings";
    if config.require_login {
        return log_in(exchange, path, reads);
    }
    if rules.welcome_modal && config.terms && !reads && !settings {
        let accepted = exchange.shared.store().has_accepted(&exchange.session);
        if !accepted {
            let message = "You need to accept the welcome modal first";
            return Some(exchange.refuse(405, message));
        }
    }
    None
}

fn log_in(exchange: &Exchange<'_>, path: &str, reads: bool) -> Option<After> {
    let redirect = |response: Response| {
        let verifier = "hfChat-codeVerifier=none; Path=/; HttpOnly; Secure; SameSite=None";
        Some(exchange.reply(response.header("set-cookie", verifier)))
    };
    match path {
        "/settings" | "/conversation" if exchange.rules().login_redirects && !reads => {
            if path == "/conversation" {
                return redirect(Response::empty(302).header("location", LOGIN_PAGE));
            }
            redirect(settings::redirect(302, LOGIN_PAGE))
        }
        "/settings" => None,
        _ if !reads || path.starts_with("/api/conversation") => Some(exchange.refuse(401, LOG_IN)),
        _ => None,
    }
}

fn foreign_referer(exchange: &Exchange<'_>) -> Option<&'static str> {
    let Some(referer) = exchange.request.header("referer") else {
        return Some("Non-JSON form requests need to have a referer");
    };
    // The origin is what stands before the third slash.
    let origin = match referer.match_indices('/').nth(2) {
        Some((end, _)) => &referer[..end],
        None => referer,
    };
    (!exchange.is_own_origin(origin)).then_some("Invalid referer for POST request")
}

fn foreign_origin(exchange: &Exchange<'_>) -> Option<&'static str> {
    match exchange.request.header("origin") {
        None => Some("Non-JSON form requests need to have an origin"),
        Some(origin) if exchange.is_own_origin(origin) => None,
        Some(_) => Some("Invalid referer for POST request"),
    }
}

fn without_slash(exchange: &Exchange<'_>, path: &str) -> After {
    let mut location = path.trim_end_matches('/').to_owned();
    if !exchange.request.query().is_empty() {
        location.push('?');
        location.push_str(exchange.request.query());
    }
    let response = Response::empty(308)
        .header("location", location)
        .header("x-sveltekit-normalize", "1");
    exchange.reply_bare(response)
}

/// What exists nowhere is a page, whatever the client accepts.
fn not_found(exchange: &Exchange<'_>) -> After {
    exchange.reply_bare(Response::page(404, "Not Found"))
}
