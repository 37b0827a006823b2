//! What the client sends, against what was recorded of a client of 2023, and where it differs.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use h2ogpt::{Canceller, Client, DEFAULT_MODEL, Error, Message, Parameters, Prompt, Step};
use serde_json::{Value, json};
use uuid::Uuid;

use support::client::{Outcome, builder, client, http, send_with, send_with_search};
use support::http1::{Request, response};
use support::listener::lock;
use support::recording::Recordings;
use support::replay::Replay;
use support::script::{self, Endpoint, ID, PATH, created, responding};
use support::server::Server;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/recordings/v0.5");

/// A server that does what it should, whatever it is sent.
fn plain() -> Server {
    Server::start(script::respond)
}

#[track_caller]
fn say(client: &Client, prompt: &str) {
    let mut conversation = client.conversation().expect("a conversation");
    assert_eq!(Outcome::of(conversation.send(prompt)).failure, None);
}

/// What was sent in the four steps, with the recording of each step.
fn lifecycle() -> (Server, Vec<(Request, Request)>) {
    let server = Replay::new(FOLDER).message("message-happy").start();
    let client = builder(server.url()).model(DEFAULT_MODEL).build().unwrap();
    say(&client, "[[turns]] Hi there");
    let recordings = Recordings::open(FOLDER);
    let recorded = [
        "settings-accept-any",
        "conversation-create",
        "message-happy",
        "delete",
    ];
    let recorded = recorded.map(|name| recordings.load(name).request);
    let sent = server.requests();
    assert_eq!(sent.len(), recorded.len());
    (server, sent.into_iter().zip(recorded).collect())
}

#[test]
fn the_four_steps_have_the_recorded_methods_paths_and_headers() {
    let (server, steps) = lifecycle();
    for (sent, recorded) in steps {
        let context = format!("{} {}", sent.method, sent.path);
        let id = "6b01052383bd6c58ceec45d5";
        // The delete was recorded in another conversation.
        let path = recorded.path.replace("6b01058483bd6c58ceec463a", id);
        assert_eq!((&sent.method, &sent.path), (&recorded.method, &path));
        let referer = recorded.header("referer").unwrap();
        let referer = referer.replace("http://127.0.0.1:18505", &server.url());
        assert_eq!(sent.header("referer"), Some(&*referer), "{context}");
        assert_eq!(sent.header("origin"), Some(&*server.url()), "{context}");
        for name in ["accept", "cookie", "content-type"] {
            assert_eq!(sent.header(name), recorded.header(name), "{context}");
        }
        assert_eq!(sent.header("accept-encoding"), Some("identity"));
        let version = concat!("h2ogpt/", env!("CARGO_PKG_VERSION"));
        assert_eq!(sent.header("user-agent"), Some(version));

        let names = |request: &Request| -> BTreeSet<String> {
            let names = request.headers.iter().map(|(name, _)| name.clone());
            names.collect()
        };
        let mut expected = names(&recorded);
        expected.insert("origin".into());
        assert_eq!(names(&sent), expected, "{context}");
    }
}

#[test]
fn the_settings_are_those_recorded_but_for_sharing() {
    let (_server, steps) = lifecycle();
    let (sent, recorded) = &steps[0];
    let mut expected = recorded.form();
    let shared = expected.remove("shareConversationsWithModelAuthors");
    assert_eq!(shared.as_deref(), Some("true"));
    assert_eq!(sent.form(), expected);
}

#[test]
fn the_bodies_of_create_and_message_are_those_recorded_but_for_ids_and_details() {
    let (_server, steps) = lifecycle();
    let (sent, recorded) = &steps[1];
    assert_eq!(sent.json(), recorded.json());

    let (sent, recorded) = &steps[2];
    let mut expected = recorded.json();
    expected["parameters"]["details"] = true.into();
    for id in ["id", "response_id"] {
        expected["options"][id] = sent.json()["options"][id].clone();
    }
    assert_eq!(sent.json(), expected);

    let (sent, _) = &steps[3];
    assert_eq!(sent.body, b"", "a delete says it all in its path");
}

#[test]
fn every_message_of_every_conversation_has_ids_of_its_own() {
    let server = plain();
    let client = client(server.url());
    for _ in 0..2 {
        let mut conversation = client.conversation().unwrap();
        for prompt in ["one", "two"] {
            assert_eq!(Outcome::of(conversation.send(prompt)).text, "Hi");
        }
    }
    let mut ids = BTreeSet::new();
    for message in server.requests_to(Endpoint::Message) {
        for name in ["id", "response_id"] {
            let id = message.json()["options"][name].clone();
            let uuid = Uuid::parse_str(id.as_str().unwrap()).expect("a UUID");
            assert_eq!(uuid.get_version_num(), 4);
            assert!(ids.insert(uuid), "{uuid} came twice");
        }
    }
    assert_eq!(ids.len(), 8);
}

