//! What a client and a server agree on around the messages: terms, redirects, cookies.

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Mutex, mpsc};
use std::thread;

use h2ogpt::{Canceller, Error, Step};
use serde_json::json;

use support::client::{Failure, Outcome, builder, client, http, read, text};
use support::http1::{Request, response};
use support::listener::lock;
use support::script::{self, Endpoint, responding};
use support::server::{Server, Then};

const TERMS: &str = "You need to accept the welcome modal first";

fn not_accepted() -> Vec<u8> {
    let body = json!({ "error": TERMS }).to_string();
    response(
        "405 Method Not Allowed",
        &[("Content-Type", "application/json")],
        body,
    )
}

/// A server that responds to the first requests to an endpoint in this way.
fn refusing(endpoint: Endpoint, times: usize, refusal: fn() -> Vec<u8>) -> Server {
    let left = Mutex::new(times);
    Server::start(responding(move |request| {
        let mut left = lock(&left);
        if request.endpoint() != endpoint || *left == 0 {
            return None;
        }
        *left -= 1;
        Some(refusal())
    }))
}

fn count(server: &Server, endpoint: Endpoint) -> usize {
    server.requests_to(endpoint).len()
}

#[test]
fn settings_are_posted_once_over_conversations_clones_and_threads() {
    let server = Server::start(script::respond);
    let client = client(server.url());
    thread::scope(|scope| {
        for _ in 0..4 {
            let client = client.clone();
            scope.spawn(move || {
                for _ in 0..3 {
                    let mut conversation = client.conversation().expect("a conversation");
                    assert_eq!(Outcome::of(conversation.send("Hello")).text, "Hi");
                }
            });
        }
    });
    assert_eq!(count(&server, Endpoint::Settings), 1);
    assert_eq!(count(&server, Endpoint::Create), 12);
    assert_eq!(count(&server, Endpoint::Delete), 12);
}

#[test]
fn a_server_that_forgot_the_terms_is_told_again_where_it_asks() {
    for at in [Endpoint::Create, Endpoint::Message] {
        let server = refusing(at, 1, not_accepted);
        let mut conversation = client(server.url()).conversation().unwrap();
        assert_eq!(Outcome::of(conversation.send("Hello")).text, "Hi", "{at:?}");
        drop(conversation);
        assert_eq!(count(&server, Endpoint::Settings), 2, "{at:?}");
        assert_eq!(count(&server, at), 2);
        assert_eq!(count(&server, Endpoint::Delete), 1);
    }
}

#[test]
fn a_server_that_keeps_asking_for_the_terms_is_told_once_more_and_then_given_up() {
    for (at, step) in [
        (Endpoint::Create, Step::Create),
        (Endpoint::Message, Step::Message),
    ] {
        let server = refusing(at, usize::MAX, not_accepted);
        let failure = match client(server.url()).conversation() {
            Ok(mut conversation) => Outcome::of(conversation.send("Hello")).failure,
            Err(error) => Some(Failure::from(&error)),
        };
        assert_eq!(failure, Some(http(step, 405, TERMS)));
        assert_eq!(count(&server, Endpoint::Settings), 2, "{at:?}");
        assert_eq!(count(&server, at), 2);
        let is_created = step == Step::Message;
        assert_eq!(count(&server, Endpoint::Delete), usize::from(is_created));
    }
}

/// The error of a conversation with one message if an endpoint responds in this way.
fn failure_of(endpoint: Endpoint, response: Vec<u8>) -> Option<Error> {
    let server = Server::start(responding(move |request| {
        (request.endpoint() == endpoint).then(|| response.clone())
    }));
    let mut conversation = match client(server.url()).conversation() {
        Ok(conversation) => conversation,
        Err(error) => return Some(error),
    };
    let (_, error) = read(conversation.send("Hello"));
    error.or_else(|| conversation.close().err())
}

fn redirect(status: &str, location: &str) -> Vec<u8> {
    response(status, &[("Location", location)], "")
}

fn redirect_in_body(location: &str) -> Vec<u8> {
    let body = json!({ "type": "redirect", "status": 302, "location": location });
    let headers = [("Content-Type", "application/json")];
    response("200 OK", &headers, body.to_string())
}

const STEPS: [(Endpoint, Step); 4] = [
    (Endpoint::Settings, Step::Settings),
    (Endpoint::Create, Step::Create),
    (Endpoint::Message, Step::Message),
    (Endpoint::Delete, Step::Delete),
];

#[test]
fn a_redirect_of_the_settings_within_the_server_is_success() {
    for response in [redirect("303 See Other", "/"), redirect_in_body("/chat/")] {
        let failure = failure_of(Endpoint::Settings, response);
        assert!(failure.is_none(), "{failure:?}");
    }
    // The same with the whole address, as the server takes it from the Referer.
    let server = Server::start(responding(|request| {
        let referer = request.header("referer").expect("a Referer");
        (request.endpoint() == Endpoint::Settings).then(|| redirect("303 See Other", referer))
    }));
    client(server.url()).conversation().expect("a conversation");
    assert_eq!(count(&server, Endpoint::Settings), 1);
}

