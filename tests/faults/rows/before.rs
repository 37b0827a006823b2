//! What can happen before there is a reply.

use h2ogpt::Step::{self, Create, Created, History, Message, Prepare, Settings, WebSearch};
use h2ogpt::TimeLimit;

use support::http1::{LAST_CHUNK, chunk};
use support::script::{HEAD, JSON};

use crate::fault::{Fault, close, endless, flood, hold, page, reset, respond, status};
use crate::row::Outcome::{self, Http, Incomplete, Network, Protocol, Timeout};
use crate::row::{Row, complete};

pub fn all() -> Vec<Row> {
    let mut rows = no_responses();
    rows.extend(short_responses());
    rows.extend(responses_to_a_message());
    rows
}

/// What it comes to if the request of that step fails, but for lack of time: the reply comes without
/// the result of a search.
fn failed(at: Step, outcome: Outcome) -> Outcome {
    match at {
        WebSearch => complete("Hello you"),
        _ => outcome,
    }
}

/// The same if the server refuses. It may refuse a title, too.
fn refused(at: Step, status: u16) -> Outcome {
    match at {
        WebSearch | Prepare => complete("Hello you"),
        _ => Http(at, status),
    }
}

const STEPS: [Step; 6] = [Settings, Create, Prepare, History, WebSearch, Message];

