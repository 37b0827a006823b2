//! The chat program and Ctrl-C.

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use support::http1::Request;
use support::listener::lock;
use support::program::{Finished, Running};
use support::script::{self, Endpoint};
use support::server::{Server, Then};

use crate::chat_program;

const SOON: Duration = Duration::from_secs(10);

fn start(server: &Server, options: &[&str]) -> Running {
    let program = chat_program().args(["-u", &server.url(), "-m", "model", "Hi"]);
    program.args(options).start()
}

/// A server that responds at one endpoint only when it is told to, and whose reply does not end.
fn holding(late: Option<Endpoint>, reply: &'static [&'static str]) -> (Server, Sender<()>) {
    let (go_on, told): (Sender<()>, Receiver<()>) = mpsc::channel();
    let told = Arc::new(Mutex::new(told));
    let handler = script::replying(move |_, writer| {
        if !reply.is_empty() {
            script::begin(writer, reply);
        }
        Then::Hold
    });
    let server = Server::start(move |request, writer| {
        if late == Some(request.endpoint()) {
            let _ = lock(&told).recv_timeout(SOON);
        }
        handler(request, writer)
    });
    (server, go_on)
}

#[track_caller]
fn wait_for(server: &Server, endpoint: Endpoint) {
    let is_it = |request: &Request| request.endpoint() == endpoint;
    let arrived = server.wait_for(|requests| requests.iter().any(is_it), SOON);
    let steps = server.steps();
    assert!(arrived, "no {endpoint:?} among {steps:?}");
}

#[track_caller]
fn assert_interrupted(ended: &Finished, stdout: &str) {
    assert_eq!(
        (ended.status, &*ended.stdout),
        (Some(130), stdout),
        "{ended:?}"
    );
    // The line of the ^C ends, and nothing needs to be explained.
    assert_eq!(ended.stderr, "\n", "{ended:?}");
}

#[test]
fn while_the_reply_is_awaited_it_ends_the_program_and_deletes_the_conversation() {
    let (server, _) = holding(None, &[]);
    let running = start(&server, &[]);
    wait_for(&server, Endpoint::Message);
    let started = Instant::now();
    running.interrupt();
    assert_interrupted(&running.finish(), "");
    assert!(server.is_deleted());
    assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
}

#[test]
fn in_the_middle_of_a_reply_it_leaves_what_had_arrived_and_a_newline() {
    let (server, _) = holding(None, &["Hello", " the"]);
    let running = start(&server, &[]);
    running.wait_for_stdout("Hello the");
    running.interrupt();
    assert_interrupted(&running.finish(), "Hello the\n");
    assert!(server.is_deleted());
}

#[test]
fn without_streaming_it_prints_what_had_arrived_too() {
    let (sent, arrived) = mpsc::channel();
    let sent = Mutex::new(sent);
    let server = Server::start(script::replying(move |_, writer| {
        script::begin(writer, &["Hello", " the"]);
        let _ = lock(&sent).send(());
        Then::Hold
    }));
    let running = start(&server, &["--no-stream"]);
    arrived.recv_timeout(SOON).expect("a message");
    running.interrupt();
    let ended = running.finish();
    assert_eq!(ended.status, Some(130), "{ended:?}");
    // What was sent may not have been read yet.
    let possible = ["", "Hello\n", "Hello the\n"];
    assert!(possible.contains(&&*ended.stdout), "{ended:?}");
    assert!(server.is_deleted());
}

#[test]
fn while_the_conversation_is_created_it_deletes_it_before_anything_is_asked() {
    let (server, go_on) = holding(Some(Endpoint::Create), &["Hello"]);
    let running = start(&server, &[]);
    wait_for(&server, Endpoint::Create);
    running.interrupt();
    running.wait_for_stderr("\n");
    go_on.send(()).expect("the server listens");
    assert_interrupted(&running.finish(), "");
    let messages = server.requests_to(Endpoint::Message);
    assert!(messages.is_empty(), "{:?}", server.steps());
    assert!(server.is_deleted());
}

#[test]
fn the_second_one_ends_the_program_at_once() {
    let (server, go_on) = holding(Some(Endpoint::Delete), &["Hello"]);
    let running = start(&server, &[]);
    running.wait_for_stdout("Hello");
    running.interrupt();
    wait_for(&server, Endpoint::Delete);
    let started = Instant::now();
    running.interrupt();
    let ended = running.finish();
    // The DELETE alone would have taken 5 s.
    assert!(
        started.elapsed() < Duration::from_secs(4),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(
        (ended.status, &*ended.stdout),
        (Some(130), "Hello\n"),
        "{ended:?}"
    );
    drop(go_on);
}

#[test]
fn while_standard_input_is_read_it_ends_the_program_before_anything_is_sent() {
    let (server, _) = holding(None, &[]);
    let program = chat_program().args(["-u", &server.url(), "Hi"]);
    // More than a pipe holds, so that it is taken only if the program reads it.
    let text = "All work and no play.\n".repeat(10_000);
    let running = program.stdin(text).stdin_stays_open().start();
    let _open = running.wait_for_stdin();
    running.interrupt();
    assert_interrupted(&running.finish(), "");
    assert_eq!(server.steps(), [""; 0]);
}
