//! What a client makes of odd responses, and that it waits as long as it says.

use std::thread;
use std::time::{Duration, Instant};

use h2ogpt::{Error, Step, TimeLimit};

use support::client::{Outcome, builder, client, expired, read};
use support::http1::{LAST_CHUNK, Request, chunk, response};
use support::script::{self, Endpoint, JSON, responding};
use support::server::{Server, Then};
use support::service::{Dialect, Service};
use support::stream::Format;

/// Whatever comes in between is no token, and does not begin the wait anew.
#[test]
fn each_token_is_waited_for_once_whatever_else_comes() {
    let reply = Format::Tree.replying(|_, writer| {
        let _ = writer.write_all(script::HEAD);
        let _ = writer.write_all(&chunk(Format::Tree.event("Hello")));
        let title = "{\"type\":\"title\",\"title\":\"T\"}\n";
        let alive = "{\"type\":\"status\",\"status\":\"keepAlive\"}\n";
        while writer.write_all(&chunk(format!("{title}{alive}"))).is_ok() {
            thread::sleep(Duration::from_millis(50));
        }
        Then::Close
    });
    let server = Server::start(reply);
    let limit = Duration::from_millis(600);
    let builder = builder(server.url()).model("m").timeout_token(limit);
    let mut conversation = builder.build().unwrap().conversation().unwrap();
    let started = Instant::now();
    let (tokens, error) = read(conversation.send("Hi"));
    let took = started.elapsed();
    assert_eq!(tokens, ["Hello"]);
    let error = error.expect("an error");
    assert_eq!(expired(&error), Some(TimeLimit::Token), "{error:?}");
    assert_eq!(error.partial(), Some("Hello"));
    assert!(
        (limit..limit + Duration::from_secs(4)).contains(&took),
        "{took:?}"
    );
    drop(conversation);
    assert_eq!(server.requests_to(Endpoint::Delete).len(), 1);
}

/// The same request, responded to in another way.
fn server(endpoint: Endpoint, status: &'static str, headers: &'static [(&str, &str)]) -> Server {
    Server::start(responding(move |request: &Request| {
        let usual = script::usual(request);
        let body = usual.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
        let is_meant = request.endpoint() == endpoint;
        is_meant.then(|| response(status, headers, &usual[body..]))
    }))
}

const REFUSED: &[(&str, &str)] = &[
    ("Location", "http://elsewhere.test/login"),
    ("Retry-After", "7"),
];

#[test]
fn a_location_does_not_hide_a_refusal() {
    for (endpoint, step) in [
        (Endpoint::Create, Step::Create),
        (Endpoint::Message, Step::Message),
        (Endpoint::Delete, Step::Delete),
    ] {
        for (line, wanted) in [
            ("429 Too Many Requests", 429),
            ("503 Service Unavailable", 503),
        ] {
            let server = server(endpoint, line, REFUSED);
            let client = builder(server.url()).model("m").build().unwrap();
            let error = match client.conversation() {
                Err(error) => error,
                Ok(mut conversation) => match read(conversation.send("Hi")).1 {
                    Some(error) => error,
                    None => conversation.close().unwrap_err(),
                },
            };
            assert_eq!(error.step(), Some(step), "{line}");
            let Error::Http { status, .. } = error else {
                panic!("{endpoint:?}, {line}: {error:?}");
            };
            assert_eq!(status, wanted);
            assert_eq!(
                error.retry_after(),
                Some(Duration::from_secs(7)),
                "{endpoint:?}"
            );
        }
    }
}

