//! Servers as people run them: without their address, below a path, with sessions that are lent.

use std::io::Write;
use std::sync::Barrier;
use std::thread;

use h2ogpt::{Client, DEFAULT_MODEL, Error, Prompt};

use support::client::{builder, client, text};
use support::http1::{LAST_CHUNK, Request, chunk, response};
use support::script::{self, Endpoint, HEAD};
use support::server::{Server, Then};
use support::service::{Dialect, MODELS, Origin, Seen, Service, Settings};

use crate::dialects::is_of_2023;

const SYSTEM: &str = "Be brief.";

fn count(service: &Service, is_it: impl Fn(&Seen) -> bool) -> usize {
    service.requests().iter().filter(|seen| is_it(seen)).count()
}

/// Both are rejected, and neither takes back what the other has found out.
#[test]
fn two_threads_agree_on_the_address_of_a_server_that_does_not_know_it() {
    for _ in 0..20 {
        let service = Service::builder().dialect(Dialect::V0_5).terms(true);
        let service = service.origin(Origin::Unset).start().unwrap();
        let session = "9213be9a-0000-4000-8000-000000000001";
        let client = builder(service.url()).model(MODELS[0]);
        let client = client.cookie("hf-chat", session).build().unwrap();
        let barrier = Barrier::new(2);
        let create = || {
            barrier.wait();
            client.conversation().map(drop)
        };
        thread::scope(|scope| {
            for thread in [scope.spawn(create), scope.spawn(create)] {
                thread.join().unwrap().unwrap();
            }
        });
    }
}

/// Up to v0.6, a server that was not told its address takes itself for `https`.
#[test]
fn a_server_without_its_address_has_all_that_others_have() {
    for dialect in Dialect::ALL {
        let service = Service::builder().dialect(dialect).origin(Origin::Unset);
        let service = service.start().unwrap();
        let client = builder(service.url())
            .system_prompt(SYSTEM)
            .build()
            .unwrap();
        let mut conversation = client.conversation().unwrap();
        let prompt = Prompt::new("Who won?").web_search(true);
        let said = text(conversation.send(prompt)).unwrap();
        if dialect != Dialect::V0_9_6 && dialect != Dialect::Main {
            assert!(said.contains("I searched the web for"), "{dialect}: {said}");
        }
        let is_first = dialect == Dialect::V0_3 && said.starts_with("You said: \"Be brief.");
        assert!(
            is_first || said.contains("My instructions are"),
            "{dialect}: {said}"
        );
        conversation.close().unwrap();
        // What worked is remembered, for all that follows.
        if is_of_2023(dialect) {
            let origins: Vec<String> = service
                .requests()
                .iter()
                .skip_while(|seen| seen.path != "/settings")
                .map(|seen| {
                    seen.header("origin")
                        .unwrap()
                        .replace(|c: char| c != 's', "")
                })
                .collect();
            assert_eq!(origins[..2], ["", "s"], "{dialect}");
            assert!(origins[1..].iter().all(|origin| origin == "s"), "{dialect}");
        }
    }
}

/// What it says to the settings tells nothing of the version: on a later one, this reply would be
/// an error.
#[test]
fn a_server_without_its_address_may_repeat_the_prompt() {
    let server = Server::start(|request: &Request, out: &mut dyn Write| {
        let referer = request.header("referer").unwrap_or_default();
        if request.endpoint() == Endpoint::Settings && referer.starts_with("http:") {
            let text = ("Content-Type", "text/plain");
            let refused = "Invalid referer for POST request";
            let _ = out.write_all(&response("403 Forbidden", &[text], refused));
            return Then::KeepAlive;
        }
        if request.endpoint() == Endpoint::Message {
            let reply = [HEAD, &chunk(script::last_event("Yes")), LAST_CHUNK];
            let _ = out.write_all(&reply.concat());
            return Then::KeepAlive;
        }
        script::respond(request, out)
    });
    assert_eq!(text(client(server.url()).generate("Yes")).unwrap(), "Yes");
    assert_eq!(server.requests_to(Endpoint::Settings).len(), 2);
}

/// Neither scheme helps where the server takes itself for another host, and it does without the
/// settings.
#[test]
fn a_server_with_another_address_replies_all_the_same() {
    for dialect in [Dialect::V0_3, Dialect::V0_5, Dialect::V0_6] {
        let origin = Origin::Is("https://chat.example.org".into());
        let service = Service::builder()
            .dialect(dialect)
            .terms(false)
            .origin(origin);
        let service = service.start().unwrap();
        assert!(
            text(client(service.url()).generate("Hello")).is_ok(),
            "{dialect}"
        );
        assert_eq!(count(&service, |seen| seen.path == "/settings"), 2);
        let last = service.requests().pop().unwrap();
        assert_eq!(last.header("origin"), Some(service.url()), "as it was");
    }
}

