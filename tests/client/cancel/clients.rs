//! Cancellers and deadlines of clients: they end whatever these wait for, and nothing else.

use std::io::Write;
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use h2ogpt::{Canceller, Client, ClientBuilder, Error, Result, TimeLimit};

use support::client::{expired, text};
use support::http1::{Request, chunk};
use support::listener::lock;
use support::script::{self, Endpoint};
use support::server::{Server, Then};
use support::service::{Fault, Seen, Service};

use super::PATIENCE;

/// Within 0.1 s is the promise; the rest is for machines that are busy.
pub const SOON: Duration = Duration::from_millis(300);
/// How long a client with a deadline has.
pub const SHORT: Duration = Duration::from_millis(400);

pub fn builder(url: &str) -> ClientBuilder {
    Client::builder().url(url).no_proxy()
}

fn client(url: &str) -> Client {
    builder(url).model("m").build().expect("a client")
}

/// Where a client hangs, and what it does then.
struct Wait {
    name: &'static str,
    at: Endpoint,
    act: fn(&Client) -> Result<()>,
    /// Whether there is a conversation to be deleted.
    is_created: bool,
}

fn converse(client: &Client) -> Result<()> {
    text(client.conversation()?.send("Hi")).map(drop)
}

const WAITS: [Wait; 6] = [
    Wait {
        name: "the models",
        at: Endpoint::Models,
        act: |client| client.models().map(drop),
        is_created: false,
    },
    Wait {
        name: "the settings",
        at: Endpoint::Settings,
        act: converse,
        is_created: false,
    },
    Wait {
        name: "the creation",
        at: Endpoint::Create,
        act: converse,
        is_created: false,
    },
    Wait {
        name: "the web search",
        at: Endpoint::WebSearch,
        act: |client| {
            let prompt = h2ogpt::Prompt::new("Hi").web_search(true);
            client.conversation()?.send(prompt).map(drop)
        },
        is_created: true,
    },
    Wait {
        name: "the message",
        at: Endpoint::Message,
        act: converse,
        is_created: true,
    },
    Wait {
        name: "the message of a reply that owns its conversation",
        at: Endpoint::Message,
        act: |client| client.generate("Hi").map(drop),
        is_created: true,
    },
];

/// A server that says when a request to one endpoint has come, and does not respond to it.
fn hanging(at: Endpoint) -> (Server, mpsc::Receiver<()>) {
    let (say, hear) = mpsc::channel();
    let server = Server::start(move |request: &Request, out: &mut dyn Write| {
        if request.endpoint() == at {
            // Nobody may listen any more.
            let _ = say.send(());
            return Then::Hold;
        }
        script::respond(request, out)
    });
    (server, hear)
}

/// Cancels as soon as `hear` says so; the error, and how long after that it came.
fn cancel_when(
    hear: &mpsc::Receiver<()>,
    canceller: &Canceller,
    act: impl FnOnce() -> Error + Send,
) -> (Error, Duration) {
    thread::scope(|scope| {
        let acting = scope.spawn(|| (act(), Instant::now()));
        hear.recv_timeout(PATIENCE).expect("the request");
        let cancelled = Instant::now();
        canceller.cancel();
        let (error, ended) = acting.join().expect("no panic");
        (error, ended.saturating_duration_since(cancelled))
    })
}

#[track_caller]
pub fn assert_cancelled(name: &str, error: &Error, latency: Duration) {
    assert!(
        matches!(error, Error::Cancelled { .. }),
        "{name}: {error:?}"
    );
    assert!(latency < SOON, "{name}: after {latency:?}");
}

#[test]
fn a_canceller_of_a_client_ends_each_wait_of_it() {
    for wait in WAITS {
        let (server, hear) = hanging(wait.at);
        let canceller = Canceller::new();
        let client = client(&server.url()).cancelled_by(&canceller);
        let (error, latency) = cancel_when(&hear, &canceller, || {
            (wait.act)(&client).expect_err("nothing responds")
        });
        assert_cancelled(wait.name, &error, latency);
        // It has been dropped by then.
        assert_eq!(server.is_deleted(), wait.is_created, "{}", wait.name);

        // What would begin later is cancelled, too, and sends nothing.
        assert!(canceller.is_cancelled());
        let before = server.requests().len();
        let error = (wait.act)(&client).unwrap_err();
        assert_cancelled(wait.name, &error, Duration::ZERO);
        assert_eq!(server.requests().len(), before, "{}", wait.name);
    }
}

