//! What goes with a prompt and is not the same on every server: a system prompt, a title, parameters, a
//! web search.

use std::time::{Duration, Instant};

use h2ogpt::{Client, Event, Ignored, Parameters, Prompt};

use support::client::{builder, client, text};
use support::service::{Dialect, Fault, Purpose, Service};

use crate::dialects::is_of_2023;

const SYSTEM: &str = "Be brief.";

/// How often the model was given the system prompt, wherever that stood.
fn times_given(service: &Service) -> Vec<usize> {
    let calls = service.model_calls().into_iter();
    let replies = calls.filter(|call| call.purpose == Purpose::Reply);
    replies
        .map(|call| {
            // Replies repeat what they reply to.
            let prompts = call.messages.iter().filter(|(who, _)| who == "user");
            let prompts = prompts.map(|(_, text)| text.as_str());
            let texts = call.system.as_deref().into_iter().chain(prompts);
            texts.map(|text| text.matches(SYSTEM).count()).sum()
        })
        .collect()
}

fn with_system_prompt(service: &Service) -> Client {
    let builder = builder(service.url()).system_prompt(SYSTEM);
    builder.build().unwrap()
}

#[test]
fn a_system_prompt_reaches_the_model_once_with_each_message() {
    for dialect in Dialect::ALL {
        let service = Service::builder().dialect(dialect).start().unwrap();
        let client = with_system_prompt(&service);
        for after in ["nothing", "refusals and retries", "a refusal"] {
            let mut conversation = client.conversation().unwrap();
            let before = times_given(&service).len();
            let refuse = |times| {
                let refusal = Fault::Status(429, None);
                service.fail_next(times, "POST /conversation/{id}", refusal);
            };
            match after {
                "refusals and retries" => {
                    refuse(2);
                    assert!(conversation.send("One").is_err(), "{dialect}");
                    assert!(conversation.retry().is_err(), "{dialect}");
                    text(conversation.retry()).unwrap();
                }
                "a refusal" => {
                    refuse(1);
                    assert!(conversation.send("Zero").is_err(), "{dialect}");
                    text(conversation.send("One")).unwrap();
                }
                _ => text(conversation.send("One")).map(drop).unwrap(),
            }
            text(conversation.send("Two")).unwrap();
            text(conversation.retry()).unwrap();
            let given = times_given(&service);
            assert_eq!(given[before..], [1, 1, 1], "{dialect}, after {after}");
        }
    }
}

fn title_calls(service: &Service) -> usize {
    let calls = service.model_calls().into_iter();
    calls.filter(|call| call.purpose == Purpose::Title).count()
}

#[test]
fn the_model_is_called_once_unless_titles_are_wanted() {
    for dialect in Dialect::ALL {
        let service = Service::builder().dialect(dialect).start().unwrap();
        let asks = !is_of_2023(dialect);
        for titles in [false, true] {
            let client = builder(service.url()).titles(titles).build().unwrap();
            let before = title_calls(&service);
            let mut conversation = client.conversation().unwrap();
            text(conversation.send("  What is\nthe meaning of life, the universe?")).unwrap();
            text(conversation.send("Two")).unwrap();
            let calls = title_calls(&service) - before;
            assert_eq!(calls, usize::from(titles && asks), "{dialect}, {titles}");
            let title = service.title(conversation.id()).unwrap();
            let expected = match (asks, titles) {
                (true, false) => "What is the meaning of life, the universe?",
                (true, true) => "What is the meaning of",
                (false, _) => "Untitled 1",
            };
            assert_eq!(title, expected, "{dialect}, {titles}");
        }
        // One's own is the title on any version.
        let mut conversation = client(service.url()).conversation().unwrap();
        let prompt = Prompt::new("One").title("My title");
        text(conversation.send(prompt)).unwrap();
        assert_eq!(service.title(conversation.id()).unwrap(), "My title");
    }
}