#[test]
fn a_redirect_to_another_place_means_that_a_login_is_needed_and_is_not_followed() {
    let elsewhere = Server::start(script::respond);
    let login = format!("{}/login?next=%2F", elsewhere.url());
    for (at, step) in STEPS {
        let failure = failure_of(at, redirect("302 Found", &login));
        let failure = failure.as_ref().map(Failure::from);
        assert_eq!(failure, Some(Failure::LoginRequired(step)), "{at:?}");
    }
    for (at, step) in &STEPS[..2] {
        let failure = failure_of(*at, redirect_in_body(&login));
        let failure = failure.as_ref().map(Failure::from);
        assert_eq!(failure, Some(Failure::LoginRequired(*step)), "{at:?}");
    }
    let failure = failure_of(Endpoint::Settings, redirect("303 See Other", &login));
    let failure = failure.as_ref().map(Failure::from);
    assert_eq!(failure, Some(Failure::LoginRequired(Step::Settings)));
    assert!(elsewhere.requests().is_empty());
    assert_eq!(elsewhere.listener.connections(), 0);
}

#[test]
fn a_server_that_has_moved_is_named_and_not_followed() {
    let elsewhere = Server::start(script::respond);
    for status in ["301 Moved Permanently", "308 Permanent Redirect"] {
        for (at, step) in STEPS {
            let target = format!("{}/{at:?}", elsewhere.url());
            let failure = failure_of(at, redirect(status, &target)).expect("an error");
            let Failure::Http {
                step: failed,
                status: found,
                message,
                ..
            } = Failure::from(&failure)
            else {
                panic!("{at:?}: {failure:?}");
            };
            assert_eq!((failed, &*found.to_string()), (step, &status[..3]));
            assert!(message.contains(&target), "{message}");
        }
    }
    assert_eq!(elsewhere.listener.connections(), 0);
}

/// The `Cookie` headers of all requests, where each step sets other cookies.
fn cookies_sent(set: fn(&Request) -> &'static [(&'static str, &'static str)]) -> Vec<String> {
    let server = Server::start(move |request, writer| {
        let usual = script::usual(request);
        let head_end = usual.windows(2).position(|end| end == b"\r\n").unwrap() + 2;
        let (status, rest) = usual.split_at(head_end);
        let set: String = set(request)
            .iter()
            .map(|(name, value)| format!("{name}: {value}\r\n"))
            .collect();
        let _ = writer.write_all(&[status, set.as_bytes(), rest].concat());
        Then::KeepAlive
    });
    let client = builder(server.url()).model("m").build().unwrap();
    let mut conversation = client.conversation().unwrap();
    assert_eq!(Outcome::of(conversation.send("Hello")).text, "Hi");
    conversation.close().unwrap();
    let cookies = |request: Request| request.header("cookie").unwrap_or("none").to_owned();
    server.requests().into_iter().map(cookies).collect()
}

#[test]
fn a_session_cookie_of_any_name_is_carried_and_replaced() {
    let sent = cookies_sent(|request| match request.endpoint() {
        Endpoint::Settings => &[(
            "Set-Cookie",
            "my.sid=1; Path=/; Expires=Sun, 21 Nov 2100 02:42:35 GMT; HttpOnly; Secure; SameSite=None",
        )],
        Endpoint::Create => &[("set-cookie", "my.sid=2; Path=/"), ("SET-COOKIE", "b=x=y")],
        Endpoint::Message => &[("Set-Cookie", "my.sid=3")],
        _ => &[],
    });
    assert_eq!(
        sent,
        ["none", "my.sid=1", "my.sid=2; b=x=y", "my.sid=3; b=x=y"]
    );
}

/// A load balancer before a server of 2023 sets cookies that live shorter than that of the session,
/// and before later servers longer ones.
#[test]
fn cookies_of_a_load_balancer_tell_nothing_of_the_server() {
    let models = |cookie: &'static str, list: &'static str| {
        let server = Server::start(move |request, writer| {
            if request.endpoint() != Endpoint::Models {
                return script::respond(request, writer);
            }
            let status = if list.is_empty() {
                "404 Not Found"
            } else {
                "200 OK"
            };
            let cookie = ("Set-Cookie", cookie);
            let _ = writer.write_all(&response(status, &[script::JSON, cookie], list));
            Then::KeepAlive
        });
        let mut conversation = client(server.url()).conversation().unwrap();
        assert_eq!(Outcome::of(conversation.send("Hello")).text, "Hi");
        drop(conversation);
        server
    };
    let server = models("AWSALB=x; Max-Age=604800; Path=/", "");
    assert_eq!(
        count(&server, Endpoint::Settings),
        1,
        "{:?}",
        server.steps()
    );
    let list = r#"[{"id": "m"}]"#;
    let server = models("route=x; Max-Age=31536000; Path=/", list);
    assert_eq!(
        count(&server, Endpoint::Settings),
        0,
        "{:?}",
        server.steps()
    );
    assert_eq!(count(&server, Endpoint::History), 1, "{:?}", server.steps());
}