/// No response, or nothing like one, at each step.
fn no_responses() -> Vec<Row> {
    let mut rows = Vec::new();
    for at in STEPS {
        let token = || Timeout(at, TimeLimit::Token);
        let row = |name, fault, outcome| Row::new(at, name, fault, outcome);
        let drip = b"HTTP/1.1 200 OK\r\nX-Slow: ";
        let header = format!("HTTP/1.1 200 OK\r\nX-Large: {}", "x".repeat(17 << 10));
        rows.extend([
            row("headers never come", hold(&[]), token()),
            row(
                "one interim response after the other",
                endless(&[], b"HTTP/1.1 102 Processing\r\n\r\n", 5),
                token(),
            ),
            row(
                "a header byte by byte",
                endless(&[drip], b"x", 100),
                token(),
            ),
            row(
                "reset before a response",
                reset(&[]),
                failed(at, Network(at)),
            ),
            row(
                "hung up before a response",
                close(&[]),
                failed(at, Network(at)),
            ),
            row(
                "hung up in the status line",
                close(&[b"HTTP/1."]),
                failed(at, Network(at)),
            ),
            row(
                "a header of more than 16 KiB",
                hold(&[header.as_bytes()]),
                failed(at, Protocol(at)),
            ),
            row(
                "headers without end",
                flood(&[b"HTTP/1.1 200 OK\r\n"], b"X-Many: x\r\n"),
                failed(at, Protocol(at)),
            ),
            row(
                "no HTTP at all",
                hold(&[b"SSH-2.0-OpenSSH_9.6\r\n"]),
                failed(at, Protocol(at)),
            ),
            row(
                "another protocol is switched to",
                hold(&[b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"]),
                refused(at, 101),
            ),
        ]);
    }
    rows
}

/// Short responses that are not what was asked for.
fn short_responses() -> Vec<Row> {
    let busy = "{\"message\":\"Too many messages\"}";
    let long_ago = ("Retry-After", "Sun, 06 Nov 1994 08:49:37 GMT");
    let mut rows = Vec::new();
    for at in STEPS {
        let row = |name, fault, status| match refused(at, status) {
            outcome @ Http(..) => (Row::new(at, name, fault, outcome), true),
            outcome => (Row::new(at, name, fault, outcome), false),
        };
        let seconds = row(
            "429 with seconds to wait",
            status("429 Too Many Requests", ("Retry-After", "7"), busy),
            429,
        );
        let date = row(
            "429 with a date to wait for",
            status("429 Too Many Requests", long_ago, busy),
            429,
        );
        let unavailable = row("a page with 503", page("503 Busy"), 503);
        rows.extend([
            match seconds {
                (row, true) => row.says("Too many messages").retry_after(7),
                (row, false) => row,
            },
            match date {
                (row, true) => row.retry_after(0),
                (row, false) => row,
            },
            match unavailable {
                (row, true) => row.says(": 503 Busy"),
                (row, false) => row,
            },
        ]);
    }
    rows.extend(responses_to_the_settings());
    rows.extend(responses_to_the_creation());
    rows.extend(responses_to_the_title());
    rows.extend(responses_to_the_history());
    rows.extend(responses_to_the_search());
    rows
}

fn body_byte_by_byte() -> Fault {
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n";
    endless(&[head], b" ", 100)
}

fn responses_to_the_settings() -> Vec<Row> {
    let timeout = Timeout(Settings, TimeLimit::Token);
    let row = |name, fault, outcome| Row::new(Settings, name, fault, outcome);
    let fine = |name, fault| row(name, fault, complete("Hello you")).deletes(1);
    vec![
        fine(
            "500 with nothing, as of later versions",
            status("500 Internal Server Error", JSON, ""),
        ),
        fine("a page with 200", page("200 OK")),
        row("a body byte by byte", body_byte_by_byte(), timeout),
    ]
}

/// From the first line of a response on there is a conversation, but nobody knows its id.
fn responses_to_the_creation() -> Vec<Row> {
    let cut: &[&[u8]] = &[b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"conversationId\":"];
    let large = status("200 OK", JSON, &"x".repeat((1 << 20) + 1));
    // What has arrived when the time is up does not matter any more.
    let timeout = || Timeout(Create, TimeLimit::Token);
    let row = |name, fault, outcome| Row::new(Create, name, fault, outcome);
    let odd = |name, json| row(name, status("200 OK", JSON, json), Protocol(Created));
    vec![
        row("a page with 200", page("200 OK"), Protocol(Created)).says("200 OK"),
        row(
            "500 with nothing",
            status("500 Internal Server Error", JSON, ""),
            Http(Create, 500),
        ),
        odd("JSON without an id", "{}"),
        odd(
            "an id that would be another path",
            "{\"conversationId\":\"..\"}",
        ),
        row("more than 1 MiB", large, Protocol(Created)).says("remains on the server"),
        row(
            "a body without end",
            flood(&[HEAD], &chunk([b'x'; 1024])),
            Protocol(Created),
        ),
        row("cut in the body", close(cut), Network(Created)).says("remains on the server"),
        row("reset in the body", reset(cut), Network(Created)),
        row("silence in the body", hold(cut), timeout()),
        row("a body byte by byte", body_byte_by_byte(), timeout()),
    ]
}

/// A title is wanted for speed alone: whatever the server says to it, the message is sent.
fn responses_to_the_title() -> Vec<Row> {
    let row = |name, fault, outcome| Row::new(Prepare, name, fault, outcome);
    let timeout = Timeout(Prepare, TimeLimit::Token);
    vec![
        row("a page with 200", page("200 OK"), complete("Hello you")),
        row(
            "500 with nothing",
            status("500 Internal Server Error", JSON, ""),
            complete("Hello you"),
        ),
        row("a body byte by byte", body_byte_by_byte(), timeout),
    ]
}

fn responses_to_the_history() -> Vec<Row> {
    let row = |name, fault, outcome| Row::new(History, name, fault, outcome);
    vec![
        row("a page with 200", page("200 OK"), Protocol(History)).says("200 OK"),
        row(
            "a conversation without messages",
            status("200 OK", JSON, "{\"messages\":[]}"),
            complete("Hello you"),
        ),
        row(
            "403, and nothing elsewhere",
            status("403 Forbidden", JSON, "API is disabled"),
            Http(History, 403),
        )
        .says("API is disabled"),
    ]
}

fn responses_to_the_search() -> Vec<Row> {
    let update = chunk("{\"messages\":[{\"type\":\"update\",\"message\":\"Searching\"}]}");
    let begun: &[&[u8]] = &[HEAD, &update];
    let open = chunk("{\"messages\":[\"");
    let timeout = || Timeout(WebSearch, TimeLimit::Token);
    let row = |name, fault, outcome| Row::new(WebSearch, name, fault, outcome);
    vec![
        row("silence in the search", hold(begun), timeout()),
        row(
            "one object after the other",
            endless(begun, &update, 50),
            timeout(),
        ),
        row("hung up in the search", close(begun), complete("Hello you")),
        row("reset in the search", reset(begun), complete("Hello you")),
        row(
            "an orderly end without a result",
            respond(&[HEAD, &update, LAST_CHUNK]),
            complete("Hello you"),
        ),
        row(
            "an object without end",
            flood(&[HEAD, &open], &chunk([b'x'; 4096])),
            complete("Hello you"),
        ),
    ]
}

fn responses_to_a_message() -> Vec<Row> {
    let row = |name, fault, outcome| Row::new(Message, name, fault, outcome);
    vec![
        row(
            "500 with nothing",
            status("500 Internal Server Error", JSON, ""),
            Http(Message, 500),
        ),
        row(
            "an error whose body never ends",
            hold(&[b"HTTP/1.1 503 Busy\r\nContent-Length: 99\r\n\r\nbusy"]),
            Http(Message, 503),
        )
        .says("busy")
        .within(1000, 2000),
        row("a page with 200", page("200 OK"), Protocol(Message)).says("200 OK"),
        row("nothing with 200", status("200 OK", JSON, ""), Incomplete),
    ]
}
