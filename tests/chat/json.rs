//! What `--json` prints for scripts.

use std::time::Duration;

use serde_json::{Value, json};

use support::program::{Finished, Program};
use support::script::{self, ID};
use support::server::{Server, Then};
use support::service::{Dialect, Fault, MODELS, Service};

use crate::{chat_program, folder};

fn chat(url: &str) -> Program {
    chat_program().args(["-u", url, "-m", "model", "--json", "Hi"])
}

/// Every line that was printed, as JSON.
#[track_caller]
fn lines(ended: &Finished) -> Vec<Value> {
    let parse = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    ended.stdout.lines().map(parse).collect()
}

#[track_caller]
fn outcome(ended: &Finished) -> Value {
    let last = lines(ended).pop().expect("an outcome");
    assert_eq!(last["type"], "outcome", "{ended:?}");
    last
}

#[test]
fn a_complete_reply_is_its_tokens_and_its_outcome() {
    let server = Server::start(script::replies(&[" Hello", "\n", "there\n"]));
    let token = |text: &str| json!({ "type": "token", "text": text });
    let outcome = json!({
        "type": "outcome", "status": "complete", "text": " Hello\nthere\n", "model": "model",
        "conversation": ID,
    });
    let tokens = vec![token(" Hello"), token("\n"), token("there\n")];

    let ended = chat(&server.url()).run();
    let expected = [tokens, vec![outcome.clone()]].concat();
    assert_eq!(
        (ended.status, lines(&ended)),
        (Some(0), expected),
        "{ended:?}"
    );
    assert_eq!(ended.stderr, "");

    let ended = chat(&server.url()).arg("--no-stream").run();
    assert_eq!((ended.status, lines(&ended)), (Some(0), vec![outcome]));
}

#[test]
fn the_model_of_the_outcome_is_the_one_that_replies() {
    let service = Service::start().expect("a service");
    let model_of = |options: &[&str]| {
        let program = chat_program().args(["-u", service.url(), "--json", "Hi"]);
        outcome(&program.args(options).run())["model"].take()
    };
    assert_eq!(model_of(&[]), MODELS[0]);
    assert_eq!(model_of(&["-m", MODELS[1]]), MODELS[1]);

    // Only the server knows that of a conversation that was there before.
    let state = folder("json-model");
    let chat = |options: &[&str]| {
        let program = chat_program().env("XDG_STATE_HOME", &state).args(options);
        program.args(["-u", service.url(), "--json", "Hi"]).run()
    };
    assert_eq!(outcome(&chat(&["-k"]))["model"], MODELS[0]);
    let ended = chat(&["-c", "-m", MODELS[1]]);
    assert_eq!(ended.status, Some(0), "{ended:?}");
    assert_eq!(outcome(&ended)["model"], Value::Null);
}

#[test]
fn how_a_reply_ended_is_told_apart() {
    let table = [
        (None, "complete", None, 0),
        (Some(Fault::Length(3)), "complete", Some("length"), 0),
        (Some(Fault::Cut(3)), "incomplete", None, 6),
        (Some(Fault::NoFinal(3)), "incomplete", None, 6),
        (Some(Fault::Stall(3)), "incomplete", None, 6),
        (Some(Fault::ErrorEvent(3)), "error", None, 4),
        (Some(Fault::Status(429, Some(7))), "error", None, 5),
        (Some(Fault::Reset), "error", None, 3),
    ];
    for (fault, status, finish_reason, exit_status) in table {
        let service = Service::builder().dialect(Dialect::V0_5);
        let service = service.models(&["model"]).faults({
            let fault = fault.clone();
            move |request| fault.clone().filter(|_| request.is_message())
        });
        let service = service.start().expect("a service");
        let ended = chat(service.url()).args(["--timeout", "0.3"]).run();
        let outcome = outcome(&ended);
        assert_eq!(ended.status, Some(exit_status), "{fault:?}: {ended:?}");
        assert_eq!(outcome["status"], status, "{fault:?}: {ended:?}");
        assert!(outcome["conversation"].is_string(), "{fault:?}: {ended:?}");
        if let Some(reason) = finish_reason {
            assert_eq!(outcome["finish_reason"], reason, "{fault:?}: {ended:?}");
        }
        assert_eq!(outcome["error"].is_null(), exit_status == 0, "{ended:?}");
        let streamed: String = lines(&ended)
            .iter()
            .filter(|line| line["type"] == "token")
            .map(|token| token["text"].as_str().expect("a text").to_owned())
            .collect();
        if exit_status == 6 {
            assert_eq!(outcome["text"], streamed, "{fault:?}: {ended:?}");
            assert!(!streamed.is_empty(), "{fault:?}: {ended:?}");
        }
    }
}

