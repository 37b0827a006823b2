//! The reply to a message: sent when it is first read, and then token by token.

use std::fmt;
use std::iter::FusedIterator;
use std::sync::Arc;
use std::time::Instant;

use crate::canceller::Canceller;
use crate::conversation::Conversation;
use crate::error::{Error, Fallible, Result, Step};
use crate::interrupt::{Cause, Interrupt};
use crate::protocol::dialect::Dialect;
use crate::protocol::event::{Piece, next_token};
use crate::protocol::finish_reason::FinishReason;
use crate::protocol::request::Message;
use crate::protocol::search::Search;
use crate::protocol::tokens::Tokens;
use crate::response::{Stream, interrupted};
use crate::turn::{BeginSearch, Stage};

/// The reply to one message, token by token, as it arrives.
///
/// Like any iterator it does nothing until it is read: the message is sent by the first `next`.
/// Each `next` waits for the next token, at most `timeout_token`; all of them together take
/// `timeout_reply` at most. Tokens come out exactly as the service sent them, but for empty ones,
/// and none is held back. An error is the last item. `None` means that the reply is complete: the
/// service has said so.
///
/// It borrows its conversation, so that nothing else can be sent before it is dropped. Dropping
/// it before its end closes the connection and asks the service to stop.
///
/// What a model thinks within its text (`<think>...</think>`) is part of the text, as the service
/// sends it; what a service reports apart from the text comes out of [`events`](Reply::events).
///
/// Implements the message step and the stream of the protocol.
#[must_use = "the message is sent when its reply is read"]
pub struct Reply<'c> {
    // In this order: what is being read is dropped before its conversation is deleted.
    state: State,
    message: Box<Message>,
    /// How to ask for the web search that may have to come first.
    pub(crate) search: Option<BeginSearch>,
    conversation: Owner<'c>,
    interrupt: Arc<Interrupt>,
}

enum State {
    Unsent,
    Searching(Box<dyn Search>),
    Reading(Box<Tokens<Stream>>),
    Ended {
        text: String,
        finish_reason: Option<FinishReason>,
    },
}

/// How a reply is left.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Complete,
    /// The service has failed, or hung up.
    Broken,
    /// Dropped, cancelled, or given up.
    Abandoned,
}

pub(crate) enum Owner<'c> {
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

impl<'c> Reply<'c> {
    pub(crate) fn new(mut conversation: Owner<'c>, message: Message) -> Self {
        let timeouts = conversation.get().connection.timeouts();
        Reply {
            state: State::Unsent,
            message: Box::new(message),
            search: None,
            conversation,
            interrupt: Arc::new(Interrupt::new(timeouts.token)),
        }
    }

    /// What has been said so far; the final text once the reply is complete.
    ///
    /// The tokens joined are the final text too, unless the service ended with another text
    /// than the one it streamed.
    pub fn text(&self) -> &str {
        match &self.state {
            State::Unsent | State::Searching(_) => "",
            State::Reading(tokens) => tokens.text(),
            State::Ended { text, .. } => text,
        }
    }

    /// Why the reply ended; `None` before its end, and where the service does not say: those of 2023
    /// do, later ones only say whether somebody stopped it.
    pub fn finish_reason(&self) -> Option<FinishReason> {
        match &self.state {
            State::Unsent | State::Searching(_) => None,
            State::Reading(tokens) => tokens.finish_reason(),
            State::Ended { finish_reason, .. } => *finish_reason,
        }
    }

    /// A handle that ends this reply from another thread, now or later.
    pub fn canceller(&self) -> Canceller {
        Canceller::new(Arc::clone(&self.interrupt))
    }

