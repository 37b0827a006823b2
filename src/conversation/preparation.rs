//! What is done before the first message of a conversation that was created here.

use std::sync::Arc;

use super::{Conversation, Preparation};
use crate::error::{Error, Result, Step};
use crate::http::watchdog::Watch;
use crate::http::{Body, Request};
use crate::protocol::dialect::{Dialect, SystemPrompt};
use crate::protocol::encoding::percent_encode;
use crate::protocol::message::{Author, OutgoingMessage, Parent};
use crate::protocol::request;

impl Conversation {
    /// Prepares the conversation for its first message, and the message for a server that has no
    /// other place for the system prompt. `dialect` is `None` for a server that has no tree of
    /// messages, and otherwise is not known yet.
    pub(super) fn prepare(
        &mut self,
        message: &mut OutgoingMessage,
        dialect: Option<&'static Dialect>,
        parent: Option<Parent>,
        watch: &Arc<Watch>,
    ) -> Result<Option<Parent>> {
        let Preparation::Pending {
            has_settings,
            has_title,
        } = self.preparation
        else {
            return Ok(parent);
        };
        let generates_titles = dialect.is_none_or(|dialect| dialect.generates_titles);
        match &message.title {
            Some(title) => self.set_title(title.trim(), watch)?,
            None if !generates_titles || has_title || self.session.options.titles => {}
            None => self.set_title(&request::title_of_prompt(&message.inputs), watch)?,
        }
        // A message that is refused leaves the rest to the next one.
        self.preparation = Preparation::Pending {
            has_settings,
            has_title: true,
        };
        self.place_system_prompt(message, dialect, parent, has_settings, watch)
    }

    fn place_system_prompt(
        &mut self,
        message: &mut OutgoingMessage,
        dialect: Option<&'static Dialect>,
        parent: Option<Parent>,
        has_settings: bool,
        watch: &Arc<Watch>,
    ) -> Result<Option<Parent>> {
        let Some(system_prompt) = self.session.options.system_prompt.clone() else {
            return Ok(parent);
        };
        match (dialect.map(|dialect| dialect.system_prompt), parent) {
            (Some(SystemPrompt::Settings), parent) => {
                if !(has_settings && self.takes_system_prompts(watch)?) {
                    message.preamble = Some(system_prompt);
                }
                Ok(parent)
            }
            (Some(SystemPrompt::CreateAndRoot), Some(root)) if root.author == Author::System => {
                self.delete_root(root, watch)
            }
            (_, parent) => Ok(parent),
        }
    }

    /// Sets a title, so that the server does not ask the model for one, which may take as long as
    /// a reply. If the server refuses, it asks the model.
    fn set_title(&mut self, title: &str, watch: &Arc<Watch>) -> Result<()> {
        let body = Body::json(request::title(title));
        let request = Request::patch(Step::Prepare, &self.path, &body);
        self.connection.call(&request, watch).map(drop)
    }

    /// Whether the settings of the server have system prompts, which v0.3 and v0.4 have not.
    fn takes_system_prompts(&mut self, watch: &Arc<Watch>) -> Result<bool> {
        let page = self.read_page(None, watch)?;
        Ok(page.is_some_and(|page| page.has_custom_prompts))
    }

    /// Deletes the message that repeats the system prompt. Servers that cannot delete messages do
    /// not repeat it.
    fn delete_root(&mut self, root: Parent, watch: &Arc<Watch>) -> Result<Option<Parent>> {
        let path = format!("/api{}/message/{}", self.path, percent_encode(&root.id));
        let request = Request::delete(Step::Prepare, &path);
        match self.connection.call(&request, watch) {
            Ok(response) if response.is_success() => Ok(None),
            Ok(_) => Ok(Some(root)),
            Err(error @ (Error::Cancelled { .. } | Error::Timeout { .. })) => Err(error),
            Err(_) => Ok(Some(root)),
        }
    }
}
