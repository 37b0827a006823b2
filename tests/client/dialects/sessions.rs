//! What is agreed on at the beginning of a session: models, cookies, logins, connections.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use h2ogpt::{Client, DEFAULT_MODEL, Error};

use support::client::{read, text};
use support::service::{Dialect, Fault, MODELS, Service};

use super::{Cell, Column, ask, builder, check, history, is_of_2023, service};

pub fn columns() -> Vec<Column> {
    vec![
        Column::new("the list of models", models, |_| "3 models"),
        Column::new(
            "the default model",
            default_model,
            |_| "the first of the list",
        ),
        Column::new(
            "a model that it does not have",
            unknown_model,
            |dialect| match dialect {
                _ if is_of_2023(dialect) => "500 at Settings, named beside one that there is",
                Dialect::V0_7 => "500 at Create, named beside one that there is",
                _ => "400 at Create, named beside one that there is",
            },
        ),
        Column::new("sharing with the authors", sharing, |_| "only if asked for"),
        Column::new("kept, and resumed", resumed, |_| "goes on"),
        Column::new("resumed with the cookie", resumed_elsewhere, |dialect| {
            if dialect.is_tree() {
                "goes on; for others 404 at History"
            } else {
                "goes on; for others 404 at Message"
            }
        }),
        Column::new("a login is required", login, |_| "at Create"),
        Column::new(
            "the cookie of a login",
            cookie_of_a_login,
            |_| "let in; others not",
        ),
        Column::new("a session that is forgotten", forgotten, |_| "goes on"),
        Column::new("a hidden API", hidden_api, |_| "all turns and the retry"),
        Column::new("connections", connections, |dialect| match dialect {
            // Its replies end by hanging up.
            Dialect::V0_7 => "2 for one, 11 for ten",
            _ => "1 for one, 1 for ten",
        }),
        Column::new(
            "closed while idle",
            closed_while_idle,
            |_| "goes on, deleted",
        ),
    ]
}

fn models(dialect: Dialect) -> Cell {
    let service = service(dialect).start()?;
    let models = builder(&service).build()?.models()?;
    let ids: Vec<&str> = models.iter().map(|model| &*model.id).collect();
    check(ids == MODELS, format!("{ids:?}"))?;
    Ok(format!("{} models", models.len()))
}

fn default_model(dialect: Dialect) -> Cell {
    let service = service(dialect).models(&["first", DEFAULT_MODEL]).start()?;
    let client = builder(&service).build()?;
    ask(&mut client.conversation()?, "Hi")?;
    let create = service.requests().into_iter();
    let mut create = create.filter(|seen| seen.path == "/conversation");
    let body = create.next().ok_or("no conversation")?.text();
    Ok(match body {
        body if body.contains("\"first\"") => "the first of the list".into(),
        body if body.contains(DEFAULT_MODEL) => "that of 2023".into(),
        body => body,
    })
}

fn unknown_model(dialect: Dialect) -> Cell {
    let service = service(dialect).start()?;
    let client = builder(&service).model("no/such-model").build()?;
    let error = client.conversation().err().ok_or("a conversation")?;
    let shown = error.to_string();
    let named = match (shown.contains("no/such-model"), shown.contains(MODELS[0])) {
        (true, true) => "named beside one that there is",
        (true, false) => "named",
        (false, _) => "not named",
    };
    match error {
        Error::Http { status, step, .. } => Ok(format!("{status} at {step:?}, {named}")),
        error => Err(error.into()),
    }
}

fn sharing(dialect: Dialect) -> Cell {
    let service = service(dialect).start()?;
    for share in [false, true] {
        let client = builder(&service).share_with_model_authors(share);
        client.build()?.conversation()?.close()?;
    }
    let shared: Vec<bool> = service.settings().iter().map(|known| known.share).collect();
    Ok(match shared.as_slice() {
        // Where no settings are posted, nothing is shared.
        [false, true] | [true] => "only if asked for".into(),
        other => format!("{other:?}"),
    })
}

/// Goes on with a conversation of one message.
fn go_on(client: &Client, service: &Service, id: &str) -> Result<(), Box<dyn std::error::Error>> {
    let mut conversation = client.resume(id)?;
    check(conversation.id() == id, conversation.id())?;
    let text = ask(&mut conversation, "Two")?;
    check(text.ends_with("\"One\". (2 messages so far)"), text)?;
    let history = history(service, &conversation.keep());
    check(history.len() == 4, format!("{history:?}"))
}

fn resumed(dialect: Dialect) -> Cell {
    let service = service(dialect).start()?;
    let client = builder(&service).build()?;
    let mut conversation = client.conversation()?;
    ask(&mut conversation, "One")?;
    let id = conversation.keep();
    go_on(&client, &service, &id)?;
    client.resume(&id)?.close()?;
    check(service.conversations() == 0, "not deleted")?;
    Ok("goes on".into())
}

