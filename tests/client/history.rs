//! A reply depends on what the server has stored of its conversation: nothing of that is lost, wherever
//! the server has it and however late.

use std::thread;
use std::time::{Duration, Instant};

use h2ogpt::{Canceller, Error, Result};

use support::client::{builder, client, text};
use support::service::{Builder, Dialect, Fault, Late, Purpose, Seen, Service};

/// The versions that store a turn only after the response to its message.
const LATE: [Dialect; 3] = [Dialect::V0_3, Dialect::V0_5, Dialect::V0_6];

fn late(dialect: Dialect, milliseconds: u64) -> Builder {
    let late = Late::After(Duration::from_millis(milliseconds));
    Service::builder().dialect(dialect).late_history(late)
}

/// What the model was given last, by the user.
fn last_prompts(service: &Service) -> Vec<String> {
    let mut calls = service.model_calls().into_iter();
    let last = calls.rfind(|call| call.purpose == Purpose::Reply);
    let messages = last.expect("a call of the model").messages.into_iter();
    messages
        .filter(|(who, _)| who == "user")
        .map(|(_, said)| said)
        .collect()
}

#[test]
fn none_of_two_hundred_turns_is_lost_where_they_are_stored_late() {
    let service = late(Dialect::V0_5, 10).start().unwrap();
    let mut conversation = client(service.url()).conversation().unwrap();
    for turn in 1..=200 {
        let prompt = format!("Turn {turn}");
        let said = text(conversation.send(&prompt)).unwrap();
        if turn > 1 {
            let end = format!("\"Turn {}\". ({turn} messages so far)", turn - 1);
            assert!(said.ends_with(&end), "{said}");
        }
    }
    assert_eq!(last_prompts(&service).len(), 200);
    // Mostly the first look finds it; two more at most on a server that takes 10 ms.
    let is_look = |seen: &Seen| seen.path.contains("/__data.json");
    let looks = service.requests().into_iter().filter(is_look).count();
    assert!(looks < 3 * 200, "{looks} looks");
}

/// How the second of three messages comes to its end.
#[derive(Clone, Copy, Debug)]
enum Second {
    Dropped,
    Cancelled,
    /// Before its response has come.
    CancelledInSend,
}

#[test]
fn what_follows_a_reply_that_was_left_is_in_the_next_prompt() {
    thread::scope(|scope| {
        for dialect in LATE {
            for second in [Second::Dropped, Second::Cancelled, Second::CancelledInSend] {
                scope.spawn(move || leave_and_go_on(dialect, second));
            }
        }
    });
}

fn leave_and_go_on(dialect: Dialect, second: Second) {
    let service = late(dialect, 300)
        .token_delay(Duration::from_millis(5))
        .start()
        .unwrap();
    let canceller = Canceller::new();
    let client = client(service.url()).cancelled_by(&canceller);
    let mut conversation = client.conversation().unwrap();
    text(conversation.send("One")).unwrap();
    match second {
        Second::Dropped => {
            let mut reply = conversation.send("Two").unwrap();
            reply.next().unwrap().unwrap();
        }
        Second::Cancelled => {
            let mut reply = conversation.send("Two").unwrap();
            reply.next().unwrap().unwrap();
            canceller.cancel();
            assert!(reply.next().unwrap().is_err());
        }
        Second::CancelledInSend => {
            let late = Fault::Delay(Duration::from_millis(300));
            service.fail_next(1, "POST /conversation/{id}", late);
            thread::scope(|scope| {
                let sending = scope.spawn(|| conversation.send("Two").map(drop));
                let is_sent = |service: &Service| {
                    let requests = service.requests();
                    requests.iter().filter(|seen| seen.is_message()).count() == 2
                };
                assert!(service.wait_for(is_sent), "{dialect}: not sent");
                canceller.cancel();
                let error = sending.join().unwrap().unwrap_err();
                assert!(matches!(error, Error::Cancelled { .. }), "{error:?}");
            });
        }
    }
    canceller.reset();
    text(conversation.send("Three")).unwrap();
    let said = text(conversation.send("Four")).unwrap();
    let prompts = last_prompts(&service);
    let context = format!("{dialect}, {second:?}: {prompts:?}");
    assert_eq!(prompts, ["One", "Two", "Three", "Four"], "{context}");
    assert!(said.ends_with("(4 messages so far)"), "{context}: {said}");
}

