//! What the server has of a session: its conversations, messages, titles and shares, the models and
//! their abilities.

use h2ogpt::{Client, ConversationInfo, Error, Prompt, Result, Role, Step};

use support::client::{builder, text};
use support::service::{Builder, Dialect, Fault, Model, Seen, Service};

fn service(dialect: Dialect) -> Builder {
    Service::builder().dialect(dialect).terms(false)
}

fn client(service: &Service) -> Client {
    builder(service.url()).build().expect("a client")
}

/// A conversation with one message that stays.
fn keep(client: &Client, prompt: &str) -> String {
    let mut conversation = client.conversation().expect("a conversation");
    text(conversation.send(Prompt::new(prompt).title(prompt))).expect("a reply");
    conversation.keep()
}

fn listed(client: &Client) -> Vec<ConversationInfo> {
    let list: Result<Vec<_>> = client.conversations().collect();
    list.expect("a list")
}

fn ids(client: &Client) -> Vec<String> {
    let mut ids: Vec<String> = listed(client).into_iter().map(|one| one.id).collect();
    ids.sort();
    ids
}

fn lists(service: &Service) -> usize {
    let is_list = |seen: &&Seen| seen.path.starts_with("/api/conversations?");
    service.requests().iter().filter(is_list).count()
}

#[test]
fn conversations_are_listed_page_by_page_as_they_are_read() {
    for dialect in [
        Dialect::V0_8,
        Dialect::V0_9_3,
        Dialect::V0_9_6,
        Dialect::Main,
    ] {
        let service = service(dialect).page_size(2).start().unwrap();
        let client = client(&service);
        let mut kept: Vec<String> = (0..5).map(|n| keep(&client, &format!("N{n}"))).collect();
        kept.sort();

        let mut list = client.conversations();
        assert_eq!(
            lists(&service),
            0,
            "{dialect}: nothing is read before it is wanted"
        );
        for (read, requests) in [(1, 1), (2, 1), (3, 2), (4, 2), (5, 3)] {
            let one = list.next().expect("a conversation").unwrap();
            assert!(kept.contains(&one.id), "{dialect}: {one:?}");
            assert!(one.title.starts_with('N'), "{dialect}: {one:?}");
            assert!(one.updated_at.is_some(), "{dialect}: {one:?}");
            assert_eq!(lists(&service), requests, "{dialect}: {read}");
        }
        assert!(list.next().is_none() && list.next().is_none(), "{dialect}");
        assert!(lists(&service) <= 4, "{dialect}");
        assert_eq!(ids(&client), kept, "{dialect}");
    }
}

#[test]
fn a_session_without_conversations_has_an_empty_list() {
    for dialect in Dialect::ALL {
        let service = service(dialect).start().unwrap();
        assert_eq!(listed(&client(&service)), [], "{dialect}");
    }
}

/// The list stands in the data of the page where there is no API, or where it is hidden.
#[test]
fn without_an_api_the_list_comes_from_the_page() {
    for dialect in Dialect::ALL {
        let service = service(dialect).expose_api(false).start().unwrap();
        let client = builder(service.url())
            .model(support::service::MODELS[0])
            .build()
            .unwrap();
        let mut kept = vec![keep(&client, "One"), keep(&client, "Two")];
        kept.sort();
        assert_eq!(ids(&client), kept, "{dialect}");
        let list = listed(&client);
        assert!(
            list.iter()
                .all(|one| one.model == support::service::MODELS[0]),
            "{dialect}: {list:?}"
        );
        // The pages of the earliest versions have no dates.
        let is_dated = |one: &ConversationInfo| {
            let date = one.updated_at.as_deref();
            date.is_some_and(|date| date.starts_with("20") && date.ends_with('Z'))
        };
        let has_no_dates = matches!(dialect, Dialect::V0_3 | Dialect::V0_5 | Dialect::V0_6);
        assert_eq!(list.iter().all(is_dated), !has_no_dates, "{list:?}");
    }
}

#[test]
fn a_list_that_fails_is_an_error_once() {
    let service = service(Dialect::Main).start().unwrap();
    service.fail_next(
        1,
        "GET /api/conversations",
        support::service::Fault::Status(500, None),
    );
    let mut list = client(&service).conversations();
    let error = list.next().expect("an error").unwrap_err();
    assert_eq!(error.step(), Some(Step::Conversations));
    assert!(
        matches!(error, Error::Http { status: 500, .. }),
        "{error:?}"
    );
    assert!(list.next().is_none());
}

