//! Deleting a conversation.

use std::time::Instant;

use super::{Conversation, LONGEST_STOP, LONGEST_TAIL_BEFORE_DELETE};
use crate::error::{Error, Result, Step};
use crate::http::Request;
use crate::session::watch_alone;

impl Conversation {
    /// Deletes the conversation, unless that was done or given up before.
    pub(super) fn delete(&mut self) -> Result<()> {
        // Taken first, so that a failed delete is not repeated by `Drop`.
        if self.id.take().is_none() {
            return Ok(());
        }
        let longest = self.connection.timeouts().delete;
        let started = Instant::now();
        self.stop_abandoned_reply(LONGEST_STOP);
        self.finish_response(LONGEST_TAIL_BEFORE_DELETE.min(longest / 4));
        let request = Request::delete(Step::Delete, &self.path);
        let watch = || watch_alone(longest.saturating_sub(started.elapsed()));
        let first = self.connection.call(&request, &watch());
        self.connection.release();
        let (response, is_second) = match first {
            // Mostly the server had closed the idle connection. Deleting twice is harmless.
            Err(Error::Network { .. }) => {
                self.connection.renew();
                (self.connection.call(&request, &watch())?, true)
            }
            response => (response?, false),
        };
        self.connection.release();
        let is_gone = is_second && response.status == 404;
        if response.is_success() || is_gone {
            Ok(())
        } else {
            Err(response.error())
        }
    }
}
