//! The table.

mod before;

use std::time::Duration;

use h2ogpt::Step::{Delete, Message};
use h2ogpt::TimeLimit;

use support::http1::{LAST_CHUNK, chunk};
use support::script::{HEAD, ID, JSON};

use crate::fault::{close, endless, flood, hold, last, late, page, reset, respond, status, token};
use crate::row::Outcome::{Http, Incomplete, Network, Protocol, Timeout};
use crate::row::{Leave, Row, complete, server_error};

pub fn all() -> Vec<Row> {
    let mut rows = before::all();
    rows.extend(silence_in_the_reply());
    rows.extend(cuts_of_the_reply());
    rows.extend(after_the_reply());
    rows.extend(deleting());
    rows
}

/// A reply that comes to a halt without the connection telling.
fn silence_in_the_reply() -> Vec<Row> {
    let hello = token("Hello");
    let begun: &[&[u8]] = &[HEAD, &hello];
    let row = |name, fault| {
        let outcome = Timeout(Message, TimeLimit::Token);
        Row::new(Message, name, fault, outcome).partial("Hello")
    };
    let keep_alive = chunk("{\"type\":\"status\",\"status\":\"keepAlive\"}\n");
    vec![
        row("headers and then nothing", hold(&[HEAD])).partial(""),
        row("silence in mid-stream", hold(begun)),
        row("silence from there on, whatever is asked", hold(begun)).dead(),
        row("comments only", endless(begun, &chunk(":\n\n"), 100)),
        row("keepAlive only", endless(begun, &keep_alive, 100)),
        row(
            "padding only",
            endless(begun, &chunk(" ".repeat(4096)), 100),
        ),
        row("empty lines only", endless(begun, &chunk("\n"), 100)),
        row("special tokens only", endless(begun, &token(""), 100)),
        row(
            "a sign of life just before the timeout",
            late(begun, 900, &chunk(":\n\n")),
        )
        .within(1000, 1700),
        row(
            "a line byte by byte",
            endless(
                &[HEAD, &hello, &chunk("data:{\"token\":{\"text\":\"")],
                &chunk("x"),
                100,
            ),
        ),
        row(
            "the size of a chunk byte by byte",
            endless(&[HEAD, &hello], b"0", 100),
        ),
        row(
            "the extension of a chunk byte by byte",
            endless(&[HEAD, &hello, b"5;"], b"x", 100),
        ),
        row(
            "a chunk byte by byte",
            endless(&[HEAD, &hello, b"ffff\r\ndata:"], b" ", 100),
        ),
        row(
            "trailers without end before the final event",
            endless(&[HEAD, &hello, b"0\r\n"], b"X-Trailer: x\r\n", 20),
        ),
        Row::new(
            Message,
            "tokens without end",
            endless(begun, &token(" and"), 100),
            Timeout(Message, TimeLimit::Reply),
        )
        .partial("Hello and and and and…"),
        Row::new(
            Message,
            "a line without end",
            flood(&[HEAD, &hello], &chunk([b'x'; 4096])),
            Protocol(Message),
        )
        .partial("Hello"),
        Row::new(
            Message,
            "a token without end",
            flood(
                &[HEAD, &hello, &chunk("data:{\"token\":{\"text\":\"")],
                &chunk([b'x'; 4096]),
            ),
            Protocol(Message),
        )
        .partial("Hello"),
        Row::new(
            Message,
            "a caller who is slower than timeout_token",
            respond(&[HEAD, &hello, &last("Hello"), LAST_CHUNK]),
            complete("Hello"),
        )
        .pause(Duration::from_millis(1300))
        .within(1300, 2300),
    ]
}

