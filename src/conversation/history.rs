//! What the server has stored of a conversation, as far as the next message depends on it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Conversation, NextParent};
use crate::error::{Error, Result, Step};
use crate::http::Request;
use crate::http::watchdog::Watch;
use crate::protocol::dialect::{Dialect, V0_8};
use crate::protocol::history::{ConversationPage, History};
use crate::protocol::json::Json;
use crate::protocol::message::Parent;
use crate::protocol::page_data;
use crate::sanitize::sanitize;

/// The pauses between two looks at the history: each is twice as long as the one before.
pub(super) struct Pauses {
    pub(super) first: Duration,
    pub(super) longest: Duration,
}

impl Conversation {
    /// The message that the next one follows. Asks the server if that is not known, which also
    /// tells the version of a server that is not known yet.
    pub(super) fn next_parent(&mut self, watch: &Arc<Watch>) -> Result<Option<Parent>> {
        match std::mem::replace(&mut self.parent, NextParent::Unknown) {
            NextParent::Known(parent) => Ok(Some(parent)),
            NextParent::Nothing => Ok(None),
            NextParent::Unknown => self.read_last_message(watch),
        }
    }

    fn read_last_message(&mut self, watch: &Arc<Watch>) -> Result<Option<Parent>> {
        if self.session.hides_api()
            && let Some(page) = self.read_page(self.session.dialect(), watch)?
        {
            return Ok(page.last);
        }
        let path = format!("/api{}", self.path);
        let response = self
            .connection
            .call(&Request::get(Step::History, &path), watch)?;
        let dialect = self.session.dialect();
        match response.status {
            // v0.7 does not have the path; a later version does not have the conversation.
            404 if dialect.is_none_or(|dialect| !dialect.has_tree())
                && !response.misses_conversation() =>
            {
                return Ok(None);
            }
            403 => return self.read_last_message_of_page(watch, response.error()),
            _ if !response.is_success() => return Err(response.error()),
            _ => {}
        }
        let history = History::read(&response.body);
        let expected = "JSON with the conversation's messages";
        let history = history.ok_or_else(|| response.unexpected(expected))?;
        let allows_any_origin = response.allows_any_origin;
        let found = Dialect::of_history(history.has_model_tools, allows_any_origin);
        self.session.set_dialect(found);
        Ok(history.last)
    }

    /// The same where the API is hidden, v0.8 to v0.9.4.
    fn read_last_message_of_page(
        &mut self,
        watch: &Arc<Watch>,
        refusal: Error,
    ) -> Result<Option<Parent>> {
        let known = self.session.dialect().filter(|dialect| dialect.has_tree());
        let Some(page) = self.read_page(known, watch)? else {
            return Err(refusal);
        };
        self.session.set_api_hidden();
        if known.is_none() {
            let found = Dialect::of_settings(page.has_disable_stream);
            self.session.set_dialect(found);
        }
        Ok(page.last)
    }

    /// The data of the conversation's page; `None` if the server does not have it. It comes
    /// without the layout's data, which tells the version, if the dialect is given.
    pub(super) fn read_page(
        &mut self,
        dialect: Option<&Dialect>,
        watch: &Arc<Watch>,
    ) -> Result<Option<ConversationPage>> {
        let mut path = format!("{}/__data.json", self.path);
        if let Some(dialect) = dialect {
            path.push_str("?x-sveltekit-invalidated=");
            path.push_str(dialect.page_data_only);
        }
        let request = Request::get(Step::History, &path);
        let response = self.connection.call(&request, watch)?;
        let Some(page) = response.json() else {
            return Ok(None);
        };
        check_page(page)?;
        Ok(ConversationPage::read(page))
    }

    /// Waits until the server has stored the last message and its reply, where it does that only
    /// some time after the response. A message that is sent sooner is answered without them.
    pub(super) fn wait_until_stored(&mut self, watch: &Arc<Watch>) -> Result<()> {
        let dialect = self.session.dialect().unwrap_or(&V0_8);
        if self.is_tail_broken && dialect.finishes_replies {
            self.wait_for_stored_reply(watch)?;
        }
        self.is_tail_broken = false;
        let Some(unstored) = self.unstored else {
            return Ok(());
        };
        if !dialect.stores_late {
            self.unstored = None;
            return Ok(());
        }
        let only = dialect.page_data_only;
        let path = format!("{}/__data.json?x-sveltekit-invalidated={only}", self.path);
        let ids = [unstored.id, unstored.response_id].map(|id| id.to_string());
        let pauses = Pauses {
            first: Duration::from_millis(10),
            longest: Duration::from_millis(250),
        };
        let are_stored = |body: &str| {
            let are_stored = ids.iter().all(|id| body.contains(id));
            are_stored.then(String::new)
        };
        self.poll_history(&path, pauses, unstored.longest, watch, &are_stored)?;
        self.unstored = None;
        Ok(())
    }

    /// Asks for the history until `find` finds something in it. Gives up after `longest`, or half of
    /// the time that is left if that is less, and if the server refuses.
    pub(super) fn poll_history(
        &mut self,
        path: &str,
        pauses: Pauses,
        longest: Duration,
        watch: &Arc<Watch>,
        find: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Option<String>> {
        let request = Request::get(Step::History, path);
        let ends = Instant::now() + longest.min(watch.time_left() / 2);
        let mut pause = pauses.first;
        loop {
            let response = self.connection.call(&request, watch)?;
            let found = find(&response.body);
            if found.is_some() || !response.is_success() || Instant::now() >= ends {
                return Ok(found);
            }
            let slept = watch.sleep(pause);
            slept.map_err(|cause| cause.error(Step::History))?;
            pause = pauses.longest.min(pause * 2);
        }
    }
}

/// Fails if a page's data hold an error, although their response is a success.
pub(super) fn check_page(page: Json<'_>) -> Result<()> {
    match page_data::error(page) {
        None => Ok(()),
        Some((status, message)) => Err(Error::Http {
            step: Step::History,
            status,
            message: sanitize(&message),
            retry_after: None,
        }),
    }
}
