//! What the server does wrong, and the bytes that it does it with.

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use support::http1::{chunk, response};
use support::script;
use support::server::Then;

/// What is written in place of a response.
pub enum Fault {
    /// These bytes, and then that.
    Then(Vec<u8>, Then),
    /// These bytes, some more so much later, and then nothing.
    Late(Vec<u8>, Duration, Vec<u8>),
    /// These bytes, and then a piece again and again until nobody takes it any more.
    Endless(Vec<u8>, Vec<u8>, Duration),
}

impl Fault {
    /// Counts the bytes that were taken off its hands.
    pub fn play(&self, out: &mut dyn Write, taken: &AtomicUsize) -> Then {
        let mut write = |bytes: &[u8]| {
            let written = out.write_all(bytes).is_ok();
            taken.fetch_add(bytes.len(), Ordering::Relaxed);
            written
        };
        match self {
            Fault::Then(bytes, then) => {
                write(bytes);
                *then
            }
            Fault::Late(first, after, second) => {
                write(first);
                thread::sleep(*after);
                write(second);
                Then::Hold
            }
            Fault::Endless(first, piece, every) => {
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
pub fn hold(pieces: &[&[u8]]) -> Fault {
    Fault::Then(pieces.concat(), Then::Hold)
}

/// These pieces, and then an orderly end of the connection.
pub fn close(pieces: &[&[u8]]) -> Fault {
    Fault::Then(pieces.concat(), Then::Close)
}

/// These pieces, and then a reset.
pub fn reset(pieces: &[&[u8]]) -> Fault {
    Fault::Then(pieces.concat(), Then::Reset)
}

/// These pieces, which are a response.
pub fn respond(pieces: &[&[u8]]) -> Fault {
    Fault::Then(pieces.concat(), Then::KeepAlive)
}

/// These pieces, and then one more every so many milliseconds.
pub fn endless(first: &[&[u8]], piece: &[u8], every: u64) -> Fault {
    Fault::Endless(first.concat(), piece.to_vec(), Duration::from_millis(every))
}

/// These pieces, and then as many more as are taken.
pub fn flood(first: &[&[u8]], piece: &[u8]) -> Fault {
    let many = piece.repeat((64 << 10) / piece.len());
    endless(first, &many, 0)
}

/// These pieces, a last one so many milliseconds later, and then nothing.
pub fn late(first: &[&[u8]], after: u64, second: &[u8]) -> Fault {
    Fault::Late(
        first.concat(),
        Duration::from_millis(after),
        second.to_vec(),
    )
}

/// A response with a status, a header and a body.
pub fn status(status: &str, header: (&str, &str), body: &str) -> Fault {
    Fault::Then(response(status, &[header], body), Then::KeepAlive)
}

/// A response with a page for people.
pub fn page(title: &str) -> Fault {
    let body = format!("<!doctype html><html><head><title>{title}</title></head></html>");
    status(title, ("Content-Type", "text/html"), &body)
}

/// The event of one token.
pub fn token(text: &str) -> Vec<u8> {
    chunk(script::token(text))
}

/// The event that ends a reply with this text.
pub fn last(text: &str) -> Vec<u8> {
    chunk(script::last_event(text))
}

/// A refusal that is not about this request in particular.
pub fn forbidden() -> Vec<u8> {
    response("403 Forbidden", &[], "Forbidden")
}
