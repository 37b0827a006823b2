//! The reply to a message, token by token.

mod pick_up;

use std::fmt;
use std::iter::FusedIterator;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use crate::canceller::Canceller;
use crate::conversation::{
    ABANDONED_STORED_WITHIN, BROKEN_STORED_WITHIN, Conversation, LONGEST_STOP,
    LONGEST_STOP_AFTER_ERROR, ReplyEnd, WebSearcher,
};
use crate::error::{Error, Result, Step};
use crate::http::Opened;
use crate::http::response::Stream;
use crate::http::watchdog::{Cause, Watch};
use crate::ignored::Ignored;
use crate::protocol::event::{Event, StreamItem};
use crate::protocol::finish_reason::FinishReason;
use crate::protocol::tokens::{Tokens, next_token};
use pick_up::PickUps;

/// The reply to one message, token by token, as it arrives.
///
/// Each `next` waits for the next token, for at most `timeout_token`; all of them together take at
/// most `timeout_reply`. Tokens come out exactly as the server sent them, except for empty ones,
/// and none is held back. An error is the last item. `None` means that the reply is complete: the
/// server has said so.
///
/// It borrows its conversation, so that nothing else can be sent before it is dropped. Dropping
/// it before its end closes the connection and asks the server to stop, which takes at most half a
/// second; also if its connection broke and the rest cannot be picked up later.
///
/// What a model thinks within its text (`<think>...</think>`) is part of the text, as the server
/// sends it; what a server reports apart from the text comes out of [`events`](Reply::events).
#[must_use = "a reply that is dropped is stopped"]
pub struct Reply<'c> {
    // In this order: what is being read is dropped before its conversation is deleted.
    state: State,
    /// Events in JSON that are handed out before anything else is read: the progress of a web
    /// search, and an event that came after a token that was ready.
    queued: Vec<String>,
    ignored: Vec<Ignored>,
    has_yielded: bool,
    /// Whether it may be asked for again, once, if a stop for another reply hits it.
    may_ask_again: bool,
    /// The id of the server's log of the reply; `None` for the newest one.
    generation_id: Option<Uuid>,
    pick_ups: PickUps,
    /// An error that was found by [`Reply::ready`], for the next `next`: it ends the reply, or lets it
    /// be picked up.
    found: Option<Error>,
    watch: Arc<Watch>,
    conversation: Owner<'c>,
}

enum State {
    Reading(Box<Tokens<Stream>>),
    Ended(Ended),
}

#[derive(Default)]
struct Ended {
    text: String,
    finish_reason: Option<FinishReason>,
}

pub(crate) enum Owner<'c> {
    Borrowed(&'c mut Conversation),
    Owned(Box<Conversation>),
}

impl Owner<'_> {
    fn get(&self) -> &Conversation {
        match self {
            Owner::Borrowed(conversation) => conversation,
            Owner::Owned(conversation) => conversation,
        }
    }

    fn get_mut(&mut self) -> &mut Conversation {
        match self {
            Owner::Borrowed(conversation) => conversation,
            Owner::Owned(conversation) => conversation,
        }
    }
}

impl<'c> Reply<'c> {
    /// Sends the conversation's last message.
    pub(crate) fn begin(
        mut conversation: Owner<'c>,
        searcher: Option<WebSearcher>,
    ) -> Result<Self> {
        let posted = conversation.get_mut().post(searcher);
        let posted = posted.inspect_err(|_| {
            let conversation = conversation.get_mut();
            conversation.stop_abandoned_reply(LONGEST_STOP_AFTER_ERROR);
        })?;
        let mut reply = Reply::new(posted.tokens, posted.watch, conversation);
        reply.queued = posted.search;
        reply.ignored = posted.ignored;
        reply.generation_id = Some(posted.generation_id);
        Ok(reply)
    }

