//! What can happen before there is a reply.

use h2ogpt::Step::{Create, Created, History, Message, Settings, WebSearch};

use support::http1::{LAST_CHUNK, chunk};
use support::script::{HEAD, JSON};

use crate::fault::{Fault, close, endless, flood, hold, page, reset, respond, status};
use crate::row::Outcome::{Http, Incomplete, Network, Protocol, Timeout};
use crate::row::{Row, complete};

pub fn all() -> Vec<Row> {
    let mut rows = no_responses();
    rows.extend(short_responses());
    rows.extend(responses_to_a_message());
    rows
}

/// No response, or nothing like one, at each step.
fn no_responses() -> Vec<Row> {
    let mut rows = Vec::new();
    for at in [Settings, Create, History, WebSearch, Message] {
        let token = || Timeout(at, "timeout_token");
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
            row("reset before a response", reset(&[]), Network(at)),
            row("hung up before a response", close(&[]), Network(at)),
            row(
                "hung up in the status line",
                close(&[b"HTTP/1."]),
                Network(at),
            ),
            row(
                "a header of more than 16 KiB",
                hold(&[header.as_bytes()]),
                Protocol(at),
            ),
            row(
                "headers without end",
                flood(&[b"HTTP/1.1 200 OK\r\n"], b"X-Many: x\r\n"),
                Protocol(at),
            ),
            row(
                "no HTTP at all",
                hold(&[b"SSH-2.0-OpenSSH_9.6\r\n"]),
                Protocol(at),
            ),
            row(
                "another protocol is switched to",
                hold(&[b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n"]),
                Http(at, 101),
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
    for at in [Settings, Create, History, WebSearch, Message] {
        let row = |name, fault, outcome| Row::new(at, name, fault, outcome);
        rows.extend([
            row(
                "429 with seconds to wait",
                status("429 Too Many Requests", ("Retry-After", "7"), busy),
                Http(at, 429),
            )
            .says("Too many messages")
            .retry_after(7),
            row(
                "429 with a date to wait for",
                status("429 Too Many Requests", long_ago, busy),
                Http(at, 429),
            )
            .retry_after(0),
            row("a page with 503", page("503 Busy"), Http(at, 503)).says(": 503 Busy"),
        ]);
    }
    for at in [Create, History, WebSearch] {
        let row = Row::new(at, "a page with 200", page("200 OK"), Protocol(at));
        rows.push(row.says("200 OK"));
    }
    rows.extend(responses_to_the_settings());
    rows.extend(responses_to_the_creation());
    rows.extend(responses_to_the_history());
    rows.extend(responses_to_the_search());
    rows
}

fn body_byte_by_byte() -> Fault {
    let head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n";
    endless(&[head], b" ", 100)
}

fn responses_to_the_settings() -> Vec<Row> {
    let timeout = Timeout(Settings, "timeout_token");
    let row = |name, fault, outcome| Row::new(Settings, name, fault, outcome);
    let fine = |name, fault| row(name, fault, complete("Hello you")).deletes(1);
    vec![
        fine(
            "500 with nothing, as of servers that do without",
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
    let timeout = || Timeout(Created, "timeout_token");
    let row = |name, fault, outcome| Row::new(Create, name, fault, outcome);
    let odd = |name, json| row(name, status("200 OK", JSON, json), Protocol(Create));
    vec![
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
        row("more than 1 MiB", large, Protocol(Created)).says("stays on the service"),
        row(
            "a body without end",
            flood(&[HEAD], &chunk([b'x'; 1024])),
            Protocol(Created),
        ),
        row("cut in the body", close(cut), Network(Created)).says("stays on the service"),
        row("reset in the body", reset(cut), Network(Created)),
        row("silence in the body", hold(cut), timeout()),
        row("a body byte by byte", body_byte_by_byte(), timeout()),
    ]
}

fn responses_to_the_history() -> Vec<Row> {
    let row = |name, fault, outcome| Row::new(History, name, fault, outcome);
    vec![
        row(
            "a conversation without messages",
            status("200 OK", JSON, "{\"messages\":[]}"),
            Protocol(History),
        ),
        row(
            "403, as it is hidden",
            status("403 Forbidden", JSON, "API is disabled"),
            Http(History, 403),
        )
        .says("EXPOSE_API"),
    ]
}

fn responses_to_the_search() -> Vec<Row> {
    let update = chunk("{\"messages\":[{\"type\":\"update\",\"message\":\"Searching\"}]}");
    let begun: &[&[u8]] = &[HEAD, &update];
    let open = chunk("{\"messages\":[\"");
    let timeout = || Timeout(WebSearch, "timeout_token");
    let row = |name, fault, outcome| Row::new(WebSearch, name, fault, outcome);
    vec![
        row("silence in the search", hold(begun), timeout()),
        row(
            "one object after the other",
            endless(begun, &update, 50),
            timeout(),
        ),
        row("hung up in the search", close(begun), Network(WebSearch)),
        row("reset in the search", reset(begun), Network(WebSearch)),
        row(
            "an orderly end without a result",
            respond(&[HEAD, &update, LAST_CHUNK]),
            Protocol(WebSearch),
        ),
        row(
            "an object without end",
            flood(&[HEAD, &open], &chunk([b'x'; 4096])),
            Protocol(WebSearch),
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
