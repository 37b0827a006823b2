//! Options of the builder that concern every request, or every reply.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::{Arc, Mutex};

use h2ogpt::{Error, Step};

use support::client::{builder, client, read, text};
use support::listener::lock;
use support::script;
use support::server::{Server, Then};
use support::service::{Dialect, Fault, Seen, Service};
use support::stream::{Format, WORD};

#[test]
fn headers_of_the_caller_are_on_every_request() {
    for dialect in Dialect::ALL {
        let service = Service::builder()
            .dialect(dialect)
            .wanted_header("X-Tunnel")
            .start()
            .unwrap();
        let builder = builder(service.url())
            .header("X-Tunnel", "replaced by the next one")
            .header("x-tunnel", "let-me-in")
            .header("X-Other", "a b; c");
        let client = builder.build().unwrap();
        client.models().unwrap();
        let mut conversation = client.conversation().unwrap();
        text(conversation.send("One")).unwrap();
        let prompt = h2ogpt::Prompt::new("Two").web_search(true);
        // Left early, so that it is stopped.
        conversation.send(prompt).unwrap().next();
        conversation.close().unwrap();
        for seen in service.requests() {
            assert_ne!(seen.status, 401, "{dialect}: {} {}", seen.method, seen.path);
            let values: Vec<&str> = values(&seen, "x-tunnel").collect();
            assert_eq!(values, ["let-me-in"], "{dialect}: {}", seen.path);
            assert_eq!(seen.header("x-other"), Some("a b; c"));
        }
        let is_stop = |seen: &Seen| seen.path.ends_with("/stop-generating");
        assert!(service.requests().iter().any(is_stop), "{dialect}");
        // Without it nobody is let in.
        let error = self::client(service.url()).conversation().unwrap_err();
        assert!(matches!(error, Error::LoginRequired { .. }), "{error:?}");
    }
}

fn values<'s>(seen: &'s Seen, name: &'s str) -> impl Iterator<Item = &'s str> {
    let named = seen.headers.iter().filter(move |(known, _)| known == name);
    named.map(|(_, value)| value.as_str())
}

/// A proxy in front says who one is: conversations are those of that person.
#[test]
fn a_person_that_a_proxy_names_has_conversations_of_their_own() {
    let service = Service::builder()
        .dialect(Dialect::Main)
        .trusted_email_header("X-Email")
        .start()
        .unwrap();
    let client = |email: &str| {
        let builder = builder(service.url()).header("X-Email", email);
        builder.build().unwrap()
    };
    let mut conversation = client("a@example.org").conversation().unwrap();
    text(conversation.send("One")).unwrap();
    let id = conversation.keep();
    let mut stranger = client("b@example.org").resume(&id).unwrap();
    let error = stranger.send("Two").unwrap_err();
    assert!(
        matches!(error, Error::Http { status: 404, .. }),
        "{error:?}"
    );
    stranger.keep();
    // Another session of the same person.
    let mut again = client("a@example.org").resume(&id).unwrap();
    assert!(
        text(again.send("Two"))
            .unwrap()
            .ends_with("(2 messages so far)")
    );
}

#[test]
fn headers_that_the_client_sets_itself_are_rejected_without_their_value() {
    for (name, value) in [
        ("Cookie", "SECRET"),
        ("Host", "SECRET"),
        ("Content-Length", "1SECRET"),
        ("Origin", "SECRET"),
        ("X-Token", "SECRET\r\nX: y"),
        ("X Token", "SECRET"),
        ("", "SECRET"),
    ] {
        let builder = builder("http://localhost").header(name, value);
        assert!(!format!("{builder:?}").contains("SECRET"));
        let error = builder.build().unwrap_err();
        assert!(matches!(error, Error::Configuration { .. }), "{error:?}");
        assert!(error.to_string().contains(name), "{error}");
        assert!(!format!("{error} {error:?}").contains("SECRET"), "{error}");
    }
}

