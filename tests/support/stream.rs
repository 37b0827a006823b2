//! Long replies in both formats, and a scripted service for each that answers with them.

use std::io::Write;

use super::http1::{Request, response};
use super::script;
use super::server::Then;

/// The text of every token.
pub const WORD: &str = " word";

/// What the events of a reply look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Server-sent events, as up to v0.6.
    Flat,
    /// JSON lines whose tokens are filled up with NULs, as from v0.9.0 on.
    Tree,
}

impl Format {
    pub const ALL: [Format; 2] = [Format::Flat, Format::Tree];

    /// The event of one token, of which `text` is the inside of a JSON text.
    pub fn event(self, text: &str) -> String {
        match self {
            Format::Flat => format!(
                "data:{{\"token\":{{\"id\":100,\"text\":\"{text}\",\"logprob\":-0.1,\
                 \"special\":false}},\"generated_text\":null,\"details\":null}}\n\n"
            ),
            Format::Tree => {
                let padding = "\\u0000".repeat(16_usize.saturating_sub(text.len()));
                format!("{{\"type\":\"stream\",\"token\":\"{text}{padding}\"}}\n")
            }
        }
    }

    /// What stands before and after the whole text in the event that ends a reply.
    pub fn last_event(self) -> (&'static str, &'static str) {
        match self {
            Format::Flat => (
                "data:{\"token\":{\"id\":11,\"text\":\"</s>\",\"logprob\":0.0,\"special\":true},\
                 \"generated_text\":\"",
                "\",\"details\":null}\n\n",
            ),
            Format::Tree => (
                "{\"type\":\"finalAnswer\",\"text\":\"",
                "\",\"interrupted\":false}\n",
            ),
        }
    }

    /// Plays all of a conversation but its reply, which `reply` writes.
    pub fn service(
        self,
        reply: impl Fn(&Request, &mut dyn Write) -> Then + Send + Sync + 'static,
    ) -> impl Fn(&Request, &mut dyn Write) -> Then + Send + Sync + 'static {
        let flat = script::service(reply);
        move |request, writer| {
            let answer = match (self, request.method.as_str(), request.path.as_str()) {
                (Format::Tree, "POST", "/settings") if request.body.starts_with(b"{") => {
                    response("200 OK", &[], "")
                }
                (Format::Tree, "POST", "/settings") => {
                    response("500 Internal Server Error", &[], "")
                }
                (Format::Tree, "POST", "/conversation") => {
                    let root = r#"{\"json\":{\"rootMessageId\":\"2\"}}"#;
                    let id = script::CONVERSATION;
                    let body = format!(r#"{{"conversationId":"{id}","conversation":"{root}"}}"#);
                    response("200 OK", &[], body)
                }
                _ => return flat(request, writer),
            };
            // A client that has gone away is the server's business.
            let _ = writer.write_all(&answer);
            Then::KeepAlive
        }
    }
}
