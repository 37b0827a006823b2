//! Every dialect, every capability: a table whose cells say what a user gets, in words.

mod failures;
mod sessions;
mod talks;

use std::error::Error;
use std::fmt::Write;
use std::sync::Mutex;
use std::thread;

use h2ogpt::{Client, ClientBuilder, Conversation};

use support::service::{Builder, Dialect, Service};

/// What a cell says, or why it says nothing.
pub type Cell = Result<String, Box<dyn Error>>;

/// One capability: how it is tried, and what it comes to in a dialect.
pub struct Column {
    pub name: &'static str,
    pub run: fn(Dialect) -> Cell,
    pub expected: fn(Dialect) -> &'static str,
}

impl Column {
    pub const fn new(
        name: &'static str,
        run: fn(Dialect) -> Cell,
        expected: fn(Dialect) -> &'static str,
    ) -> Column {
        Column {
            name,
            run,
            expected,
        }
    }
}

/// The dialects of 2023 up to v0.6: server-sent events.
pub fn is_of_2023(dialect: Dialect) -> bool {
    matches!(dialect, Dialect::V0_3 | Dialect::V0_5 | Dialect::V0_6)
}

pub fn service(dialect: Dialect) -> Builder {
    Service::builder().dialect(dialect)
}

/// A client that leaves broken what is broken: it does not wait for the rest of a reply.
pub fn builder(service: &Service) -> ClientBuilder {
    let builder = Client::builder().url(service.url()).no_proxy();
    builder.reattach(false)
}

/// Sends a prompt and reads all of the reply, whose tokens are its text.
pub fn ask(conversation: &mut Conversation, prompt: &str) -> Result<String, Box<dyn Error>> {
    let mut reply = conversation.send(prompt)?;
    let tokens = reply.by_ref().collect::<h2ogpt::Result<String>>()?;
    check(reply.text() == tokens, reply.text())?;
    check(reply.next().is_none(), "more after the end")?;
    Ok(tokens)
}

pub fn check(is_so: bool, otherwise: impl Into<String>) -> Result<(), Box<dyn Error>> {
    if is_so {
        Ok(())
    } else {
        Err(otherwise.into().into())
    }
}

/// What was said in a conversation, as the server has it.
pub fn history(service: &Service, id: &str) -> Vec<String> {
    let said = service.history(id).unwrap_or_default();
    let lines = said.into_iter().filter(|(who, _)| who != "system");
    lines.map(|(who, what)| format!("{who}: {what}")).collect()
}

/// The cell, and whether it is as expected.
fn fill(column: &Column, dialect: Dialect) -> (String, bool) {
    let expected = (column.expected)(dialect);
    match (column.run)(dialect) {
        Ok(cell) if cell == expected => (cell, true),
        Ok(cell) => (format!("{cell:?} instead of {expected:?}"), false),
        Err(error) => (format!("{error:?} instead of {expected:?}"), false),
    }
}

#[test]
fn every_dialect_has_every_capability_or_says_why_not() {
    let columns: Vec<Column> = [talks::columns(), sessions::columns(), failures::columns()]
        .into_iter()
        .flatten()
        .collect();
    let places = columns.iter().enumerate().flat_map(|(index, column)| {
        Dialect::ALL
            .into_iter()
            .map(move |dialect| (index, column, dialect))
    });
    let places = Mutex::new(places);
    let cells = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                loop {
                    let place = places.lock().unwrap().next();
                    let Some((index, column, dialect)) = place else {
                        return;
                    };
                    let cell = fill(column, dialect);
                    cells.lock().unwrap().push((index, dialect, cell));
                }
            });
        }
    });
    let cells = cells.into_inner().unwrap();
    assert_eq!(cells.len(), columns.len() * Dialect::ALL.len());

    let mut table = String::new();
    let mut problems = String::new();
    for (index, column) in columns.iter().enumerate() {
        // Neighbours that say the same share a line.
        let mut last: Option<&str> = None;
        let _ = write!(table, "{}", column.name);
        for dialect in Dialect::ALL {
            let is_it =
                |place: &&(usize, Dialect, (String, bool))| place.0 == index && place.1 == dialect;
            let Some((_, _, (cell, is_right))) = cells.iter().find(is_it) else {
                continue;
            };
            if last != Some(cell) {
                let _ = write!(table, "\n    from {:7} {cell}", dialect.to_string());
            }
            last = Some(cell);
            if !is_right {
                let _ = writeln!(problems, "{}, {dialect}: {cell}", column.name);
            }
        }
        table.push('\n');
    }
    println!("{table}");
    assert!(problems.is_empty(), "\n{problems}");
}