#[test]
fn a_message_holds_its_own_prompt_only_and_its_white_space() {
    let server = plain();
    let mut conversation = client(server.url()).conversation().unwrap();
    let prompts = ["one", " two\r\n\"\u{2028}\u{0}é😀 "];
    for prompt in prompts {
        assert_eq!(Outcome::of(conversation.send(prompt)).text, "Hi");
    }
    let sent = server.requests_to(Endpoint::Message);
    let inputs: Vec<Value> = sent
        .iter()
        .map(|sent| sent.json()["inputs"].clone())
        .collect();
    assert_eq!(inputs, prompts);
    assert!(sent.iter().all(|sent| sent.path == PATH));
    assert_eq!(server.requests_to(Endpoint::Create).len(), 1);
}

#[test]
fn parameters_of_a_message_win_over_those_of_the_client_and_these_over_the_defaults() {
    let server = plain();
    let parameters = Parameters::new().temperature(0.9).stop(["\nUser:"]);
    let builder = builder(server.url()).parameters(parameters);
    let client = builder.parameter("seed", u64::MAX).build().unwrap();
    let mut conversation = client.conversation().unwrap();
    let of_message = Parameters::new()
        .temperature(0.1)
        .top_k(5)
        .set("truncate", Value::Null)
        .set("details", false);
    let outcome = Outcome::of(send_with(&mut conversation, "one", &of_message));
    assert_eq!(outcome.failure, None);
    assert_eq!(Outcome::of(conversation.send("two")).failure, None);
    let sent = server.requests_to(Endpoint::Message);
    assert_eq!(
        sent[0].json()["parameters"],
        json!({
            "temperature": 0.1, "max_new_tokens": 1024, "do_sample": true,
            "repetition_penalty": 1.2, "return_full_text": false,
            "stop": ["\nUser:"], "seed": u64::MAX, "top_k": 5, "details": false,
        })
    );
    assert_eq!(
        sent[1].json()["parameters"],
        json!({
            "temperature": 0.9, "truncate": 2048, "max_new_tokens": 1024, "do_sample": true,
            "repetition_penalty": 1.2, "return_full_text": false,
            "stop": ["\nUser:"], "seed": u64::MAX, "details": true,
        })
    );
}

#[test]
fn a_server_that_does_not_know_details_is_asked_without_from_then_on() {
    let server = Server::start(responding(|request| {
        let asked = request.endpoint() == Endpoint::Message
            && !request.json()["parameters"]["details"].is_null();
        asked.then(|| response("422 Unprocessable Entity", &[], "unknown field `details`"))
    }));
    let mut conversation = client(server.url()).conversation().unwrap();
    for prompt in ["one", "two"] {
        assert_eq!(Outcome::of(conversation.send(prompt)).text, "Hi");
    }
    let sent = server.requests_to(Endpoint::Message);
    let details = sent
        .iter()
        .map(|sent| sent.json()["parameters"]["details"].clone());
    assert_eq!(
        details.collect::<Vec<_>>(),
        [json!(true), json!(null), json!(null)]
    );
}

#[test]
fn a_retry_repeats_the_message_under_its_id_and_asks_for_a_new_reply() {
    let server = plain();
    let mut conversation = client(server.url()).conversation().unwrap();
    let parameters = Parameters::new().temperature(0.7);
    let outcome = Outcome::of(send_with(&mut conversation, "Hello", &parameters));
    assert_eq!(outcome.failure, None);
    for _ in 0..2 {
        assert_eq!(Outcome::of(conversation.retry()).failure, None);
    }
    let sent = server.requests_to(Endpoint::Message);
    let first = sent[0].json();
    let mut replies = BTreeSet::from([first["options"]["response_id"].to_string()]);
    for retry in &sent[1..] {
        let retry = retry.json();
        assert!(replies.insert(retry["options"]["response_id"].to_string()));
        let mut expected = first.clone();
        expected["options"]["is_retry"] = true.into();
        expected["options"]["response_id"] = retry["options"]["response_id"].clone();
        assert_eq!(retry, expected);
    }
    assert_eq!(replies.len(), 3);
}

