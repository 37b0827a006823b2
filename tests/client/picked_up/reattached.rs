//! Replies that are read from the server's log or its history: by the client that sent the message
//! and by another one.

use std::time::Duration;

use serde_json::json;

use h2ogpt::{Conversation, Error, FinishReason};

use support::client::{Outcome, builder, incomplete, read, text};
use support::service::{Dialect, Fault, Seen, Service};

use super::{
    PAUSE, client_of, data, disconnect_next, first_reply, logs_read, messages_sent, other_client,
    service, take,
};

#[test]
fn a_reply_goes_on_by_itself_after_any_token() {
    let service = service(Dialect::Main).start().unwrap();
    let client = client_of(&service);
    for tokens in 0..=13 {
        let mut conversation = client.conversation().unwrap();
        disconnect_next(&service, tokens);
        let reply = Outcome::of(conversation.send("Hello"));
        assert_eq!(reply.failure, None, "after {tokens} tokens");
        assert_eq!(reply.text, first_reply("Hello"), "after {tokens} tokens");
        assert_eq!(reply.tokens.concat(), reply.text);
        conversation.close().unwrap();
    }
    assert_eq!(messages_sent(&service), 14);
    assert_eq!(logs_read(&service), 14);
    assert_eq!(service.conversations(), 0);
}

/// A reply takes several responses of the log.
fn slow_with_short_streams() -> Service {
    service(Dialect::Main)
        .token_delay(Duration::from_millis(100))
        .stream_lasts(Duration::from_millis(300))
        .start()
        .unwrap()
}

/// The connection may break again and again, as long as something has come in between.
#[test]
fn a_server_that_wants_the_reader_to_come_again_is_asked_again() {
    let service = slow_with_short_streams();
    let client = client_of(&service);
    let mut conversation = client.conversation().unwrap();
    disconnect_next(&service, 2);
    let mut reply = conversation.send("Hello").unwrap();
    assert_eq!(take(&mut reply, 1), "You");
    assert_eq!(reply.into_text().unwrap(), first_reply("Hello"));
    let logs = logs_read(&service);
    assert!(logs > 2, "read only {logs} times");
}

/// The same where the client learns nothing of the server's version before.
#[test]
fn a_reply_that_is_reattached_is_read_to_its_end_over_several_responses() {
    let service = slow_with_short_streams();
    let client = client_of(&service);
    let mut conversation = client.conversation().unwrap();
    let id = conversation.id().to_owned();
    let _reply = conversation.send("Hello").unwrap();
    let mut same = other_client(&service, &client).resume(id).unwrap();
    let reply = Outcome::of(same.reattach());
    same.keep();
    assert_eq!(reply.failure, None);
    assert_eq!(reply.text, first_reply("Hello"));
    assert!(logs_read(&service) > 2);
}

#[test]
fn without_reattaching_a_broken_reply_is_an_error_and_can_be_read_again() {
    let service = service(Dialect::Main).start().unwrap();
    let client = builder(service.url()).reattach(false).build().unwrap();
    let mut conversation = client.conversation().unwrap();
    disconnect_next(&service, 3);
    let (tokens, error) = read(conversation.send("Hello"));
    assert_eq!(tokens.concat(), "You said: \"Hello\".");
    let error = error.expect("an error");
    assert!(matches!(error, Error::Incomplete { .. }), "{error:?}");
    assert_eq!(logs_read(&service), 0);

    let again = Outcome::of(conversation.reattach());
    assert_eq!(again.failure, None);
    assert_eq!(again.text, first_reply("Hello"));
    assert_eq!(again.finish_reason, None);
    // The history is whole, and goes on.
    let next = text(conversation.send("More")).unwrap();
    let expected = "You said: \"More\". Before that you said: \"Hello\". (2 messages so far)";
    assert_eq!(next, expected);
    assert_eq!(messages_sent(&service), 2);
    conversation.close().unwrap();
}

