//! A conversation is deleted on whichever way it ends, and exactly once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use h2ogpt::{Canceller, Client, Conversation, Error, Message, Step};

use support::client::{Failure, Outcome, builder, client, converse, http};
use support::http1::response;
use support::script::{self, Endpoint};
use support::server::{Server, Then};
use support::service::{Dialect, Fault, Seen, Service};

fn start(dialect: Dialect) -> Service {
    Service::builder()
        .dialect(dialect)
        .start()
        .expect("a service")
}

/// A service where something goes wrong with the requests that `is_meant`.
fn failing(
    dialect: Dialect,
    is_meant: impl Fn(&Seen) -> bool + Send + Sync + 'static,
    fault: Fault,
) -> Service {
    Service::builder()
        .dialect(dialect)
        .faults(move |seen| is_meant(seen).then(|| fault.clone()))
        .start()
        .expect("a service")
}

type IsMeant = fn(&Seen) -> bool;

fn is_delete(seen: &Seen) -> bool {
    seen.method == "DELETE"
}

fn count(service: &Service, of: IsMeant) -> usize {
    service.requests().iter().filter(|seen| of(seen)).count()
}

/// Asserts that the one conversation there was is gone, by one request.
#[track_caller]
fn assert_deleted(service: &Service, context: &str) {
    assert_eq!(service.conversations(), 0, "{context}: left behind");
    assert_eq!(count(service, is_delete), 1, "{context}: deletes");
}

#[test]
fn a_conversation_is_deleted_when_it_is_closed_or_dropped_in_every_dialect() {
    for dialect in Dialect::ALL {
        for close in [true, false] {
            let service = start(dialect);
            let mut conversation = client(service.url()).conversation().unwrap();
            assert_eq!(service.conversations(), 1, "{dialect}");
            let reply = Outcome::of(conversation.send("Hello"));
            let text = "You said: \"Hello\". This is the first message of our conversation.";
            assert_eq!(
                (reply.text.as_str(), reply.failure),
                (text, None),
                "{dialect}"
            );
            if close {
                conversation.close().expect("a delete");
            } else {
                drop(conversation);
            }
            assert_deleted(&service, &format!("{dialect}, close: {close}"));
        }
    }
}

#[test]
fn a_reply_may_be_left_at_every_token() {
    for dialect in [Dialect::V0_5, Dialect::Main] {
        for taken in 0.. {
            let service = start(dialect);
            let mut conversation = client(service.url()).conversation().unwrap();
            let mut reply = conversation.send("Hello").unwrap();
            let tokens = reply.by_ref().take(taken).count();
            drop(reply);
            drop(conversation);
            let context = format!("{dialect}, left after {taken} tokens");
            assert_deleted(&service, &context);
            if tokens < taken {
                assert!(tokens > 5, "{context}: the reply has only {tokens}");
                break;
            }
        }
    }
}

#[test]
fn what_is_left_early_can_be_followed_by_another_message() {
    for dialect in Dialect::ALL {
        let service = start(dialect);
        let mut conversation = client(service.url()).conversation().unwrap();
        let first = conversation.send("One").unwrap().next();
        assert!(first.expect("a token").is_ok(), "{dialect}");
        let reply = Outcome::of(conversation.send("Two"));
        assert_eq!(reply.failure, None, "{dialect}");
        assert!(reply.text.starts_with("You said: \"Two\"."), "{dialect}");
        drop(conversation);
        assert_deleted(&service, &dialect.to_string());
    }
}

#[test]
fn an_early_return_after_an_error_of_any_step_leaves_nothing_behind() {
    let unavailable = Fault::Status(503, None);
    let faults: [(IsMeant, Fault, usize); 11] = [
        (|seen| seen.path == "/settings", unavailable.clone(), 0),
        (|seen| seen.path == "/conversation", unavailable.clone(), 0),
        (|seen| seen.path == "/conversation", Fault::Hangup, 0),
        (
            |seen| seen.path.starts_with("/api/conversation"),
            unavailable.clone(),
            1,
        ),
        (Seen::is_message, unavailable, 1),
        (Seen::is_message, Fault::Hangup, 1),
        (Seen::is_message, Fault::Reset, 1),
        (Seen::is_message, Fault::Cut(2), 1),
        (Seen::is_message, Fault::CutMidEvent(2), 1),
        (Seen::is_message, Fault::ErrorEvent(2), 1),
        (Seen::is_message, Fault::NoFinal(2), 1),
    ];
    for dialect in [Dialect::V0_5, Dialect::V0_8] {
        for (is_meant, fault, deletes) in &faults {
            let context = format!("{dialect}, {fault:?}");
            let service = failing(dialect, *is_meant, fault.clone());
            let result = converse(&client(service.url()), "Hello");
            let failed = service.requests().iter().any(is_meant);
            assert_eq!(result.is_err(), failed, "{context}: {result:?}");
            assert_eq!(service.conversations(), 0, "{context}");
            let expected = if failed { *deletes } else { 1 };
            assert_eq!(count(&service, is_delete), expected, "{context}");
        }
    }
}