#[test]
fn a_retry_in_a_tree_replaces_what_the_history_has_of_the_message() {
    let last = Arc::new(Mutex::new(["", ""]));
    let server = Server::start(responding({
        let last = Arc::clone(&last);
        move |request| match request.endpoint() {
            Endpoint::Settings => Some(response("500 Internal Server Error", &[], "")),
            Endpoint::Message => Some(response("502 Bad Gateway", &[], "")),
            Endpoint::History => {
                let [id, from] = *lock(&last);
                let root = json!({ "id": "root", "from": "system" });
                let messages = json!([root, { "id": id, "from": from }]);
                let history = json!({ "messages": messages, "modelTools": [] });
                Some(response("200 OK", &[], history.to_string()))
            }
            _ => None,
        }
    }));
    let mut conversation = client(server.url()).conversation().unwrap();
    let (root, reply) = (["root", "system"], ["a1", "assistant"]);
    let message = |id: &str, inputs: Option<&str>, is_retry, web_search| {
        let mut message = json!({
            "id": id, "is_retry": is_retry, "is_continue": false, "web_search": web_search,
            "files": [],
        });
        if let Some(inputs) = inputs {
            message["inputs"] = inputs.into();
        }
        message
    };
    for (prompt, there, expected) in [
        (Some("One"), root, message("root", Some("One"), false, true)),
        (None, root, message("root", Some("One"), false, true)),
        (None, root, message("root", Some("One"), false, true)),
        // Stored, without a reply.
        (
            None,
            ["u1", "user"],
            message("u1", Some("One"), true, false),
        ),
        (None, reply, message("a1", None, true, false)),
        (None, reply, message("a1", None, true, false)),
        (Some("Two"), reply, message("a1", Some("Two"), false, true)),
        (None, reply, message("a1", Some("Two"), false, true)),
        (
            None,
            ["u2", "user"],
            message("u2", Some("Two"), true, false),
        ),
        (None, ["a2", "assistant"], message("a2", None, true, false)),
    ] {
        *lock(&last) = there;
        let reply = match prompt {
            Some(prompt) => send_with_search(&mut conversation, prompt),
            None => conversation.retry(),
        };
        let refused = Outcome::of(reply).failure;
        assert_eq!(refused, Some(http(Step::Message, 502, "")));
        let sent = server
            .requests_to(Endpoint::Message)
            .pop()
            .expect("a message");
        let sent: Value = serde_json::from_str(&sent.form()["data"]).unwrap();
        assert_eq!(sent, expected, "{prompt:?} after {there:?}");
    }
}

/// Where the API is hidden, that is the only message whose id is known.
#[test]
fn a_first_message_that_is_rate_limited_can_be_retried_without_the_history() {
    let server = Server::start(responding(|request| match request.endpoint() {
        Endpoint::Create => {
            let conversation = json!({ "json": { "rootMessageId": "root" } }).to_string();
            let created = json!({ "conversationId": ID, "conversation": conversation });
            Some(response("200 OK", &[], created.to_string()))
        }
        Endpoint::Message => Some(response("429 Too Many Requests", &[], "")),
        Endpoint::History => Some(response("403 Forbidden", &[], "")),
        _ => None,
    }));
    let mut conversation = client(server.url()).conversation().unwrap();
    let limited = Some(http(Step::Message, 429, ""));
    assert_eq!(Outcome::of(conversation.send("One")).failure, limited);
    assert_eq!(Outcome::of(conversation.retry()).failure, limited);
    for message in server.requests_to(Endpoint::Message) {
        let sent: Value = serde_json::from_str(&message.form()["data"]).unwrap();
        assert_eq!(
            (&sent["id"], &sent["inputs"]),
            (&json!("root"), &json!("One"))
        );
    }
}

#[test]
fn a_message_that_was_cancelled_before_it_was_sent_is_the_one_to_be_retried() {
    let server = plain();
    let canceller = Canceller::new();
    let client = client(server.url()).cancelled_by(&canceller);
    let mut conversation = client.conversation().unwrap();
    assert_eq!(Outcome::of(conversation.send("One")).failure, None);
    let before = server.requests().len();
    canceller.cancel();
    let error = conversation.send("Two").unwrap_err();
    assert!(matches!(error, Error::Cancelled { .. }), "{error:?}");
    assert_eq!(server.requests().len(), before, "nothing was sent");
    canceller.reset();
    assert_eq!(Outcome::of(conversation.retry()).failure, None);
    let sent = server.requests_to(Endpoint::Message);
    assert_eq!(sent[1].json()["inputs"], "Two");
}

#[test]
fn everything_is_below_the_base_path_but_the_origin() {
    let server = plain();
    say(&client(format!("{}/chat/", server.url())), "Hello");
    let paths: Vec<String> = server.requests().into_iter().map(|r| r.path).collect();
    let message = format!("/chat{PATH}");
    assert_eq!(
        paths,
        [
            "/chat/api/models",
            "/chat/__data.json",
            "/chat/settings",
            "/chat/conversation",
            &message,
            &message
        ]
    );
    for request in server.requests() {
        let referer = format!("{}/chat/", server.url());
        assert_eq!(request.header("referer"), Some(&*referer));
        assert_eq!(request.header("origin"), Some(&*server.url()));
    }
}