#[test]
fn another_client_reads_a_reply_while_it_is_generated() {
    let service = service(Dialect::Main).start().unwrap();
    let client = client_of(&service);
    let mut conversation = client.conversation().unwrap();
    service.fail_next(1, "POST /conversation/{id}", Fault::Hold(3));
    let id = conversation.id().to_owned();
    let mut reply = conversation.send("Hello").unwrap();
    assert_eq!(take(&mut reply, 3), "You said: \"Hello\".");

    let mut same = other_client(&service, &client).resume(id).unwrap();
    let mut log = same.reattach().unwrap();
    assert_eq!(take(&mut log, 1), "You said: \"Hello\".");
    service.release_replies();
    assert_eq!(log.into_text().unwrap(), first_reply("Hello"));
    same.keep();
    assert_eq!(reply.into_text().unwrap(), first_reply("Hello"));
    conversation.close().unwrap();
}

#[test]
fn another_client_reads_a_reply_after_its_end_and_goes_on() {
    let service = service(Dialect::Main).start().unwrap();
    let client = client_of(&service);
    let mut conversation = client.conversation().unwrap();
    text(conversation.send("One")).unwrap();
    text(conversation.send("Two")).unwrap();
    let id = conversation.keep();
    let mut same = other_client(&service, &client).resume(id).unwrap();
    let newest = text(same.reattach()).unwrap();
    assert!(newest.starts_with("You said: \"Two\"."), "{newest}");
    let again = text(same.reattach()).unwrap();
    assert_eq!(again, newest);
    let next = text(same.send("Three")).unwrap();
    assert!(next.starts_with("You said: \"Three\". Before that you said: \"Two\"."));
    same.close().unwrap();
    assert_eq!(service.conversations(), 0);
}

/// What a reply read from the log comes to if another client ends it: what the other one has seen.
#[test]
fn a_reply_that_was_stopped_is_told_from_a_whole_one() {
    let service = service(Dialect::Main).start().unwrap();
    let client = client_of(&service);
    let mut conversation = client.conversation().unwrap();
    service.fail_next(1, "POST /conversation/{id}", Fault::Hold(3));
    let id = conversation.id().to_owned();
    let mut reply = conversation.send("Hello").unwrap();
    take(&mut reply, 1);

    let mut same = other_client(&service, &client).resume(id).unwrap();
    let mut log = same.reattach().unwrap();
    assert_eq!(take(&mut log, 1), "You said: \"Hello\".");
    drop(log);
    same.keep();
    assert_eq!(stops(&service).len(), 1);

    for token in reply.by_ref() {
        token.expect("a token");
    }
    assert_eq!(reply.finish_reason(), Some(FinishReason::Interrupted));
    assert_eq!(reply.text(), "You said: \"Hello\".");
    drop(reply);
    let again = Outcome::of(conversation.reattach());
    assert_eq!(again.failure, None);
    assert_eq!(again.finish_reason, Some(FinishReason::Interrupted));
    assert_eq!(again.text, "You said: \"Hello\".");
    conversation.close().unwrap();
}

/// The bodies of the stops.
fn stops(service: &Service) -> Vec<serde_json::Value> {
    let requests = service.requests().into_iter();
    let stops = requests.filter(|seen| seen.path.ends_with("/stop-generating"));
    stops
        .map(|seen| serde_json::from_slice(&seen.body).expect("JSON"))
        .collect()
}

fn last_message(service: &Service) -> Seen {
    let mut requests = service.requests().into_iter();
    requests.rfind(Seen::is_message).expect("a message")
}

