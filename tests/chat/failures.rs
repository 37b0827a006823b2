//! The chat program when things go wrong: its exit status, and what it says.

use std::net::TcpListener;
use std::time::Duration;

use support::http1::{chunk, response};
use support::program::{Finished, Program};
use support::proxy::{Protocol, Proxy};
use support::script::{self, Endpoint};
use support::server::{Server, Then};
use support::service::{Dialect, Fault, Seen, Service};

use crate::{ask_program, chat_program};

/// Where something goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Settings,
    Create,
    Message,
}

impl At {
    fn is(self, request: &Seen) -> bool {
        match self {
            At::Settings => request.path == "/settings",
            At::Create => request.path == "/conversation" && request.method == "POST",
            At::Message => request.is_message(),
        }
    }
}

fn failing(dialect: Dialect, at: At, fault: Fault) -> Service {
    let service = Service::builder().dialect(dialect);
    let service = service.faults(move |request| at.is(request).then(|| fault.clone()));
    service.start().expect("a service")
}

fn chat(url: &str) -> Program {
    chat_program().args(["-u", url, "--timeout", "0.3", "Hi"])
}

fn response_of(status: u16, content_type: &'static str, body: &str) -> Fault {
    Fault::Answer {
        status,
        content_type,
        body: body.to_owned(),
    }
}

/// One line for people, with nothing in it that steers a terminal.
#[track_caller]
fn assert_is_one_line(ended: &Finished) {
    let line = ended
        .stderr
        .strip_prefix("chat: ")
        .and_then(|rest| rest.strip_suffix('\n'));
    let is_plain = line.is_some_and(|line| !line.is_empty() && !line.contains(char::is_control));
    assert!(is_plain, "{ended:?}");
}

