//! A scripted service of the 2023 dialect, for tests of what it is sent and of single odd answers.

use super::http1::{Request, response};
use super::server::{Server, Then};

/// The id of every conversation that it creates.
pub const ID: &str = "65a0b1c2d3e4f5a6b7c8d9e0";
pub const PATH: &str = "/conversation/65a0b1c2d3e4f5a6b7c8d9e0";

const REPLY: &str = concat!(
    r#"data:{"token":{"text":"Hi","special":false},"generated_text":null}"#,
    "\n\n",
    r#"data:{"token":{"text":"</s>","special":true},"generated_text":"Hi"}"#,
    "\n\n",
);

/// Answers as it should to everything that `instead` has no answer to, under any base path.
pub fn service(instead: impl Fn(&Request) -> Option<Vec<u8>> + Send + Sync + 'static) -> Server {
    Server::start(move |request, writer| {
        let answer = instead(request).unwrap_or_else(|| usual(request));
        // A client that has gone away is the server's business.
        let _ = writer.write_all(&answer);
        Then::KeepAlive
    })
}

/// The path below any base path, as far as it tells the steps apart.
pub fn step(request: &Request) -> &'static str {
    let path = request.path.split('?').next().unwrap_or_default();
    let segments: Vec<&str> = path.split('/').collect();
    match (request.method.as_str(), segments.as_slice()) {
        ("POST", [.., "settings"]) => "settings",
        ("POST", [.., "conversation"]) => "create",
        ("POST", [.., "stop-generating"]) => "stop",
        ("POST", [.., "conversation", _]) => "message",
        ("DELETE", [.., "conversation", _]) => "delete",
        _ => "other",
    }
}

/// The requests of one step.
pub fn requests(server: &Server, of: &str) -> Vec<Request> {
    let mut requests = server.requests();
    requests.retain(|request| step(request) == of);
    requests
}

pub fn created(id: &str) -> Vec<u8> {
    let body = serde_json::json!({ "conversationId": id }).to_string();
    response("200 OK", &[("Content-Type", "application/json")], body)
}

pub fn usual(request: &Request) -> Vec<u8> {
    match step(request) {
        "settings" => response(
            "200 OK",
            &[],
            r#"{"type":"redirect","status":303,"location":"/"}"#,
        ),
        "create" => created(ID),
        "message" => response("200 OK", &[], REPLY),
        "stop" | "delete" => response("200 OK", &[], ""),
        _ => response(
            "404 Not Found",
            &[("Content-Type", "text/html")],
            "Not Found",
        ),
    }
}
