//! What the client makes of every recording of a v0.5 server, over a real socket.

mod messages;

use std::collections::{BTreeSet, VecDeque};
use std::io::{self, BufRead, Read};

use h2ogpt::Step;

use support::client::{Failure, Outcome, builder, client, http, send_with_search};
use support::recording::{End, Recordings, names};
use support::replay::Replay;
use support::server::Server;

use messages::messages;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/recordings/v0.5");
/// The conversation that `conversation-create` creates.
const PATH: &str = "/conversation/6b01052383bd6c58ceec45d5";

/// Recordings of calls that no client method makes.
const DO_NOT_APPLY: [&str; 2] = [
    "share",     // the client publishes nothing
    "summarize", // titles are made by the server itself
];

/// Recordings of the other steps, each replayed by a test of its own below.
const OTHER_STEPS: [&str; 16] = [
    "conversation-create",
    "conversation-no-cookie",
    "conversation-unknown-model",
    "delete",
    "delete-malformed",
    "delete-noreferer",
    "delete-twice",
    "delete-unknown",
    "settings-accept-any",
    "settings-accept-html",
    "settings-bad-referer",
    "settings-json-body",
    "settings-no-referer",
    "settings-unknown-model",
    "stop-generating-call",
    "web-search",
];

fn deletes(server: &Server) -> Vec<String> {
    let requests = server.requests().into_iter();
    requests
        .filter(|request| request.method == "DELETE")
        .map(|request| request.path)
        .collect()
}

#[test]
fn every_recording_is_replayed_or_known_not_to_apply() {
    let recorded: BTreeSet<String> = names(FOLDER).into_iter().collect();
    let messages = messages();
    let replayed: BTreeSet<String> = messages
        .iter()
        .map(|(name, _)| *name)
        .chain(OTHER_STEPS)
        .chain(DO_NOT_APPLY)
        .map(str::to_owned)
        .collect();
    let unknown: Vec<&String> = recorded.symmetric_difference(&replayed).collect();
    assert!(
        unknown.is_empty(),
        "recorded or replayed, but not both: {unknown:?}"
    );
}

#[test]
fn every_message_comes_to_what_its_recording_says_and_the_conversation_is_deleted() {
    for (name, expected) in messages() {
        let server = Replay::new(FOLDER).message(name).start();
        let mut conversation = client(server.url()).conversation().expect(name);
        assert_eq!(Outcome::of(conversation.send("hello")), expected, "{name}");
        conversation.close().expect(name);
        assert_eq!(deletes(&server), [PATH], "{name}");
    }
}

#[test]
fn a_message_decodes_the_same_without_a_client() {
    let recordings = Recordings::open(FOLDER);
    for (name, expected) in messages() {
        let recording = recordings.load(name);
        if recording.status == 200 {
            let outcome = Outcome::of_stream(recording.body());
            assert_eq!(outcome, expected.with_quiet_end(), "{name}");
        }
    }
}

/// A reader whose buffer never holds more than one piece.
struct Pieces<'a>(VecDeque<&'a [u8]>);

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let amount = self.fill_buf()?.read(buffer)?;
        self.consume(amount);
        Ok(amount)
    }
}

impl BufRead for Pieces<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.0.front().is_some_and(|piece| piece.is_empty()) {
            self.0.pop_front();
        }
        Ok(self.0.front().copied().unwrap_or_default())
    }

    fn consume(&mut self, amount: usize) {
        if let Some(piece) = self.0.front_mut() {
            *piece = &piece[amount..];
        }
    }
}

#[test]
fn neither_where_reads_are_cut_nor_how_lines_end_makes_a_difference() {
    let recordings = Recordings::open(FOLDER);
    let table = messages();
    for name in [
        "message-happy",
        "message-utf8",
        "message-spaces",
        "message-keepalive",
        "message-split",
    ] {
        let recording = recordings.load(name);
        let (_, expected) = table.iter().find(|(known, _)| *known == name).unwrap();
        let body = str::from_utf8(recording.body()).expect("UTF-8");
        for line_end in ["\n", "\r\n", "\r"] {
            let body = body.replace('\n', line_end);
            for cut in 0..=body.len() {
                let (start, end) = body.as_bytes().split_at(cut);
                let outcome = Outcome::of_stream(Pieces([start, end].into()));
                assert_eq!(&outcome, expected, "{name} cut at {cut}, {line_end:?}");
            }
        }
    }
}

#[test]
fn a_connection_that_breaks_leaves_its_cause() {
    let recordings = Recordings::open(FOLDER);
    for (name, expected) in messages() {
        let cut = recordings.load(name).end == End::Cut;
        let broken = matches!(
            expected.failure,
            Some(Failure::Incomplete { broken: true, .. })
        );
        assert_eq!(cut, broken, "{name}: the table and the index disagree");
    }
}