#[test]
fn credentials_in_the_url_are_percent_decoded() {
    // In base64: me:p@ss:w%rd and me:
    for (credentials, expected) in [
        ("me:p%40ss%3Aw%25rd", "Basic bWU6cEBzczp3JXJk"),
        ("me", "Basic bWU6"),
    ] {
        let server = Server::start(script::respond);
        let url = server.url().replace("://", &format!("://{credentials}@"));
        assert_eq!(text(client(url).generate("Hi")).unwrap(), "Hi");
        for request in server.requests() {
            assert_eq!(request.header("authorization"), Some(expected));
            // The address that it names is without them.
            assert_eq!(request.header("origin"), Some(&*server.url()));
            assert!(!request.header("referer").unwrap().contains('@'));
        }
        assert!(server.is_deleted());
    }
}

/// Method, path, status.
type Noted = Arc<Mutex<Vec<(String, String, u16)>>>;

#[test]
fn an_observer_sees_every_request_with_its_status() {
    for dialect in Dialect::ALL {
        let service = Service::builder().dialect(dialect).start().unwrap();
        let noted = Noted::default();
        let seen = Arc::clone(&noted);
        let builder = builder(service.url()).on_exchange(move |exchange| {
            let status = *exchange.outcome.as_ref().expect("a response");
            let (method, path) = (exchange.method.to_owned(), exchange.path.to_owned());
            lock(&seen).push((method, path, status));
        });
        let client = builder.build().unwrap();
        client.models().unwrap();
        let mut conversation = client.conversation().unwrap();
        text(conversation.send("One")).unwrap();
        service.fail_next(1, "POST /conversation/{id}", Fault::Status(429, None));
        assert!(conversation.send("Two").is_err());
        conversation.send("Two").unwrap().next();
        conversation.close().unwrap();
        let requests = service.requests().into_iter();
        let requests: Vec<_> = requests
            .map(|seen| (seen.method, seen.path, seen.status))
            .collect();
        assert_eq!(*lock(&noted), requests, "{dialect}");
    }
}

#[test]
fn an_observer_is_told_of_requests_that_fail() {
    let service = Service::start().unwrap();
    service.fail_next(1, "POST /conversation", Fault::Hangup);
    let steps = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&steps);
    let builder = builder(service.url()).on_exchange(move |exchange| {
        if let Err(error) = exchange.outcome {
            lock(&noted).push((exchange.path.to_owned(), error.step()));
        }
    });
    assert!(builder.build().unwrap().conversation().is_err());
    let expected = ("/conversation".to_owned(), Some(Step::Create));
    assert_eq!(*lock(&steps), [expected]);
}

/// It may be called while another panic unwinds and drops a conversation.
#[test]
fn a_panic_of_an_observer_changes_nothing() {
    let service = Service::start().unwrap();
    let builder = builder(service.url()).on_exchange(|_| resume_unwind(Box::new("observer")));
    let client = builder.build().unwrap();
    let mut conversation = client.conversation().unwrap();
    assert!(text(conversation.send("Hello")).is_ok());
    let unwound = catch_unwind(AssertUnwindSafe(|| {
        let _conversation = conversation;
        resume_unwind(Box::new("test"));
    }));
    assert_eq!(unwound.unwrap_err().downcast_ref(), Some(&"test"));
    assert_eq!(service.conversations(), 0);
    assert!(client.conversation().is_ok(), "nothing is poisoned");
}

#[test]
fn a_reply_that_is_too_long_fails_with_what_fits() {
    for format in Format::ALL {
        let response = format.response(1000, 1);
        let server = Server::start(format.replying(move |_, out| {
            let _ = out.write_all(&response);
            Then::KeepAlive
        }));
        let whole = 1000 * WORD.len();
        for (limit, fits) in [(whole, true), (whole - 1, false), (5 * WORD.len(), false)] {
            let builder = builder(server.url()).model("m").max_reply(limit);
            let mut conversation = builder.build().unwrap().conversation().unwrap();
            let (tokens, error) = read(conversation.send("Hi"));
            assert_eq!(error.is_none(), fits, "{format:?}, {limit}: {error:?}");
            if let Some(error) = error {
                assert!(matches!(error, Error::Protocol { .. }), "{error:?}");
                assert!(error.to_string().contains("max_reply"), "{error}");
                assert!(!error.is_retryable());
                assert_eq!(tokens.len(), limit / WORD.len(), "{format:?}, {limit}");
            }
            conversation.close().unwrap();
        }
    }
}
