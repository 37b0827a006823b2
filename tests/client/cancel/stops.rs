//! Replies that are left before their end never hurt the next one.

use std::mem;
use std::thread;
use std::time::Duration;

use h2ogpt::{Canceller, Conversation, Error, FinishReason, Result};

use support::client::{read, text};
use support::service::{Builder, Dialect, Fault, Late, Seen, Service};

use super::client;
use super::clients::builder;

/// How a reply is left.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Left {
    Dropped,
    Cancelled,
    /// It is never dropped: its connection stays open, and nobody stops it.
    Leaked,
}

fn stops(service: &Service) -> usize {
    let is_stop = |seen: &&Seen| seen.path.ends_with("/stop-generating");
    service.requests().iter().filter(is_stop).count()
}

/// Takes so many tokens of a reply, and leaves it.
fn leave(conversation: &mut Conversation, prompt: &str, tokens: usize, left: Left) {
    let mut reply = conversation.send(prompt).expect("a reply");
    let said: Result<String> = reply.by_ref().take(tokens).collect();
    said.expect("tokens");
    match left {
        Left::Dropped => drop(reply),
        Left::Cancelled => {
            reply.canceller().cancel();
            let error = reply.next().expect("an error").unwrap_err();
            assert!(matches!(error, Error::Cancelled { .. }), "{error:?}");
        }
        Left::Leaked => mem::forget(reply),
    }
}

fn slow(dialect: Dialect) -> Builder {
    let delay = Duration::from_millis(5);
    Service::builder().dialect(dialect).token_delay(delay)
}

/// A server on which replies to prompts that begin with `hold` last until somebody ends them.
fn holding(dialect: Dialect) -> Builder {
    slow(dialect).faults(|seen| {
        let is_held = seen.is_message() && seen.text().contains("hold");
        is_held.then_some(Fault::Hold(4))
    })
}

/// Five conversations at once, each of which leaves a reply and sends the next message at once, ten
/// times.
fn leave_and_go_on_fifty_times(service: &Service, context: &str, left: Left) {
    let client = client(service.url());
    thread::scope(|scope| {
        for number in 0..5 {
            let client = &client;
            scope.spawn(move || {
                let mut conversation = client.conversation().expect("a conversation");
                for turn in 0..10 {
                    let first = format!("hold {number}.{turn}");
                    let second = format!("{number}.{turn}");
                    leave(&mut conversation, &first, 1 + turn % 3, left);
                    let mut reply = conversation.send(&second).expect("a reply");
                    let said: Result<String> = reply.by_ref().collect();
                    let said = said.expect("a whole reply");
                    let start =
                        format!("You said: \"{second}\". Before that you said: \"{first}\".");
                    assert!(said.starts_with(&start), "{context}: {said}");
                    let count = format!("({} messages so far)", 2 * turn + 2);
                    assert!(said.ends_with(&count), "{context}: {said}");
                    assert_eq!(reply.text(), said);
                    assert_ne!(reply.finish_reason(), Some(FinishReason::Interrupted));
                }
            });
        }
    });
    assert_eq!(stops(service), 50, "{context}");
}

#[test]
fn fifty_replies_are_whole_that_follow_one_that_was_dropped_or_cancelled() {
    thread::scope(|scope| {
        for dialect in [Dialect::V0_9_6, Dialect::Main] {
            for left in [Left::Dropped, Left::Cancelled] {
                scope.spawn(move || {
                    let service = holding(dialect).start().unwrap();
                    let context = format!("{dialect}, {left:?}");
                    leave_and_go_on_fifty_times(&service, &context, left);
                });
            }
        }
    });
}

/// An overloaded server stops what begins within 0.3 s, too, and forgets what it stopped.
#[test]
fn so_are_they_on_a_busy_server() {
    // So slow that what is hit is still being said then.
    let delay = Duration::from_millis(40);
    let service = holding(Dialect::Main).busy(true).token_delay(delay);
    let service = service.start().unwrap();
    let client = client(service.url());
    thread::scope(|scope| {
        for left in [Left::Dropped, Left::Cancelled] {
            let client = &client;
            scope.spawn(move || {
                let mut conversation = client.conversation().unwrap();
                for turn in 0..4 {
                    leave(&mut conversation, "hold it", 2, left);
                    let prompt = format!("Turn {turn}");
                    let said = text(conversation.send(&prompt)).unwrap();
                    let start = format!("You said: \"{prompt}\".");
                    assert!(said.starts_with(&start), "{left:?}, {turn}: {said}");
                    assert!(said.ends_with("messages so far)"), "{said}");
                }
            });
        }
    });
}

