//! The reply to a message: sent when it is first read, and then token by token.

use std::fmt;
use std::iter::FusedIterator;
use std::sync::Arc;
use std::time::Instant;

use ureq::http::Method;

use crate::conversation::Conversation;
use crate::error::{Error, Result, Step};
use crate::http::{Content, Request, Stream};
use crate::interrupt::{Canceller, Interrupt};
use crate::parameters::Parameters;
use crate::protocol::request::Prompt;
use crate::protocol::tokens::{FinishReason, Tokens, tokens};

/// The reply to one message, token by token, as it arrives.
///
/// Like any iterator it does nothing until it is read: the message is sent by the first `next`.
/// Each `next` waits for the next token, at most `timeout_token`; all of them together take
/// `timeout_reply` at most. Tokens come out exactly as the service sent them, and none is held
/// back. An error is the last item. `None` means that the reply is complete: the service has
/// said so.
///
/// It borrows its conversation, so that nothing else can be sent before it is dropped. Dropping
/// it before its end closes the connection and asks the service to stop.
///
/// Implements the message step and the stream of the protocol.
#[must_use = "the message is sent when its reply is read"]
pub struct Reply<'c> {
    // In this order: what is being read is dropped before its conversation is deleted.
    state: State,
    conversation: Owner<'c>,
    interrupt: Arc<Interrupt>,
    ends: Option<Instant>,
}

enum State {
    Unsent(Box<Prompt>),
    Reading(Box<Tokens<Stream>>),
    Ended {
        text: String,
        finish_reason: Option<FinishReason>,
    },
}

enum Owner<'c> {
    Borrowed(&'c mut Conversation),
    Owned(Box<Conversation>),
}

impl Owner<'_> {
    fn get(&mut self) -> &mut Conversation {
        match self {
            Owner::Borrowed(conversation) => conversation,
            Owner::Owned(conversation) => conversation,
        }
    }
}

impl Conversation {
    /// Sends a message, and returns the reply to be read; nothing is sent before. The service
    /// adds both to the history.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if the prompt is blank. What goes wrong later comes out of the
    /// reply.
    pub fn send(&mut self, prompt: impl Into<String>) -> Result<Reply<'_>> {
        self.send_with(prompt, &Parameters::new())
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
        let prompt = self.prompt(prompt.into(), parameters)?;
        Ok(Reply::new(Owner::Borrowed(self), prompt))
    }

    /// Asks for another reply to the last message, in place of the one in the history; with the
    /// same parameters.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if nothing was sent in this conversation yet. What goes wrong
    /// later comes out of the reply.
    pub fn retry(&mut self) -> Result<Reply<'_>> {
        let last = self.last.clone();
        let mut prompt =
            last.ok_or_else(|| Error::configuration("there is no message to retry"))?;
        prompt.is_retry = true;
        Ok(Reply::new(Owner::Borrowed(self), prompt))
    }

    fn prompt(&self, inputs: String, parameters: &Parameters) -> Result<Prompt> {
        if inputs.trim().is_empty() {
            return Err(Error::configuration("the prompt is blank"));
        }
        parameters.validate()?;
        let parameters = self.client.parameters().merged(parameters);
        Ok(Prompt::new(inputs, parameters))
    }

    /// Sends a message and returns the body of the reply.
    fn ask(&mut self, prompt: &Prompt, interrupt: &Arc<Interrupt>) -> Result<Stream> {
        let path = self.path().to_owned();
        let body = prompt.body();
        let request = Request {
            step: Step::Message,
            method: Method::POST,
            path: &path,
            content: Content::Json(&body),
        };
        self.finish_response();
        self.last = Some(prompt.clone());
        match self.connection.open(&request, interrupt) {
            // The service has forgotten the session, and has not looked at the message.
            Err(Error::Http { status: 405, .. }) => {
                self.client.accept_terms_again(&mut self.connection)?;
                self.connection.open(&request, interrupt)
            }
            outcome => outcome,
        }
    }
}

