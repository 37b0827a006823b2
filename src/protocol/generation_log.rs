//! What main has logged of a reply: `GET /conversation/{id}/stream`, for a reply whose connection
//! broke. Server-sent events with a name and an id, whose data are those of the reply itself.

use super::json::Json;
use crate::error::{Error, Result};

/// The place in the log, and what is known of its text.
#[derive(Debug)]
pub(super) struct GenerationLog {
    /// How much of the text had been received before, and how much of that the log has repeated.
    known: usize,
    repeated: usize,
    /// The name of the event that is being read is `end`.
    is_end: bool,
    /// The id of the event that is being read, and of the last one that was read.
    id: Option<u64>,
    last_id: Option<u64>,
    /// The event was read before: a server or a cache sends it again.
    is_old: bool,
}

/// How the log ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum LogEnd {
    Completed,
    Interrupted,
    Error,
    /// The server does not have the log.
    Gone,
    Unknown,
}

impl GenerationLog {
    /// A log that begins with so much text that is known.
    pub(super) fn new(known: usize) -> Self {
        GenerationLog {
            known,
            repeated: 0,
            is_end: false,
            id: None,
            last_id: None,
            is_old: false,
        }
    }

    pub(super) fn last_id(&self) -> Option<u64> {
        self.last_id
    }

    /// Whether the log still repeats what is known.
    pub(super) fn is_repeating(&self) -> bool {
        self.is_old || self.repeated < self.known
    }

    /// Notes a line other than data.
    pub(super) fn field(&mut self, line: &str) {
        if line.is_empty() {
            self.is_end = false;
        } else if let Some(name) = line.strip_prefix("event:") {
            self.is_end = name.trim_ascii() == "end";
        } else if let Some(id) = line.strip_prefix("id:") {
            self.id = id.trim_ascii().parse().ok();
        }
    }

    /// Notes that the data of the event were read.
    pub(super) fn event_read(&mut self) {
        let id = self.id.take();
        self.is_old = id.is_some() && id <= self.last_id;
        self.last_id = id.max(self.last_id);
    }

    /// Starts over with a new response, which goes on after the last event that was read.
    pub(super) fn reconnect(&mut self) {
        self.is_end = false;
        self.id = None;
    }

    /// The new part of a token; `text` begins with what is known. Tokens may have been merged.
    pub(super) fn new_part(&mut self, token: String, text: &str) -> Result<String> {
        if self.is_old {
            return Ok(String::new());
        }
        let known = text.get(self.repeated..self.known).unwrap_or_default();
        if let Some(new) = token.strip_prefix(known) {
            self.repeated = self.known;
            return Ok(if known.is_empty() {
                token
            } else {
                new.to_owned()
            });
        }
        if known.starts_with(&token) {
            self.repeated += token.len();
            return Ok(String::new());
        }
        let source = "the server's log has another reply";
        Err(Error::incomplete(Some(source.into())))
    }

    /// Reads the data of an event, if that is the last one.
    pub(super) fn end(&self, data: &str) -> Option<LogEnd> {
        if !self.is_end {
            return None;
        }
        let status = Json::read(data).map(|data| data.text("status"));
        Some(match status.unwrap_or_default().as_str() {
            "completed" => LogEnd::Completed,
            "interrupted" => LogEnd::Interrupted,
            "error" => LogEnd::Error,
            "gone" => LogEnd::Gone,
            _ => LogEnd::Unknown,
        })
    }
}