#[test]
fn an_id_stays_one_segment_of_the_path_whatever_it_holds() {
    let server = Server::start(responding(|request| match request.endpoint() {
        Endpoint::Create => Some(created("../x?y#z")),
        _ => None,
    }));
    let mut conversation = client(server.url()).conversation().unwrap();
    assert_eq!(conversation.id(), "../x?y#z");
    assert_eq!(Outcome::of(conversation.send("Hello")).text, "Hi");
    let first = conversation.send("Hello").unwrap().next();
    assert_eq!(first.unwrap().unwrap(), "Hi");
    drop(conversation);
    let path = "/conversation/..%2Fx%3Fy%23z";
    let history = format!("{path}/__data.json?x-sveltekit-invalidated=_1");
    let stop = format!("{path}/stop-generating");
    let sent = server.requests().into_iter().map(|request| request.path);
    let paths: Vec<String> = sent.skip_while(|sent| sent != path).collect();
    assert_eq!(paths, [path, &history, path, &stop, path]);
}

#[test]
fn an_id_that_is_no_segment_is_refused_wherever_it_comes_from() {
    for id in ["", ".", ".."] {
        let server = Server::start(responding(move |request| match request.endpoint() {
            Endpoint::Create => Some(created(id)),
            _ => None,
        }));
        let client = client(server.url());
        let error = client.conversation().unwrap_err();
        assert!(matches!(error, Error::Protocol { .. }), "{id:?}: {error:?}");
        let before = server.requests().len();
        let error = client.resume(id).unwrap_err();
        assert!(matches!(error, Error::Configuration { .. }), "{error:?}");
        assert_eq!(
            server.requests().len(),
            before,
            "nothing was sent for {id:?}"
        );
    }
}

#[test]
fn a_system_prompt_goes_where_any_version_looks_for_it() {
    let server = plain();
    let prompt = "Be brief & say \"é+%\".";
    let builder = builder(server.url())
        .model("my/model")
        .system_prompt(prompt);
    say(&builder.build().unwrap(), "Hello");
    let settings = server.requests_to(Endpoint::Settings)[0].form();
    let custom: Value = serde_json::from_str(&settings["customPrompts"]).unwrap();
    assert_eq!(custom, json!({ "my/model": prompt }));
    let create = server.requests_to(Endpoint::Create)[0].json();
    assert_eq!(create, json!({ "model": "my/model", "preprompt": prompt }));
}

#[test]
fn sharing_and_searching_are_what_the_caller_chose() {
    for (share, search) in [(true, false), (false, true)] {
        let server = plain();
        let builder = builder(server.url())
            .share_with_model_authors(share)
            .search_enabled(search);
        say(&builder.build().unwrap(), "Hello");
        let settings = server.requests_to(Endpoint::Settings)[0].form();
        let shared = settings.get("shareConversationsWithModelAuthors");
        assert_eq!(shared.map(String::as_str), share.then_some("true"));
        let searches = settings.get("searchEnabled");
        assert_eq!(searches.map(String::as_str), search.then_some("true"));
    }
}

#[test]
fn a_search_that_the_builder_rules_out_is_an_error_before_anything_is_sent() {
    let server = plain();
    let client = builder(server.url()).search_enabled(false);
    let prompt = Prompt::new("Hello").web_search(true);
    let error = client.build().unwrap().generate(prompt).unwrap_err();
    assert!(matches!(error, Error::Configuration { .. }), "{error:?}");
    assert!(server.requests().is_empty());
}

#[test]
fn a_blank_prompt_is_refused_before_anything_is_sent() {
    let server = plain();
    let client = client(server.url());
    let blank = [Message::user(" \n"), Message::system("")];
    let error = client.generate(&blank).unwrap_err();
    assert!(matches!(error, Error::Configuration { .. }), "{error:?}");
    assert!(server.requests().is_empty());

    let mut conversation = client.conversation().unwrap();
    let error = conversation.send("\t ").unwrap_err();
    assert!(matches!(error, Error::Configuration { .. }), "{error:?}");
    assert!(server.requests_to(Endpoint::Message).is_empty());
}

#[test]
fn generating_sends_the_messages_as_one_prompt() {
    let server = plain();
    let messages = [Message::system("Be brief."), Message::user("Hello")];
    let outcome = Outcome::of(client(server.url()).generate(&messages));
    assert_eq!(outcome.text, "Hi");
    let sent = server.requests_to(Endpoint::Message)[0].json();
    assert_eq!(sent["inputs"], "System: Be brief.\nUser: Hello\nAssistant:");
}