#[test]
fn a_second_message_and_a_retry_are_read_in_the_same_conversation() {
    let server = Replay::new(FOLDER)
        .message("message-happy")
        .message("message-second")
        .message("retry-1-is-retry")
        .start();
    let mut conversation = client(server.url()).conversation().unwrap();
    let turns = |count| format!("This prompt holds {count} user turns.");
    assert_eq!(Outcome::of(conversation.send("Hi")).text, turns(1));
    assert_eq!(Outcome::of(conversation.send("And again")).text, turns(2));
    assert_eq!(Outcome::of(conversation.retry()).text, turns(1));
    conversation.close().expect("a delete");
    assert_eq!(deletes(&server), [PATH]);
    assert_eq!(server.listener.connections(), 1);
}

#[test]
fn settings_are_accepted_with_either_kind_of_redirect() {
    for settings in ["settings-accept-any", "settings-accept-html"] {
        let server = Replay::new(FOLDER)
            .settings(settings)
            .message("message-happy")
            .start();
        let mut conversation = client(server.url()).conversation().expect(settings);
        assert_eq!(Outcome::of(conversation.send("Hi")).failure, None);
        let requests = server.requests();
        let posted = requests.iter().filter(|r| r.path == "/settings").count();
        assert_eq!(posted, 1, "{settings}");
    }
}

#[test]
fn settings_that_are_refused_in_both_encodings_and_needed_are_the_error() {
    for settings in [
        "settings-bad-referer",
        "settings-no-referer",
        "settings-unknown-model",
    ] {
        let server = Replay::new(FOLDER)
            .settings(settings)
            .settings("settings-json-body")
            .create("conversation-no-cookie")
            .start();
        let client = builder(server.url()).model("no/such").build().unwrap();
        let error = client.conversation().expect_err(settings);
        let message = "Internal Error (does the server have the model \"no/such\"?)";
        let expected = http(Step::Settings, 500, message);
        assert_eq!(Failure::from(&error), expected, "{settings}");
        assert!(deletes(&server).is_empty(), "there is nothing to delete");
    }
}

#[test]
fn terms_that_stay_unaccepted_are_accepted_once_more_only() {
    let server = Replay::new(FOLDER).create("conversation-no-cookie").start();
    let error = client(server.url()).conversation().unwrap_err();
    let message = "You need to accept the welcome modal first";
    assert_eq!(Failure::from(&error), http(Step::Create, 405, message));
    let paths: Vec<String> = server.requests().into_iter().map(|r| r.path).collect();
    let twice = ["/settings", "/conversation"].repeat(2);
    let models = vec!["/api/models", "/__data.json"];
    assert_eq!(paths, [models, twice].concat());
}

#[test]
fn a_model_that_the_server_does_not_have_is_named() {
    let server = Replay::new(FOLDER)
        .create("conversation-unknown-model")
        .start();
    let client = builder(server.url()).model("no/such").build().unwrap();
    let error = client.conversation().unwrap_err();
    let message = "Internal Error (does the server have the model \"no/such\"?)";
    assert_eq!(Failure::from(&error), http(Step::Create, 500, message));
}

#[test]
fn closing_reports_what_the_server_says_to_the_delete() {
    let missing = || Some(http(Step::Delete, 404, "Conversation not found"));
    for (delete, expected) in [
        ("delete", None),
        ("delete-noreferer", None),
        ("delete-twice", missing()),
        ("delete-unknown", missing()),
        (
            "delete-malformed",
            Some(http(Step::Delete, 500, "Internal Error")),
        ),
    ] {
        let server = Replay::new(FOLDER).delete(delete).start();
        let conversation = client(server.url()).conversation().unwrap();
        let failure = conversation
            .close()
            .err()
            .map(|error| Failure::from(&error));
        assert_eq!(failure, expected, "{delete}");
        assert_eq!(deletes(&server), [PATH], "{delete}");
    }
}

#[test]
fn a_reply_that_is_left_early_is_stopped_before_the_conversation_is_deleted() {
    let server = Replay::new(FOLDER).message("message-happy").start();
    let mut conversation = client(server.url()).conversation().unwrap();
    let first = conversation.send("Hi").unwrap().next();
    assert_eq!(first.unwrap().unwrap(), "This");
    drop(conversation);
    let requests: Vec<_> = server.requests().into_iter().map(|r| r.path).collect();
    let last = &requests[requests.len() - 2..];
    assert_eq!(last, [format!("{PATH}/stop-generating"), PATH.to_owned()]);
}

#[test]
fn a_web_search_is_read_up_to_its_result_which_the_message_names() {
    let server = Replay::new(FOLDER).message("message-happy").start();
    let mut conversation = client(server.url()).conversation().unwrap();
    let outcome = Outcome::of(send_with_search(&mut conversation, "what is rust"));
    assert_eq!(outcome.text, "This prompt holds 1 user turns.");
    drop(conversation);
    let requests = server.requests();
    let search = requests.iter().find(|r| r.path.contains("web-search"));
    let path = &search.expect("a search").path;
    assert_eq!(path, &format!("{PATH}/web-search?prompt=what%20is%20rust"));
    let message = requests.iter().find(|r| r.path == PATH).unwrap();
    let body = message.json();
    assert_eq!(body["options"]["web_search_id"], "6b01058b83bd6c58ceec4640");
    assert_eq!(deletes(&server), [PATH]);
}
