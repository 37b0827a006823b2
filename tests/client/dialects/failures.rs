//! Replies that do not come to their end.

use h2ogpt::Error;

use support::client::read;
use support::service::{Dialect, Fault};

use super::{Cell, Column, builder, check, service};

pub fn columns() -> Vec<Column> {
    vec![
        Column::new("an error first", error_first, |dialect| match dialect {
            Dialect::V0_7 => "Server: it ended the reply by repeating the prompt",
            _ => "Server: Model is overloaded",
        }),
        Column::new("an error after three tokens", error_later, |dialect| {
            match dialect {
                // They have tried twice.
                Dialect::V0_9_6 | Dialect::Main => "Server, after 6 tokens",
                _ => "Server, after 3 tokens",
            }
        }),
        Column::new(
            "cut after three tokens",
            cut,
            |_| "Incomplete, after 3 tokens",
        ),
        Column::new(
            "cut in an event",
            cut_in_an_event,
            |_| "Incomplete, after 3 tokens",
        ),
        Column::new(
            "an end without a final event",
            no_final,
            |_| "Incomplete, after 3 tokens",
        ),
        Column::new("rate limited", rate_limited, |_| "429, again in 7 s"),
    ]
}

/// What a reply comes to with such a fault, and that the conversation can be deleted.
fn fail(dialect: Dialect, fault: Fault) -> Cell {
    let service = service(dialect)
        .faults(move |seen| seen.is_message().then(|| fault.clone()))
        .start()?;
    let mut conversation = builder(&service).build()?.conversation()?;
    let (tokens, error) = read(conversation.send("Hi there"));
    conversation.close()?;
    check(service.conversations() == 0, "not deleted")?;
    let Some(error) = error else {
        return Ok(format!("taken for the end, {:?}", tokens.concat()));
    };
    let count = tokens.len();
    Ok(match error {
        Error::Server { message, .. } if count == 0 => format!("Server: {message}"),
        Error::Server { .. } => format!("Server, after {count} tokens"),
        Error::Incomplete { .. } => format!("Incomplete, after {count} tokens"),
        Error::Http {
            status,
            retry_after: Some(wait),
            ..
        } => format!("{status}, again in {} s", wait.as_secs()),
        other => format!("{other:?}"),
    })
}

fn error_first(dialect: Dialect) -> Cell {
    fail(dialect, Fault::ErrorEvent(0))
}

fn error_later(dialect: Dialect) -> Cell {
    fail(dialect, Fault::ErrorEvent(3))
}

fn cut(dialect: Dialect) -> Cell {
    fail(dialect, Fault::Cut(3))
}

fn cut_in_an_event(dialect: Dialect) -> Cell {
    fail(dialect, Fault::CutMidEvent(3))
}

fn no_final(dialect: Dialect) -> Cell {
    fail(dialect, Fault::NoFinal(3))
}

fn rate_limited(dialect: Dialect) -> Cell {
    fail(dialect, Fault::Status(429, Some(7)))
}