#[test]
fn every_failure_has_its_exit_status_and_says_at_which_step_and_why() {
    use At::*;
    let late = || Fault::Delay(Duration::from_secs(60));
    let json = |status, message| {
        let body = format!(r#"{{"message":"{message}"}}"#);
        response_of(status, "application/json", &body)
    };
    let html = "<html><head><title>Bad</title></head><body><h1>Gateway</h1></body></html>";
    let nothing = "";
    // What arrives before the fault, of a reply that begins: You said: "Hi". This is
    let three = "You said: \"Hi\".\n";
    let table = [
        (
            Message,
            Fault::Status(429, Some(7)),
            5,
            nothing,
            ["429", "7 s"],
        ),
        (
            Create,
            Fault::Status(429, None),
            5,
            nothing,
            ["429", "creating"],
        ),
        (
            Settings,
            Fault::Status(429, None),
            5,
            nothing,
            ["429", "settings"],
        ),
        (
            Message,
            json(503, "Model is overloaded"),
            4,
            nothing,
            ["503", "Model is overloaded"],
        ),
        (
            Message,
            response_of(502, "text/html", html),
            4,
            nothing,
            ["502", "Bad Gateway"],
        ),
        (
            Create,
            json(410, "Model is gone"),
            4,
            nothing,
            ["creating", "Model is gone"],
        ),
        (
            Create,
            json(401, "Who are you?"),
            4,
            nothing,
            ["creating", "login"],
        ),
        (
            Settings,
            json(413, "Too much"),
            4,
            nothing,
            ["settings", "Too much"],
        ),
        (
            Message,
            Fault::ErrorEvent(0),
            4,
            nothing,
            ["reported an error", "error"],
        ),
        (
            Message,
            Fault::ErrorEvent(3),
            4,
            three,
            ["reported an error", "error"],
        ),
        (
            Settings,
            Fault::Hangup,
            3,
            nothing,
            ["could not reach", "settings"],
        ),
        (
            Create,
            Fault::Hangup,
            3,
            nothing,
            ["could not reach", "creating"],
        ),
        (
            Message,
            Fault::Hangup,
            3,
            nothing,
            ["could not reach", "reply"],
        ),
        (
            Message,
            Fault::Reset,
            3,
            nothing,
            ["could not reach", "reply"],
        ),
        (Settings, late(), 3, nothing, ["timed out", "settings"]),
        (Create, late(), 3, nothing, ["timed out", "creating"]),
        (Message, late(), 3, nothing, ["timed out", "--timeout"]),
        (
            Message,
            Fault::Stall(0),
            3,
            nothing,
            ["timed out", "timeout_token"],
        ),
        (
            Message,
            Fault::Stall(3),
            6,
            three,
            ["timed out", "timeout_token"],
        ),
        (Message, Fault::Cut(3), 6, three, ["cut short", ""]),
        (Message, Fault::Cut(0), 6, nothing, ["cut short", ""]),
        (Message, Fault::CutMidEvent(3), 6, three, ["cut short", ""]),
        (Message, Fault::NoFinal(3), 6, three, ["cut short", ""]),
        (
            Create,
            response_of(200, "text/html", html),
            1,
            nothing,
            ["conversationId", "Bad Gateway"],
        ),
    ];
    for (at, fault, status, stdout, words) in table {
        for option in [None, Some("--no-stream")] {
            let service = failing(Dialect::V0_5, at, fault.clone());
            let ended = chat(service.url()).args(option).run();
            let case = format!("{fault:?} at {at:?}, {option:?}: {ended:?}");
            assert_eq!(
                (ended.status, &*ended.stdout),
                (Some(status), stdout),
                "{case}"
            );
            if (at, &fault) == (Create, &late()) {
                // It may be created later.
                assert!(
                    ended.stderr.ends_with("may remain on the server\n"),
                    "{case}"
                );
            } else {
                assert_is_one_line(&ended);
            }
            for word in words {
                assert!(ended.stderr.contains(word), "no {word:?}: {case}");
            }
            if fault != late() {
                assert_eq!(service.conversations(), 0, "left behind: {case}");
            }
        }
    }
}

#[test]
fn failures_of_todays_servers_have_the_same_exit_status() {
    let table = [
        (Fault::ErrorEvent(0), 4),
        (Fault::ErrorEvent(3), 4),
        (Fault::Cut(3), 6),
        (Fault::NoFinal(3), 6),
        (Fault::Stall(3), 6),
        (Fault::Status(429, None), 5),
    ];
    for dialect in [Dialect::V0_8, Dialect::Main] {
        for (fault, status) in &table {
            let service = failing(dialect, At::Message, fault.clone());
            let ended = chat(service.url()).run();
            let case = format!("{fault:?} of {dialect}: {ended:?}");
            assert_eq!(ended.status, Some(*status), "{case}");
            assert_eq!(
                ended.stdout.is_empty(),
                !ended.stdout.ends_with('\n'),
                "{case}"
            );
            assert_is_one_line(&ended);
            assert_eq!(service.conversations(), 0, "{case}");
        }
    }
}

/// A server with an API gets JSON from the first message on, whatever it does with forms.
#[test]
fn what_is_told_is_what_the_encoding_of_the_server_comes_to() {
    let table = [
        (Fault::Status(429, Some(7)), 5, "retry after 7 s"),
        (Fault::Status(503, None), 4, "503"),
        (Fault::Reset, 3, "could not reach"),
        (Fault::Delay(Duration::from_secs(60)), 3, "timeout_token"),
        (Fault::Status(401, None), 4, "login"),
        (Fault::Status(422, None), 4, "422"),
    ];
    for first in [None, Some(Fault::Status(403, None))] {
        for (second, status, word) in &table {
            let service = Service::builder().dialect(Dialect::V0_8).faults({
                let (first, second) = (first.clone(), second.clone());
                move |request| {
                    let is_json = request.header("content-type") == Some("application/json");
                    let fault = if is_json {
                        Some(&second)
                    } else {
                        first.as_ref()
                    };
                    fault.filter(|_| request.is_message()).cloned()
                }
            });
            let service = service.start().expect("a service");
            let ended = chat(service.url()).run();
            let case = format!("{first:?}, then {second:?}: {ended:?}");
            assert_eq!(ended.status, Some(*status), "{case}");
            assert!(ended.stderr.contains(word), "{case}");
            assert_eq!(service.conversations(), 0, "{case}");
        }
    }
}

#[test]
fn a_server_that_wants_a_login_is_a_refusal_that_names_the_cookie() {
    for dialect in [Dialect::V0_5, Dialect::V0_8, Dialect::Main] {
        let service = Service::builder().dialect(dialect).require_login(true);
        let service = service.start().expect("a service");
        let ended = chat(service.url()).run();
        assert_eq!(
            (ended.status, &*ended.stdout),
            (Some(4), ""),
            "{dialect}: {ended:?}"
        );
        assert!(ended.stderr.contains("login"), "{dialect}: {ended:?}");
        assert!(
            ended.stderr.contains("H2OGPT_COOKIE"),
            "{dialect}: {ended:?}"
        );
        assert_is_one_line(&ended);
    }
}

#[test]
fn where_nobody_listens_is_a_network_error() {
    // Bound, so that nobody else gets the port, and with no listener behind it in the end.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("its address"));
    drop(listener);
    for arguments in [&["-m", "model", "Hi"][..], &["--list-models"]] {
        let with_password = url.replace("http://", "http://sue:s3cret@");
        let program = chat_program().args(["-u", &with_password]);
        let ended = program.args(arguments).run();
        assert_eq!((ended.status, &*ended.stdout), (Some(3), ""), "{ended:?}");
        assert!(ended.stderr.contains("could not reach"), "{ended:?}");
        assert!(
            ended
                .stderr
                .contains(&format!("is the address {url} right")),
            "{ended:?}"
        );
        assert!(!ended.stderr.contains("s3cret"), "{ended:?}");
        assert_is_one_line(&ended);
    }
}

#[test]
fn the_ask_program_fails_too_and_says_why() {
    let service = failing(Dialect::V0_5, At::Message, Fault::Cut(3));
    let ended = ask_program()
        .env("H2OGPT_URL", service.url())
        .arg("Hi")
        .run();
    assert_eq!(ended.status, Some(1), "{ended:?}");
    assert!(ended.stdout.starts_with("You said: \"Hi\"."), "{ended:?}");
    assert!(ended.stderr.starts_with("Error: "), "{ended:?}");
    assert_eq!(service.conversations(), 0);
}

/// Turns text red, sets the window's title, moves the cursor, rings.
const STEERING: &str = "\u{1b}[31mred\u{1b}]0;title\u{7}\r\n\u{9b}2Jup\u{8}\u{7f}";
/// The same inside JSON.
const STEERING_JSON: &str = r"\u001b[31mred\u001b]0;title\u0007\r\n\u009b2Jup\u0008\u007f";

#[test]
fn what_a_server_says_cannot_steer_the_terminal() {
    let message = format!(r#"{{"message":"{STEERING_JSON}"}}"#);
    let models = format!(r#"[{{"id":"one{STEERING_JSON}"}}]"#);
    let faults = [
        (At::Message, response_of(500, "text/plain", STEERING)),
        (At::Message, response_of(500, "application/json", &message)),
        (At::Create, response_of(200, "text/plain", STEERING)),
        (At::Settings, response_of(418, "application/json", &message)),
    ];
    for (at, fault) in faults {
        let service = failing(Dialect::V0_5, at, fault);
        let ended = chat(service.url()).run();
        assert_ne!(ended.status, Some(0), "{ended:?}");
        assert!(ended.stderr.contains("red"), "{ended:?}");
        assert_is_one_line(&ended);
    }

    let in_the_stream =
        format!("data:{{\"error\":\"{STEERING_JSON}\",\"error_type\":\"a\\u001bb\"}}\n\n");
    let no_json = format!("data:{{{STEERING}\n\n");
    for event in [in_the_stream, no_json] {
        let server = Server::start(script::replying(move |_, writer| {
            script::begin(writer, &["Hello"]);
            let _ = writer.write_all(&chunk(&event));
            Then::Close
        }));
        let ended = chat(&server.url()).run();
        assert_eq!(ended.stdout, "Hello\n", "{ended:?}");
        assert_is_one_line(&ended);
    }

    let list = Service::builder().faults(move |request| {
        (request.path == "/api/models").then(|| response_of(200, "application/json", &models))
    });
    let list = list.start().expect("a service");
    let ended = chat_program()
        .args(["-u", list.url(), "--list-models"])
        .run();
    assert_eq!(ended.status, Some(0), "{ended:?}");
    let line = ended.stdout.strip_suffix('\n').expect("a line");
    assert!(!line.contains(char::is_control), "{ended:?}");
}

#[test]
fn a_name_without_end_is_cut_in_lists_and_in_errors() {
    let long = "x".repeat(500_000);
    let models = format!(r#"[{{"id":"a\u202eb\u200bc{long}"}}]"#);
    let list = Service::builder()
        .dialect(Dialect::Main)
        .faults(move |request| {
            (request.path == "/api/models").then(|| response_of(200, "application/json", &models))
        });
    let list = list.start().expect("a service");
    let ended = chat_program()
        .args(["-u", list.url(), "--list-models"])
        .run();
    assert_eq!(ended.status, Some(0), "{ended:?}");
    assert!(
        ended.stdout.starts_with("abcxxx"),
        "{}",
        &ended.stdout[..20]
    );
    assert!(ended.stdout.ends_with("x…\n"));
    assert!(ended.stdout.chars().count() < 310);
    // Not with the short time limit of the others: there is much to send and to read.
    let ended = chat_program().args(["-u", list.url(), "Hi"]).run();
    assert_eq!(ended.status, Some(4), "{}", ended.stderr.len());
    assert!(ended.stderr.len() < 1500, "{}", ended.stderr.len());
}

/// The value of a cookie that a server sets.
const SESSION: &str = "a3f1c0de-secret-session";

#[test]
fn verbose_output_names_every_request_and_no_secret() {
    let proxy = Proxy::start_with_credentials(Protocol::Http, "ada", "pr0xy-pass");
    let secrets = [
        "s3cret",
        "t0psecret",
        "pr0xy-pass",
        "c3VlOn",
        "YWRhOn",
        SESSION,
    ];
    let run = |server: &Server| {
        let url = server.url().replace("http://", "http://sue:s3cret@");
        let program = chat_program().args(["-v", "-u", &url, "-m", "model", "Hi"]);
        let program = program.args(["-x", &proxy.url_with("ada", "pr0xy-pass")]);
        program.env("H2OGPT_COOKIE", "hf-chat=t0psecret").run()
    };

    let usual = script::replies(&["Hello"]);
    let server = Server::start(move |request, writer| match request.endpoint() {
        Endpoint::Settings => {
            let cookie = format!("hf-chat={SESSION}; Path=/; HttpOnly; Secure; SameSite=None");
            let _ = writer.write_all(&response("200 OK", &[("Set-Cookie", &cookie)], ""));
            Then::KeepAlive
        }
        _ => usual(request, writer),
    });
    let ended = run(&server);
    assert_eq!(
        (ended.status, &*ended.stdout),
        (Some(0), "Hello\n"),
        "{ended:?}"
    );
    let requests = server.requests();
    assert_eq!(ended.stderr.lines().count(), requests.len(), "{ended:?}");
    for (line, step) in ended.stderr.lines().zip(server.steps()) {
        assert!(line.starts_with(&format!("chat: {step}: ")), "{line}");
    }
    let credentials = requests[0].header("authorization");
    assert_eq!(credentials, Some("Basic c3VlOnMzY3JldA=="));
    assert_eq!(requests[0].header("cookie"), Some("hf-chat=t0psecret"));

    let refusing = Server::start(script::replying(|_, _| Then::Reset));
    let refused = run(&refusing);
    assert_eq!(refused.status, Some(3), "{refused:?}");
    assert!(refused.stderr.contains("no response after"), "{refused:?}");
    proxy.listener.stop();
    let unreached = run(&refusing);
    assert_eq!(unreached.status, Some(3), "{unreached:?}");
    for secret in secrets {
        for ended in [&ended, &refused, &unreached] {
            assert!(!ended.stderr.contains(secret), "{secret}: {ended:?}");
        }
    }
}

// The default service is one of https.
#[cfg(any(feature = "rustls", feature = "native-tls"))]
#[test]
fn who_names_no_service_is_told_that_the_default_one_is_gone() {
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a port");
    let proxy = format!("http://{}", nobody.local_addr().expect("an address"));
    drop(nobody);
    let ended = chat_program().args(["-x", &proxy, "Hi"]).run();
    assert_eq!(ended.status, Some(3), "{ended:?}");
    assert_is_one_line(&ended);
    assert!(ended.stderr.contains("--url"), "{ended:?}");

    let ended = ask_program().env("ALL_PROXY", &proxy).arg("Hi").run();
    assert_eq!(ended.status, Some(1), "{ended:?}");
    assert!(ended.stderr.contains("H2OGPT_URL"), "{ended:?}");
}