    fn new(tokens: Box<Tokens<Stream>>, watch: Arc<Watch>, conversation: Owner<'c>) -> Self {
        Reply {
            state: State::Reading(tokens),
            queued: Vec::new(),
            ignored: Vec::new(),
            has_yielded: false,
            may_ask_again: true,
            generation_id: None,
            pick_ups: PickUps::default(),
            found: None,
            watch,
            conversation,
        }
    }

    /// Reads the newest reply of a conversation from the server's log of it.
    pub(crate) fn reattach(conversation: &'c mut Conversation) -> Result<Self> {
        let watch = conversation.watch_log()?;
        let opened = conversation.open_log(None, 0, &watch);
        let stream = match opened {
            Ok(Opened::Stream(stream)) => stream,
            Ok(Opened::Refused(response)) => {
                conversation.log_failed();
                let mut error = response.error();
                if !response.misses_conversation() {
                    let hint = " (servers before chat-ui v0.10 cannot pick up a reply)";
                    error.add_hint(&[404, 405], hint);
                }
                return Err(error);
            }
            Err(error) => {
                conversation.log_failed();
                return Err(error);
            }
        };
        let tokens = conversation.tokens_of_log(stream);
        let mut reply = Reply::new(tokens, watch, Owner::Borrowed(conversation));
        reply.may_ask_again = false;
        Ok(reply)
    }

    /// The text so far; the final text once the reply is complete.
    ///
    /// The tokens joined are the final text too, unless the server ended with another text than
    /// the one it streamed.
    pub fn text(&self) -> &str {
        match &self.state {
            State::Reading(tokens) => tokens.text(),
            State::Ended(ended) => &ended.text,
        }
    }

    /// Reads the reply to its end, and returns its text.
    ///
    /// # Errors
    ///
    /// The error that ended the reply, which holds the text so far.
    pub fn into_text(mut self) -> Result<String> {
        for token in &mut self {
            token?;
        }
        match &mut self.state {
            State::Ended(ended) => Ok(std::mem::take(&mut ended.text)),
            _ => Ok(self.text().to_owned()),
        }
    }

    /// Why the reply ended, known with its last token; `None` before, and where the server does not
    /// say: those of 2023 do, later ones only say whether it was interrupted.
    pub fn finish_reason(&self) -> Option<FinishReason> {
        match &self.state {
            State::Reading(tokens) => {
                let conversation = self.conversation.get();
                conversation.finish_reason(tokens.finish_reason())
            }
            State::Ended(ended) => ended.finish_reason,
        }
    }

    /// What was asked for and this server ignores, such as generation parameters. The reply comes
    /// all the same.
    pub fn ignored(&self) -> &[Ignored] {
        &self.ignored
    }

    /// A canceller of this reply alone: it has no effect on later ones.
    pub fn canceller(&self) -> Canceller {
        let canceller = Canceller::new();
        canceller.signal.add(&self.watch);
        canceller
    }

    /// The next token if it has already arrived; `None` if `next` would have to wait, before an
    /// event other than a token, and at the end of the reply. Never blocks.
    ///
    /// For programs that print: take a token with `next`, then all that are ready, and then flush
    /// the output once.
    ///
    /// ```no_run
    /// use std::io::{Write, stdout};
    ///
    /// # let client = h2ogpt::Client::new("http://localhost:3000")?;
    /// let mut reply = client.generate("What is a monad?")?;
    /// while let Some(token) = reply.next() {
    ///     print!("{}", token?);
    ///     while let Some(token) = reply.ready() {
    ///         print!("{token}");
    ///     }
    ///     stdout().flush()?;
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn ready(&mut self) -> Option<String> {
        // The first item may have to be checked against what the server does when it fails.
        if !self.has_yielded || !self.queued.is_empty() || self.watch.has_ended() {
            return None;
        }
        while self.found.is_none() {
            let State::Reading(tokens) = &mut self.state else {
                return None;
            };
            match tokens.ready_item()? {
                Ok(StreamItem::Token(token)) if !self.is_echo(false) => return Some(token),
                Ok(StreamItem::Token(_)) => {
                    self.found = Some(self.end_with_echo());
                }
                Ok(StreamItem::Event(event)) => {
                    self.queued.push(event);
                    return None;
                }
                Err(error) => {
                    if !self.may_pick_up(&error) {
                        self.end_after(&error);
                    }
                    self.found = Some(error);
                }
            }
        }
        None
    }

