//! What programs write: the forms a prompt can have, and the ways to read a reply.

use std::time::{Duration, Instant};

use h2ogpt::{
    Client, Conversation, Error, Event, FinishReason, Message, Parameters, Prompt, Reply, Result,
    Role, Step, TimeLimit, Tokens, format_prompt,
};

use support::client::{builder, client};
use support::http1::{LAST_CHUNK, chunk};
use support::script::{self, Endpoint};
use support::server::{Server, Then};
use support::service::{Dialect, Fault, Service};

#[test]
fn a_prompt_is_a_text_or_a_list_of_messages() {
    let server = Server::start(script::respond);
    let client = client(server.url());
    let owned = String::from("owned");
    let messages = vec![Message::user("a"), Message::assistant("b")];
    let replies: [Result<Reply<'static>>; 6] = [
        client.generate("text"),
        client.generate(&owned),
        client.generate(owned.clone()),
        client.generate(&[Message::system("alone")]),
        client.generate(messages.as_slice()),
        client.generate(Prompt::from(&messages).parameters(Parameters::new().top_k(5))),
    ];
    for reply in replies {
        assert_eq!(reply.unwrap().into_text().unwrap(), "Hi");
    }
    let sent = server.requests_to(Endpoint::Message);
    let inputs: Vec<_> = sent
        .iter()
        .map(|sent| sent.json()["inputs"].clone())
        .collect();
    let flat = format_prompt(&messages);
    assert_eq!(inputs, ["text", "owned", "owned", "alone", &flat, &flat]);
    assert_eq!(sent[5].json()["parameters"]["top_k"], 5);
    assert_eq!(
        (messages[1].role, &*messages[1].content),
        (Role::Assistant, "b")
    );
}

/// Parameters and a web search go together.
#[test]
fn a_prompt_may_have_all_that_there_is() {
    let service = Service::start().unwrap();
    let mut conversation = client(service.url()).conversation().unwrap();
    let prompt = Prompt::new("Who won?")
        .web_search(true)
        .parameters(Parameters::new().max_new_tokens(5));
    let mut reply = conversation.send(prompt).unwrap();
    assert!(reply.by_ref().all(|token| token.is_ok()));
    assert_eq!(reply.finish_reason(), Some(FinishReason::Length));
    let message = service
        .requests()
        .into_iter()
        .find(|seen| seen.is_message());
    let message: serde_json::Value = serde_json::from_slice(&message.unwrap().body).unwrap();
    assert_ne!(message["options"]["web_search_id"], "");
    assert_eq!(message["parameters"]["max_new_tokens"], 5);
}

#[test]
fn the_text_of_a_reply_is_returned_or_is_in_its_error() {
    for dialect in Dialect::ALL {
        let service = Service::builder().dialect(dialect).start().unwrap();
        let client = builder(service.url()).reattach(false).build().unwrap();
        let text = client.generate("Hello").unwrap().into_text().unwrap();
        let whole = "You said: \"Hello\". This is the first message of our conversation.";
        assert_eq!(text, whole, "{dialect}");

        // What was read before belongs to it.
        let mut reply = client.generate("Hello").unwrap();
        reply.next().unwrap().unwrap();
        assert!(!reply.text().is_empty() && whole.starts_with(reply.text()));
        assert_eq!(reply.into_text().unwrap(), whole, "{dialect}");

        service.fail_next(1, "POST /conversation/{id}", Fault::Cut(3));
        let error = client.generate("Hello").unwrap().into_text().unwrap_err();
        let partial = error.partial().expect("a part of it");
        assert!(whole.starts_with(partial), "{dialect}: {partial}");
        assert_eq!(error.step(), Some(Step::Message));
        assert_eq!(service.conversations(), 0, "{dialect}");
    }
}

#[test]
fn a_refusal_is_the_error_of_what_was_refused() {
    for dialect in Dialect::ALL {
        let service = Service::builder().dialect(dialect).start().unwrap();
        let mut conversation = client(service.url()).conversation().unwrap();
        let refuse = || {
            let refusal = Fault::Status(429, Some(7));
            service.fail_next(1, "POST /conversation/{id}", refusal);
        };
        refuse();
        let sent: Error = conversation.send("One").unwrap_err();
        refuse();
        let retried: Error = conversation.retry().unwrap_err();
        refuse();
        let generated: Error = client(service.url()).generate("One").unwrap_err();
        for error in [sent, retried, generated] {
            let is_it = matches!(
                error,
                Error::Http {
                    status: 429,
                    step: Step::Message,
                    ..
                }
            );
            assert!(is_it, "{dialect}: {error:?}");
            assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
            assert!(error.is_retryable());
        }
    }
}

