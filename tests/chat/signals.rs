//! The chat program and signals: what it leaves behind, and how soon it ends.

use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use support::http1::{Request, response};
use support::listener::lock;
use support::program::{Finished, Program, Running};
use support::script::{self, Endpoint, PATH};
use support::server::{Server, Then};

use crate::chat_program;

const SOON: Duration = Duration::from_secs(10);

/// How soon a conversation is deleted after a signal.
const AT_ONCE: Duration = Duration::from_secs(2);

/// Every signal, and the exit status that it leads to.
const SIGNALS: [(&str, i32); 3] = [("INT", 130), ("TERM", 143), ("HUP", 129)];

fn chat(server: &Server) -> Program {
    chat_program().args(["-u", &server.url(), "-m", "model", "Hi"])
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

/// Nothing needs to be explained to whoever sent the signal.
#[track_caller]
fn assert_ended_by_signal(ended: &Finished, status: i32, stdout: &str) {
    let outcome = (ended.status, &*ended.stdout, &*ended.stderr);
    assert_eq!(outcome, (Some(status), stdout, ""), "{ended:?}");
}

/// Sends a signal, and fails if the program does not end at once.
#[track_caller]
fn end(running: Running, signal: &str) -> Finished {
    let started = Instant::now();
    running.signal(signal);
    let ended = running.finish();
    assert!(started.elapsed() < AT_ONCE, "{:?}", started.elapsed());
    ended
}

#[test]
fn while_the_reply_is_awaited_every_signal_ends_the_program_and_deletes_the_conversation() {
    for (signal, status) in SIGNALS {
        let (server, _) = holding(None, &[]);
        let running = chat(&server).start();
        wait_for(&server, Endpoint::Message);
        assert_ended_by_signal(&end(running, signal), status, "");
        assert!(server.is_deleted(), "{signal}");
    }
}

#[test]
fn in_the_middle_of_a_reply_every_signal_leaves_what_had_arrived_and_a_newline() {
    for (signal, status) in SIGNALS {
        let (server, _) = holding(None, &["Hello", " the"]);
        let running = chat(&server).start();
        running.wait_for_stdout("Hello the");
        assert_ended_by_signal(&end(running, signal), status, "Hello the\n");
        assert!(server.is_deleted(), "{signal}");
    }
}

#[test]
fn before_a_conversation_is_created_every_signal_ends_the_program_at_once() {
    for (signal, status) in SIGNALS {
        for step in [Endpoint::Models, Endpoint::Settings] {
            let (server, _go_on) = holding(Some(step), &[]);
            let running = chat_program().args(["-u", &server.url(), "Hi"]).start();
            wait_for(&server, step);
            assert_ended_by_signal(&end(running, signal), status, "");
            let created = server.requests_to(Endpoint::Create);
            assert!(created.is_empty(), "{signal} at {step:?}");
        }
    }
}

#[test]
fn while_models_are_listed_every_signal_ends_the_program_at_once() {
    for (signal, status) in SIGNALS {
        let (server, _go_on) = holding(Some(Endpoint::Models), &[]);
        let running = chat_program().args(["-u", &server.url(), "--list-models"]);
        let running = running.start();
        wait_for(&server, Endpoint::Models);
        assert_ended_by_signal(&end(running, signal), status, "");
    }
}

#[test]
fn a_conversation_that_is_created_meanwhile_is_deleted() {
    for (signal, status) in SIGNALS {
        let (server, go_on) = holding(Some(Endpoint::Create), &[]);
        let running = chat(&server).start();
        wait_for(&server, Endpoint::Create);
        running.signal(signal);
        // The program may see the response before the signal, and send the message.
        go_on.send(()).expect("the server listens");
        assert_ended_by_signal(&running.finish(), status, "");
        assert!(server.is_deleted(), "{signal}");
    }
}

#[test]
fn a_conversation_that_may_be_created_later_is_told_of() {
    let (server, _go_on) = holding(Some(Endpoint::Create), &[]);
    let running = chat(&server).start();
    wait_for(&server, Endpoint::Create);
    let ended = end(running, "INT");
    let said = "chat: the conversation that was being created may remain on the server\n";
    let outcome = (ended.status, &*ended.stdout, &*ended.stderr);
    assert_eq!(outcome, (Some(130), "", said), "{ended:?}");
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
    let running = chat(&server).arg("--no-stream").start();
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
fn a_second_ctrl_c_ends_the_program_at_once() {
    let (server, go_on) = holding(Some(Endpoint::Delete), &["Hello"]);
    let running = chat(&server).start();
    running.wait_for_stdout("Hello");
    running.interrupt();
    wait_for(&server, Endpoint::Delete);
    // The DELETE alone would have taken 5 s.
    let ended = end(running, "INT");
    let said = "chat: the conversation may remain on the server\n";
    let outcome = (ended.status, &*ended.stdout, &*ended.stderr);
    assert_eq!(outcome, (Some(130), "Hello\n", said), "{ended:?}");
    drop(go_on);
}

#[test]
fn a_repeated_signal_does_not_keep_the_conversation_from_being_deleted() {
    for (signal, status) in [("TERM", 143), ("HUP", 129)] {
        let (server, go_on) = holding(Some(Endpoint::Delete), &["Hello"]);
        let running = chat(&server).arg("-v").start();
        running.wait_for_stdout("Hello");
        // As `timeout` does, and a terminal that is closed.
        running.signal(signal);
        running.signal(signal);
        wait_for(&server, Endpoint::Delete);
        for repeated in ["HUP", "TERM"] {
            running.signal(repeated);
        }
        go_on.send(()).expect("the server listens");
        let ended = running.finish();
        let outcome = (ended.status, &*ended.stdout);
        assert_eq!(outcome, (Some(status), "Hello\n"), "{ended:?}");
        let deleted = format!("chat: DELETE {PATH}: 200");
        assert!(ended.stderr.contains(&deleted), "{ended:?}");
    }
}

#[test]
fn while_standard_input_is_read_every_signal_ends_the_program_before_anything_is_sent() {
    for (signal, status) in SIGNALS {
        let (server, _) = holding(None, &[]);
        // More than a pipe holds, so that it is taken only if the program reads it.
        let text = "All work and no play.\n".repeat(10_000);
        let running = chat(&server).stdin(text).stdin_stays_open().start();
        let _open = running.wait_for_stdin();
        assert_ended_by_signal(&end(running, signal), status, "");
        assert_eq!(server.steps(), [""; 0]);
    }
}

#[test]
fn a_signal_that_is_ignored_from_the_start_stays_ignored() {
    let (go_on, told) = mpsc::channel::<()>();
    let told = Mutex::new(told);
    let server = Server::start(script::replying(move |_, writer| {
        script::begin(writer, &["Hello"]);
        let _ = lock(&told).recv_timeout(SOON);
        script::end(writer, "Hello");
        Then::KeepAlive
    }));
    // What `nohup` does.
    let ignoring = "trap '' HUP; exec \"$0\" \"$@\"";
    let program = Program::new("sh").args(["-c", ignoring, env!("CARGO_BIN_EXE_chat")]);
    let running = program.args(["-u", &server.url(), "-m", "model", "Hi"]);
    let running = running.start();
    running.wait_for_stdout("Hello");
    running.signal("HUP");
    go_on.send(()).expect("the server listens");
    assert_ended_by_signal(&running.finish(), 0, "Hello\n");
}

#[test]
fn a_conversation_that_cannot_be_deleted_is_told_of_on_every_way_out() {
    let refusing = |reply: &'static [&'static str], is_endless: bool| {
        let handler = script::replying(move |_, writer| {
            script::begin(writer, reply);
            if is_endless {
                return Then::Hold;
            }
            script::end(writer, &reply.concat());
            Then::KeepAlive
        });
        Server::start(move |request: &Request, writer: &mut dyn std::io::Write| {
            match request.endpoint() {
                Endpoint::Delete => {
                    let refusal = response("403 Forbidden", &[], "Not yours");
                    let _ = writer.write_all(&refusal);
                    Then::KeepAlive
                }
                _ => handler(request, writer),
            }
        })
    };
    let said = "chat: the conversation remains on the server: the server responded 403 Forbidden \
                while deleting the conversation: Not yours\n";

    let server = refusing(&["Hello"], false);
    let ended = chat(&server).run();
    let outcome = (ended.status, &*ended.stdout, &*ended.stderr);
    assert_eq!(outcome, (Some(0), "Hello\n", said), "{ended:?}");

    let server = refusing(&["Hello"], true);
    let running = chat(&server).start();
    running.wait_for_stdout("Hello");
    let ended = end(running, "TERM");
    let outcome = (ended.status, &*ended.stdout, &*ended.stderr);
    assert_eq!(outcome, (Some(143), "Hello\n", said), "{ended:?}");

    let server = refusing(&["Hello"], true);
    let ended = chat(&server).args(["--timeout", "0.3"]).run();
    assert_eq!(ended.status, Some(6), "{ended:?}");
    assert_eq!(ended.stderr.lines().count(), 2, "{ended:?}");
    assert!(ended.stderr.contains("timed out"), "{ended:?}");
    assert!(ended.stderr.ends_with(said), "{ended:?}");
}