    /// Reads everything that happens, not only the text: titles, web searches, tools, reasoning.
    /// What was read by one of the two iterators does not come again in the other.
    ///
    /// ```no_run
    /// use h2ogpt::{Event, Prompt};
    ///
    /// # let client = h2ogpt::Client::new("http://localhost:3000")?;
    /// let prompt = Prompt::new("What is new in Rust?").web_search(true);
    /// for event in client.generate(prompt)?.events() {
    ///     match event? {
    ///         Event::Token(token) => print!("{token}"),
    ///         Event::WebSearch(step) => eprintln!("{}", step.message),
    ///         _ => {}
    ///     }
    /// }
    /// # Ok::<(), h2ogpt::Error>(())
    /// ```
    pub fn events(&mut self) -> Events<'_, 'c> {
        Events { reply: self }
    }

    /// The next token or event; `None` when the reply is complete, and after an error.
    fn next_item(&mut self) -> Result<Option<StreamItem>> {
        if !self.queued.is_empty() {
            return Ok(Some(StreamItem::Event(self.queued.remove(0))));
        }
        loop {
            let item = self.read_item();
            match &item {
                Ok(None) if self.was_stopped_by_mistake() => {
                    self.ask_again()?;
                    continue;
                }
                Ok(Some(_)) => self.has_yielded = true,
                Ok(None) => self.end_complete(),
                Err(error) => self.end_after(error),
            }
            return item;
        }
    }

    fn read_item(&mut self) -> Result<Option<StreamItem>> {
        let found = self.found.take();
        let State::Reading(tokens) = &mut self.state else {
            return found.map_or(Ok(None), Err);
        };
        // What has arrived before a cancel, and was not read, is not handed out any more.
        if self.watch.has_ended() && !tokens.is_complete() {
            let cause = self.watch.cause().unwrap_or(Cause::Cancelled);
            return Err(cause.error(Step::Message).with_partial(tokens.text()));
        }
        let is_first = tokens.text().is_empty();
        let item = self.next_over_breaks(found);
        if item.is_ok() && self.is_echo(is_first) {
            return Err(self.end_with_echo());
        }
        item
    }

    /// Whether the final text is not the streamed one, but the prompt, which is how some servers
    /// fail. `is_first` if no text came before it.
    fn is_echo(&self, is_first: bool) -> bool {
        let State::Reading(tokens) = &self.state else {
            return false;
        };
        tokens.is_complete()
            && (is_first || tokens.replaced().is_some())
            && self.conversation.get().fails_by_repeating(tokens.text())
    }

    /// Whether the server has ended the reply although nobody here stopped it, before anything of
    /// it was handed out: a stop that was meant for an earlier reply has hit it.
    fn was_stopped_by_mistake(&self) -> bool {
        let State::Reading(tokens) = &self.state else {
            return false;
        };
        !self.has_yielded
            && self.may_ask_again
            && tokens.finish_reason() == Some(FinishReason::Interrupted)
            && self.conversation.get().may_be_stopped_by_mistake()
    }

    fn ask_again(&mut self) -> Result<()> {
        self.may_ask_again = false;
        self.end_complete();
        let posted = self.conversation.get_mut().post_again(&self.watch)?;
        self.generation_id = Some(posted.generation_id);
        self.state = State::Reading(posted.tokens);
        Ok(())
    }

