//! Several conversations at the same time: on one thread, and on several.

use std::io::Write;
use std::sync::{Barrier, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use h2ogpt::{Result, TimeLimit};

use support::client::{builder, expired, text};
use support::http1::Request;
use support::script::{self, Endpoint};
use support::server::{Server, Then};
use support::service::{Dialect, Fault, Service};

#[test]
fn replies_of_several_conversations_are_generated_at_the_same_time_on_one_thread() {
    for dialect in Dialect::ALL {
        let service = Service::builder()
            .dialect(dialect)
            .faults(|seen| seen.is_message().then_some(Fault::Hold(2)))
            .start()
            .unwrap();
        let client = builder(service.url()).build().unwrap();
        let prompts = ["One", "Two", "Three"];
        let mut conversations = prompts.map(|_| client.conversation().unwrap());
        let mut replies: Vec<_> = conversations
            .iter_mut()
            .zip(prompts)
            .map(|(conversation, prompt)| conversation.send(prompt).unwrap())
            .collect();
        // Nothing was read of any of them, and all three are in the middle of their replies.
        let are_generated = service.wait_for(|service| service.held_replies() == 3);
        assert!(are_generated, "{dialect}: {}", service.held_replies());
        service.release_replies();
        // They can be read in any order, also in turns.
        for reply in replies.iter_mut().rev() {
            reply.next().unwrap().unwrap();
        }
        for (reply, prompt) in replies.iter_mut().zip(prompts) {
            assert!(reply.by_ref().all(|token| token.is_ok()), "{dialect}");
            let start = format!("You said: \"{prompt}\".");
            assert!(reply.text().starts_with(&start), "{dialect}");
        }
    }
}

/// The message is posted by `send`: it needs no reader.
#[test]
fn a_reply_is_generated_although_nobody_reads_it() {
    for dialect in Dialect::ALL {
        let service = Service::builder().dialect(dialect).start().unwrap();
        let client = builder(service.url()).build().unwrap();
        let mut conversation = client.conversation().unwrap();
        let id = conversation.id().to_owned();
        let reply = conversation.send("Hello").unwrap();
        let is_stored = |service: &Service| {
            let history = service.history(&id).unwrap_or_default();
            let reply = history.iter().find(|(who, _)| who == "assistant");
            reply.is_some_and(|(_, said)| said.starts_with("You said: \"Hello\"."))
        };
        assert!(service.wait_for(is_stored), "{dialect}: not generated");
        let said: Result<String> = reply.collect();
        assert!(said.unwrap().starts_with("You said: \"Hello\"."));
    }
}

/// No lock is held while a request is under way: each thread waits for its own time, at the same
/// time.
#[test]
fn eight_threads_wait_as_long_as_one_for_settings_that_hang() {
    let limit = Duration::from_secs(1);
    let (say, hear) = mpsc::channel::<()>();
    let server = Server::start(move |request: &Request, out: &mut dyn Write| {
        if request.endpoint() == Endpoint::Settings {
            let _ = say.send(());
            return Then::Hold;
        }
        script::respond(request, out)
    });
    let client = builder(server.url()).model("m").timeout_token(limit);
    let client = client.build().unwrap();
    let ready = Barrier::new(8);
    let started = Instant::now();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                ready.wait();
                let begun = Instant::now();
                let error = client.conversation().unwrap_err();
                assert_eq!(expired(&error), Some(TimeLimit::Token), "{error:?}");
                assert!(begun.elapsed() >= limit, "{:?}", begun.elapsed());
            });
        }
    });
    let elapsed = started.elapsed();
    assert!(elapsed < 2 * limit, "{elapsed:?}");
    assert!(hear.try_recv().is_ok(), "it did not hang there");
}

/// If the first thread fails, the next one opens the session for all that wait.
#[test]
fn a_session_that_one_thread_could_not_open_is_opened_by_another() {
    let (say, hear) = mpsc::channel::<()>();
    let settings = std::sync::atomic::AtomicUsize::new(0);
    let server = Server::start(move |request: &Request, out: &mut dyn Write| {
        use std::sync::atomic::Ordering::SeqCst;
        if request.endpoint() == Endpoint::Settings && settings.fetch_add(1, SeqCst) == 0 {
            let _ = say.send(());
            return Then::Hold;
        }
        script::respond(request, out)
    });
    let client = builder(server.url()).model("m").build().unwrap();
    let short = Instant::now() + Duration::from_millis(500);
    thread::scope(|scope| {
        let hurried = client.until(short);
        let first = scope.spawn(move || hurried.conversation().map(drop));
        hear.recv_timeout(support::client::DEADLINE)
            .expect("the settings");
        let others: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| text(client.conversation()?.send("Hi"))))
            .collect();
        let error = first.join().unwrap().unwrap_err();
        assert_eq!(expired(&error), Some(TimeLimit::Until), "{error:?}");
        for other in others {
            assert_eq!(other.join().unwrap().unwrap(), "Hi");
        }
    });
    assert_eq!(server.requests_to(Endpoint::Settings).len(), 2);
}