#[test]
fn one_conversation_is_deleted_or_all_of_a_session_are() {
    for dialect in Dialect::ALL {
        let service = service(dialect).start().unwrap();
        let (mine, other) = (client(&service), client(&service));
        let first = keep(&mine, "One");
        let second = keep(&mine, "Two");
        let third = keep(&mine, "Three");
        let foreign = keep(&other, "Four");
        mine.delete(&first).unwrap();
        assert!(service.history(&first).is_none(), "{dialect}");
        let error = mine.delete(&first).unwrap_err();
        assert_eq!(error.step(), Some(Step::Delete), "{dialect}");
        assert!(
            matches!(error, Error::Http { status: 404, .. }),
            "{dialect}: {error:?}"
        );
        assert_eq!(service.conversations(), 3, "{dialect}");
        mine.delete_all()
            .unwrap_or_else(|error| panic!("{dialect}: {error}"));
        for gone in [&second, &third] {
            assert!(service.history(gone).is_none(), "{dialect}");
        }
        assert!(
            service.history(&foreign).is_some(),
            "{dialect}: of another session"
        );
        mine.delete_all()
            .unwrap_or_else(|error| panic!("{dialect}, empty: {error}"));
    }
}

#[test]
fn all_are_deleted_where_the_server_takes_itself_for_https() {
    use support::service::Origin;
    for dialect in [Dialect::V0_3, Dialect::V0_5, Dialect::V0_6] {
        let service = service(dialect).origin(Origin::Unset).start().unwrap();
        let client = client(&service);
        keep(&client, "One");
        client
            .delete_all()
            .unwrap_or_else(|error| panic!("{dialect}: {error}"));
        assert_eq!(service.conversations(), 0, "{dialect}");
    }
}

#[test]
fn messages_are_those_that_the_server_has() {
    for dialect in Dialect::ALL {
        for expose in [true, false] {
            let service = service(dialect).expose_api(expose).start().unwrap();
            let client = builder(service.url())
                .model(support::service::MODELS[0])
                .build()
                .unwrap();
            let mut conversation = client.conversation().unwrap();
            let replies = ["One", "Two"].map(|prompt| text(conversation.send(prompt)).unwrap());
            let messages = conversation.messages();
            let messages = messages.unwrap_or_else(|error| panic!("{dialect}, {expose}: {error}"));
            let said: Vec<(Role, &str)> = messages
                .iter()
                .filter(|one| one.author != Role::System)
                .map(|one| (one.author, one.content.as_str()))
                .collect();
            let expected = [
                (Role::User, "One"),
                (Role::Assistant, replies[0].as_str()),
                (Role::User, "Two"),
                (Role::Assistant, replies[1].as_str()),
            ];
            assert_eq!(said, expected, "{dialect}, {expose}");
            assert!(
                messages
                    .iter()
                    .all(|one| !one.id.is_empty() && one.files.is_empty())
            );
            // And the conversation goes on.
            text(conversation.send("Three")).unwrap();
            conversation.close().unwrap();
        }
    }
}

#[test]
fn what_is_not_there_has_no_messages() {
    for dialect in Dialect::ALL {
        let service = service(dialect).start().unwrap();
        let client = client(&service);
        let mut conversation = client.resume("6b010396646b822e419515f3").unwrap();
        let error = conversation.messages().unwrap_err();
        assert_eq!(error.step(), Some(Step::History), "{dialect}");
        assert!(matches!(error, Error::Http { .. }), "{dialect}: {error:?}");
        conversation.keep();
    }
}

#[test]
fn what_is_not_there_takes_no_message_also_where_the_api_is_hidden() {
    for dialect in [Dialect::V0_8, Dialect::V0_9_3] {
        let service = service(dialect).hide_api(true).start().unwrap();
        let client = client(&service);
        let mut conversation = client.resume("6b010396646b822e419515f3").unwrap();
        let read = conversation.messages().unwrap_err().to_string();
        let sent = conversation.send("Hello").unwrap_err().to_string();
        assert_eq!(sent, read, "{dialect}");
        assert!(!sent.contains("API is disabled"), "{dialect}: {sent}");
        conversation.keep();
    }
}

#[test]
fn a_title_has_one_to_a_hundred_characters() {
    for dialect in Dialect::ALL {
        let service = service(dialect).start().unwrap();
        let mut conversation = client(&service).conversation().unwrap();
        for title in ["A", "  Größe \u{1f980} \"x\"  ", &"x".repeat(100)] {
            conversation.rename(title).unwrap();
            let stored = service.title(conversation.id());
            assert_eq!(stored.as_deref(), Some(title.trim()), "{dialect}");
        }
        let requests = service.requests().len();
        for title in ["", "  \n ", &"x".repeat(101)] {
            let error = conversation.rename(title).unwrap_err();
            assert!(matches!(error, Error::Configuration { .. }), "{error:?}");
        }
        assert_eq!(service.requests().len(), requests);
        // The first message leaves the title as it is.
        text(conversation.send("Hello there")).unwrap();
        let stored = service.title(conversation.id()).unwrap();
        assert_eq!(stored, "x".repeat(100), "{dialect}");
        conversation.close().unwrap();
    }
}

