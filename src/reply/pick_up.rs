//! Going on with a reply whose connection broke.

use std::time::Duration;

use super::{Reply, State};
use crate::error::{Error, Result, Step};
use crate::http::Opened;
use crate::protocol::event::StreamItem;

/// How often a reply is picked up without any progress, and the pause before the second time.
const MAX_FRUITLESS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(100);

/// What has been done to pick a reply up.
#[derive(Default)]
pub(super) struct PickUps {
    /// How far the reply was when it was last picked up: its text, and the events of its log.
    progress: (usize, Option<u64>),
    /// How often that has not changed.
    fruitless: u32,
}

impl Reply<'_> {
    /// Whether the rest of the reply may still come, over another connection.
    pub(super) fn may_pick_up(&self, error: &Error) -> bool {
        let State::Reading(tokens) = &self.state else {
            return false;
        };
        matches!(error, Error::Incomplete { .. })
            && !tokens.has_finished()
            && !self.watch.has_ended()
            && (tokens.is_log() || self.conversation.get().picks_up_replies())
    }

    /// Goes on after `error`, which is returned if that is of no use.
    pub(super) fn pick_up(&mut self, error: Error) -> Result<()> {
        let State::Reading(tokens) = &mut self.state else {
            return Err(error);
        };
        let progress = (tokens.text().len(), tokens.last_event_id());
        let last = tokens.last_event_id().unwrap_or_default();
        if self.pick_ups.progress != progress {
            self.pick_ups = PickUps {
                progress,
                fruitless: 0,
            };
        }
        self.pick_ups.fruitless += 1;
        let tries = self.pick_ups.fruitless;
        if tries > MAX_FRUITLESS {
            return Err(error);
        }
        self.watch.restart();
        if tries > 1
            && let Err(cause) = self.watch.sleep(PAUSE * tries)
        {
            return Err(cause.error(Step::Reattach).with_partial(tokens.text()));
        }
        let conversation = self.conversation.get_mut();
        if !conversation.may_have_log() {
            return self.take_from_history(error);
        }
        match conversation.open_log(self.generation_id, last, &self.watch) {
            Ok(Opened::Stream(stream)) => {
                tokens.reconnect(stream);
                Ok(())
            }
            // Before v0.10 there is no log.
            Ok(Opened::Refused(response)) if response.status == 404 => {
                self.take_from_history(error)
            }
            Ok(Opened::Refused(_)) => Err(error),
            Err(ended @ (Error::Cancelled { .. } | Error::Timeout { .. })) => {
                Err(ended.with_partial(tokens.text()))
            }
            // Not reached: perhaps the next time.
            Err(_) => self.pick_up(error),
        }
    }

    fn take_from_history(&mut self, error: Error) -> Result<()> {
        let stored = self
            .conversation
            .get_mut()
            .wait_for_stored_reply(&self.watch);
        match (stored, &mut self.state) {
            (Ok(Some(text)), State::Reading(tokens)) if text.starts_with(tokens.text()) => {
                tokens.complete_with(text)
            }
            (Err(ended @ (Error::Cancelled { .. } | Error::Timeout { .. })), _) => {
                Err(ended.with_partial(self.text()))
            }
            _ => Err(error),
        }
    }

    /// The next item, over another connection if the one in use breaks, or did with the error `found`.
    pub(super) fn next_over_breaks(
        &mut self,
        mut found: Option<Error>,
    ) -> Result<Option<StreamItem>> {
        loop {
            let item = match found.take() {
                Some(error) => Err(error),
                None => match &mut self.state {
                    State::Reading(tokens) => tokens.next_item(),
                    _ => return Ok(None),
                },
            };
            match item {
                Err(error) if self.may_pick_up(&error) => self.pick_up(error)?,
                item => return item,
            }
        }
    }
}
