//! Replies of which the rest does not come.

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use h2ogpt::{Error, FinishReason, TimeLimit};

use support::client::{Outcome, builder, expired, incomplete, read, server};
use support::http1::{LAST_CHUNK, Request, chunk};
use support::script::{self, Endpoint};
use support::server::{Handler, Server, Then};
use support::service::{Dialect, Fault};
use support::stream::Format;

use super::cutting::Cutting;
use super::{client_of, disconnect_next, logs_read, service};

/// Nothing that is given up takes that long.
const SOON: Duration = Duration::from_secs(5);

#[test]
fn a_reply_that_the_server_has_lost_too_is_an_error_soon() {
    for fault in [Fault::Cut(2), Fault::CutMidEvent(2)] {
        let service = service(Dialect::Main).start().unwrap();
        let mut conversation = client_of(&service).conversation().unwrap();
        service.fail_next(1, "POST /conversation/{id}", fault.clone());
        let started = Instant::now();
        let (tokens, error) = read(conversation.send("Hello"));
        assert!(started.elapsed() < SOON, "{fault:?}");
        assert_eq!(tokens.concat(), "You said:");
        let error = error.expect("an error");
        assert!(matches!(error, Error::Incomplete { .. }), "{error:?}");
        assert_eq!(logs_read(&service), 1);
        conversation.close().unwrap();
    }
}

/// The model fails after the connection has broken: its error is in the log.
#[test]
fn an_error_that_came_after_the_break_is_that_error() {
    let service = service(Dialect::Main).start().unwrap();
    let cutting = Cutting::start(service.url(), |request| {
        (request.endpoint() == Endpoint::Message).then_some(0)
    });
    let mut conversation = builder(cutting.url())
        .build()
        .unwrap()
        .conversation()
        .unwrap();
    service.fail_next(1, "POST /conversation/{id}", Fault::Backend(503, "Busy"));
    let reply = Outcome::of(conversation.send("Hello"));
    let expected = server("", "503 Busy", None, Some(503));
    assert_eq!(reply.failure, Some(expected));
    assert_eq!(logs_read(&service), 1);
    conversation.close().unwrap();
}

/// A reply whose connection breaks after its first token, and what the server then responds to
/// those who want its rest.
fn broken(log: impl Handler) -> Server {
    let reply = Format::Tree.replying(|_, writer| {
        let _ = writer.write_all(script::HEAD);
        let _ = writer.write_all(&chunk(Format::Tree.event("Hello")));
        Then::Close
    });
    Server::start(move |request: &Request, writer: &mut dyn Write| {
        if request.path.contains("/stream?") {
            return log(request, writer);
        }
        reply(request, writer)
    })
}

fn logs(server: &Server) -> usize {
    let requests = server.requests();
    requests
        .iter()
        .filter(|request| request.path.contains("/stream?"))
        .count()
}

/// A log with these events.
fn log(events: &'static str) -> impl Handler {
    move |_: &Request, writer: &mut dyn Write| {
        let _ = writer.write_all(script::HEAD);
        if !events.is_empty() {
            let _ = writer.write_all(&chunk(events));
        }
        let _ = writer.write_all(LAST_CHUNK);
        Then::KeepAlive
    }
}

fn outcome(server: &Server) -> Outcome {
    let client = builder(server.url()).model("m").build().unwrap();
    let started = Instant::now();
    let outcome = Outcome::of(client.conversation().unwrap().send("Hi"));
    assert!(started.elapsed() < SOON);
    outcome
}

const REPEATED: &str = "id: 1\nevent: update\ndata: {\"type\":\"stream\",\"token\":\"Hello\"}\n\n";
const REST: &str = "id: 1\nevent: update\ndata: {\"type\":\"stream\",\"token\":\"Hello, wor\"}\n\n\
                    id: 2\nevent: update\ndata: {\"type\":\"stream\",\"token\":\"ld\"}\n\n";