#[test]
fn a_limit_is_named_by_an_enum_and_in_words() {
    let server = Server::start(script::replying(|_, _| Then::Hold));
    let limit = Duration::from_millis(100);
    let client = builder(server.url()).timeout_token(limit).build().unwrap();
    let error = client.generate("Hi").unwrap_err();
    let Error::Timeout { limit, .. } = error else {
        panic!("{error:?}");
    };
    assert_eq!(
        (limit, limit.to_string()),
        (TimeLimit::Token, "timeout_token".into())
    );
    assert!(error.to_string().contains("timeout_token"), "{error}");
}

#[test]
fn a_time_that_is_over_is_no_reason_to_try_again() {
    let server = Server::start(script::respond);
    let client = client(server.url()).until(Instant::now());
    let error = client.generate("Hi").unwrap_err();
    assert!(
        matches!(
            error,
            Error::Timeout {
                limit: TimeLimit::Until,
                ..
            }
        ),
        "{error:?}"
    );
    assert!(!error.is_retryable());
}

/// Its last token may come with its end.
#[test]
fn a_reply_that_was_read_to_its_last_token_is_not_stopped() {
    let server = Server::start(script::replying(|_, out| {
        script::begin(out, &["He"]);
        script::end(out, "Hello");
        Then::KeepAlive
    }));
    let mut reply = client(server.url()).generate("Hi").unwrap();
    let tokens: Vec<String> = reply.by_ref().take(2).map(Result::unwrap).collect();
    assert_eq!(tokens, ["He", "llo"]);
    drop(reply);
    assert!(
        server.requests_to(Endpoint::Stop).is_empty(),
        "{:?}",
        server.steps()
    );
    assert!(server.is_deleted());
}

/// Events that have no meaning here are handed out as they are.
#[test]
fn an_unknown_event_is_json() {
    let event = r#"{"type":"somethingNew","list":[1,{"a":null}],"half":"\ud83d"}"#;
    let server = Server::start(script::replying(move |_, out| {
        script::begin(out, &["Hi"]);
        let _ = out.write_all(&chunk(format!("{event}\n")));
        let _ = out.write_all(&chunk(script::last_event("Hi")));
        let _ = out.write_all(LAST_CHUNK);
        Then::KeepAlive
    }));
    let mut reply = client(server.url()).generate("Hi").unwrap();
    let events: Vec<Event> = reply.events().map(Result::unwrap).collect();
    let expected = serde_json::json!({
        "type": "somethingNew", "list": [1, { "a": null }], "half": "\u{fffd}",
    });
    assert_eq!(events, [Event::Token("Hi".into()), Event::Other(expected)]);
}

/// The same decoding over any reader, such as a file.
#[test]
fn a_stream_is_decoded_without_a_client() {
    let stream = [
        script::token("Hel"),
        script::token("lo"),
        script::last_event("Hello"),
    ]
    .concat();
    let mut tokens = Tokens::new(stream.as_bytes());
    let read: Vec<String> = tokens.by_ref().map(Result::unwrap).collect();
    assert_eq!(read, ["Hel", "lo"]);
    assert!(tokens.is_complete());
    assert_eq!(tokens.text(), "Hello");
    let cut = script::token("Hel");
    let error = Tokens::new(cut.as_bytes()).find_map(Result::err);
    let error = error.expect("it is not complete");
    assert!(matches!(error, Error::Incomplete { .. }), "{error:?}");
    assert_eq!(error.partial(), Some("Hel"));
}

/// One-shots and replies of conversations are the same type, for those who store them.
#[test]
fn replies_can_be_passed_on() {
    fn read(reply: Reply<'_>) -> Result<String> {
        reply.into_text()
    }
    fn ask(client: &Client, conversation: &mut Conversation) -> Result<[String; 2]> {
        let of_conversation = read(conversation.send("One")?)?;
        Ok([of_conversation, read(client.generate("Two")?)?])
    }
    let server = Server::start(script::respond);
    let client = client(server.url());
    let mut conversation = client.conversation().unwrap();
    assert_eq!(ask(&client, &mut conversation).unwrap(), ["Hi", "Hi"]);
}