#[test]
fn an_error_has_its_kind_its_step_and_what_else_is_known() {
    let failing = |path: &'static str, fault: Fault| {
        let service = Service::builder()
            .models(&["model"])
            .faults(move |request| {
                let is_it = request.path == path || (path.is_empty() && request.is_message());
                is_it.then(|| fault.clone())
            });
        service.start().expect("a service")
    };
    let table = [
        (
            failing("", Fault::Status(429, Some(7))),
            json!({ "kind": "http", "step": "message", "status": 429, "retry_after": 7 }),
        ),
        (
            failing("/conversation", Fault::Status(500, None)),
            json!({ "kind": "http", "step": "create", "status": 500 }),
        ),
        (
            failing("/settings", Fault::Delay(Duration::from_secs(60))),
            json!({ "kind": "timeout", "step": "settings" }),
        ),
        (
            failing("/settings", Fault::Hangup),
            json!({ "kind": "network", "step": "settings" }),
        ),
        (
            failing("", Fault::Cut(1)),
            json!({ "kind": "incomplete", "step": "message" }),
        ),
        (
            failing("", Fault::ErrorEvent(1)),
            json!({ "kind": "server", "step": "message" }),
        ),
    ];
    for (service, expected) in table {
        let ended = chat(service.url()).args(["--timeout", "0.3"]).run();
        let mut error = outcome(&ended)["error"].take();
        let members = error.as_object_mut().expect("an error");
        let message = members.remove("message").expect("a message");
        let said = format!("chat: {}\n", message.as_str().expect("a text"));
        assert_eq!(ended.stderr, said);
        assert_eq!(error, expected, "{ended:?}");
    }
}

#[test]
fn what_cannot_be_sent_is_an_outcome_too() {
    let server = Server::start(script::replies(&["Hello"]));
    let ended = chat(&server.url()).args(["-o", "top_p=7"]).run();
    // Wrong use is found before there is anything to tell of.
    assert_eq!((ended.status, &*ended.stdout), (Some(2), ""), "{ended:?}");
    let ended = chat_program()
        .args(["-u", &server.url(), "--json", "-c=", "Hi"])
        .run();
    assert_eq!(ended.status, Some(2), "{ended:?}");
    assert_eq!(outcome(&ended)["error"]["kind"], "configuration");
}

#[cfg(unix)]
#[test]
fn a_signal_is_an_outcome_too() {
    let server = Server::start(script::replying(|_, writer| {
        script::begin(writer, &["Hello"]);
        Then::Hold
    }));
    let running = chat(&server.url()).start();
    running.wait_for_stdout("Hello");
    running.signal("TERM");
    let ended = running.finish();
    assert_eq!(ended.status, Some(143), "{ended:?}");
    let expected = json!({
        "type": "outcome", "status": "cancelled", "text": "Hello", "model": "model",
        "conversation": ID,
    });
    assert_eq!(outcome(&ended), expected);
}

#[test]
fn models_and_conversations_are_listed_as_objects() {
    let state = folder("json-lists");
    let service = Service::builder().dialect(Dialect::Main).start();
    let service = service.expect("a service");
    let chat = |options: &[&str]| {
        let program = chat_program().env("XDG_STATE_HOME", &state);
        program.args(["-u", service.url()]).args(options).run()
    };
    let listed = lines(&chat(&["--list-models", "--json"]));
    let ids: Vec<&Value> = listed.iter().map(|model| &model["id"]).collect();
    assert_eq!(ids, MODELS);
    for model in listed {
        assert_eq!(model["type"], "model");
        assert!(model["name"].is_string() && model["multimodal"].is_boolean());
    }
    let kept = outcome(&chat(&["--keep", "--json", "Hi"]));
    let listed = lines(&chat(&["--list", "--json"]));
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0]["type"], "conversation");
    assert_eq!(listed[0]["id"], kept["conversation"]);
    for member in ["updated_at", "model", "title"] {
        assert!(listed[0][member].is_string(), "{listed:?}");
    }
}

#[test]
fn the_progress_of_a_search_is_events() {
    let service = Service::builder().dialect(Dialect::V0_8).start();
    let service = service.expect("a service");
    let ended = chat_program()
        .args(["-u", service.url(), "--json", "-w", "Hi"])
        .run();
    let searches = lines(&ended);
    let searches = searches.iter().filter(|line| line["type"] == "web_search");
    assert!(searches.clone().count() > 1, "{ended:?}");
    let sources = searches.flat_map(|line| line["sources"].as_array().cloned());
    assert!(sources.flatten().count() > 0, "{ended:?}");
}
