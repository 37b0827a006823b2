//! A server of the 2023 protocol that does what it should, except where a test says otherwise.
//!
//! All of it are handlers for [`Server::start`](super::server::Server::start), which can be wrapped
//! in other handlers.

use std::io::Write;

use serde_json::{Value, json};

use super::http1::{LAST_CHUNK, Request, chunk, response};
use super::server::{Handler, Server, Then};

/// The id of every conversation.
pub const ID: &str = "0123456789abcdef01234567";
/// The path of every conversation.
pub const PATH: &str = "/conversation/0123456789abcdef01234567";
/// The id of the one message in the history of every conversation.
pub const MESSAGE: &str = "6c1d6b9e-7a2f-4f29-9c0e-2f1f0e6f6a01";

/// The header of a response in JSON.
pub const JSON: (&str, &str) = ("Content-Type", "application/json");

/// The head of a response with a reply, whose body is chunked.
pub const HEAD: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

/// What a request asks for, below any base path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    Models,
    Settings,
    Create,
    Title,
    History,
    /// The data behind the pages.
    PageData,
    WebSearch,
    Message,
    Stop,
    Delete,
    Other,
}

impl Request {
    pub fn endpoint(&self) -> Endpoint {
        let path = self.path.split('?').next().unwrap_or_default();
        let segments: Vec<&str> = path.split('/').collect();
        match (self.method.as_str(), segments.as_slice()) {
            ("GET", [.., "api", "models"]) => Endpoint::Models,
            ("POST", [.., "settings"]) => Endpoint::Settings,
            ("POST", [.., "conversation"]) => Endpoint::Create,
            ("PATCH", [.., "conversation", _]) => Endpoint::Title,
            ("GET", [.., "api", "conversation", _]) => Endpoint::History,
            ("GET", [.., "__data.json"]) => Endpoint::PageData,
            ("GET", [.., "conversation", _, "web-search"]) => Endpoint::WebSearch,
            ("POST", [.., "conversation", _]) => Endpoint::Message,
            ("POST", [.., "conversation", _, "stop-generating"]) => Endpoint::Stop,
            ("DELETE", [.., "conversation", _]) => Endpoint::Delete,
            _ => Endpoint::Other,
        }
    }
}

impl Server {
    /// The requests so far to one endpoint.
    pub fn requests_to(&self, endpoint: Endpoint) -> Vec<Request> {
        let mut requests = self.requests();
        requests.retain(|request| request.endpoint() == endpoint);
        requests
    }

    /// Every request so far as `POST /settings`.
    pub fn steps(&self) -> Vec<String> {
        let step = |request: &Request| format!("{} {}", request.method, request.path);
        self.requests().iter().map(step).collect()
    }

    /// Whether the conversation was deleted.
    pub fn is_deleted(&self) -> bool {
        !self.requests_to(Endpoint::Delete).is_empty()
    }
}

/// The response to a request where nothing goes wrong. The reply to every message is "Hi".
pub fn usual(request: &Request) -> Vec<u8> {
    let ok = |body: Value| response("200 OK", &[JSON], body.to_string());
    match request.endpoint() {
        Endpoint::Settings => {
            let referer = request.header("referer").unwrap_or("/");
            ok(json!({ "type": "redirect", "status": 303, "location": referer }))
        }
        Endpoint::Create => created(ID),
        Endpoint::History => ok(json!({ "messages": [{ "id": MESSAGE }] })),
        Endpoint::WebSearch => ok(json!({ "messages": [{ "type": "result", "id": "1" }] })),
        Endpoint::Message => {
            let mut reply = Vec::new();
            begin(&mut reply, &["Hi"]);
            end(&mut reply, "Hi");
            reply
        }
        Endpoint::Title | Endpoint::Stop | Endpoint::Delete => response("200 OK", &[], ""),
        Endpoint::Models | Endpoint::PageData | Endpoint::Other => response(
            "404 Not Found",
            &[("Content-Type", "text/html")],
            "Not Found",
        ),
    }
}

/// The response to the creation of a conversation.
pub fn created(id: &str) -> Vec<u8> {
    let body = json!({ "conversationId": id });
    response("200 OK", &[JSON], body.to_string())
}

/// Responds as usual.
pub fn respond(request: &Request, writer: &mut dyn Write) -> Then {
    // A client that has gone away is the server's business.
    let _ = writer.write_all(&usual(request));
    Then::KeepAlive
}

/// Responds as usual where `instead` has no other response.
pub fn responding(
    instead: impl Fn(&Request) -> Option<Vec<u8>> + Send + Sync + 'static,
) -> impl Handler {
    move |request: &Request, writer: &mut dyn Write| match instead(request) {
        Some(other) => {
            let _ = writer.write_all(&other);
            Then::KeepAlive
        }
        None => respond(request, writer),
    }
}

/// Responds as usual, except that `reply` responds to messages.
pub fn replying(reply: impl Handler) -> impl Handler {
    move |request: &Request, writer: &mut dyn Write| match request.endpoint() {
        Endpoint::Message => reply(request, writer),
        _ => respond(request, writer),
    }
}

/// Responds as usual, with a reply of these tokens.
pub fn replies(tokens: &'static [&'static str]) -> impl Handler {
    replying(move |_, writer| {
        begin(writer, tokens);
        end(writer, &tokens.concat());
        Then::KeepAlive
    })
}

/// The beginning of a reply: its head, and these tokens.
pub fn begin(writer: &mut dyn Write, tokens: &[&str]) {
    let _ = writer.write_all(HEAD);
    for token in tokens {
        let _ = writer.write_all(&chunk(self::token(token)));
    }
}

/// The end of a reply with this text.
pub fn end(writer: &mut dyn Write, text: &str) {
    let _ = writer.write_all(&chunk(last_event(text)));
    let _ = writer.write_all(LAST_CHUNK);
}

/// The event of one token.
pub fn token(text: &str) -> String {
    event(text, false, Value::Null)
}

/// The event that ends a reply, with its whole text.
pub fn last_event(text: &str) -> String {
    event("</s>", true, text.into())
}

/// The order of the members is that of real servers.
fn event(token: &str, special: bool, generated: Value) -> String {
    let token = Value::from(token);
    format!(
        "data:{{\"token\":{{\"id\":1,\"text\":{token},\"logprob\":-0.5,\"special\":{special}}},\
         \"generated_text\":{generated},\"details\":null}}\n\n"
    )
}
