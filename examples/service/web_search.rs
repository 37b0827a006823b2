//! Searching the web, which finds the same two pages whatever is asked.

use super::answer;
use super::conversations;
use super::dialect::Messages;
use super::exchange::{After, Exchange};
use super::form;
use super::response::Response;

const SOURCES: [(&str, &str); 2] = [
    ("https://example.com/first", "The first page found"),
    ("https://example.org/second", "The second page found"),
];

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
    let search = exchange.shared.store().add_search(query);
    let steps = [
        r#"{"type":"update","message":"Generating search query"}"#.to_owned(),
        format!(
            r#"{{"type":"update","message":"Searching Google","args":[{}]}}"#,
            answer::string(query)
        ),
        format!(r#"{{"type":"result","id":"{search}"}}"#),
    ];
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

/// The search as part of the reply: the lines about it.
pub(super) fn updates(kind: &str, query: &str) -> Vec<String> {
    let update = |message: &str, args: &str| {
        let message = answer::string(message);
        format!("{{\"type\":\"webSearch\",\"{kind}\":\"update\",\"message\":{message}{args}}}\n")
    };
    let sources: Vec<String> = SOURCES
        .iter()
        .map(|(link, title)| {
            let hostname = link.split('/').nth(2).unwrap_or_default();
            format!("{{\"title\":\"{title}\",\"link\":\"{link}\",\"hostname\":\"{hostname}\"}}")
        })
        .collect();
    vec![
        update("Generating search query", ""),
        update(
            "Searching the web",
            &format!(",\"args\":[{}]", answer::string(query)),
        ),
        format!(
            "{{\"type\":\"webSearch\",\"{kind}\":\"sources\",\"message\":\"sources\",\
             \"sources\":[{}]}}\n",
            sources.join(",")
        ),
    ]
}
