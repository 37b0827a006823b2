//! A service of the 2023 dialect, of which a test writes only the reply.

use std::io::Write;

use super::http1::{Request, chunk, response};
use super::server::Then;

pub const CONVERSATION: &str = "0123456789abcdef01234567";
/// The value of the session cookie.
pub const SESSION: &str = "a3f1c0de-secret-session";

/// Plays all of a conversation but its reply, which `reply` writes.
pub fn service(
    reply: impl Fn(&Request, &mut dyn Write) -> Then + Send + Sync + 'static,
) -> impl Fn(&Request, &mut dyn Write) -> Then + Send + Sync + 'static {
    let message = format!("/conversation/{CONVERSATION}");
    move |request, writer| {
        let json = ("Content-Type", "application/json");
        let answer = match (request.method.as_str(), request.path.as_str()) {
            ("POST", path) if path == message => return reply(request, writer),
            ("POST", "/settings") => {
                let cookie = format!("hf-chat={SESSION}; Path=/; HttpOnly; Secure; SameSite=None");
                let referer = request.header("referer").unwrap_or("/");
                let body = format!(r#"{{"type":"redirect","status":303,"location":"{referer}"}}"#);
                response("200 OK", &[json, ("Set-Cookie", &cookie)], body)
            }
            ("POST", "/conversation") => {
                let body = format!(r#"{{"conversationId":"{CONVERSATION}"}}"#);
                response("200 OK", &[json], body)
            }
            ("DELETE", path) if path == message => response("200 OK", &[], ""),
            ("POST", path) if path.ends_with("/stop-generating") => response("200 OK", &[], ""),
            _ => response("404 Not Found", &[json], r#"{"message":"Not Found"}"#),
        };
        let _ = writer.write_all(&answer);
        Then::KeepAlive
    }
}

/// The same with a complete reply of these tokens.
pub fn replies(
    tokens: &'static [&'static str],
) -> impl Fn(&Request, &mut dyn Write) -> Then + Send + Sync + 'static {
    service(move |_, writer| {
        begin(writer, tokens);
        let _ = writer.write_all(&chunk(last_event(&tokens.concat())));
        let _ = writer.write_all(super::http1::LAST_CHUNK);
        Then::KeepAlive
    })
}

/// The beginning of a reply: its head, and these tokens.
pub fn begin(writer: &mut dyn Write, tokens: &[&str]) {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\
                Transfer-Encoding: chunked\r\n\r\n";
    let _ = writer.write_all(head.as_bytes());
    for token in tokens {
        let _ = writer.write_all(&chunk(self::token(token)));
    }
}

/// The event of one token.
pub fn token(text: &str) -> String {
    event(text, false, "null")
}

/// The event that ends a reply, with its whole text.
pub fn last_event(text: &str) -> String {
    event("</s>", true, &serde_json::Value::from(text).to_string())
}

fn event(token: &str, special: bool, generated: &str) -> String {
    let token = serde_json::Value::from(token);
    format!(
        "data:{{\"token\":{{\"id\":1,\"text\":{token},\"logprob\":-0.5,\"special\":{special}}},\
         \"generated_text\":{generated},\"details\":null}}\n\n"
    )
}

/// Every request as `POST /settings`.
pub fn steps(requests: &[Request]) -> Vec<String> {
    let step = |request: &Request| format!("{} {}", request.method, request.path);
    requests.iter().map(step).collect()
}

/// Whether the conversation was deleted.
pub fn is_deleted(requests: &[Request]) -> bool {
    requests.iter().any(|request| request.method == "DELETE")
}