/// Where a reply broke, its turn is mostly never stored: the next message does not wait for long.
#[test]
fn a_turn_that_was_never_stored_is_not_waited_for_long() {
    for fault in [Fault::Cut(2), Fault::ErrorEvent(2)] {
        let service = Service::builder().dialect(Dialect::V0_5).start().unwrap();
        let mut conversation = client(service.url()).conversation().unwrap();
        service.fail_next(1, "POST /conversation/{id}", fault.clone());
        let broken: Result<String> = conversation.send("One").unwrap().collect();
        assert!(broken.is_err());
        let started = Instant::now();
        let said = text(conversation.send("Two")).unwrap();
        assert!(said.ends_with("This is the first message of our conversation."));
        assert!(started.elapsed() < Duration::from_secs(5), "{fault:?}");
    }
}

/// Nor is a turn waited for without end that the server keeps back.
#[test]
fn a_turn_that_is_kept_back_is_waited_for_within_the_limits() {
    let service = Service::builder()
        .dialect(Dialect::V0_5)
        .late_history(Late::WhenReleased)
        .start()
        .unwrap();
    let client = builder(service.url()).timeout_token(Duration::from_secs(2));
    let mut conversation = client.build().unwrap().conversation().unwrap();
    text(conversation.send("One")).unwrap();
    let started = Instant::now();
    text(conversation.send("Two")).unwrap();
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "{:?}",
        started.elapsed()
    );

    // While it waits, it can be cancelled.
    let canceller = Canceller::new();
    let client = self::client(service.url()).cancelled_by(&canceller);
    let mut conversation = client.conversation().unwrap();
    text(conversation.send("One")).unwrap();
    let before = service.requests().len();
    thread::scope(|scope| {
        let sending = scope.spawn(|| (conversation.send("Two").map(drop), Instant::now()));
        assert!(service.wait_for(|service| service.requests().len() > before + 1));
        let at = Instant::now();
        canceller.cancel();
        let (sent, ended) = sending.join().unwrap();
        assert!(matches!(sent, Err(Error::Cancelled { .. })), "{sent:?}");
        let latency = ended.saturating_duration_since(at);
        assert!(latency < Duration::from_millis(500), "{latency:?}");
    });

    // And what is released meanwhile is found.
    let mut conversation = self::client(service.url()).conversation().unwrap();
    text(conversation.send("One")).unwrap();
    let before = service.requests().len();
    thread::scope(|scope| {
        let sending = scope.spawn(|| text(conversation.send("Two")));
        assert!(service.wait_for(|service| service.requests().len() > before + 1));
        service.release_history();
        let said = sending.join().unwrap().unwrap();
        assert!(said.ends_with("(2 messages so far)"), "{said}");
    });
}

/// With the API hidden, the data of the page has the messages: on any turn, after a refusal, and in
/// a conversation that was resumed by another client.
#[test]
fn a_hidden_api_is_done_without() {
    for dialect in [Dialect::V0_8, Dialect::V0_9_0, Dialect::V0_9_3] {
        for is_named in [false, true] {
            let service = Service::builder().dialect(dialect).expose_api(false);
            let service = service.start().unwrap();
            let named = |builder: h2ogpt::ClientBuilder| match is_named {
                true => builder.model(support::service::MODELS[0]),
                false => builder,
            };
            let before = named(builder(service.url())).build().unwrap();
            let mut conversation = before.conversation().unwrap();
            service.fail_next(1, "POST /conversation/{id}", Fault::Status(429, None));
            assert!(conversation.send("One").is_err());
            text(conversation.retry()).unwrap();
            text(conversation.send("Two")).unwrap();
            let again = text(conversation.retry()).unwrap();
            assert!(
                again.ends_with("This is the second try."),
                "{dialect}: {again}"
            );
            let id = conversation.keep();

            let cookie = before.cookie("hf-chat").expect("a session");
            let after = named(builder(service.url())).cookie("hf-chat", cookie);
            let mut conversation = after.build().unwrap().resume(id).unwrap();
            let said = text(conversation.send("Three")).unwrap();
            assert!(said.ends_with("(3 messages so far)"), "{dialect}: {said}");
            assert_eq!(last_prompts(&service), ["One", "Two", "Three"]);
            // The first one was refused on purpose.
            let requests = service.requests();
            let messages = requests.iter().filter(|seen| seen.is_message());
            let statuses: Vec<u16> = messages.map(|seen| seen.status).collect();
            assert_eq!(statuses, [429, 200, 200, 200, 200], "{dialect}");
        }
    }
}
