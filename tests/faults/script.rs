//! What the server does wrong, and the bytes that it does it with.

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use h2ogpt::Step;

use support::http1::{LAST_CHUNK, chunk, response};
use support::server::Then;

/// The id of every conversation on the scripted server.
pub const ID: &str = "64b7f0aa1c9d440000000001";

/// The id of the one message in them.
const MESSAGE: &str = "6c1d6b9e-7a2f-4f29-9c0e-2f1f0e6f6a01";

/// The head of a response that is chunked, as that of every reply.
pub const HEAD: &[u8] =
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

/// The header of an answer in JSON.
pub const JSON: (&str, &str) = ("Content-Type", "application/json");

/// What is written in place of an answer.
pub enum Script {
    /// These bytes, and then that.
    Then(Vec<u8>, Then),
    /// These bytes, some more so much later, and then nothing.
    Late(Vec<u8>, Duration, Vec<u8>),
    /// These bytes, and then a piece again and again until nobody takes it any more.
    Endless(Vec<u8>, Vec<u8>, Duration),
}

impl Script {
    /// Counts the bytes that were taken off its hands.
    pub fn play(&self, out: &mut dyn Write, taken: &AtomicUsize) -> Then {
        let mut write = |bytes: &[u8]| {
            let written = out.write_all(bytes).is_ok();
            taken.fetch_add(bytes.len(), Ordering::Relaxed);
            written
        };
        match self {
            Script::Then(bytes, then) => {
                write(bytes);
                *then
            }
            Script::Late(first, after, second) => {
                write(first);
                thread::sleep(*after);
                write(second);
                Then::Hold
            }
            Script::Endless(first, piece, every) => {
                let mut wanted = write(first);
                while wanted {
                    thread::sleep(*every);
                    wanted = write(piece);
                }
                Then::Close
            }
        }
    }
}

/// These pieces, and then nothing: the connection stays open.
pub fn hold(pieces: &[&[u8]]) -> Script {
    Script::Then(pieces.concat(), Then::Hold)
}

/// These pieces, and then an orderly end of the connection.
pub fn close(pieces: &[&[u8]]) -> Script {
    Script::Then(pieces.concat(), Then::Close)
}

/// These pieces, and then a reset.
pub fn reset(pieces: &[&[u8]]) -> Script {
    Script::Then(pieces.concat(), Then::Reset)
}

/// These pieces, which are an answer.
pub fn answer(pieces: &[&[u8]]) -> Script {
    Script::Then(pieces.concat(), Then::KeepAlive)
}

/// These pieces, and then one more every so many milliseconds.
pub fn endless(first: &[&[u8]], piece: &[u8], every: u64) -> Script {
    Script::Endless(first.concat(), piece.to_vec(), Duration::from_millis(every))
}

/// These pieces, and then as many more as are taken.
pub fn flood(first: &[&[u8]], piece: &[u8]) -> Script {
    let many = piece.repeat((64 << 10) / piece.len());
    endless(first, &many, 0)
}

/// These pieces, a last one so many milliseconds later, and then nothing.
pub fn late(first: &[&[u8]], after: u64, second: &[u8]) -> Script {
    Script::Late(
        first.concat(),
        Duration::from_millis(after),
        second.to_vec(),
    )
}

/// An answer with a status, a header and a body.
pub fn status(status: &str, header: (&str, &str), body: &str) -> Script {
    Script::Then(response(status, &[header], body), Then::KeepAlive)
}

/// An answer with a page for people.
pub fn page(title: &str) -> Script {
    let body = format!("<!doctype html><html><head><title>{title}</title></head></html>");
    status(title, ("Content-Type", "text/html"), &body)
}

/// An event that brings a token.
pub fn token(text: &str) -> Vec<u8> {
    chunk(format!(
        "data:{{\"token\":{{\"id\":1,\"text\":\"{text}\",\"special\":false}},\
         \"generated_text\":null,\"details\":null}}\n\n"
    ))
}

/// The event that ends a reply with this text.
pub fn last(text: &str) -> Vec<u8> {
    chunk(format!(
        "data:{{\"token\":{{\"id\":0,\"text\":\"</s>\",\"special\":true}},\
         \"generated_text\":\"{text}\",\"details\":null}}\n\n"
    ))
}

/// A refusal that is not about this request in particular.
pub fn forbidden() -> Vec<u8> {
    response("403 Forbidden", &[], "Forbidden")
}

/// What the server answers where nothing goes wrong.
pub fn faultless(step: Option<Step>) -> Vec<u8> {
    let json = |body: &str| response("200 OK", &[JSON], body);
    match step {
        Some(Step::Settings) => json(r#"{"type":"redirect","status":303,"location":"/"}"#),
        Some(Step::Create) => json(&format!("{{\"conversationId\":\"{ID}\"}}")),
        Some(Step::History) => json(&format!("{{\"messages\":[{{\"id\":\"{MESSAGE}\"}}]}}")),
        Some(Step::WebSearch) => json(r#"{"messages":[{"type":"result","id":"1"}]}"#),
        Some(Step::Message) => {
            let events = [token("Hello"), token(" you"), last("Hello you")];
            [HEAD, &events.concat(), LAST_CHUNK].concat()
        }
        _ => response("200 OK", &[], ""),
    }
}