/// A reply that the connection ends too early, or that the server gives up.
fn cuts_of_the_reply() -> Vec<Row> {
    let hello = token("Hello");
    let row = |name, fault| Row::new(Message, name, fault, Incomplete).partial("Hello");
    let event: &[u8] = b"30\r\ndata:{\"token\":{\"text\":\" ha";
    let overloaded =
        chunk("data:{\"error\":\"Model is overloaded\",\"error_type\":\"overloaded\"}\n\n");
    let status = chunk("{\"type\":\"status\",\"status\":\"error\",\"message\":\"gone\"}\n");
    let fails = |name, fault, message| Row::new(Message, name, fault, server_error(message));
    vec![
        row("hung up after the headers", close(&[HEAD])).partial(""),
        row("reset after the headers", reset(&[HEAD])).partial(""),
        row("hung up in mid-stream", close(&[HEAD, &hello])),
        row("reset in mid-stream", reset(&[HEAD, &hello])),
        row("hung up in mid-event", close(&[HEAD, &hello, event])),
        row("reset in mid-event", reset(&[HEAD, &hello, event])),
        row(
            "an orderly end in mid-event",
            respond(&[HEAD, &hello, &chunk("data:{\"token\":{\"te"), LAST_CHUNK]),
        ),
        row(
            "an orderly end without the final event",
            respond(&[HEAD, &hello, LAST_CHUNK]),
        ),
        row(
            "the end of a body without any framing",
            close(&[b"HTTP/1.1 200 OK\r\n\r\ndata:{\"token\":{\"text\":\"Hello\"}}\n\n"]),
        ),
        Row::new(
            Message,
            "a chunk without a size",
            late(&[HEAD, &hello], 200, b"zz\r\n"),
            Protocol(Message),
        )
        .partial("Hello"),
        Row::new(
            Message,
            "a line that is no JSON",
            respond(&[HEAD, &hello, &chunk("data:{nonsense}\n\n"), LAST_CHUNK]),
            Protocol(Message),
        )
        .partial("Hello")
        .says("nonsense"),
        fails(
            "an error first",
            respond(&[HEAD, &overloaded, LAST_CHUNK]),
            "Model is overloaded",
        ),
        fails(
            "an error in mid-stream",
            hold(&[HEAD, &hello, &overloaded]),
            "Model is overloaded",
        )
        .partial("Hello"),
        fails(
            "an error in mid-stream, as later versions tell it",
            respond(&[HEAD, &hello, &status, LAST_CHUNK]),
            "gone",
        )
        .partial("Hello"),
    ]
}

/// Whatever comes after the final event, the reply is complete at once.
fn after_the_reply() -> Vec<Row> {
    let (hello, last) = (token("Hello"), last("Hello"));
    let said: &[&[u8]] = &[HEAD, &hello, &last];
    let row = |name, fault| Row::new(Message, name, fault, complete("Hello")).within(0, 500);
    vec![
        row("a body that never ends", hold(said)),
        row("hung up before the last chunk", close(said)),
        row("reset before the last chunk", reset(said)),
        row("a body that never ends, and then nothing", hold(said)).dead(),
        row("a body that never ends, and close", hold(said)).leave(Leave::Close),
        row("a body that never ends, and a panic", hold(said)).leave(Leave::Unwind),
        row(
            "padding without end",
            endless(said, &chunk(" ".repeat(4096)), 20),
        ),
        row("a flood of padding", flood(said, &chunk(" ".repeat(4096)))).drained(),
        row(
            "trailers without end",
            endless(&[HEAD, &hello, &last, b"0\r\n"], b"X-Trailer: x\r\n", 20),
        ),
        row(
            "an error",
            respond(&[
                HEAD,
                &hello,
                &last,
                &chunk("data:{\"error\":\"late\"}\n\n"),
                LAST_CHUNK,
            ]),
        ),
    ]
}

/// The DELETE itself.
fn deleting() -> Vec<Row> {
    let row = |name, fault, outcome| Row::new(Delete, name, fault, outcome);
    let silent = |name, leave| row(name, hold(&[]), complete("Hello you")).leave(leave);
    let timeout = || Timeout(Delete, TimeLimit::Delete);
    let gone = format!("{{\"message\":\"{ID} not found\"}}");
    let drip = b"HTTP/1.1 200 OK\r\nX-Slow: ";
    vec![
        row("headers never come", hold(&[]), timeout()),
        silent("headers never come, and drop", Leave::Drop),
        silent("headers never come, and a panic", Leave::Unwind),
        row(
            "one interim response after the other",
            endless(&[], b"HTTP/1.1 102 Processing\r\n\r\n", 5),
            timeout(),
        ),
        row(
            "a header byte by byte",
            endless(&[drip], b"x", 100),
            timeout(),
        ),
        row(
            "a body that never ends",
            hold(&[b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nx"]),
            timeout(),
        ),
        row(
            "a body byte by byte",
            endless(
                &[b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n"],
                b"x",
                100,
            ),
            timeout(),
        ),
        // It is sent once more, as the connection may have been closed before it came.
        row("reset before a response", reset(&[]), Network(Delete)).deletes(2),
        row("hung up before a response", close(&[]), Network(Delete)).deletes(2),
        row("no HTTP at all", hold(&[b"SSH-2.0\r\n"]), Protocol(Delete)),
        row(
            "404",
            status("404 Not Found", JSON, &gone),
            Http(Delete, 404),
        )
        .says("not found"),
        row("a page with 503", page("503 Busy"), Http(Delete, 503)),
        row(
            "429",
            status("429 Too Many Requests", ("Retry-After", "7"), ""),
            Http(Delete, 429),
        )
        .retry_after(7),
    ]
}
