//! Ending waits from another thread: at once, wherever they hang, and without harm to anything else.

mod background;
mod clients;
mod connecting;
mod stops;
mod waits;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use h2ogpt::{Canceller, Client, Conversation, Error, Result};

use support::client::text;
use support::http1::{LAST_CHUNK, chunk};
use support::script::{self, Endpoint};
use support::server::{Server, Then};
use support::service::{Dialect, Fault, Service};

/// Milliseconds are the rule; the rest is for machines that are busy.
const AT_ONCE: Duration = Duration::from_millis(500);
/// For what has to happen some time.
const PATIENCE: Duration = Duration::from_secs(10);

fn client(url: &str) -> Client {
    let client = Client::builder().url(url).no_proxy();
    client.build().expect("a client")
}

/// Reads a reply that is whole.
fn whole(conversation: &mut Conversation, prompt: &str) -> String {
    text(conversation.send(prompt)).expect("a whole reply")
}

/// A canceller that notes when it cancelled.
#[derive(Default)]
struct Watch {
    canceller: Canceller,
    cancelled_at: Mutex<Option<Instant>>,
}

impl Watch {
    fn cancel(&self, canceller: &Canceller) {
        *self.cancelled_at.lock().unwrap() = Some(Instant::now());
        canceller.cancel();
    }

    /// How long ago it cancelled.
    fn latency(&self) -> Duration {
        let at = self.cancelled_at.lock().unwrap().expect("not before");
        at.elapsed()
    }
}

#[test]
fn a_server_that_does_not_respond_to_the_stop_delays_nobody() {
    let usual = script::replying(|_, writer| {
        script::begin(writer, &["Hello"]);
        Then::Hold
    });
    let server = Server::start(move |request, writer| match request.endpoint() {
        Endpoint::Stop => Then::Hold,
        _ => usual(request, writer),
    });
    let client = client(&server.url());
    let mut conversation = client.conversation().unwrap();
    let mut reply = conversation.send("Hi").unwrap();
    assert_eq!(reply.next().unwrap().unwrap(), "Hello");
    let started = Instant::now();
    reply.canceller().cancel();
    let error = reply.next().unwrap().unwrap_err();
    let elapsed = started.elapsed();
    println!("{elapsed:?}");
    assert_eq!(error.partial(), Some("Hello"));
    assert!(elapsed < AT_ONCE / 2, "{elapsed:?}");
}

#[test]
fn a_message_that_waits_for_the_end_of_the_last_response_ends_at_once() {
    let replies = AtomicUsize::new(0);
    let server = Server::start(script::replying(move |_, writer| {
        script::begin(writer, &["Hello"]);
        if replies.fetch_add(1, Ordering::SeqCst) == 0 {
            let _ = writer.write_all(&chunk(script::last_event("Hello")));
            return Then::Hold;
        }
        script::end(writer, "Hello");
        Then::KeepAlive
    }));
    let watch = Watch::default();
    let client = client(&server.url()).cancelled_by(&watch.canceller);
    let mut conversation = client.conversation().unwrap();
    assert_eq!(whole(&mut conversation, "Hi"), "Hello");

    let latency = thread::scope(|scope| {
        scope.spawn(|| {
            // By then it waits for the end of the response. If not, the outcome has to be the same.
            thread::sleep(Duration::from_millis(100));
            watch.cancel(&watch.canceller);
        });
        let error = conversation.send("Hi again").unwrap_err();
        assert!(matches!(error, Error::Cancelled { .. }), "{error:?}");
        watch.latency()
    });
    println!("{latency:?}");
    assert!(latency < AT_ONCE, "after {latency:?}");
    assert_eq!(server.requests_to(Endpoint::Message).len(), 1, "not sent");
    watch.canceller.reset();
    assert_eq!(whole(&mut conversation, "And now?"), "Hello");
}

#[test]
fn what_comes_after_the_end_of_a_reply_has_no_effect() {
    for dialect in Dialect::ALL {
        let service = Service::builder().dialect(dialect).start().unwrap();
        let client = client(service.url());
        let mut conversation = client.conversation().unwrap();
        let mut cancellers = Vec::new();
        for prompt in ["One", "Two", "Three"] {
            let mut reply = conversation.send(prompt).unwrap();
            cancellers.push(reply.canceller());
            let text: Result<String> = reply.by_ref().collect();
            assert!(text.unwrap().contains(prompt));
            for canceller in &cancellers {
                canceller.cancel();
            }
            assert!(reply.next().is_none());
        }
        let id = conversation.keep();
        let said: Vec<String> = service
            .history(&id)
            .unwrap()
            .into_iter()
            .map(|(who, what)| format!("{who}: {what}"))
            .collect();
        assert_eq!(said.len(), 6, "{dialect}: {said:#?}");
        assert!(said[5].contains("(3 messages so far)"), "{said:#?}");
        assert!(said.iter().all(|line| !line.ends_with(": ")), "{said:#?}");
        if dialect != Dialect::V0_7 {
            assert_eq!(service.connections(), 1, "{dialect}");
        }
    }
}

#[test]
fn a_canceller_that_is_not_used_costs_no_connection() {
    let service = Service::start().unwrap();
    let client = client(service.url());
    let mut cancellers = Vec::new();
    for _ in 0..10 {
        let mut conversation = client.conversation().unwrap();
        for prompt in ["One", "Two"] {
            let mut reply = conversation.send(prompt).unwrap();
            cancellers.push(reply.canceller());
            assert!(reply.by_ref().all(|token| token.is_ok()));
        }
        conversation.close().unwrap();
    }
    assert_eq!(service.connections(), 1);
    // And none of them has an effect on what others do later.
    let mut conversation = client.conversation().unwrap();
    for canceller in &cancellers {
        canceller.cancel();
    }
    whole(&mut conversation, "Three");
    conversation.close().unwrap();
    assert_eq!(service.connections(), 1);
}

#[test]
fn a_reply_that_owns_its_conversation_deletes_it_when_it_is_cancelled() {
    let service = Service::builder()
        .faults(|seen| seen.is_message().then_some(Fault::Stall(3)))
        .start()
        .unwrap();
    let mut reply = client(service.url()).generate("Hi").unwrap();
    let canceller = reply.canceller();
    let tokens: Result<String> = reply.by_ref().take(3).collect();
    canceller.cancel();
    let error = reply.next().unwrap().unwrap_err();
    assert_eq!(error.partial(), Some(&*tokens.unwrap()));
    drop(reply);
    assert_eq!(service.conversations(), 0);
}

#[test]
fn what_had_arrived_unread_is_not_handed_out_after_a_cancel() {
    let whole = [
        script::token("One"),
        script::token("Two"),
        script::last_event("OneTwo"),
    ]
    .concat();
    let server = Server::start(script::replying(move |_, writer| {
        script::begin(writer, &[]);
        let _ = writer.write_all(&chunk(&whole));
        let _ = writer.write_all(LAST_CHUNK);
        Then::KeepAlive
    }));
    let client = Client::builder().url(server.url()).no_proxy().build();
    let mut conversation = client.unwrap().conversation().unwrap();
    let mut reply = conversation.send("Hi").unwrap();
    let canceller = reply.canceller();
    assert_eq!(reply.next().unwrap().unwrap(), "One");
    canceller.cancel();
    let error = reply.next().unwrap().unwrap_err();
    assert!(matches!(error, Error::Cancelled { .. }), "{error:?}");
    assert_eq!(error.partial(), Some("One"));
    assert!(reply.next().is_none());
}
