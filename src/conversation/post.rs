//! One message on its way: what must be known before it, how it is posted, what is refused.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::{
    ABANDONED_STORED_WITHIN, BROKEN_STORED_WITHIN, Conversation, LONGEST_STOP, LONGEST_TAIL,
    LastMessage, NextParent, Preparation, Unstored, WebSearcher,
};
use crate::error::{Error, Result, Step, is_of_gateway};
use crate::http::response::{Response, Stream};
use crate::http::watchdog::Watch;
use crate::http::{Body, Opened, Request};
use crate::ignored::Ignored;
use crate::linked::Linked;
use crate::protocol::dialect::{Dialect, WebSearchRequest};
use crate::protocol::files::EncodedFiles;
use crate::protocol::message::{Author, EncodedMessage, OutgoingMessage, Parent};
use crate::protocol::request;
use crate::protocol::tokens::Tokens;

/// How long a stop lingers: a message that is sent sooner may be stopped, too.
const STOP_LINGERS: Duration = Duration::from_millis(300);

/// A message that the server has accepted.
pub(crate) struct Posted {
    pub(crate) watch: Arc<Watch>,
    pub(crate) tokens: Box<Tokens<Stream>>,
    /// The id of the server's log of the reply.
    pub(crate) generation_id: Uuid,
    /// The progress of the web search that came before, as events in JSON.
    pub(crate) search: Vec<String>,
    pub(crate) ignored: Vec<Ignored>,
}

impl Conversation {
    /// Sends the last message, and returns when the server has accepted it.
    pub(crate) fn post(&mut self, searcher: Option<WebSearcher>) -> Result<Posted> {
        let watch = self.scope.watch_reply(&self.session.http);
        self.post_as_part_of(&watch, searcher)
    }

    /// Asks for another reply to the last message, as part of the same operation.
    pub(crate) fn post_again(&mut self, watch: &Arc<Watch>) -> Result<Posted> {
        if let Some(last) = &mut self.last {
            last.message.retry();
        }
        watch.restart();
        self.post_as_part_of(watch, None)
    }

    fn post_as_part_of(
        &mut self,
        watch: &Arc<Watch>,
        searcher: Option<WebSearcher>,
    ) -> Result<Posted> {
        let Some(mut last) = self.last.take() else {
            return Err(Error::configuration("there is no message to send"));
        };
        let posted = self.post_watched(&mut last, searcher, watch);
        if let Err(error) = &posted {
            self.message_failed(&last.message, error);
        }
        self.last = Some(last);
        posted
    }

    fn post_watched(
        &mut self,
        last: &mut LastMessage,
        searcher: Option<WebSearcher>,
        watch: &Arc<Watch>,
    ) -> Result<Posted> {
        self.stop_abandoned_reply(LONGEST_STOP);
        // Half of the time, so that the message gets its share.
        self.finish_response(LONGEST_TAIL.min(watch.time_left() / 2));
        self.wait_after_stop(watch)?;
        self.wait_until_stored(watch)?;
        self.connection.enforce_limits(watch, Step::Message)?;

        let mut parent = None;
        if self.session.dialect().is_none_or(Dialect::has_tree) {
            parent = self.next_parent(watch)?;
        }
        let dialect = self.session.dialect();
        let is_stored = last.is_stored(dialect, parent.as_ref());
        let message = &mut last.message;
        message.is_retry &= is_stored;
        // The server has the files of a message that is replaced.
        let files = match last.attachments.clone() {
            Some(files) if !message.is_retry => files.encode(self, dialect, watch)?,
            _ => EncodedFiles::None,
        };
        parent = self.prepare(message, dialect, parent, watch)?;
        let search = match searcher {
            Some(Linked(search)) => search(self, message, watch)?,
            None => Vec::new(),
        };
        watch.check_limits(Step::Message)?;
        // First, as a message that nobody waits for any more may be stored all the same.
        self.unstored = Some(Unstored {
            id: message.id,
            response_id: message.response_id,
            longest: ABANDONED_STORED_WITHIN,
        });
        let stream = self.open_reply(last, dialect, parent.as_ref(), &files, watch)?;
        if let Preparation::Pending { .. } = self.preparation {
            self.preparation = Preparation::Done;
        }
        // The next message follows the reply.
        self.parent = NextParent::Unknown;
        let dialect = self.dialect_of_reply(dialect, &stream);
        Ok(Posted {
            watch: Arc::clone(watch),
            generation_id: last.message.generation_id,
            tokens: Box::new(
                Tokens::new(stream)
                    .max_reply(self.session.options.max_reply)
                    .open_ended(!dialect.ends_its_response),
            ),
            search,
            ignored: self.ignored(&last.message, dialect),
        })
    }

