//! Picking up a reply whose connection broke: from the server's log of it, or from the history.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::Conversation;
use super::history::Pauses;
use crate::error::{Result, Step};
use crate::http::response::Stream;
use crate::http::watchdog::Watch;
use crate::http::{Opened, Request};
use crate::protocol::dialect::{Dialect, V0_10};
use crate::protocol::history;
use crate::protocol::tokens::Tokens;

/// Longest wait for a reply to be stored: the server may have lost it, too.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

impl Conversation {
    /// Begins to read a reply that another connection may have begun.
    pub(crate) fn watch_log(&mut self) -> Result<Arc<Watch>> {
        let watch = self.scope.watch_reply(&self.session.http);
        self.finish_response(watch.time_left() / 2);
        self.connection.enforce_limits(&watch, Step::Reattach)?;
        Ok(watch)
    }

    /// Requests what the log has of a reply after the event `last`; the newest reply if no id is
    /// given. From v0.10 on.
    pub(crate) fn open_log(
        &mut self,
        generation_id: Option<Uuid>,
        last: u64,
        watch: &Arc<Watch>,
    ) -> Result<Opened> {
        let mut path = format!("{}/stream?fromSeq={last}", self.path);
        if let Some(id) = generation_id {
            path.push_str(&format!("&generationId={id}"));
        }
        self.connection
            .open(&Request::get(Step::Reattach, &path), watch)
    }

    /// Decodes the log of a reply of which nothing was received before.
    pub(crate) fn tokens_of_log(&self, stream: Stream) -> Box<Tokens<Stream>> {
        // Only these versions have one.
        self.session.set_dialect(&V0_10);
        let tokens = Tokens::resumed(stream, String::new());
        Box::new(tokens.max_reply(self.session.options.max_reply))
    }

    /// Whether a reply goes on when its connection breaks, and the caller wants the rest of it.
    pub(crate) fn picks_up_replies(&self) -> bool {
        let finishes = |dialect: &Dialect| dialect.finishes_replies;
        self.session.options.reattach && self.session.dialect().is_some_and(finishes)
    }

    /// Whether the server may have a log of its replies.
    pub(crate) fn may_have_log(&self) -> bool {
        let keeps = |dialect: &Dialect| dialect.keeps_generating;
        self.session.dialect().is_some_and(keeps)
    }

    /// Whether the server has one.
    pub(crate) fn logs_replies(&self) -> bool {
        let logs = |dialect: &Dialect| dialect.logs_replies;
        self.session.dialect().is_some_and(logs)
    }

    /// Waits for the reply to be stored in the history, and returns its text; `None` if it is not
    /// stored in time. Where there is no log of it, a reply is still generated to its end.
    pub(crate) fn wait_for_stored_reply(&mut self, watch: &Arc<Watch>) -> Result<Option<String>> {
        let path = format!("/api{}", self.path);
        let pauses = Pauses {
            first: Duration::from_millis(100),
            longest: Duration::from_secs(2),
        };
        self.poll_history(&path, pauses, LONGEST_WAIT, watch, &history::finished_reply)
    }

    /// Takes the connection back after a reply could not be picked up.
    pub(crate) fn log_failed(&mut self) {
        self.connection.release();
    }
}
