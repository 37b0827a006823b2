//! The log of replies that outlive their connection.
//!
//! The updates of a reply get numbers, from 1 on. Tokens that come within [`LOGGED_EVERY`] become
//! one update.

use std::time::{Duration, Instant};

use super::answer;

/// How long tokens are collected before they are logged as one update.
const LOGGED_EVERY: Duration = Duration::from_millis(200);

/// How a generation ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Completed,
    Interrupted,
    Error,
}

impl End {
    pub(super) fn name(self) -> &'static str {
        match self {
            End::Completed => "completed",
            End::Interrupted => "interrupted",
            End::Error => "error",
        }
    }
}

/// A stop that was asked for.
#[derive(Clone, Copy)]
pub(super) struct StopRequest {
    /// How much of the reply was seen, in UTF-16 units: the rest is to be forgotten.
    pub seen: Option<usize>,
}

pub(super) struct Generation {
    pub id: String,
    pub conversation: String,
    pub stop: Option<StopRequest>,
    pub end: Option<End>,
    updates: Vec<String>,
    /// Tokens that are not logged yet, and when the first of them came.
    pending: Option<(String, Instant)>,
}

impl Generation {
    /// Adds the string of a token.
    pub(super) fn token(&mut self, string: &str) {
        self.flush_due();
        match &mut self.pending {
            Some((pending, _)) => pending.push_str(string),
            None => self.pending = Some((string.to_owned(), Instant::now())),
        }
    }

    /// Adds an update other than a token.
    pub(super) fn update(&mut self, json: &str) {
        self.flush();
        self.updates.push(json.to_owned());
    }

    pub(super) fn finish(&mut self, end: End) {
        self.flush();
        self.end = Some(end);
    }

    /// The updates after that number.
    pub(super) fn after(&mut self, number: usize) -> &[String] {
        self.flush_due();
        self.updates.get(number..).unwrap_or_default()
    }

    fn flush_due(&mut self) {
        if let Some((_, since)) = &self.pending
            && since.elapsed() >= LOGGED_EVERY
        {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if let Some((pending, _)) = self.pending.take() {
            let token = answer::string(&pending);
            self.updates
                .push(format!("{{\"type\":\"stream\",\"token\":{token}}}"));
        }
    }
}

/// All generations, oldest first.
#[derive(Default)]
pub(super) struct Generations(Vec<Generation>);

impl Generations {
    pub(super) fn start(&mut self, id: &str, conversation: &str) {
        self.0.push(Generation {
            id: id.to_owned(),
            conversation: conversation.to_owned(),
            stop: None,
            end: None,
            updates: Vec::new(),
            pending: None,
        });
    }

    pub(super) fn get(&mut self, id: &str) -> Option<&mut Generation> {
        self.0.iter_mut().find(|generation| generation.id == id)
    }

    /// The newest one of a conversation.
    pub(super) fn newest(&mut self, conversation: &str) -> Option<&mut Generation> {
        self.0
            .iter_mut()
            .rfind(|generation| generation.conversation == conversation)
    }

    pub(super) fn forget(&mut self, id: &str) {
        self.0.retain(|generation| generation.id != id);
    }
}