impl<'c> Reply<'c> {
    fn new(conversation: Owner<'c>, prompt: Prompt) -> Self {
        Reply {
            state: State::Unsent(Box::new(prompt)),
            conversation,
            interrupt: Arc::default(),
            ends: None,
        }
    }

    /// A reply that owns its conversation.
    pub(crate) fn of_its_own(conversation: Conversation, prompt: String) -> Result<Reply<'static>> {
        let prompt = conversation.prompt(prompt, &Parameters::new())?;
        Ok(Reply::new(Owner::Owned(Box::new(conversation)), prompt))
    }

    /// What has been said so far; the final text once the reply is complete.
    ///
    /// The tokens joined are the final text too, unless the service ended with another text
    /// than the one it streamed.
    pub fn text(&self) -> &str {
        match &self.state {
            State::Unsent(_) => "",
            State::Reading(tokens) => tokens.text(),
            State::Ended { text, .. } => text,
        }
    }

    /// Why the reply ended; `None` before its end, and where the service does not say.
    pub fn finish_reason(&self) -> Option<FinishReason> {
        match &self.state {
            State::Unsent(_) => None,
            State::Reading(tokens) => tokens.finish_reason(),
            State::Ended { finish_reason, .. } => *finish_reason,
        }
    }

    /// A handle that ends this reply from another thread.
    pub fn canceller(&self) -> Canceller {
        Canceller::new(Arc::clone(&self.interrupt))
    }

    /// Grants the time for one more token.
    fn arm(&mut self) {
        let timeouts = self.conversation.get().connection.timeouts();
        let now = Instant::now();
        let ends = *self.ends.get_or_insert(now + timeouts.reply);
        let token = now + timeouts.token;
        if ends < token {
            self.interrupt.arm(ends, "timeout_reply");
        } else {
            self.interrupt.arm(token, "timeout_token");
        }
    }

    fn read(&mut self) -> Option<Result<String>> {
        loop {
            match &mut self.state {
                State::Unsent(prompt) => {
                    let asked = self.conversation.get().ask(prompt, &self.interrupt);
                    match asked {
                        Ok(stream) => self.state = State::Reading(Box::new(tokens(stream))),
                        Err(error) => {
                            self.end();
                            return Some(Err(error));
                        }
                    }
                }
                State::Reading(tokens) => {
                    let next = tokens.next();
                    if !matches!(next, Some(Ok(_))) {
                        self.end();
                    }
                    return next;
                }
                State::Ended { .. } => return None,
            }
        }
    }

    /// Leaves the response: to be read to its end if the reply is complete, or else hanging up.
    fn end(&mut self) {
        let ended = State::Ended {
            text: self.text().to_owned(),
            finish_reason: self.finish_reason(),
        };
        let conversation = self.conversation.get();
        let State::Reading(tokens) = std::mem::replace(&mut self.state, ended) else {
            return;
        };
        if tokens.is_complete() {
            conversation.reply_is_complete(tokens.into_inner(), Arc::clone(&self.interrupt));
        } else {
            drop(tokens);
            conversation.connection.release(&self.interrupt);
            conversation.stop();
        }
    }
}

impl Iterator for Reply<'_> {
    type Item = Result<String>;

    fn next(&mut self) -> Option<Self::Item> {
        if matches!(self.state, State::Ended { .. }) {
            return None;
        }
        self.arm();
        let next = self.read();
        self.interrupt.disarm();
        next
    }
}

impl FusedIterator for Reply<'_> {}

impl Drop for Reply<'_> {
    fn drop(&mut self) {
        if matches!(self.state, State::Reading(_)) {
            self.end();
        }
    }
}

/// Shows the text so far and how it ended.
impl fmt::Debug for Reply<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("text", &self.text())
            .field("finish_reason", &self.finish_reason())
            .finish_non_exhaustive()
    }
}