#[test]
fn a_location_does_not_spoil_a_success() {
    for line in ["200 OK", "201 Created"] {
        for endpoint in [Endpoint::Settings, Endpoint::Create, Endpoint::Delete] {
            let headers = &[("Location", "http://elsewhere.test/"), JSON];
            let server = server(endpoint, line, headers);
            let client = builder(server.url())
                .model("m")
                .share_with_model_authors(true)
                .build();
            let mut conversation = client.unwrap().conversation().unwrap();
            let reply = Outcome::of(conversation.send("Hi"));
            assert_eq!(
                (reply.text.as_str(), reply.failure),
                ("Hi", None),
                "{endpoint:?}, {line}"
            );
            conversation
                .close()
                .unwrap_or_else(|error| panic!("{endpoint:?}, {line}: {error}"));
        }
    }
}

/// A server that creates conversations with this response.
fn creating(body: impl Into<Vec<u8>>) -> Server {
    let created = response("200 OK", &[JSON], body.into());
    Server::start(responding(move |request: &Request| {
        (request.endpoint() == Endpoint::Create).then(|| created.clone())
    }))
}

#[test]
fn an_id_may_be_a_number_and_come_after_a_byte_order_mark() {
    for (body, id) in [
        ("\u{feff}{\"conversationId\":\"abc\"}", "abc"),
        ("{\"conversationId\":12345678901234}", "12345678901234"),
        ("\u{feff} {\"conversationId\": 7 }", "7"),
    ] {
        let server = creating(body);
        let conversation = client(server.url()).conversation().unwrap();
        assert_eq!(conversation.id(), id);
        conversation.close().unwrap();
        let deletes = server.requests_to(Endpoint::Delete);
        let paths: Vec<&str> = deletes.iter().map(|one| one.path.as_str()).collect();
        assert_eq!(paths, [format!("/conversation/{id}")]);
    }
}

#[test]
fn an_id_of_insane_length_is_refused_and_not_shown_whole() {
    let long = "x".repeat(1 << 20);
    let server = creating(format!("{{\"conversationId\":\"{long}\"}}"));
    let error = client(server.url()).conversation().unwrap_err();
    assert!(
        matches!(error, Error::Protocol { .. }),
        "{:.300}",
        error.to_string()
    );
    assert!(error.to_string().len() < 1000 && format!("{error:?}").len() < 2000);
    let error = client(server.url()).resume(long).unwrap_err();
    assert!(matches!(error, Error::Configuration { .. }));
    assert!(error.to_string().len() < 1000);
}

/// What was streamed stays, however the text is read.
#[test]
fn an_empty_final_text_leaves_what_was_streamed() {
    for format in Format::ALL {
        let (before, after) = format.last_event();
        let events = [
            format.event("Hello"),
            format.event(" you"),
            format!("{before}{after}"),
        ]
        .concat();
        let server = Server::start(format.replying(move |_, writer| {
            let _ = writer.write_all(script::HEAD);
            let _ = writer.write_all(&chunk(&events));
            let _ = writer.write_all(LAST_CHUNK);
            Then::KeepAlive
        }));
        let client = builder(server.url()).model("m").build().unwrap();
        let mut conversation = client.conversation().unwrap();
        let reply = Outcome::of(conversation.send("Hi"));
        assert_eq!(reply.failure, None, "{format:?}");
        assert_eq!(reply.tokens, ["Hello", " you"], "{format:?}");
        assert_eq!(reply.text, "Hello you", "{format:?}");
        let whole = conversation.send("Hi").unwrap().into_text().unwrap();
        assert_eq!(whole, "Hello you", "{format:?}");
        conversation.close().unwrap();
    }
}

/// v0.7 never ends its responses: nothing can follow that would explain an empty reply.
#[test]
fn an_empty_reply_is_complete_at_once() {
    for dialect in Dialect::ALL {
        let service = Service::builder()
            .dialect(dialect)
            .replies(vec![String::new()]);
        let service = service.start().unwrap();
        let mut conversation = client(service.url()).conversation().unwrap();
        let reply = Outcome::of(conversation.send("Hello"));
        assert_eq!(
            (reply.text.as_str(), reply.failure),
            ("", None),
            "{dialect}"
        );
    }
}
