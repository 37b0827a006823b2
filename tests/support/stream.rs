//! Long replies in both formats, and a server for each.

use std::io::Write;
use std::iter;

use serde_json::json;

use super::http1::{LAST_CHUNK, Request, chunk, response};
use super::script::{self, Endpoint};
use super::server::{Handler, Then};

/// The text of every token.
pub const WORD: &str = " word";

/// What the events of a reply look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Server-sent events, as up to v0.6.
    Flat,
    /// The same from newer versions of text-generation-inference, which count tokens.
    FlatIndexed,
    /// JSON lines whose tokens are filled up with NULs, as from v0.9.0 on.
    Tree,
}

impl Format {
    pub const ALL: [Format; 3] = [Format::Flat, Format::FlatIndexed, Format::Tree];

    /// The event of one token, of which `text` is the inside of a JSON string.
    pub fn event(self, text: &str) -> String {
        match self {
            Format::Flat => format!(
                "data:{{\"token\":{{\"id\":100,\"text\":\"{text}\",\"logprob\":-0.1,\
                 \"special\":false}},\"generated_text\":null,\"details\":null}}\n\n"
            ),
            Format::FlatIndexed => {
                let event = Format::Flat.event(text);
                event.replacen('{', "{\"index\":1000,", 1)
            }
            Format::Tree => {
                let padding = "\\u0000".repeat(16_usize.saturating_sub(text.len()));
                format!("{{\"type\":\"stream\",\"token\":\"{text}{padding}\"}}\n")
            }
        }
    }

    /// What stands before and after the whole text in the event that ends a reply.
    pub fn last_event(self) -> (&'static str, &'static str) {
        match self {
            Format::Flat | Format::FlatIndexed => (
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

    /// The events of a reply of so many words.
    pub fn events(self, words: usize) -> impl Iterator<Item = String> {
        let (before, after) = self.last_event();
        let last = format!("{before}{}{after}", WORD.repeat(words));
        let event = self.event(WORD);
        iter::repeat_n(event, words).chain([last])
    }

    /// A response with a reply of so many words, in chunks of whole events that have so many bytes
    /// at least.
    pub fn response(self, words: usize, chunk_size: usize) -> Vec<u8> {
        let mut response = script::HEAD.to_vec();
        let mut events = String::new();
        for event in self.events(words) {
            events.push_str(&event);
            if events.len() >= chunk_size {
                response.extend(chunk(&events));
                events.clear();
            }
        }
        if !events.is_empty() {
            response.extend(chunk(&events));
        }
        response.extend(LAST_CHUNK);
        response
    }

    /// Responds as a server with replies of this format, except that `reply` responds to messages.
    pub fn replying(self, reply: impl Handler) -> impl Handler {
        let flat = script::replying(reply);
        move |request: &Request, writer: &mut dyn Write| {
            let response = match (self, request.endpoint()) {
                (Format::Tree, Endpoint::Settings) if request.is_json() => {
                    response("200 OK", &[], "")
                }
                (Format::Tree, Endpoint::Settings) => {
                    response("500 Internal Server Error", &[], "")
                }
                (Format::Tree, Endpoint::Create) => {
                    let root = json!({ "json": { "rootMessageId": "2" } }).to_string();
                    let body = json!({ "conversationId": script::ID, "conversation": root });
                    response("200 OK", &[], body.to_string())
                }
                _ => return flat(request, writer),
            };
            // A client that has gone away is the server's business.
            let _ = writer.write_all(&response);
            Then::KeepAlive
        }
    }
}