#[test]
fn a_deadline_of_a_client_ends_each_wait_of_it() {
    thread::scope(|scope| {
        for wait in WAITS {
            scope.spawn(move || {
                let (server, _hear) = hanging(wait.at);
                let client = client(&server.url());
                let started = Instant::now();
                let limited = client.until(started + SHORT);
                let error = (wait.act)(&limited).expect_err("nothing responds");
                let elapsed = started.elapsed();
                assert_eq!(expired(&error), Some(TimeLimit::Until), "{error:?}");
                assert!(elapsed >= SHORT && elapsed < SHORT + SOON, "{elapsed:?}");
                assert_eq!(server.is_deleted(), wait.is_created, "{}", wait.name);
                // It is over for good.
                let error = (wait.act)(&limited).unwrap_err();
                assert_eq!(expired(&error), Some(TimeLimit::Until), "{error:?}");
            });
        }
    });
}

#[test]
fn the_earlier_deadline_counts() {
    let (server, _hear) = hanging(Endpoint::Models);
    let started = Instant::now();
    let late = started + Duration::from_secs(60);
    let client = client(&server.url());
    for limited in [
        client.until(late).until(started + SHORT),
        client.until(started + SHORT).until(late),
    ] {
        let error = limited.models().unwrap_err();
        assert_eq!(expired(&error), Some(TimeLimit::Until), "{error:?}");
        assert!(started.elapsed() < SHORT + SOON);
    }
}

/// What is said until then is in the error, and the reply is stopped.
#[test]
fn both_end_a_reply_that_is_being_read() {
    for tokens in [0, 3] {
        let service = Service::builder()
            .faults(move |seen| seen.is_message().then_some(Fault::Stall(tokens)))
            .start()
            .unwrap();
        let canceller = Canceller::new();
        let client = builder(service.url()).build().unwrap();
        for is_cancelled in [true, false] {
            let begun = Instant::now();
            let limited = match is_cancelled {
                true => client.cancelled_by(&canceller),
                false => client.until(begun + 2 * SHORT),
            };
            let mut conversation = limited.conversation().unwrap();
            let path = format!("/conversation/{}/stop-generating", conversation.id());
            let mut reply = conversation.send("Count to a million.").unwrap();
            let said: Result<String> = reply.by_ref().take(tokens).collect();
            let said = said.unwrap();
            let (say, hear) = mpsc::channel();
            say.send(()).unwrap();
            let (error, latency) = if is_cancelled {
                cancel_when(&hear, &canceller, || reply.next().unwrap().unwrap_err())
            } else {
                let error = reply.next().unwrap().unwrap_err();
                (error, begun.elapsed().saturating_sub(2 * SHORT))
            };
            assert!(latency < SOON, "{latency:?}");
            assert_eq!(error.partial().unwrap_or_default(), said);
            match is_cancelled {
                true => assert!(matches!(error, Error::Cancelled { .. }), "{error:?}"),
                false => assert_eq!(expired(&error), Some(TimeLimit::Until), "{error:?}"),
            }
            drop(reply);
            drop(conversation);
            let is_stop = |seen: &Seen| seen.path == path;
            assert!(service.requests().iter().any(is_stop), "not stopped");
            assert_eq!(service.conversations(), 0, "not deleted");
        }
    }
}

#[test]
fn other_clones_notice_nothing_and_a_reset_lets_it_go_on() {
    let service = Service::builder()
        .token_delay(Duration::from_millis(2))
        .start()
        .unwrap();
    let client = builder(service.url()).build().unwrap();
    let canceller = Canceller::new();
    let cancelled = client.cancelled_by(&canceller);
    let mut own = cancelled.conversation().unwrap();
    let mut other = client.conversation().unwrap();
    let mut own_reply = own.send("One").unwrap();
    let mut other_reply = other.send("Two").unwrap();
    own_reply.next().unwrap().unwrap();
    other_reply.next().unwrap().unwrap();
    canceller.cancel();
    let error = own_reply.next().unwrap().unwrap_err();
    assert!(matches!(error, Error::Cancelled { .. }), "{error:?}");
    assert!(other_reply.by_ref().all(|token| token.is_ok()));
    assert!(other_reply.text().starts_with("You said: \"Two\"."));
    drop((own_reply, other_reply));
    text(other.send("Three")).unwrap();
    // Nor does one that was made by the same client before.
    assert!(client.clone().models().is_ok());

    let error = own.send("Four").unwrap_err();
    assert!(matches!(error, Error::Cancelled { .. }), "{error:?}");
    canceller.reset();
    assert!(!canceller.is_cancelled());
    assert!(
        text(own.send("Five"))
            .unwrap()
            .starts_with("You said: \"Five\".")
    );
    assert!(cancelled.models().is_ok());
    drop((own, other));
    assert_eq!(service.conversations(), 0);
}

/// Each of several cancellers ends the waits of its client, and clones of a canceller are the same.
#[test]
fn a_client_may_have_several_cancellers() {
    let cancellers = [Canceller::new(), Canceller::new()];
    for canceller in &cancellers {
        let (server, hear) = hanging(Endpoint::Models);
        let [first, second] = &cancellers;
        let client = client(&server.url())
            .cancelled_by(first)
            .cancelled_by(second);
        let (error, latency) = cancel_when(&hear, &canceller.clone(), || {
            client.models().expect_err("nothing responds")
        });
        assert_cancelled("one of two", &error, latency);
        canceller.reset();
    }
}