/// These versions store a turn only after its response, and a late one replaces what came meanwhile.
#[test]
fn so_are_they_where_turns_are_stored_late() {
    let late = Late::After(Duration::from_millis(50));
    thread::scope(|scope| {
        for left in [Left::Dropped, Left::Cancelled] {
            scope.spawn(move || {
                let service = slow(Dialect::V0_5).late_history(late).start().unwrap();
                leave_and_go_on_fifty_times(&service, "late", left);
            });
        }
    });
}

/// Some servers would stop the next reply instead.
#[test]
fn a_reply_that_has_ended_is_never_stopped() {
    thread::scope(|scope| {
        for dialect in Dialect::ALL {
            scope.spawn(move || assert_never_stopped(dialect));
        }
    });
}

fn assert_never_stopped(dialect: Dialect) {
    let service = Service::builder().dialect(dialect).start().unwrap();
    let client = builder(service.url()).reattach(false).build().unwrap();
    let mut conversation = client.conversation().unwrap();
    let canceller = {
        let mut reply = conversation.send("One").unwrap();
        assert!(reply.by_ref().all(|token| token.is_ok()));
        reply.canceller()
    };
    canceller.cancel();
    {
        let mut reply = conversation.send("Two").unwrap();
        let canceller = reply.canceller();
        assert!(reply.by_ref().all(|token| token.is_ok()));
        canceller.cancel();
    }
    for fault in [Fault::ErrorEvent(2), Fault::Status(429, None)] {
        service.fail_next(1, "POST /conversation/{id}", fault.clone());
        let (_, error) = read(conversation.send("Three"));
        assert!(error.is_some(), "{dialect}, {fault:?}");
    }
    drop(conversation);
    assert_eq!(stops(&service), 0, "{dialect}");
    assert_eq!(service.conversations(), 0, "{dialect}");
}

#[test]
fn a_leaked_reply_does_not_hurt_the_next_one() {
    for dialect in Dialect::ALL {
        let service = slow(dialect).start().unwrap();
        let client = builder(service.url()).build().unwrap();
        let mut conversation = client.conversation().unwrap();
        leave(&mut conversation, "One", 2, Left::Leaked);
        let said = text(conversation.send("Two")).unwrap();
        assert!(said.starts_with("You said: \"Two\"."), "{dialect}: {said}");
        let mut other = client.conversation().unwrap();
        text(other.send("Three")).unwrap();
        drop((conversation, other));
        assert_eq!(service.conversations(), 0, "{dialect}");
    }
}

/// The mark of a stop that somebody else has sent ends the next reply before its first token.
#[test]
fn a_reply_that_a_stray_stop_has_hit_is_asked_for_again_once() {
    for (dialect, times, is_whole) in [
        (Dialect::Main, 1, true),
        // Not more than once.
        (Dialect::Main, 2, false),
    ] {
        let service = Service::builder().dialect(dialect).start().unwrap();
        let client = client(service.url());
        let mut conversation = client.conversation().unwrap();
        let cookie = client.cookie("hf-chat").expect("a session");
        let path = format!("/conversation/{}/stop-generating", conversation.id());
        stray_stop(&service, &path, &cookie);
        // Its model takes so long that the mark comes first.
        service.fail_next(times, "POST /conversation/{id}", Fault::Stall(0));
        let stop_again = || stray_stop(&service, &path, &cookie);
        let message_count = || {
            let requests = service.requests();
            requests.iter().filter(|seen| seen.is_message()).count()
        };
        thread::scope(|scope| {
            if times > 1 {
                scope.spawn(|| {
                    // The mark of the first stop is used up by then, and the model is at work.
                    let is_second = |service: &Service| service.model_calls().len() == 2;
                    assert!(service.wait_for(is_second), "no second try");
                    stop_again();
                });
            }
            let mut reply = conversation.send("Two").expect("a reply");
            let said: Result<String> = reply.by_ref().collect();
            let said = said.expect("an end");
            if is_whole {
                assert!(said.starts_with("You said: \"Two\"."), "{said}");
                assert_ne!(reply.finish_reason(), Some(FinishReason::Interrupted));
            } else {
                assert_eq!(said, "");
                assert_eq!(reply.finish_reason(), Some(FinishReason::Interrupted));
            }
        });
        assert_eq!(message_count(), 2, "{dialect}, {times}");
    }
}