    /// The dialect, which the stream of a reply tells where there is no tree of messages.
    fn dialect_of_reply(
        &self,
        known: Option<&'static Dialect>,
        stream: &Stream,
    ) -> &'static Dialect {
        known.filter(|known| known.has_tree()).unwrap_or_else(|| {
            let found = Dialect::of_stream(stream.content_type.as_deref());
            self.session.set_dialect(found);
            found
        })
    }

    /// Waits until a stop that was sent for the last reply cannot hit the next one.
    fn wait_after_stop(&mut self, watch: &Watch) -> Result<()> {
        let lingers = |dialect: &Dialect| dialect.stops_linger;
        let stopped_at = self.stopped_at.take();
        match stopped_at.filter(|_| self.session.dialect().is_none_or(lingers)) {
            Some(at) => {
                let slept = watch.sleep(STOP_LINGERS.saturating_sub(at.elapsed()));
                slept.map_err(|cause| cause.error(Step::Message))
            }
            None => Ok(()),
        }
    }

    /// Posts the message, and opens the stream of its reply. It is posted again only after a
    /// response that says that it was not looked at.
    fn open_reply(
        &mut self,
        last: &mut LastMessage,
        dialect: Option<&'static Dialect>,
        parent: Option<&Parent>,
        files: &EncodedFiles,
        watch: &Arc<Watch>,
    ) -> Result<Stream> {
        last.is_refused = false;
        let message = &last.message;
        let mut has_accepted_terms = false;
        loop {
            let wants_details = self.session.wants_details();
            let body = match message.encode(dialect, parent, wants_details, files) {
                EncodedMessage::Json(json) => Body::json(json),
                EncodedMessage::Form(form) => Body::form(form),
                EncodedMessage::Multipart { boundary, bytes } => Body::multipart(&boundary, bytes),
            };
            let request = Request::post(Step::Message, &self.path, &body);
            let response = match self.connection.open(&request, watch)? {
                Opened::Stream(stream) => return Ok(stream),
                Opened::Refused(response) => response,
            };
            if response.asks_for_terms() && !has_accepted_terms {
                has_accepted_terms = true;
                let connection = &mut self.connection;
                let (mut opened, turn) = self.session.open(connection, watch)?;
                opened.has_settings =
                    self.session
                        .accept_terms(&opened.model, connection, watch)?;
                self.session.set_opened(turn, opened);
            } else if wants_details && rejects_details(&response) {
                self.session.omit_details();
            } else {
                self.unstored = None;
                if (400..500).contains(&response.status) {
                    self.restore_parent(parent);
                }
                last.is_refused = !message.is_retry && !is_of_gateway(response.status);
                return Err(response.error());
            }
        }
    }

    /// A message that was refused is not part of the history: if it was the first one, the next
    /// one is.
    fn restore_parent(&mut self, parent: Option<&Parent>) {
        match parent {
            Some(root) if root.author == Author::System => {
                self.parent = NextParent::Known(root.clone());
            }
            Some(_) => {}
            None => self.parent = NextParent::Nothing,
        }
    }

    /// What the server does not do of what the message asks for.
    fn ignored(&self, message: &OutgoingMessage, dialect: &Dialect) -> Vec<Ignored> {
        let mut ignored = Vec::new();
        if message.has_own_parameters && !dialect.takes_parameters {
            ignored.push(Ignored::Parameters);
        }
        if message.web_search && dialect.web_search == WebSearchRequest::Unavailable {
            ignored.push(Ignored::WebSearch);
        }
        if message.tools.is_some() && !dialect.takes_tools {
            ignored.push(Ignored::Tools);
        }
        let is_resumed = matches!(self.preparation, Preparation::Resumed);
        if is_resumed && self.session.options.system_prompt.is_some() {
            ignored.push(Ignored::SystemPrompt);
        }
        ignored
    }

    /// Takes the connection back. If the wait for the response ended first, the server may have
    /// begun to reply.
    fn message_failed(&mut self, message: &OutgoingMessage, error: &Error) {
        self.connection.release();
        let is_this = |unstored: &&mut Unstored| unstored.response_id == message.response_id;
        let Some(unstored) = self.unstored.as_mut().filter(is_this) else {
            // It was not posted.
            return;
        };
        match error {
            Error::Timeout { step, .. } | Error::Cancelled { step, .. } => {
                if *step == Step::Message {
                    let stop = request::stop(Some(message.generation_id), 0);
                    self.abandoned = Some(Body::json(stop));
                }
            }
            _ => unstored.longest = BROKEN_STORED_WITHIN,
        }
    }
}

impl LastMessage {
    /// Whether the server may have the message, so that it can be replaced. `parent` is the message
    /// that the next one follows: while that is the one that it was to follow, it was not stored.
    fn is_stored(&mut self, dialect: Option<&Dialect>, parent: Option<&Parent>) -> bool {
        if !dialect.is_some_and(Dialect::has_tree) {
            return !self.is_refused;
        }
        let id = parent.map_or("", |parent| &parent.id);
        self.followed.get_or_insert_with(|| id.to_owned()) != id
            && parent.is_some_and(|parent| parent.author != Author::System)
    }
}

/// Whether the message was refused because it asks why its reply ends.
fn rejects_details(response: &Response) -> bool {
    matches!(response.status, 400 | 422) && response.message().contains("details")
}
