//! Picking up a reply: its log as server-sent events, what was said and what is said now.

use std::time::{Duration, Instant};

use super::conversations::find;
use super::exchange::{After, Exchange};
use super::fault::Fault;
use super::form;
use super::response::{Beat, Response, Stream};

const HEARTBEAT: Beat = Beat {
    every: Duration::from_millis(400),
    line: ": heartbeat\n\n",
};
/// How often the log is looked at, in case that nothing else says it has grown.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// What comes next of a log.
struct Next {
    updates: Vec<String>,
    end: Option<&'static str>,
}

pub(super) fn stream(exchange: &Exchange<'_>, id: &str) -> After {
    if let Err(after) = find(exchange, id) {
        return after;
    }
    let fields = form::fields(exchange.request.query().as_bytes());
    let generation = match form::field(&fields, "generationId") {
        Some(generation) => Some(generation),
        None => newest(exchange, id),
    };
    let from = form::field(&fields, "fromSeq");
    let from = from.or_else(|| exchange.request.header("last-event-id").map(str::to_owned));
    let from = from.and_then(|from| from.parse().ok()).unwrap_or(0);
    let head = Response::empty(200)
        .header("cache-control", "no-cache, no-transform")
        .header("content-type", "text/event-stream")
        .header("x-accel-buffering", "no");
    let mut stream = exchange.stream_bare(head);
    stream.beat(HEARTBEAT);
    follow(exchange, &mut stream, generation.as_deref(), from)
}

fn newest(exchange: &Exchange<'_>, conversation: &str) -> Option<String> {
    let mut store = exchange.shared.store();
    let newest = store.generations.newest(conversation)?;
    Some(newest.id.clone())
}

/// Sends the updates after that number until the end of the reply. After some minutes it is the
/// client's turn to come again.
fn follow(
    exchange: &Exchange<'_>,
    stream: &mut Stream<'_>,
    generation: Option<&str>,
    mut number: usize,
) -> After {
    let shared = exchange.shared;
    let deadline = Instant::now() + shared.config.stream_lasts;
    let mut sent = 0;
    loop {
        let next = next(exchange, generation, number);
        for update in &next.updates {
            if matches!(exchange.fault, Some(Fault::Cut(after)) if after <= sent) {
                return After::Close;
            }
            number += 1;
            sent += 1;
            stream.chunk(&format!("id: {number}\nevent: update\ndata: {update}\n\n"));
        }
        if let Some(end) = next.end {
            stream.chunk(&format!("event: end\ndata: {{\"status\":\"{end}\"}}\n\n"));
            break;
        }
        if deadline <= Instant::now() {
            break;
        }
        let more = || {
            let next = self::next(exchange, generation, number);
            !next.updates.is_empty() || next.end.is_some()
        };
        let left = deadline.saturating_duration_since(Instant::now());
        stream.wait_until(left.min(LOOK_AGAIN), true, &more);
        if stream.is_gone() || stream.is_stopping() {
            return After::Close;
        }
    }
    stream.end();
    After::KeepAlive
}

fn next(exchange: &Exchange<'_>, generation: Option<&str>, number: usize) -> Next {
    let mut store = exchange.shared.store();
    let known = generation.and_then(|id| store.generations.get(id));
    match known {
        Some(known) => {
            let updates = known.after(number).to_vec();
            let end = known.end.map(|end| end.name());
            Next { updates, end }
        }
        None => Next {
            updates: Vec::new(),
            end: Some("gone"),
        },
    }
}