#[test]
fn a_panic_that_unwinds_through_the_loop_deletes_the_conversation() {
    for dialect in Dialect::ALL {
        let service = start(dialect);
        let client = client(service.url());
        let panic = catch_unwind(AssertUnwindSafe(|| {
            let mut conversation = client.conversation().unwrap();
            for token in conversation.send("Hello").unwrap() {
                assert!(!token.unwrap().contains("i"), "on purpose");
            }
        }));
        assert!(panic.is_err());
        assert_deleted(&service, &dialect.to_string());
    }
}

#[test]
fn a_generated_reply_takes_its_conversation_with_it_however_much_was_read() {
    for dialect in Dialect::ALL {
        for read in [0, 3, usize::MAX] {
            let service = start(dialect);
            let messages = [Message::user("Hello")];
            let mut reply = client(service.url()).generate(&messages).unwrap();
            assert_eq!(service.conversations(), 1);
            let tokens = reply.by_ref().take(read).map(Result::unwrap).count();
            assert!(tokens == read || tokens > 3, "{dialect}: {tokens} tokens");
            assert_eq!(service.conversations(), 1, "it lives as long as its reply");
            drop(reply);
            assert_deleted(&service, &format!("{dialect}, {read} tokens"));
        }
    }
}

#[test]
fn a_kept_conversation_goes_on_with_its_history_and_is_deleted_then() {
    for dialect in Dialect::ALL {
        let service = start(dialect);
        let before = client(service.url());
        let mut conversation = before.conversation().unwrap();
        assert_eq!(Outcome::of(conversation.send("One")).failure, None);
        let id = conversation.keep();
        assert_eq!(service.conversations(), 1, "{dialect}");
        assert_eq!(count(&service, is_delete), 0, "{dialect}");

        // As another process would, with the cookie of the session.
        let cookie = before.cookie("hf-chat").expect("a session");
        let client = builder(service.url()).cookie("hf-chat", cookie);
        let mut conversation = client.build().unwrap().resume(&*id).unwrap();
        assert_eq!(conversation.id(), id);
        let reply = Outcome::of(conversation.send("Two"));
        let expected = "Before that you said: \"One\". (2 messages so far)";
        assert!(reply.text.contains(expected), "{dialect}: {reply:?}");
        let history = service.history(&id).expect("it is there");
        let said: Vec<&str> = history.iter().map(|(who, _)| who.as_str()).collect();
        assert_eq!(
            said,
            ["user", "assistant", "user", "assistant"],
            "{dialect}"
        );
        drop(conversation);
        assert_deleted(&service, &dialect.to_string());
    }
}

#[test]
fn closing_reports_a_refused_delete_and_does_not_send_it_again() {
    let service = failing(Dialect::V0_5, is_delete, Fault::Status(500, None));
    let conversation = client(service.url()).conversation().unwrap();
    let error = conversation.close().unwrap_err();
    let expected = http(Step::Delete, 500, "Internal Error");
    assert_eq!(Failure::from(&error), expected);
    assert_eq!(count(&service, is_delete), 1);
    assert_eq!(service.conversations(), 1);

    let conversation = client(service.url()).conversation().unwrap();
    drop(conversation);
    assert_eq!(count(&service, is_delete), 2, "one of each conversation");
}

#[test]
fn a_delete_that_meets_a_dead_connection_is_sent_once_more_on_a_new_one() {
    for fault in [Fault::Hangup, Fault::Reset] {
        // Only the first connection is dead.
        let is_meant = |seen: &Seen| is_delete(seen) && seen.connection == 1;
        let service = failing(Dialect::V0_5, is_meant, fault.clone());
        let conversation = client(service.url()).conversation().unwrap();
        conversation.close().expect("the second one succeeds");
        assert_eq!(service.conversations(), 0, "{fault:?}");
        let requests = service.requests();
        let deletes = requests.iter().filter(|seen| is_delete(seen));
        let connections: Vec<usize> = deletes.map(|seen| seen.connection).collect();
        assert_eq!(connections, [1, 2], "{fault:?}");

        let service = failing(Dialect::V0_5, is_delete, fault.clone());
        let conversation = client(service.url()).conversation().unwrap();
        let error = conversation.close().unwrap_err();
        assert_eq!(Failure::from(&error), Failure::Network(Step::Delete));
        assert_eq!(count(&service, is_delete), 2, "{fault:?}: no third one");
    }
}

