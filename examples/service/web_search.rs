//! Searching the web, which finds the same two pages whatever is asked, or fails.

use super::conversations;
use super::dialect::Messages;
use super::exchange::{After, Exchange};
use super::form;
use super::response::Response;
use super::value::{Value, object};

const SOURCES: [(&str, &str); 2] = [
    ("https://example.com/first", "The first page found"),
    ("https://example.org/second", "The second page found"),
];

const FAILED: &str = "An error occurred with the web search";
/// Why a search fails, if it is to.
const WHY: &str = "No text found on the first 0 results";

/// The search as a request of its own: every chunk holds all messages so far, nothing separates
/// them, and the response never ends.
pub(super) fn stream(exchange: &Exchange<'_>, id: &str) -> After {
    if exchange.rules().messages != Messages::Options {
        return exchange.error(404, "Not Found");
    }
    if let Err(after) = conversations::find(exchange, id) {
        return after;
    }
    let fields = form::fields(exchange.request.query().as_bytes());
    let query = form::field(&fields, "prompt").unwrap_or_default();
    let query = query.trim();
    if query.is_empty() {
        return exchange.internal_error();
    }
    let fails = exchange.shared.config.web_search_fails;
    let found = (!fails).then_some(query);
    let search = exchange.shared.store().add_search(found);
    let update = |message: &str| object! { "type": "update", "message": message };
    let mut messages = vec![
        update("Generating search query"),
        update("Searching Google").with("args", vec![Value::from(query)]),
    ];
    if fails {
        let error = object! { "type": "error", "message": FAILED };
        messages.push(error.with("args", vec![Value::from(WHY)]));
    }
    // Even a search that failed has an id.
    messages.push(object! { "type": "result", "id": &search });
    let steps: Vec<String> = messages.iter().map(Value::json).collect();
    let head = Response::empty(200).header("content-type", "application/json");
    let mut stream = exchange.stream(head);
    for count in 1..=steps.len() {
        stream.wait(Some(exchange.shared.config.token_delay), true);
        let messages = steps[..count].join(",");
        stream.chunk(&format!("{{\"messages\":[{messages}]}}"));
    }
    stream.wait(None, true);
    After::Close
}

/// The search as part of the reply: the updates about it.
pub(super) fn updates(kind: &str, query: &str, fails: bool) -> Vec<Value> {
    let update = |is: &str, message: &str| {
        object! { "type": "webSearch" }
            .with(kind, is)
            .with("message", message)
    };
    let args = |arg: &str| vec![Value::from(arg)];
    let mut updates = vec![
        update("update", "Generating search query"),
        update("update", "Searching the web").with("args", args(query)),
    ];
    updates.push(match fails {
        true => update("error", FAILED).with("args", args(WHY)),
        false => update("sources", "sources").with("sources", sources()),
    });
    updates
}

fn sources() -> Vec<Value> {
    SOURCES
        .iter()
        .map(|(link, title)| {
            let hostname = link.split('/').nth(2).unwrap_or_default();
            object! { "title": *title, "link": *link, "hostname": hostname }
        })
        .collect()
}