#[test]
fn how_the_log_ends_is_told_apart() {
    let rest_and_error = "id: 1\nevent: update\ndata: {\"type\":\"stream\",\"token\":\"Hello, wor\"}\n\n\
                          event: end\ndata: {\"status\":\"error\"}\n\n";
    let interrupted = "id: 1\nevent: update\ndata: {\"type\":\"stream\",\"token\":\"Hello, wor\"}\n\n\
                       event: end\ndata: {\"status\":\"interrupted\"}\n\n";
    let gone = "event: end\ndata: {\"status\":\"gone\"}\n\n";

    let failed = outcome(&broken(log(rest_and_error)));
    assert_eq!(failed.tokens, ["Hello", ", wor"]);
    let is_server = matches!(&failed.failure, Some(support::client::Failure::Server { partial, .. })
        if partial == "Hello, wor");
    assert!(is_server, "{failed:?}");

    let stopped = outcome(&broken(log(interrupted)));
    assert_eq!(stopped.failure, None);
    assert_eq!(stopped.tokens, ["Hello", ", wor"]);
    assert_eq!(stopped.finish_reason, Some(FinishReason::Interrupted));

    let lost = outcome(&broken(log(gone)));
    assert_eq!(lost.failure, Some(incomplete("Hello", true)));
}

/// A log whose updates end without a final answer, though the server says that it is complete.
#[test]
fn a_log_that_ends_without_a_final_answer_is_not_complete() {
    let completed = "id: 1\nevent: update\ndata: {\"type\":\"stream\",\"token\":\"Hello, wor\"}\n\n\
                     event: end\ndata: {\"status\":\"completed\"}\n\n";
    let server = broken(log(completed));
    let reply = outcome(&server);
    assert_eq!(reply.tokens, ["Hello", ", wor"]);
    assert_eq!(reply.failure, Some(incomplete("Hello, wor", false)));
    assert_eq!(logs(&server), 1);
}

/// Each response brings nothing new: nobody is asked for ever.
#[test]
fn a_log_that_never_brings_anything_new_is_given_up() {
    for events in ["", ": heartbeat\n\n"] {
        let server = broken(log(events));
        let reply = outcome(&server);
        assert_eq!(reply.text, "Hello", "{events:?}");
        let is_incomplete = matches!(
            reply.failure,
            Some(support::client::Failure::Incomplete { .. })
        );
        assert!(is_incomplete, "{events:?}: {reply:?}");
        let logs = logs(&server);
        assert!((2..=8).contains(&logs), "{events:?}: {logs}");
    }
}

/// The place that it is asked for does not matter to this server.
#[test]
fn a_log_that_repeats_what_was_read_brings_nothing_new() {
    let (repeated, gone) = (
        log(REPEATED),
        log("event: end\ndata: {\"status\":\"gone\"}\n\n"),
    );
    let reads = AtomicUsize::new(0);
    let server = broken(move |request: &Request, writer: &mut dyn Write| {
        if reads.fetch_add(1, Ordering::SeqCst) < 20 {
            repeated(request, writer)
        } else {
            gone(request, writer)
        }
    });
    let reply = outcome(&server);
    assert_eq!(reply.tokens, ["Hello"]);
    assert!(reply.failure.is_some());
}

/// Each connection is closed instead of a response.
#[test]
fn a_server_that_does_not_come_back_is_given_up() {
    for then in [Then::Close, Then::Reset] {
        let server = broken(move |_: &Request, _: &mut dyn Write| then);
        let reply = outcome(&server);
        assert_eq!(reply.text, "Hello", "{then:?}");
        assert_eq!(reply.failure, Some(incomplete("Hello", true)), "{then:?}");
        assert!(logs(&server) <= 8, "{then:?}");
    }
}

#[test]
fn a_log_of_another_reply_is_not_taken_for_this_one() {
    let other = "id: 1\nevent: update\ndata: {\"type\":\"stream\",\"token\":\"Help\"}\n\n\
                 id: 2\nevent: update\ndata: {\"type\":\"finalAnswer\",\"text\":\"Help\"}\n\n\
                 event: end\ndata: {\"status\":\"completed\"}\n\n";
    let reply = outcome(&broken(log(other)));
    assert_eq!(reply.text, "Hello");
    assert!(reply.failure.is_some());
}