#[test]
fn a_delete_that_was_obeyed_without_a_response_is_no_error() {
    let deletes = AtomicUsize::new(0);
    let server = Server::start(move |request, writer| {
        let gone = response(
            "404 Not Found",
            &[],
            r#"{"message":"Conversation not found"}"#,
        );
        if request.endpoint() != Endpoint::Delete {
            return script::respond(request, writer);
        }
        if deletes.fetch_add(1, Ordering::SeqCst) == 0 {
            return Then::Close;
        }
        let _ = writer.write_all(&gone);
        Then::KeepAlive
    });
    let conversation = client(server.url()).conversation().unwrap();
    conversation.close().expect("what is gone is deleted");
    assert_eq!(server.requests_to(Endpoint::Delete).len(), 2);
}

#[test]
fn a_connection_that_went_stale_in_between_does_not_keep_the_delete_from_its_aim() {
    let service = failing(Dialect::V0_5, Seen::is_message, Fault::CloseAfter);
    let mut conversation = client(service.url()).conversation().unwrap();
    assert_eq!(Outcome::of(conversation.send("Hello")).failure, None);
    conversation.close().expect("a delete on a new connection");
    assert_deleted(&service, "stale");
    assert_eq!(service.connections(), 2);
}

#[test]
fn a_message_is_never_sent_twice() {
    for dialect in Dialect::ALL {
        for fault in [Fault::Hangup, Fault::Reset, Fault::Cut(0)] {
            let service = failing(dialect, Seen::is_message, fault.clone());
            let client = builder(service.url()).reattach(false).build().unwrap();
            let mut conversation = client.conversation().unwrap();
            let outcome = Outcome::of(conversation.send("Hello"));
            assert!(
                outcome.failure.is_some(),
                "{dialect}, {fault:?}: {outcome:?}"
            );
            drop(conversation);
            assert_eq!(count(&service, Seen::is_message), 1, "{dialect}, {fault:?}");
            assert_deleted(&service, &format!("{dialect}, {fault:?}"));
        }
    }
}

#[test]
fn a_message_after_the_server_has_closed_the_idle_connection_arrives_once() {
    let service = start(Dialect::V0_5);
    let mut conversation = client(service.url()).conversation().unwrap();
    assert_eq!(Outcome::of(conversation.send("One")).failure, None);
    service.close_idle_connections();
    let reply = Outcome::of(conversation.send("Two"));
    assert_eq!(reply.failure, None);
    assert_eq!(count(&service, Seen::is_message), 2);
}

#[test]
fn conversations_of_one_client_do_not_mix_in_threads() {
    for dialect in [Dialect::V0_5, Dialect::Main] {
        let service = start(dialect);
        let client = client(service.url());
        thread::scope(|scope| {
            for thread in 0..8 {
                let client = &client;
                scope.spawn(move || {
                    let mut conversation = client.conversation().expect("a conversation");
                    let prompts = [0, 1, 2].map(|turn| format!("{thread}.{turn}"));
                    for prompt in &prompts {
                        let reply = Outcome::of(conversation.send(prompt));
                        let expected = format!("You said: \"{prompt}\".");
                        assert!(reply.text.starts_with(&expected), "{reply:?}");
                    }
                    let reply = Outcome::of(conversation.retry()).text;
                    let before = format!("Before that you said: \"{}\". (3", prompts[1]);
                    assert!(reply.contains(&before), "{reply}");
                });
            }
        });
        assert_eq!(service.conversations(), 0, "{dialect}");
        assert_eq!(count(&service, is_delete), 8, "{dialect}");
    }
}

#[test]
fn twenty_lifecycles_in_a_row_use_one_connection() {
    for dialect in [Dialect::V0_5, Dialect::V0_8, Dialect::Main] {
        let service = start(dialect);
        let client = client(service.url());
        for lifecycle in 1..=20 {
            converse(&client, "Hello").expect("a reply");
            assert_eq!(service.connections(), 1, "{dialect}, lifecycle {lifecycle}");
        }
        assert_eq!(count(&service, is_delete), 20);
    }
}

#[test]
fn what_is_shared_between_threads_can_be() {
    fn shared<T: Send + Sync + Clone>() {}
    fn sent<T: Send>() {}
    fn error<T: std::error::Error + Send + Sync + 'static>() {}
    shared::<Client>();
    shared::<Canceller>();
    sent::<Conversation>();
    sent::<h2ogpt::Reply<'static>>();
    error::<Error>();
}