/// A reply that was interrupted after it had begun is not asked for again.
#[test]
fn a_reply_that_somebody_else_stops_later_is_interrupted() {
    for dialect in [Dialect::V0_9_6, Dialect::Main] {
        let service = slow(dialect).start().unwrap();
        let client = client(service.url());
        let mut conversation = client.conversation().unwrap();
        let path = format!("/conversation/{}/stop-generating", conversation.id());
        let mut reply = conversation.send("One").unwrap();
        let first = reply.next().expect("a token").unwrap();
        stray_stop(&service, &path, &client.cookie("hf-chat").unwrap());
        let rest: Result<String> = reply.by_ref().collect();
        assert_eq!(reply.text(), first + &rest.unwrap());
        assert_eq!(reply.finish_reason(), Some(FinishReason::Interrupted));
        drop(reply);
        let requests = service.requests();
        let messages = requests.iter().filter(|seen| seen.is_message());
        assert_eq!(messages.count(), 1, "{dialect}");
    }
}

/// A stop that this client did not send.
fn stray_stop(service: &Service, path: &str, cookie: &str) {
    use std::io::{Read, Write};
    let address = service.url().trim_start_matches("http://");
    let mut stream = std::net::TcpStream::connect(address).expect("a connection");
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nCookie: hf-chat={cookie}\r\n\
         Origin: http://{address}\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\
         Connection: close\r\n\r\n{{}}"
    );
    stream.write_all(request.as_bytes()).expect("a request");
    let mut response = String::new();
    stream.read_to_string(&mut response).expect("a response");
    assert!(response.starts_with("HTTP/1.1 200"), "{response}");
}

#[test]
fn a_message_that_is_cancelled_before_it_is_sent_is_not_stopped() {
    for dialect in Dialect::ALL {
        let service = Service::builder().dialect(dialect).start().unwrap();
        let canceller = Canceller::new();
        let client = client(service.url()).cancelled_by(&canceller);
        let mut conversation = client.conversation().unwrap();
        text(conversation.send("One")).unwrap();
        canceller.cancel();
        let error = conversation.send("Two").unwrap_err();
        assert!(matches!(error, Error::Cancelled { .. }), "{error:?}");
        canceller.reset();
        let third = text(conversation.send("Three")).unwrap();
        assert!(third.contains("\"One\""), "{dialect}: {third}");
        assert_eq!(stops(&service), 0, "{dialect}");
    }
}

/// The server may go on with it, and store it over the next turn.
#[test]
fn a_reply_whose_connection_broke_is_stopped() {
    for dialect in Dialect::ALL {
        let service = Service::builder().dialect(dialect).start().unwrap();
        let client = builder(service.url()).reattach(false).build().unwrap();
        let mut conversation = client.conversation().unwrap();
        service.fail_next(1, "POST /conversation/{id}", Fault::Cut(3));
        let (tokens, error) = read(conversation.send("One"));
        assert_eq!(tokens.len(), 3, "{dialect}");
        assert!(matches!(error, Some(Error::Incomplete { .. })), "{error:?}");
        // It can still be picked up on main.
        let stopped = usize::from(dialect != Dialect::Main);
        assert_eq!(stops(&service), stopped, "{dialect}");
        // The stop does not hit the next one.
        let said = text(conversation.send("Two")).unwrap();
        assert!(said.starts_with("You said: \"Two\"."), "{dialect}: {said}");
        assert_eq!(stops(&service), stopped, "{dialect}");
    }
}