/// The time limits hold for the log as they do for the reply.
#[test]
fn a_log_that_hangs_takes_one_time_limit() {
    let silence = |_: &Request, _: &mut dyn Write| Then::Hold;
    let head_only = |_: &Request, writer: &mut dyn Write| {
        let _ = writer.write_all(script::HEAD);
        Then::Hold
    };
    // Signs of life are no tokens.
    let heartbeats = |_: &Request, writer: &mut dyn Write| {
        let _ = writer.write_all(script::HEAD);
        while writer.write_all(&chunk(": heartbeat\n\n")).is_ok() {
            thread::sleep(Duration::from_millis(20));
        }
        Then::Close
    };
    for server in [broken(silence), broken(head_only), broken(heartbeats)] {
        let builder = builder(server.url()).model("m");
        let client = builder.timeout_token(Duration::from_millis(400)).build();
        let started = Instant::now();
        let (tokens, error) = read(client.unwrap().conversation().unwrap().send("Hi"));
        assert!(started.elapsed() < SOON);
        assert_eq!(tokens, ["Hello"]);
        let error = error.expect("an error");
        assert_eq!(expired(&error), Some(TimeLimit::Token), "{error:?}");
        assert_eq!(error.partial(), Some("Hello"));
    }
}

/// A cut after each byte of the log, and what had been read before goes on.
#[test]
fn a_log_goes_on_after_its_last_event_wherever_it_is_cut() {
    let whole = format!(
        "{REST}id: 3\nevent: update\ndata: {{\"type\":\"finalAnswer\",\"text\":\"Hello, world\"}}\n\n\
         event: end\ndata: {{\"status\":\"completed\"}}\n\n"
    );
    let events: Vec<String> = whole.split_inclusive("\n\n").map(str::to_owned).collect();
    let from_seq = |request: &Request| -> usize {
        let (_, from) = request.path.split_once("fromSeq=").expect("a place");
        from.split('&')
            .next()
            .and_then(|from| from.parse().ok())
            .expect("a number")
    };
    for cut in 0..=whole.len() {
        let (whole, events) = (whole.clone(), events.clone());
        let reads = AtomicUsize::new(0);
        let server = broken(move |request: &Request, writer: &mut dyn Write| {
            let _ = writer.write_all(script::HEAD);
            if reads.fetch_add(1, Ordering::SeqCst) == 0 {
                if cut > 0 {
                    let _ = writer.write_all(&chunk(&whole[..cut]));
                }
                return Then::Close;
            }
            let rest = events[from_seq(request)..].concat();
            let _ = writer.write_all(&chunk(rest));
            let _ = writer.write_all(LAST_CHUNK);
            Then::KeepAlive
        });
        let reply = outcome(&server);
        assert_eq!(reply.failure, None, "cut at {cut}");
        assert_eq!(reply.tokens.concat(), "Hello, world", "cut at {cut}");
        assert_eq!(reply.text, "Hello, world", "cut at {cut}");
    }
}

/// It is not known which one is meant, but the newest one is none.
#[test]
fn reattaching_where_nothing_was_said_is_incomplete() {
    let service = service(Dialect::Main).start().unwrap();
    let mut conversation = client_of(&service).conversation().unwrap();
    let (tokens, error) = read(conversation.reattach());
    assert!(tokens.is_empty());
    let error = error.expect("an error");
    assert!(matches!(error, Error::Incomplete { .. }), "{error:?}");
    // What was not there spoils nothing.
    disconnect_next(&service, 1);
    assert!(Outcome::of(conversation.send("Hello")).failure.is_none());
    conversation.close().unwrap();
}

/// The server stores a reply only after its final answer, which padding follows, and then
/// overwrites what was stored meanwhile: a response that is cut there does not say that it is.
#[test]
fn no_turn_is_lost_where_responses_are_cut_after_the_final_answer() {
    for dialect in [Dialect::V0_9_3, Dialect::V0_9_6, Dialect::Main] {
        let delay = Duration::from_millis(10);
        let service = service(dialect).token_delay(delay).start().unwrap();
        // In the padding.
        let cutting = Cutting::start(service.url(), |request| {
            (request.endpoint() == Endpoint::Message).then_some(4000)
        });
        let client = builder(cutting.url()).build().unwrap();
        let mut conversation = client.conversation().unwrap();
        let [_, _, three] = ["One", "Two", "Three"].map(|prompt| {
            let reply = Outcome::of(conversation.send(prompt));
            assert_eq!(reply.failure, None, "{dialect}");
            reply.text
        });
        let expected = "You said: \"Three\". Before that you said: \"Two\". (3 messages so far)";
        assert_eq!(three, expected, "{dialect}");
        conversation.close().unwrap();
    }
}
