//! What is sent in a conversation.

use crate::conversation::Conversation;
use crate::error::{Error, Fallible, Result};
use crate::parameters::Parameters;
use crate::protocol::request::Message;
use crate::reply::{Owner, Reply};

impl Conversation {
    /// Sends a message, and returns the reply to be read; nothing is sent before. The service
    /// adds both to the history.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if the prompt is blank. What goes wrong later comes out of the
    /// reply.
    pub fn send(&mut self, prompt: impl Into<String>) -> Result<Reply<'_>> {
        let message = self.message(prompt.into())?;
        Ok(Reply::new(Owner::Borrowed(self), message))
    }

    /// Like [`send`](Conversation::send), with parameters for this message, which win over those
    /// of the client.
    ///
    /// # Errors
    ///
    /// Those of `send`, and [`Error::Configuration`] for a parameter out of bounds.
    pub fn send_with(
        &mut self,
        prompt: impl Into<String>,
        parameters: &Parameters,
    ) -> Result<Reply<'_>> {
        let mut message = self.message(prompt.into())?;
        message.parameters.overlay(&parameters.encode()?);
        Ok(Reply::new(Owner::Borrowed(self), message))
    }

    /// Asks for another reply to the last message, in place of the one in the history; with the
    /// same parameters. If the service has not taken that message, it is sent anew.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if nothing was sent in this conversation yet. What goes wrong
    /// later comes out of the reply.
    pub fn retry(&mut self) -> Result<Reply<'_>> {
        let last = self.last.clone();
        let mut message =
            last.ok_or_else(|| Error::configuration("there is no message to retry"))?;
        message.is_retry = true;
        Ok(Reply::new(Owner::Borrowed(self), message))
    }

    /// Like [`send`](Conversation::send), but the service searches the web first, and answers
    /// from what it finds. [`Reply::events`] tells of the search; the plain iterator waits for it.
    /// If the search fails, the reply comes without it.
    ///
    /// # Errors
    ///
    /// Those of `send`.
    pub fn web_search(&mut self, prompt: impl Into<String>) -> Result<Reply<'_>> {
        let mut message = self.message(prompt.into())?;
        message.web_search = true;
        let mut reply = Reply::new(Owner::Borrowed(self), message);
        reply.search = Some(Conversation::begin_search);
        Ok(reply)
    }

    /// Sends a message, and deletes the conversation with its reply.
    pub(crate) fn into_reply(self, prompt: String) -> Fallible<Reply<'static>> {
        let message = self.message(prompt)?;
        Ok(Reply::new(Owner::Owned(Box::new(self)), message))
    }

    fn message(&self, inputs: String) -> Fallible<Message> {
        if inputs.trim().is_empty() {
            return Err(Error::configuration("the prompt is blank"));
        }
        Ok(Message::new(inputs, self.session.parameters.clone()))
    }
}