/// In UTF-16 units, as the server counts; the history then has what was seen.
#[test]
fn a_stop_says_which_reply_it_means_and_how_much_of_it_was_seen() {
    let service = service(Dialect::Main).token_delay(PAUSE).start().unwrap();
    let client = client_of(&service);
    for is_broken in [false, true] {
        let mut conversation = client.conversation().unwrap();
        if is_broken {
            disconnect_next(&service, 2);
        }
        let mut reply = conversation.send("\u{1f980}\u{1f980} and so on").unwrap();
        let mut seen = String::new();
        while !seen.contains("and") {
            seen.push_str(&take(&mut reply, 1));
        }
        drop(reply);
        let generation = data(&last_message(&service))["generationId"].clone();
        assert!(generation.is_string());
        let length = seen.encode_utf16().count();
        let expected = json!({"generationId": generation, "seenContentLength": length});
        assert_eq!(stops(&service).pop(), Some(expected), "{is_broken}");
        let id = conversation.id().to_owned();
        let is_stored = |service: &Service| {
            let history = service.history(&id).expect("a conversation");
            history.last().is_some_and(|(_, said)| *said == seen)
        };
        assert!(service.wait_for(is_stored), "{is_broken}: {seen:?}");
        conversation.close().unwrap();
    }
}

#[test]
fn a_reply_that_is_complete_is_never_stopped() {
    let service = service(Dialect::Main).start().unwrap();
    let mut conversation = client_of(&service).conversation().unwrap();
    disconnect_next(&service, 2);
    text(conversation.send("Hello")).unwrap();
    text(conversation.reattach()).unwrap();
    conversation.close().unwrap();
    assert_eq!(stops(&service), [json!(null); 0]);
}

/// There is no log, but the reply is generated to its end and stored.
#[test]
fn a_finished_reply_comes_from_the_history_where_there_is_no_log() {
    for dialect in [Dialect::V0_9_3, Dialect::V0_9_6] {
        let service = service(dialect).token_delay(PAUSE).start().unwrap();
        let client = client_of(&service);
        let mut conversation = client.conversation().unwrap();
        for prompt in ["One", "Two"] {
            disconnect_next(&service, 2);
            let mut reply = conversation.send(prompt).unwrap();
            let begin = take(&mut reply, 1);
            assert_eq!(begin, "You", "{dialect}");
            let whole = reply.into_text().unwrap();
            let history = service.history(conversation.id()).unwrap();
            let (_, stored) = history.last().expect("the reply");
            assert!(whole.starts_with(&format!("You said: \"{prompt}\".")));
            assert_eq!(whole, *stored, "{dialect}");
        }
        assert_eq!(messages_sent(&service), 2, "{dialect}");
        conversation.close().unwrap();
    }
}

/// Their replies end with their connection.
#[test]
fn nothing_is_picked_up_before_v0_9_2() {
    for dialect in [
        Dialect::V0_3,
        Dialect::V0_5,
        Dialect::V0_6,
        Dialect::V0_7,
        Dialect::V0_8,
        Dialect::V0_9_0,
    ] {
        let service = service(dialect).start().unwrap();
        let mut conversation = client_of(&service).conversation().unwrap();
        disconnect_next(&service, 3);
        let reply = Outcome::of(conversation.send("Hello"));
        let partial = reply.text.clone();
        assert!(!partial.is_empty(), "{dialect}");
        assert_eq!(reply.failure, Some(incomplete(&partial, true)), "{dialect}");
        let seen = service.requests();
        let [.., message, stop] = seen.as_slice() else {
            panic!("{seen:?}");
        };
        assert!(message.is_message(), "{dialect}: {message:?}");
        assert!(
            stop.path.ends_with("/stop-generating"),
            "{dialect}: {stop:?}"
        );
        assert_eq!(logs_read(&service), 0, "{dialect}");
        conversation.close().unwrap();
    }
}

#[test]
fn where_there_is_no_log_reattaching_says_since_when_there_is_one() {
    for dialect in Dialect::ALL.into_iter().filter(|one| *one != Dialect::Main) {
        let service = service(dialect).start().unwrap();
        let mut conversation = client_of(&service).conversation().unwrap();
        text(conversation.send("Hello")).unwrap();
        let error = conversation.reattach().map(drop).unwrap_err();
        assert!(
            matches!(
                error,
                Error::Http {
                    status: 404 | 405,
                    ..
                }
            ),
            "{dialect}: {error:?}"
        );
        assert!(error.to_string().contains("v0.10"), "{dialect}: {error}");
        // And nothing is spoilt by it.
        text(conversation.send("More")).unwrap();
        Conversation::close(conversation).unwrap();
    }
}
