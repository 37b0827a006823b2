//! What the client makes of the recordings of tree servers, v0.8.4 and main, over a real socket.

mod messages;

use std::collections::BTreeSet;

use h2ogpt::{Error, Event, Step};
use serde_json::Value;

use support::client::{Failure, Outcome, builder, client, http};
use support::http1::Request;
use support::recording::{Recordings, names};
use support::replay::Replay;
use support::server::Server;

use Version::{Main, V0_8_4};
use messages::{HELLO, on_main, on_v0_8_4};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Version {
    V0_8_4,
    Main,
}

impl Version {
    fn folder(self) -> &'static str {
        match self {
            V0_8_4 => concat!(env!("CARGO_MANIFEST_DIR"), "/recordings/v0.8.4"),
            Main => concat!(env!("CARGO_MANIFEST_DIR"), "/recordings/main"),
        }
    }

    /// The path of the conversation that `02-create` creates.
    fn path(self) -> &'static str {
        match self {
            V0_8_4 => "/conversation/6b010568a33833091ec88643",
            Main => "/conversation/6b010396646b822e419515f3",
        }
    }

    /// Everything but messages. What is accepted of settings is JSON.
    fn replay(self) -> Replay {
        Replay::new(self.folder())
            .on("GET", "/api/models", "00-models-api")
            .settings("01-settings")
            .stop("07-stop")
            .delete("62-delete")
    }

    /// The same with a conversation.
    fn conversation(self) -> Replay {
        let history = ("GET", "/api/conversation/{id}", "03-get-api");
        let replay = self.replay().create("02-create");
        replay.on(history.0, history.1, history.2)
    }
}

/// Every recorded message of both.
fn messages() -> impl Iterator<Item = (Version, &'static str, Outcome)> {
    let main = on_main().into_iter().map(|(name, to)| (Main, name, to));
    let v0_8_4 = on_v0_8_4().into_iter().map(|(name, to)| (V0_8_4, name, to));
    main.chain(v0_8_4)
}

/// Recordings of the other steps, replayed below; those of `93` are the same as those of `02`.
const OTHER_STEPS: [&str; 17] = [
    "00-models-api",
    "01-create-before-settings",
    "01-settings",
    "02-create",
    "03-get-api",
    "05-get-after",
    "07-stop",
    "08-get-after",
    "33-bad-model",
    "45-settings-form",
    "62-delete",
    "63-delete-again",
    "80-login.create",
    "80-login.settings",
    "86-login-delete",
    "93-create",
    "93-get",
];

fn of_method<'r>(requests: &'r [Request], method: &str) -> Vec<&'r str> {
    let of_method = requests.iter().filter(|request| request.method == method);
    of_method.map(|request| request.path.as_str()).collect()
}

/// The last message that the server was sent.
fn last_message(server: &Server, version: Version) -> (Option<String>, Value) {
    let requests = server.requests();
    let is_message =
        |request: &&Request| request.path == version.path() && request.method == "POST";
    let message = requests.iter().rev().find(is_message).expect("a message");
    let content_type = message.header("content-type").map(str::to_owned);
    let json = if message.is_json() {
        message.json()
    } else {
        serde_json::from_str(&message.form()["data"]).expect("JSON")
    };
    (content_type, json)
}

#[test]
fn every_recording_is_replayed() {
    let mut replayed: BTreeSet<(Version, &str)> = messages().map(|row| (row.0, row.1)).collect();
    for version in [V0_8_4, Main] {
        replayed.extend(OTHER_STEPS.map(|name| (version, name)));
        for name in names(version.folder()) {
            let known = replayed.contains(&(version, name.as_str()));
            assert!(known, "{version:?}: nothing replays {name}");
        }
    }
}

#[test]
fn every_message_comes_to_what_its_recording_says_and_the_conversation_is_deleted() {
    for (version, name, expected) in messages() {
        let context = format!("{version:?} {name}");
        let server = version.conversation().message(name).start();
        let mut conversation = client(server.url()).conversation().expect(&context);
        assert_eq!(
            Outcome::of(conversation.send("hello")),
            expected,
            "{context}"
        );
        drop(conversation);
        let requests = server.requests();
        assert_eq!(
            of_method(&requests, "DELETE"),
            [version.path()],
            "{context}"
        );
        let posted = of_method(&requests, "POST").into_iter();
        let posted = posted.filter(|path| *path == version.path()).count();
        // After it has accepted the terms, the client tries again.
        let asks_for_terms = Recordings::open(version.folder()).load(name).status == 405;
        assert_eq!(posted, 1 + usize::from(asks_for_terms), "{context}");
    }
}