    /// Reads up to the next piece.
    fn read(&mut self) -> Fallible<Option<Piece>> {
        loop {
            match &mut self.state {
                State::Unsent => {
                    let conversation = self.conversation.get();
                    let ends = Instant::now() + conversation.connection.timeouts().reply;
                    self.interrupt.arm(ends);
                    let stage =
                        conversation.take_turn(&mut self.message, self.search, &self.interrupt)?;
                    self.state = match stage {
                        Stage::Searching(search) => State::Searching(search),
                        Stage::Replying(tokens) => State::Reading(tokens),
                    };
                }
                State::Searching(search) => match search.advance()? {
                    Some(step) => return Ok(Some(step)),
                    None => self.ask_after_search()?,
                },
                // What has arrived and was not read is not handed out any more.
                State::Reading(tokens)
                    if !tokens.is_complete() && self.interrupt.is_cancelled() =>
                {
                    let error = interrupted(Step::Message, Cause::Cancelled);
                    return Err(error.with_partial(tokens.text()));
                }
                State::Reading(tokens) => {
                    let is_first = tokens.text().is_empty();
                    let piece = tokens.next_piece();
                    return match piece.is_ok() && self.is_echo(is_first) {
                        true => Err(self.end_with_echo()),
                        false => piece,
                    };
                }
                State::Ended { .. } => return Ok(None),
            }
        }
    }

    fn ask_after_search(&mut self) -> Fallible<()> {
        let result = match &mut self.state {
            State::Searching(search) => search.result().unwrap_or_default(),
            _ => return Ok(()),
        };
        // Hangs up, as the response to the search never ends.
        self.state = State::Unsent;
        let conversation = self.conversation.get();
        let tokens =
            conversation.take_turn_after_search(&mut self.message, result, &self.interrupt)?;
        self.state = State::Reading(tokens);
        Ok(())
    }

    /// Whether the final text is not what was said, but the prompt, which is how some services
    /// fail. `is_first` if nothing was said before it.
    fn is_echo(&mut self, is_first: bool) -> bool {
        let State::Reading(tokens) = &self.state else {
            return false;
        };
        tokens.is_complete()
            && (is_first || tokens.replaced().is_some())
            && tokens.text().trim() == self.message.inputs.trim()
            && self
                .conversation
                .get()
                .session
                .dialect()
                .is_some_and(Dialect::fails_by_repeating)
    }

    pub(crate) fn next_piece(&mut self) -> Fallible<Option<Piece>> {
        if matches!(self.state, State::Ended { .. }) {
            return Ok(None);
        }
        self.interrupt.step();
        let piece = self.read();
        self.interrupt.step();
        match &piece {
            Ok(Some(_)) => {}
            Ok(None) => self.end(End::Complete),
            Err(error) => self.end(match **error {
                Error::Cancelled { .. } | Error::Timeout { .. } => End::Abandoned,
                _ => End::Broken,
            }),
        }
        piece
    }

    /// Leaves a reply whose text is what was said before its end.
    fn end_with_echo(&mut self) -> Box<Error> {
        let said = match &self.state {
            State::Reading(tokens) => tokens.replaced().unwrap_or_default().to_owned(),
            _ => String::new(),
        };
        self.end(End::Broken);
        let message = "it ended the reply by repeating the prompt".into();
        let error = Error::server(message, None, None).with_partial(&said);
        self.state = State::Ended {
            text: said,
            finish_reason: None,
        };
        error
    }

    /// Leaves the response: to be read to its end if the reply is complete, or else hanging up.
    fn end(&mut self, end: End) {
        let conversation = self.conversation.get();
        let nothing = State::Ended {
            text: String::new(),
            finish_reason: None,
        };
        match std::mem::replace(&mut self.state, nothing) {
            State::Reading(tokens) => {
                let finish_reason = tokens.finish_reason();
                let (stream, text) = tokens.into_parts();
                self.state = State::Ended {
                    text,
                    finish_reason,
                };
                if end == End::Complete {
                    conversation.reply_is_complete(stream, &self.interrupt);
                } else {
                    drop(stream);
                    conversation.connection.release(&self.interrupt);
                    conversation.is_to_stop = end == End::Abandoned;
                }
            }
            State::Searching(search) => {
                drop(search);
                conversation.connection.release(&self.interrupt);
            }
            State::Unsent => {}
            ended @ State::Ended { .. } => self.state = ended,
        }
    }
}

impl Iterator for Reply<'_> {
    type Item = Result<String>;

    fn next(&mut self) -> Option<Self::Item> {
        next_token(|| self.next_piece())
    }
}

impl FusedIterator for Reply<'_> {}

impl Drop for Reply<'_> {
    fn drop(&mut self) {
        self.end(End::Abandoned);
        // Not sooner, so that whoever cancels a reply need not wait for this.
        self.conversation.get().stop();
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