#[test]
fn a_cookie_that_the_server_deletes_is_not_sent() {
    let sent = cookies_sent(|request| match request.endpoint() {
        Endpoint::Settings => &[
            ("Set-Cookie", "a=1"),
            ("Set-Cookie", "b=1"),
            ("Set-Cookie", "c=1"),
        ],
        Endpoint::Create => &[(
            "Set-Cookie",
            "a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Path=/",
        )],
        Endpoint::Message => &[("Set-Cookie", "b=gone; Max-Age=0")],
        _ => &[],
    });
    assert_eq!(sent, ["none", "a=1; b=1; c=1", "b=1; c=1", "c=1"]);
}

#[test]
fn a_cookie_of_the_caller_is_sent_from_the_first_request_on() {
    let server = Server::start(script::respond);
    let client = builder(server.url()).cookie("hf-chat", "mine");
    let client = client.build().unwrap();
    client.conversation().unwrap();
    assert_eq!(
        client.cookies(),
        [("hf-chat".to_owned(), "mine".to_owned())]
    );
    for request in server.requests() {
        assert_eq!(request.header("cookie"), Some("hf-chat=mine"));
    }
    assert_eq!(count(&server, Endpoint::Delete), 1);
}

/// A gateway may respond with the status by which servers ask for their terms.
#[test]
fn the_settings_of_a_borrowed_session_are_left_alone_whatever_refuses_a_message() {
    let server = refusing(Endpoint::Message, 1, || {
        let page = "<html><title>405 Not Allowed</title></html>";
        response("405 Not Allowed", &[("Content-Type", "text/html")], page)
    });
    let client = builder(server.url()).cookie("hf-chat", "mine").build();
    let mut conversation = client.unwrap().resume(script::ID).unwrap();
    let error = conversation.send("Hello").map(drop).unwrap_err();
    assert!(
        matches!(error, Error::Http { status: 405, .. }),
        "{error:?}"
    );
    assert_eq!(
        count(&server, Endpoint::Settings),
        0,
        "{:?}",
        server.steps()
    );
}

/// A gateway may remove the header by which v0.9.6 and later are told from those before.
#[test]
fn a_server_that_has_shown_its_version_keeps_it() {
    let server = Server::start(responding(|request| {
        let body = match request.endpoint() {
            Endpoint::Create => json!({ "conversationId": script::ID, "conversation": {} }),
            Endpoint::History => json!({ "messages": [{ "id": script::MESSAGE, "from": "user" }] }),
            _ => return None,
        };
        Some(response("200 OK", &[script::JSON], body.to_string()))
    }));
    let mut conversation = client(server.url()).conversation().unwrap();
    for prompt in ["One", "Two", "Three"] {
        assert_eq!(Outcome::of(conversation.send(prompt)).text, "Hi");
    }
    for message in server.requests_to(Endpoint::Message) {
        let content_type = message.header("content-type");
        assert_eq!(content_type, Some("application/x-www-form-urlencoded"));
    }
}

#[test]
fn settings_that_hang_in_one_conversation_do_not_hold_up_another() {
    let (hangs, hanging) = mpsc::channel();
    let settings = AtomicUsize::new(0);
    let reply = script::replies(&["Hello"]);
    let server = Server::start(move |request: &Request, writer: &mut dyn Write| {
        if request.endpoint() == Endpoint::Settings && settings.fetch_add(1, SeqCst) > 0 {
            hangs.send(()).expect("somebody waits for it");
            return Then::Hold;
        }
        if String::from_utf8_lossy(&request.body).contains("forgotten") {
            writer.write_all(&not_accepted()).expect("a response");
            return Then::KeepAlive;
        }
        reply(request, writer)
    });
    let client = builder(server.url()).model("model").build().unwrap();
    let canceller = Canceller::new();
    let mut stuck = client.cancelled_by(&canceller).conversation().unwrap();
    let mut other = client.conversation().unwrap();
    thread::scope(|scope| {
        let stuck = scope.spawn(|| text(stuck.send("forgotten")));
        hanging.recv().expect("the settings, once more");
        assert_eq!(text(other.send("Hi")).unwrap(), "Hello");
        assert!(!stuck.is_finished());
        canceller.cancel();
        let error = stuck.join().unwrap().unwrap_err();
        assert!(matches!(error, Error::Cancelled { .. }), "{error:?}");
    });
}

#[test]
fn settings_that_are_accepted_at_last_are_no_error_any_more() {
    // As a form, before the server asks for the terms and after it. Then comes the JSON.
    let left = Mutex::new((2, 1));
    let server = Server::start(responding(move |request| {
        let (settings, creations) = &mut *lock(&left);
        let (left, refusal) = match request.endpoint() {
            Endpoint::Settings => (settings, response("500 Internal Server Error", &[], "")),
            Endpoint::Create => (creations, not_accepted()),
            _ => return None,
        };
        let is_refused = *left > 0;
        *left -= i32::from(is_refused);
        is_refused.then_some(refusal)
    }));
    let conversation = client(server.url()).conversation().unwrap();
    conversation.close().unwrap();
    assert_eq!(count(&server, Endpoint::Settings), 3);
}