#[test]
fn a_message_decodes_the_same_without_a_client() {
    for (version, name, expected) in messages() {
        let recording = Recordings::open(version.folder()).load(name);
        if recording.status == 200 {
            let outcome = Outcome::of_stream(recording.body());
            assert_eq!(outcome, expected, "{version:?} {name}");
        }
    }
}

#[test]
fn no_settings_are_posted_and_the_first_model_that_is_listed_replies() {
    for version in [V0_8_4, Main] {
        let server = version.conversation().message("04-msg1").start();
        let mut conversation = client(server.url()).conversation().unwrap();
        assert_eq!(Outcome::of(conversation.send("hello")).text, HELLO);
        drop(conversation);
        let requests = server.requests();
        assert!(requests.iter().all(|request| request.path != "/settings"));
        let create = requests.iter().find(|r| r.path == "/conversation").unwrap();
        assert_eq!(create.body, br#"{"model":"fake/model-a"}"#);
    }
}

/// Only for those who ask for sharing, or where a server asks for its terms.
#[test]
fn settings_are_json_with_the_first_model_that_is_listed() {
    for version in [V0_8_4, Main] {
        let server = version.conversation().start();
        let client = builder(server.url()).share_with_model_authors(true).build();
        drop(client.unwrap().conversation().unwrap());
        let requests = server.requests();
        let posted: Vec<_> = requests.iter().filter(|r| r.path == "/settings").collect();
        let [settings] = posted.as_slice() else {
            panic!("{version:?}: {posted:?}");
        };
        assert!(settings.is_json(), "{version:?}");
        let settings = settings.json();
        assert_eq!(settings["activeModel"], "fake/model-a");
        assert_eq!(settings["ethicsModalAccepted"], true);
        assert_eq!(settings["welcomeModalSeen"], true);
        assert_eq!(settings["shareConversationsWithModelAuthors"], true);
    }
}

/// A version that is not known yet is asked by a form first.
#[test]
fn settings_that_are_refused_as_a_form_are_posted_as_json_where_they_are_needed() {
    for version in [V0_8_4, Main] {
        let server = Replay::new(version.folder())
            .settings("45-settings-form")
            .settings("01-settings")
            .create("02-create")
            .delete("62-delete")
            .start();
        let builder = builder(server.url()).model("fake/model-b");
        let client = builder.share_with_model_authors(true).build().unwrap();
        drop(client.conversation().unwrap());
        let requests = server.requests();
        let posted = requests.iter().filter(|r| r.path == "/settings");
        let types: Vec<_> = posted.map(|r| r.header("content-type")).collect();
        let form = "application/x-www-form-urlencoded";
        assert_eq!(types, [Some(form), Some("application/json")], "{version:?}");
    }
}

#[test]
fn each_message_names_its_parent_and_a_retry_the_reply_it_replaces() {
    for (version, encoding, parents) in [
        (
            V0_8_4,
            "application/json",
            [
                "94dc7a1c-0594-4780-b113-995796dcd8bf",
                "cfbc8060-1a4a-47c0-9366-d9ff95cc0410",
            ],
        ),
        (
            Main,
            "application/x-www-form-urlencoded",
            [
                "522aa82f-39a5-482b-bc49-21dc72286ae8",
                "448e4d0a-95d2-4e23-b658-e338d31823a3",
            ],
        ),
    ] {
        let history = ("GET", "/api/conversation/{id}");
        let replay = match version {
            V0_8_4 => version.conversation(),
            // Its create reply has told the root already.
            Main => version.replay().create("02-create"),
        };
        let server = replay
            .on(history.0, history.1, "05-get-after")
            .on(history.0, history.1, "08-get-after")
            .message("04-msg1")
            .message("06-msg2")
            .message("08-retry-assistant")
            .start();
        let mut conversation = client(server.url()).conversation().unwrap();
        for (prompt, parent) in ["hello", "second question 😀 café"].iter().zip(parents) {
            assert_eq!(Outcome::of(conversation.send(*prompt)).text, HELLO);
            let (content_type, message) = last_message(&server, version);
            assert_eq!(content_type.as_deref(), Some(encoding), "{version:?}");
            assert_eq!(message["id"], *parent, "{version:?}");
            assert_eq!(message["inputs"], *prompt);
            assert_eq!(message["is_retry"], false);
        }
        assert_eq!(Outcome::of(conversation.retry()).failure, None);
        let (_, message) = last_message(&server, version);
        assert_eq!(message["id"], last_of_history(version), "{version:?}");
        assert_eq!(message["is_retry"], true);
        assert_eq!(message.get("inputs"), None, "the server has them");
    }
}

fn last_of_history(version: Version) -> Value {
    let recording = Recordings::open(version.folder()).load("08-get-after");
    let history: Value = serde_json::from_slice(recording.body()).unwrap();
    let last = history["messages"].as_array().unwrap().last().unwrap();
    assert_eq!(last["from"], "assistant");
    last["id"].clone()
}

#[test]
fn the_title_is_an_event_beside_the_tokens() {
    for (version, title) in [(V0_8_4, "💬 Fake Title"), (Main, "Fake Title")] {
        let server = version.conversation().message("04-msg1").start();
        let client = builder(server.url()).titles(true).build().unwrap();
        let mut conversation = client.conversation().unwrap();
        let mut reply = conversation.send("hello").unwrap();
        let events: Vec<Event> = reply.events().map(Result::unwrap).collect();
        assert_eq!(events[0], Event::Title(title.to_owned()));
        assert!(events[1..].iter().all(|e| matches!(e, Event::Token(_))));
        assert_eq!(reply.text(), HELLO);
    }
}

#[test]
fn models_are_listed() {
    for (version, expected) in [
        (V0_8_4, vec!["fake/model-a", "fake/openai"]),
        (Main, vec!["fake/model-a", "fake/model-b", "plain-c"]),
    ] {
        let server = version.replay().start();
        let models = client(server.url()).models().unwrap();
        let ids: Vec<&str> = models.iter().map(|model| model.id.as_str()).collect();
        assert_eq!(ids, expected, "{version:?}");
    }
}

#[test]
fn refusals_of_the_other_steps_say_what_is_wrong() {
    let conversation = |replay: Replay, model: &str| {
        let server = replay.start();
        let client = builder(server.url()).model(model).build();
        client.expect("a client").conversation()
    };
    let close = |version: Version, delete| -> Error {
        let server = Replay::new(version.folder())
            .create("02-create")
            .settings("01-settings")
            .delete(delete)
            .start();
        let conversation = client(server.url()).conversation().unwrap();
        conversation.close().expect_err(delete)
    };
    for version in [V0_8_4, Main] {
        let replay = version.replay().create("33-bad-model");
        let error = conversation(replay, "no/such").unwrap_err();
        let listed = match version {
            V0_8_4 => "fake/model-a, fake/openai",
            Main => "fake/model-a, fake/model-b, plain-c",
        };
        let message = "Invalid request (the server does not have the model \"no/such\"; it has ";
        let expected = http(Step::Create, 400, &format!("{message}{listed})"));
        assert_eq!(Failure::from(&error), expected);
        let error = close(version, "63-delete-again");
        let gone = http(Step::Delete, 404, "Conversation not found");
        assert_eq!(Failure::from(&error), gone);
    }
    let error = close(Main, "86-login-delete");
    assert_eq!(Failure::from(&error), Failure::LoginRequired(Step::Delete));
}

#[test]
fn terms_are_accepted_where_the_server_asks_for_them() {
    let server = V0_8_4
        .replay()
        .create("01-create-before-settings")
        .create("02-create")
        .start();
    let conversation = client(server.url()).conversation().unwrap();
    assert_eq!(conversation.id(), "6b010568a33833091ec88643");
    let settings = server.requests().into_iter();
    let settings: Vec<_> = settings.filter(|r| r.path == "/settings").collect();
    assert!(settings.len() == 1 && settings[0].is_json(), "{settings:?}");
}

#[test]
fn a_server_that_requires_a_login_says_so_at_the_settings_or_at_the_creation() {
    for (shares, step) in [(true, Step::Settings), (false, Step::Create)] {
        let server = Replay::new(Main.folder())
            .on("GET", "/api/models", "00-models-api")
            .settings("80-login.settings")
            .create("80-login.create")
            .start();
        let builder = builder(server.url()).share_with_model_authors(shares);
        let error = builder.build().unwrap().conversation().unwrap_err();
        assert_eq!(Failure::from(&error), Failure::LoginRequired(step));
    }
}