    fn end_complete(&mut self) {
        if let Some(stream) = self.end() {
            self.conversation
                .get_mut()
                .reply_ended(ReplyEnd::Complete(stream));
        }
    }

    fn end_after(&mut self, error: &Error) {
        let State::Reading(tokens) = &self.state else {
            return;
        };
        let end = match error {
            Error::Cancelled { .. } | Error::Timeout { .. } => {
                self.abandoned(ABANDONED_STORED_WITHIN)
            }
            Error::Server { .. } => ReplyEnd::Broken,
            _ if tokens.has_finished() || self.conversation.get().logs_replies() => {
                ReplyEnd::Broken
            }
            // The server may go on with it, and store it over what follows.
            _ => self.abandoned(BROKEN_STORED_WITHIN),
        };
        self.end();
        self.conversation.get_mut().reply_ended(end);
    }

    fn abandoned(&self, stored_within: Duration) -> ReplyEnd {
        ReplyEnd::Abandoned {
            generation_id: self.generation_id,
            seen: self.text().encode_utf16().count(),
            stored_within,
        }
    }

    /// Leaves a reply whose text is what was streamed before its end.
    fn end_with_echo(&mut self) -> Error {
        let streamed = match &self.state {
            State::Reading(tokens) => tokens.replaced().unwrap_or_default().to_owned(),
            _ => String::new(),
        };
        let message = "it ended the reply by repeating the prompt";
        let error = Error::server(message, None, None).with_partial(&streamed);
        self.end_after(&error);
        self.state = State::Ended(Ended {
            text: streamed,
            finish_reason: None,
        });
        error
    }

    /// Stops reading, and returns the response if it was being read.
    fn end(&mut self) -> Option<Stream> {
        match std::mem::replace(&mut self.state, State::Ended(Ended::default())) {
            State::Reading(tokens) => {
                let conversation = self.conversation.get();
                let finish_reason = conversation.finish_reason(tokens.finish_reason());
                let (stream, text) = tokens.into_parts();
                self.state = State::Ended(Ended {
                    text,
                    finish_reason,
                });
                Some(stream)
            }
            ended => {
                self.state = ended;
                None
            }
        }
    }
}

impl Iterator for Reply<'_> {
    type Item = Result<String>;

    fn next(&mut self) -> Option<Self::Item> {
        // One wait for all that is passed over.
        self.watch.begin_wait();
        let token = next_token(|| self.next_item());
        self.watch.end_wait();
        token
    }
}

impl FusedIterator for Reply<'_> {}

impl Drop for Reply<'_> {
    fn drop(&mut self) {
        let is_complete = matches!(&self.state, State::Reading(tokens) if tokens.is_complete());
        if is_complete {
            self.end_complete();
        } else if self.end().is_some() {
            let end = self.abandoned(ABANDONED_STORED_WITHIN);
            self.conversation.get_mut().reply_ended(end);
        }
        // Not sooner, so that whoever cancels a reply need not wait for this.
        self.conversation
            .get_mut()
            .stop_abandoned_reply(LONGEST_STOP);
    }
}

/// Shows the text so far and how the reply ended.
impl fmt::Debug for Reply<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("text", &self.text())
            .field("finish_reason", &self.finish_reason())
            .finish_non_exhaustive()
    }
}

/// Everything that happens in a reply, as it happens; from [`Reply::events`].
///
/// Each `next` waits like that of the [`Reply`], for the next event.
#[derive(Debug)]
#[must_use = "events come only as they are read"]
pub struct Events<'r, 'c> {
    reply: &'r mut Reply<'c>,
}

impl Iterator for Events<'_, '_> {
    type Item = Result<Event>;

    fn next(&mut self) -> Option<Self::Item> {
        self.reply.watch.begin_wait();
        let item = self.reply.next_item();
        self.reply.watch.end_wait();
        Some(item.transpose()?.map(Event::from))
    }
}

impl FusedIterator for Events<'_, '_> {}