/// A server that does not respond is not waited for to stop the reply, either.
#[test]
fn an_error_of_send_does_not_wait_for_the_stop() {
    let (say, hear) = mpsc::channel();
    let server = Server::start(move |request: &Request, out: &mut dyn Write| {
        match request.endpoint() {
            Endpoint::Message => say.send(()).expect("somebody waits for it"),
            Endpoint::Stop => {}
            _ => return script::respond(request, out),
        }
        Then::Hold
    });
    let canceller = Canceller::new();
    let client = client(&server.url()).cancelled_by(&canceller);
    let mut conversation = client.conversation().unwrap();
    let (error, latency) = cancel_when(&hear, &canceller, || {
        conversation.send("Hi").map(drop).unwrap_err()
    });
    assert_cancelled("send", &error, latency);
    drop(conversation);
    assert!(server.is_deleted());
}

/// Where a response does not end after its reply, `keep` waits for it no longer than that.
#[test]
fn a_deadline_ends_the_wait_of_keep() {
    let server = Server::start(script::replying(|_: &Request, out: &mut dyn Write| {
        script::begin(out, &["Hi"]);
        let _ = out.write_all(&chunk(script::last_event("Hi")));
        Then::Hold
    }));
    let started = Instant::now();
    let client = client(&server.url()).until(started + 2 * SHORT);
    let mut conversation = client.conversation().unwrap();
    assert_eq!(text(conversation.send("Hello")).unwrap(), "Hi");
    assert_eq!(conversation.keep(), script::ID);
    assert!(
        started.elapsed() < 2 * SHORT + SOON,
        "{:?}",
        started.elapsed()
    );
}

/// A closed conversation is gone, although its client was cancelled.
#[test]
fn closing_and_keeping_are_not_cancelled() {
    let service = Service::start().unwrap();
    let canceller = Canceller::new();
    let client = builder(service.url())
        .build()
        .unwrap()
        .cancelled_by(&canceller);
    let closed = client.conversation().unwrap();
    let kept = client.conversation().unwrap();
    canceller.cancel();
    closed.close().expect("deleted");
    assert_eq!(service.conversations(), 1);
    kept.keep();
    assert_eq!(service.conversations(), 1);
}

/// The turn of a thread that opens the session can be waited for by others, who can be cancelled.
#[test]
fn waiting_for_another_thread_that_opens_the_session_is_given_up() {
    let (server, hear) = hanging(Endpoint::Settings);
    let client = client(&server.url());
    let (first, second) = (Canceller::new(), Canceller::new());
    thread::scope(|scope| {
        let opening = client.cancelled_by(&first);
        scope.spawn(move || opening.conversation().map(drop));
        hear.recv_timeout(PATIENCE).expect("the settings");
        let waiting = client.cancelled_by(&second);
        let waiting = scope.spawn(move || (waiting.conversation().unwrap_err(), Instant::now()));
        // By then it waits. If not, the outcome has to be the same.
        thread::sleep(Duration::from_millis(100));
        let at = Instant::now();
        second.cancel();
        let (error, ended) = waiting.join().unwrap();
        assert_cancelled("its turn", &error, ended.saturating_duration_since(at));
        assert_eq!(server.requests_to(Endpoint::Settings).len(), 1);
        first.cancel();
    });
}

/// `cancel` never blocks, whatever is under way.
#[test]
fn a_canceller_does_not_block_and_can_be_used_by_many_threads() {
    let (server, _hear) = hanging(Endpoint::Message);
    let client = client(&server.url());
    let canceller = Canceller::new();
    let client = client.cancelled_by(&canceller);
    let ended = Arc::new(std::sync::Mutex::new(0));
    thread::scope(|scope| {
        for _ in 0..8 {
            let (client, ended) = (&client, Arc::clone(&ended));
            scope.spawn(move || {
                let error = client.generate("Hi").unwrap_err();
                assert!(matches!(error, Error::Cancelled { .. }), "{error:?}");
                *lock(&ended) += 1;
            });
        }
        let is_waiting = |requests: &[Request]| {
            let messages = requests
                .iter()
                .filter(|r| r.endpoint() == Endpoint::Message);
            messages.count() == 8
        };
        assert!(server.wait_for(is_waiting, PATIENCE), "eight messages");
        let started = Instant::now();
        canceller.cancel();
        assert!(started.elapsed() < SOON, "{:?}", started.elapsed());
    });
    assert_eq!(*lock(&ended), 8);
    assert_eq!(server.requests_to(Endpoint::Delete).len(), 8);
}