#[test]
fn the_first_prompt_can_have_a_title() {
    for dialect in Dialect::ALL {
        let service = service(dialect).start().unwrap();
        let client = client(&service);
        let mut conversation = client.conversation().unwrap();
        text(conversation.send(Prompt::new("Hello").title("Mine"))).unwrap();
        let id = conversation.id().to_owned();
        assert_eq!(service.title(&id).as_deref(), Some("Mine"), "{dialect}");
        conversation.close().unwrap();
        let blank = client.generate(Prompt::new("Hello").title(" \t")).map(drop);
        let long = client
            .generate(Prompt::new("Hello").title("x".repeat(101)))
            .map(drop);
        for refused in [blank, long] {
            let error = refused.unwrap_err();
            assert!(matches!(error, Error::Configuration { .. }), "{error:?}");
        }
        assert_eq!(service.conversations(), 0, "{dialect}");
    }
}

/// The address is that of the server as the client knows it, and works; the copy stays.
#[test]
fn a_shared_page_is_where_the_address_says() {
    for dialect in Dialect::ALL {
        for base in ["", "/chat"] {
            let service = service(dialect).base_path(base).start().unwrap();
            let mut conversation = client(&service).conversation().unwrap();
            text(conversation.send("Hello")).unwrap();
            let address = conversation.share().unwrap();
            let begin = format!("{}/r/", service.url());
            assert!(address.starts_with(&begin), "{dialect}: {address}");
            assert!(address.len() > begin.len(), "{dialect}: {address}");
            assert_eq!(
                conversation.share().unwrap(),
                address,
                "{dialect}: the same again"
            );
            conversation.close().unwrap();
            let agent: ureq::Agent = ureq::Agent::config_builder().proxy(None).build().into();
            let page = agent.get(&address).call().expect("the page");
            assert_eq!(page.status(), 200, "{dialect}");
        }
    }
}

/// Such a server takes itself for `https`; on another site, its word is taken.
#[test]
fn a_shared_page_has_the_scheme_of_the_server_even_if_it_does_not_know_it() {
    let service = service(Dialect::V0_5).start().unwrap();
    let host = service.url().strip_prefix("http://").unwrap();
    let mut conversation = client(&service).conversation().unwrap();
    for (named, expected) in [
        (
            format!("https://{host}/r/abc"),
            format!("http://{host}/r/abc"),
        ),
        (
            "https://hf.co/chat/r/abc".into(),
            "https://hf.co/chat/r/abc".into(),
        ),
    ] {
        let body = format!("{{\"url\":\"{named}\"}}");
        let response = Fault::Answer {
            status: 200,
            content_type: "application/json",
            body,
        };
        service.fail_next(1, "POST /conversation/{id}/share", response);
        assert_eq!(conversation.share().unwrap(), expected);
    }
}

#[test]
fn resuming_takes_no_request_and_knows_no_model() {
    for dialect in Dialect::ALL {
        let service = service(dialect).start().unwrap();
        let client = client(&service);
        let conversation = client.conversation().unwrap();
        assert_eq!(
            conversation.model(),
            Some(support::service::MODELS[0]),
            "{dialect}"
        );
        let id = conversation.keep();
        let requests = service.requests().len();
        let conversation = client.resume(&*id).unwrap();
        assert_eq!(conversation.model(), None);
        assert_eq!(conversation.keep(), id);
        assert_eq!(service.requests().len(), requests, "{dialect}");
    }
}

/// As far as the version says.
#[test]
fn models_say_what_they_take() {
    for dialect in Dialect::ALL {
        let able = Model {
            multimodal: true,
            tools: true,
            reasoning: true,
            ..Model::new("org/able")
        };
        let models = vec![Model::new("org/plain"), able];
        let service = service(dialect).able_models(models).start().unwrap();
        let models = client(&service).models().unwrap();
        let [plain, able] = &models[..] else {
            panic!("{dialect}: {models:?}");
        };
        let position = Dialect::ALL.iter().position(|one| *one == dialect);
        let since = |first| position >= Dialect::ALL.iter().position(|one| *one == first);
        // The page of v0.7 says it, too.
        let expected = [
            since(Dialect::V0_7),
            since(Dialect::V0_9_3),
            since(Dialect::Main),
        ];
        for (model, can) in [(plain, false), (able, true)] {
            let said = [model.multimodal, model.tools, model.reasoning];
            let expected = expected.map(|says| says.then_some(can));
            assert_eq!(said, expected, "{dialect}: {model:?}");
        }
    }
}