fn resumed_elsewhere(dialect: Dialect) -> Cell {
    let service = service(dialect).cookie_name("my-chat").start()?;
    let client = builder(&service).build()?;
    let mut conversation = client.conversation()?;
    ask(&mut conversation, "One")?;
    let id = conversation.keep();
    let cookie = client.cookie("my-chat").ok_or("no cookie")?;

    let stranger = builder(&service).build()?;
    let mut conversation = stranger.resume(&id)?;
    let refused = match read(conversation.send("Two")) {
        (_, Some(Error::Http { status, step, .. })) => format!("{status} at {step:?}"),
        other => format!("{other:?}"),
    };
    check(conversation.close().is_err(), "deleted by a stranger")?;

    let friend = builder(&service).cookie("my-chat", cookie).build()?;
    go_on(&friend, &service, &id)?;
    friend.resume(&id)?.close()?;
    check(service.conversations() == 0, "not deleted")?;
    Ok(format!("goes on; for others {refused}"))
}

fn login(dialect: Dialect) -> Cell {
    let service = service(dialect).require_login(true).start()?;
    match builder(&service).build()?.conversation() {
        Err(Error::LoginRequired { step, .. }) => Ok(format!("at {step:?}")),
        other => Err(format!("{other:?}").into()),
    }
}

/// Only one session is let in, at any step.
fn cookie_of_a_login(dialect: Dialect) -> Cell {
    let service = service(dialect).faults(|seen| {
        let cookies = seen.header("cookie").unwrap_or_default();
        let is_in = cookies.split("; ").any(|cookie| cookie == "hf-chat=secret");
        (!is_in).then_some(Fault::Status(401, None))
    });
    let service = service.start()?;
    let friend = builder(&service).cookie("hf-chat", "secret").build()?;
    let mut conversation = friend.conversation()?;
    ask(&mut conversation, "One")?;
    ask(&mut conversation, "Two")?;
    conversation.close()?;
    let stranger = builder(&service).model(DEFAULT_MODEL).build()?;
    match stranger.conversation() {
        Err(Error::LoginRequired { .. }) => Ok("let in; others not".into()),
        other => Err(format!("{other:?}").into()),
    }
}

/// The server is started anew, and accepts no conversation before the terms are accepted.
fn forgotten(dialect: Dialect) -> Cell {
    let forget = Arc::new(AtomicBool::new(false));
    let service = service(dialect).faults({
        let forget = forget.clone();
        move |seen| {
            let is_new = seen.method == "POST" && seen.path == "/conversation";
            let is_it = is_new && forget.swap(false, SeqCst);
            is_it.then(|| Fault::Answer {
                status: 405,
                content_type: "application/json",
                body: "{\"error\":\"You need to accept the welcome modal first\"}".into(),
            })
        }
    });
    let service = service.start()?;
    let client = builder(&service).build()?;
    client.conversation()?.close()?;
    let before = service.settings().len();
    forget.store(true, SeqCst);
    let mut conversation = client.conversation()?;
    ask(&mut conversation, "Hi")?;
    check(
        service.settings().len() == before + 1,
        "the settings are not sent again",
    )?;
    Ok("goes on".into())
}

fn hidden_api(dialect: Dialect) -> Cell {
    let service = service(dialect).expose_api(false).start()?;
    let mut conversation = builder(&service).build()?.conversation()?;
    ask(&mut conversation, "One")?;
    ask(&mut conversation, "Two")?;
    let third = ask(&mut conversation, "Three")?;
    check(third.ends_with("\"Two\". (3 messages so far)"), &*third)?;
    let again = text(conversation.retry())?;
    check(again == third + " This is the second try.", &*again)?;
    let refused = service.requests().into_iter();
    let refused = refused.filter(|seen| seen.is_message() && seen.status != 200);
    check(refused.count() == 0, "a message was refused")?;
    conversation.close()?;
    check(service.conversations() == 0, "not deleted")?;
    Ok("all turns and the retry".into())
}

fn connections(dialect: Dialect) -> Cell {
    let service = service(dialect).start()?;
    let client = builder(&service).build()?;
    let mut counts = Vec::new();
    for _ in 0..10 {
        let mut conversation = client.conversation()?;
        ask(&mut conversation, "Hi")?;
        conversation.close()?;
        counts.push(service.connections());
    }
    Ok(format!("{} for one, {} for ten", counts[0], counts[9]))
}

fn closed_while_idle(dialect: Dialect) -> Cell {
    let service = service(dialect).start()?;
    let client = builder(&service).build()?;
    let mut conversation = client.conversation()?;
    service.close_idle_connections();
    ask(&mut conversation, "One")?;
    service.close_idle_connections();
    let text = ask(&mut conversation, "Two")?;
    check(text.contains("(2 messages so far)"), text)?;
    service.close_idle_connections();
    conversation.close()?;
    check(service.conversations() == 0, "not deleted")?;
    service.close_idle_connections();
    ask(&mut client.conversation()?, "Three")?;
    Ok("goes on, deleted".into())
}
