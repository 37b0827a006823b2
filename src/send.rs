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
    /// The message is `POST /conversation/{id}`. Where messages form a tree, from chat-ui v0.8 on,
    /// `GET /api/conversation/{id}` asks first which one it follows, unless the service has said so.
    ///
    /// ```no_run
    /// # let client = h2ogpt::Client::new("http://localhost:3000")?;
    /// let mut conversation = client.conversation()?;
    /// let text: String = conversation.send("Name a prime number.")?.collect::<Result<_, _>>()?;
    /// # Ok::<(), h2ogpt::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if the prompt is blank. What goes wrong later comes out of the
    /// reply: [`Error::Network`], [`Error::Timeout`], [`Error::Http`] if the service refuses the
    /// message, [`Error::LoginRequired`], [`Error::Server`] if it fails, [`Error::Incomplete`],
    /// [`Error::Protocol`], [`Error::Cancelled`].
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
    /// The requests are those of [`send`](Conversation::send), when the reply is first read. There is
    /// nothing to retry in a conversation that was [resumed](crate::Client::resume), before something
    /// is sent in it.
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
    /// Up to chat-ui v0.6 the search is a request before the message,
    /// `GET /conversation/{id}/web-search`; later the message asks for it. Some services have none.
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
