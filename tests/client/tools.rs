//! Tools: those that the operator configured, the choice among them, and what calling one brings.

use serde_json::json;

use h2ogpt::{Client, Error, Event, FinishReason, Ignored, Prompt, Step, ToolUpdate};

use support::client::{Outcome, builder, text};
use support::service::{Builder, Dialect, Model, Service, ToolOutcome, Tools};

const WITH_TOOLS: [Dialect; 2] = [Dialect::V0_9_6, Dialect::Main];

fn service(dialect: Dialect, outcome: ToolOutcome) -> Builder {
    let servers = ["maths", "weather"];
    let servers = servers.map(|name| (name.to_owned(), format!("http://{name}.test/mcp")));
    let tools = Tools {
        servers: servers.to_vec(),
        outcome,
    };
    let model = Model {
        tools: true,
        ..Model::new("org/able")
    };
    let builder = Service::builder().dialect(dialect).terms(false);
    builder.able_models(vec![model]).tools(tools)
}

fn client(service: &Service) -> Client {
    builder(service.url()).build().expect("a client")
}

/// What the model could use for the last reply.
fn used(service: &Service) -> Vec<String> {
    service.model_calls().pop().expect("a call").tools
}

#[test]
fn tool_servers_are_listed_where_there_can_be_any() {
    for dialect in Dialect::ALL {
        let service = service(dialect, ToolOutcome::Result).start().unwrap();
        let listed = client(&service).tool_servers();
        if WITH_TOOLS.contains(&dialect) {
            let listed = listed.unwrap();
            let names: Vec<&str> = listed.iter().map(|one| one.name.as_str()).collect();
            assert_eq!(names, ["maths", "weather"], "{dialect}");
            assert_eq!(listed[0].url, "http://maths.test/mcp");
        } else {
            let error = listed.unwrap_err();
            assert_eq!(error.step(), Some(Step::Tools), "{dialect}");
            assert!(matches!(error, Error::Http { .. }), "{dialect}: {error:?}");
            assert!(error.to_string().contains("v0.9.6"), "{dialect}: {error}");
        }
    }
}

#[test]
fn a_prompt_chooses_among_the_tool_servers() {
    for dialect in WITH_TOOLS {
        let service = service(dialect, ToolOutcome::Result).start().unwrap();
        let mut conversation = client(&service).conversation().unwrap();
        text(conversation.send("All")).unwrap();
        assert_eq!(used(&service), ["maths", "weather"], "{dialect}");
        text(conversation.send(Prompt::new("One").tools(["weather"]))).unwrap();
        assert_eq!(used(&service), ["weather"], "{dialect}");
        let none: [&str; 0] = [];
        text(conversation.send(Prompt::new("None").tools(none))).unwrap();
        assert_eq!(used(&service), [""; 0], "{dialect}");
        // The choice is that of one prompt, and of its retries.
        text(conversation.retry()).unwrap();
        assert_eq!(used(&service), [""; 0], "{dialect}");
        text(conversation.send("All")).unwrap();
        assert_eq!(used(&service), ["maths", "weather"], "{dialect}");
        conversation.close().unwrap();
    }
}

#[test]
fn where_there_are_no_tools_the_choice_is_ignored_and_that_is_said() {
    for dialect in Dialect::ALL {
        let service = service(dialect, ToolOutcome::Result).start().unwrap();
        let mut conversation = client(&service).conversation().unwrap();
        let reply = conversation
            .send(Prompt::new("One").tools(["weather"]))
            .unwrap();
        let is_ignored = reply.ignored().contains(&Ignored::Tools);
        assert_eq!(is_ignored, !WITH_TOOLS.contains(&dialect), "{dialect}");
        reply.into_text().unwrap();
        conversation.close().unwrap();
    }
}

/// The text before and after a call comes as it is streamed, and is what the server stores.
#[test]
fn a_call_is_seen_step_by_step() {
    for dialect in WITH_TOOLS {
        let service = service(dialect, ToolOutcome::Result).start().unwrap();
        let mut conversation = client(&service).conversation().unwrap();
        let mut reply = conversation.send("Look").unwrap();
        let (mut said, mut updates) = (String::new(), Vec::new());
        for event in reply.events() {
            match event.unwrap() {
                Event::Token(token) => said.push_str(&token),
                Event::Tool(update) => updates.push((said.len(), update)),
                _ => {}
            }
        }
        assert_eq!(reply.text(), said);
        assert_ne!(reply.finish_reason(), Some(FinishReason::Question));
        drop(reply);
        let stored = conversation.messages().unwrap().pop().expect("the reply");
        assert_eq!(stored.content, said, "{dialect}");
        let before = "Let me see.".len();
        let [(at, call), (_, eta), (_, result)] = &updates[..] else {
            panic!("{dialect}: {updates:?}");
        };
        assert_eq!(*at, before, "{dialect}: {said}");
        assert!(said.len() > before);
        let ToolUpdate::Call {
            uuid,
            name,
            arguments,
            ..
        } = call
        else {
            panic!("{call:?}");
        };
        assert_eq!((name.as_str(), arguments), ("lookup", &json!({"q": "x"})));
        let id = uuid;
        let is_eta =
            matches!(eta, ToolUpdate::Eta { uuid, seconds, .. } if uuid == id && *seconds == 10.0);
        assert!(is_eta, "{eta:?}");
        let ToolUpdate::Result { uuid, outputs, .. } = result else {
            panic!("{result:?}");
        };
        assert_eq!(uuid, id);
        assert_eq!(outputs[0]["text"], "the answer is 42");
        conversation.close().unwrap();
    }
}

#[test]
fn a_tool_that_fails_is_an_update_and_the_reply_goes_on() {
    for dialect in WITH_TOOLS {
        let service = service(dialect, ToolOutcome::Error).start().unwrap();
        let mut conversation = client(&service).conversation().unwrap();
        let mut reply = conversation.send("Look").unwrap();
        let mut failures = Vec::new();
        for event in reply.events() {
            if let Event::Tool(ToolUpdate::Error { message, .. }) = event.unwrap() {
                failures.push(message);
            }
        }
        assert_eq!(failures, ["the tool is out of order"], "{dialect}");
        assert!(reply.text().ends_with("The tool failed."), "{dialect}");
        drop(reply);
        conversation.close().unwrap();
    }
}

/// A reply that ends with a question to the user has no text, which is no error.
#[test]
fn a_question_to_the_user_is_an_event_and_an_outcome() {
    for dialect in WITH_TOOLS {
        let service = service(dialect, ToolOutcome::Elicitation).start().unwrap();
        let mut conversation = client(&service).conversation().unwrap();
        let mut reply = conversation.send("Look").unwrap();
        let mut questions = Vec::new();
        for event in reply.events() {
            if let Event::Question(question) = event.unwrap() {
                questions.push(question);
            }
        }
        assert_eq!(questions.len(), 1, "{dialect}");
        assert_eq!(questions[0].value["subtype"], "request", "{dialect}");
        assert_eq!(reply.text(), "", "{dialect}");
        assert_eq!(
            reply.finish_reason(),
            Some(FinishReason::Question),
            "{dialect}"
        );
        drop(reply);
        // A reader of tokens only sees the same outcome.
        let again = Outcome::of(conversation.send("Look again"));
        assert_eq!(again.failure, None, "{dialect}");
        assert_eq!(again.tokens, [""; 0], "{dialect}");
        assert_eq!(
            again.finish_reason,
            Some(FinishReason::Question),
            "{dialect}"
        );
        conversation.close().unwrap();
    }
}