/// The reply would have to wait for it.
#[test]
fn a_model_that_serves_one_request_at_a_time_is_not_kept_busy_by_a_title() {
    let takes = Duration::from_secs(1);
    for (titles, is_late) in [(false, false), (true, true)] {
        let service = Service::builder()
            .dialect(Dialect::V0_9_6)
            .one_at_a_time(takes)
            .start()
            .unwrap();
        let client = builder(service.url()).titles(titles).build().unwrap();
        let mut conversation = client.conversation().unwrap();
        let started = Instant::now();
        let mut reply = conversation.send("Hello").unwrap();
        reply.next().unwrap().unwrap();
        assert_eq!(started.elapsed() >= takes, is_late, "titles: {titles}");
        assert!(reply.by_ref().all(|token| token.is_ok()));
    }
}

/// What each version ignores of parameters, a web search and a choice of tools.
fn ignored_by(dialect: Dialect) -> Vec<Ignored> {
    match dialect {
        _ if is_of_2023(dialect) => vec![Ignored::Tools],
        Dialect::V0_9_6 | Dialect::Main => vec![Ignored::Parameters, Ignored::WebSearch],
        _ => vec![Ignored::Parameters, Ignored::Tools],
    }
}

#[test]
fn what_a_server_ignores_is_told_and_the_reply_comes_all_the_same() {
    for dialect in Dialect::ALL {
        let service = Service::builder().dialect(dialect).start().unwrap();
        let client = with_system_prompt(&service);
        let mut conversation = client.conversation().unwrap();
        let prompt = Prompt::new("Hello")
            .parameters(Parameters::new().temperature(0.9))
            .web_search(true)
            .tools(["a"]);
        let mut reply = conversation.send(prompt).unwrap();
        let mut ignored = reply.ignored().to_vec();
        ignored.sort_by_key(|ignored| format!("{ignored:?}"));
        let mut expected = ignored_by(dialect);
        expected.sort_by_key(|ignored| format!("{ignored:?}"));
        assert_eq!(ignored, expected, "{dialect}");
        assert!(reply.by_ref().all(|token| token.is_ok()));
        drop(reply);

        let mut reply = conversation.send("Hello").unwrap();
        assert_eq!(reply.ignored(), [], "{dialect}: nothing was asked for");
        assert!(reply.by_ref().all(|token| token.is_ok()));
        drop(reply);

        // A system prompt comes too late for a conversation that there is.
        let id = conversation.keep();
        let mut conversation = client.resume(id).unwrap();
        let reply = conversation.send("Hello").unwrap();
        assert_eq!(reply.ignored(), [Ignored::SystemPrompt], "{dialect}");
    }
}

#[test]
fn parameters_of_the_builder_are_ignored_like_those_of_a_prompt() {
    let service = Service::builder().dialect(Dialect::Main).start().unwrap();
    let client = builder(service.url())
        .parameter("top_k", 5)
        .build()
        .unwrap();
    let reply = client.generate("Hello").unwrap();
    assert_eq!(reply.ignored(), [Ignored::Parameters]);
}

#[test]
fn a_search_that_fails_leaves_a_reply() {
    for dialect in Dialect::ALL {
        for is_refused in [false, true] {
            if is_refused && !is_of_2023(dialect) {
                continue;
            }
            let service = Service::builder().dialect(dialect).web_search_fails(true);
            let service = service.start().unwrap();
            let path = "GET /conversation/{id}/web-search";
            let fault = Fault::Status(500, None);
            service.fail_next(usize::from(is_refused), path, fault);
            let mut conversation = client(service.url()).conversation().unwrap();
            let prompt = Prompt::new("Who won?").web_search(true);
            let mut reply = conversation.send(prompt).unwrap();
            let mut steps = Vec::new();
            for event in reply.events() {
                if let Event::WebSearch(step) = event.unwrap() {
                    assert!(!step.message.is_empty(), "{dialect}: an empty step");
                    steps.push(step.message);
                }
            }
            let said = reply.text();
            assert!(
                said.starts_with("You said: \"Who won?\"."),
                "{dialect}: {said}"
            );
            assert!(!said.contains("I searched"), "{dialect}: {said}");
            // Those that have none are told apart by what they ignore.
            assert!(!steps.is_empty() || reply.ignored() == [Ignored::WebSearch]);
            if let Some(last) = steps.last() {
                let says = ["web search", "500"].map(|part| last.contains(part));
                assert!(says != [false; 2], "{dialect}: {last}");
            }
        }
    }
}