/// The session of a person, who has chosen a model, a system prompt and to share.
fn lend(service: &Service) -> (String, Vec<Settings>) {
    let person = builder(service.url())
        .model(MODELS[1])
        .system_prompt("Be polite.")
        .share_with_model_authors(true)
        .build()
        .unwrap();
    person.conversation().unwrap().close().unwrap();
    let cookie = person.cookie("hf-chat").expect("a session");
    (cookie, service.settings())
}

#[test]
fn the_settings_of_a_session_that_was_lent_are_left_alone() {
    for dialect in Dialect::ALL {
        let service = Service::builder().dialect(dialect).start().unwrap();
        let (cookie, before) = lend(&service);
        let borrowed = || builder(service.url()).cookie("hf-chat", &*cookie);
        let client = borrowed().model(MODELS[2]).system_prompt(SYSTEM).build();
        let mut conversation = client.unwrap().conversation().unwrap();
        let said = text(conversation.send("Hello")).unwrap();
        // It is in front of the message where only settings could hold it.
        let is_first = is_of_2023(dialect) && said.starts_with("You said: \"Be brief.\n\nHello\"");
        let is_obeyed = said.contains("My instructions are: \"Be brief.\"");
        assert!(is_first || is_obeyed, "{dialect}: {said}");
        drop(conversation);
        assert_eq!(service.settings(), before, "{dialect}");
    }
}

/// Only if it must be.
#[test]
fn the_settings_of_a_session_that_was_lent_are_posted_to_accept_the_terms_or_to_share() {
    for dialect in [Dialect::V0_5, Dialect::V0_7, Dialect::V0_8, Dialect::V0_9_3] {
        let service = Service::builder().dialect(dialect).start().unwrap();
        let fresh = || builder(service.url()).cookie("hf-chat", "0000-never-seen");
        assert!(
            text(fresh().build().unwrap().generate("Hello")).is_ok(),
            "{dialect}"
        );
        assert_eq!(service.settings().len(), 1, "{dialect}");
        assert!(!service.settings()[0].share);
    }
    for dialect in Dialect::ALL {
        let service = Service::builder().dialect(dialect).terms(false).start();
        let service = service.unwrap();
        let lent = builder(service.url()).cookie("hf-chat", "0000-never-seen");
        let client = lent.share_with_model_authors(true).build().unwrap();
        assert!(text(client.generate("Hello")).is_ok(), "{dialect}");
        let shared: Vec<bool> = service.settings().iter().map(|known| known.share).collect();
        assert_eq!(shared, [true], "{dialect}");
    }
}

#[test]
fn a_server_below_a_path_is_guessed_where_the_root_has_nothing() {
    for dialect in Dialect::ALL {
        let service = Service::builder().dialect(dialect).base_path("/chat");
        let service = service.start().unwrap();
        let root = service.url().trim_end_matches("/chat").to_owned();
        for error in [
            client(&*root).models().unwrap_err(),
            client(&*root).conversation().unwrap_err(),
            builder(&*root)
                .model("m")
                .build()
                .unwrap()
                .conversation()
                .unwrap_err(),
        ] {
            assert!(
                matches!(error, Error::Http { status: 404, .. }),
                "{dialect}: {error:?}"
            );
            assert!(
                error.to_string().contains("http://host/chat"),
                "{dialect}: {error}"
            );
        }
        assert!(client(service.url()).models().is_ok());
    }
}

/// Up to v0.9.4 that is in the data of the page.
#[test]
fn the_model_that_is_active_in_the_session_replies_if_none_is_named() {
    for dialect in [Dialect::V0_3, Dialect::V0_5, Dialect::V0_6, Dialect::V0_7] {
        let service = Service::builder().dialect(dialect).start().unwrap();
        let (cookie, _) = lend(&service);
        let borrowed = builder(service.url()).cookie("hf-chat", cookie).build();
        text(borrowed.unwrap().generate("Hello")).unwrap();
        let call = service.model_calls().pop().expect("a reply");
        assert_eq!(call.model, MODELS[1], "{dialect}");
    }
}

/// A server that lists none may still have the one of 2023.
#[test]
fn a_server_without_any_list_is_asked_for_the_model_of_2023() {
    let server = Server::start(script::respond);
    let client = Client::builder().url(server.url()).no_proxy().build();
    client.unwrap().conversation().unwrap().close().unwrap();
    let create = &server.requests_to(Endpoint::Create)[0];
    assert_eq!(create.json()["model"], DEFAULT_MODEL);
}
