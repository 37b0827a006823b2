//! One message on its way: what must be known before it, how it is encoded, what comes back.

use std::sync::Arc;

use crate::conversation::Conversation;
use crate::error::{Error, Fallible, Step, is_passing};
use crate::http::{Content, Request};
use crate::interrupt::{Cause, Interrupt};
use crate::plain::mentions;
use crate::protocol::dialect::{Body, Dialect};
use crate::protocol::request::{From, Message, Parent, escape};
use crate::protocol::search::{Search, SearchReader};
use crate::protocol::tokens::{Tokens, tokens};
use crate::response::{Stream, interrupted};

/// What the service sends next.
pub(crate) enum Stage {
    Searching(Box<dyn Search>),
    Replying(Box<Tokens<Stream>>),
}

/// Asks for a web search. A reply is given the function by what may need it, so that programs
/// without web searches do without its code.
pub(crate) type BeginSearch =
    fn(&mut Conversation, &str, &Arc<Interrupt>) -> Fallible<Box<dyn Search>>;

impl Conversation {
    /// Sends the message, or asks for the web search that comes before it.
    pub(crate) fn take_turn(
        &mut self,
        message: &mut Message,
        search: Option<BeginSearch>,
        interrupt: &Arc<Interrupt>,
    ) -> Fallible<Stage> {
        // First, so that it is this message that is tried again, wherever it fails.
        self.last = Some(message.clone());
        if !message.is_retry {
            self.followed = None;
        }
        // The canceller and the clock of this reply also end the wait for the last response,
        // after which the connection may be another one.
        self.connection.attach(interrupt)?;
        self.finish_response();
        if let Err(error) = self.connection.attach(interrupt) {
            self.connection.release(interrupt);
            return Err(error);
        }
        let searches_first = self.session.dialect().is_some_and(Dialect::searches_first);
        let stage = match search.filter(|_| searches_first) {
            Some(begin) => begin(self, &message.inputs, interrupt).map(Stage::Searching),
            None => self.ask(message, interrupt).map(Stage::Replying),
        };
        stage.map_err(|error| self.give_up(interrupt, error))
    }

    /// Sends the message after its web search.
    pub(crate) fn take_turn_after_search(
        &mut self,
        message: &mut Message,
        search_id: String,
        interrupt: &Arc<Interrupt>,
    ) -> Fallible<Box<Tokens<Stream>>> {
        message.web_search_id = search_id;
        self.last = Some(message.clone());
        let reply = self.ask(message, interrupt);
        reply.map_err(|error| self.give_up(interrupt, error))
    }

    /// Takes the connection back. If somebody ended the request, that is the error.
    fn give_up(&mut self, interrupt: &Interrupt, error: Box<Error>) -> Box<Error> {
        let cause = interrupt.cause();
        self.connection.release(interrupt);
        // ureq may notice before the clock does.
        let is_late = matches!(
            *error,
            Error::Timeout {
                setting: "timeout_token",
                ..
            }
        );
        // The service may have begun, although it has not answered.
        self.is_to_stop = (cause.is_some() || is_late) && error.step() == Some(Step::Message);
        match (cause, &*error) {
            // The service has answered in time, only the rest of what it says has not come.
            (None, _) | (Some(Cause::Timeout(_)), Error::Http { .. }) => error,
            (Some(cause), _) => interrupted(error.step().unwrap_or(Step::Message), cause),
        }
    }

    pub(crate) fn begin_search(
        &mut self,
        prompt: &str,
        interrupt: &Arc<Interrupt>,
    ) -> Fallible<Box<dyn Search>> {
        let path = format!(
            "{}/web-search?prompt={}",
            self.path(),
            escape(prompt.trim())
        );
        let request = Request {
            step: Step::WebSearch,
            path: &path,
            content: Content::None,
        };
        let stream = self.connection.open(&request, interrupt)?;
        Ok(Box::new(SearchReader::new(stream)))
    }

    fn ask(
        &mut self,
        message: &mut Message,
        interrupt: &Arc<Interrupt>,
    ) -> Fallible<Box<Tokens<Stream>>> {
        let known = self.session.dialect();
        let parent = match known {
            Some(dialect) if !dialect.has_tree() => None,
            _ => self.parent()?,
        };
        if let Some(Parent { id, .. }) = &parent {
            // While that is still the last one, the message was not stored: nothing is replaced.
            message.is_retry &= self.followed.get_or_insert_with(|| id.clone()) != id;
        }
        let dialect = known.unwrap_or_else(|| self.session.learn_tree(parent.is_some()));
        message.wants_details = self.session.takes_details();
        let refusal = match self.post(message, dialect, parent.as_ref(), interrupt) {
            Err(refusal) => refusal,
            posted => {
                self.session.learn(dialect.confirmed());
                return posted;
            }
        };
        match (&*refusal, dialect.alternative()) {
            (
                Error::Http {
                    status: 500 | 403 | 413,
                    ..
                },
                Some(other),
            ) => {
                // If this is refused too, the first refusal was about something else, unless it is
                // the moment that is wrong now.
                let reply = self.post(message, other, parent.as_ref(), interrupt);
                let reply = reply.map_err(|error| match *error {
                    Error::Http { status, .. } if !is_passing(status) => refusal,
                    _ => error,
                })?;
                self.session.learn(other);
                Ok(reply)
            }
            (Error::Http { status: 405, .. }, _) => {
                self.session.begin_again(&mut self.connection)?;
                self.post(message, dialect, parent.as_ref(), interrupt)
            }
            (
                Error::Http {
                    status: 400 | 422,
                    message: why,
                    ..
                },
                _,
            ) if dialect == Dialect::Flat && message.wants_details && mentions(why, "details") => {
                self.session.learn_to_omit_details();
                message.wants_details = false;
                self.post(message, dialect, parent.as_ref(), interrupt)
            }
            (Error::Http { status: 429, .. }, _) => {
                // Not looked at: what it was to follow is still the last message.
                self.root = parent.filter(|parent| parent.from == From::System);
                Err(refusal)
            }
            _ => Err(refusal),
        }
    }

    /// Posts the message once. It is posted again only after an answer that says that it was not
    /// looked at.
    fn post(
        &mut self,
        message: &Message,
        dialect: Dialect,
        parent: Option<&Parent>,
        interrupt: &Arc<Interrupt>,
    ) -> Fallible<Box<Tokens<Stream>>> {
        let path = self.path().to_owned();
        let body = dialect.body(message, parent);
        let request = Request {
            step: Step::Message,
            path: &path,
            content: match &body {
                Body::Form(text) => Content::Form(text),
                Body::Json(bytes) => Content::Json(bytes),
            },
        };
        let stream = self.connection.open(&request, interrupt)?;
        Ok(Box::new(tokens(stream)))
    }

    /// The message to follow, or to replace in a retry; none if the service has no trees.
    fn parent(&mut self) -> Fallible<Option<Parent>> {
        if let Some(root) = self.root.take() {
            return Ok(Some(root));
        }
        let path = format!("/api{}", self.path());
        let answer = self.connection.call(&Request {
            step: Step::History,
            path: &path,
            content: Content::None,
        })?;
        match answer.status {
            // v0.7 does not have the path; a later version does not have the conversation.
            404 if !mentions(&answer.message(), "Conversation not found")
                && !self.session.dialect().is_some_and(Dialect::has_tree) =>
            {
                Ok(None)
            }
            // The id is nowhere else, so the person who runs the service has to help.
            403 => {
                let hint = "; the service must be run with EXPOSE_API=true";
                Err(answer.error().with_hint(&[403], hint))
            }
            _ if !answer.is_success() => Err(answer.error()),
            _ => match Parent::last(answer.content()) {
                Some(parent) => Ok(Some(parent)),
                None => {
                    Err(answer.unexpected(Step::History, "JSON with the conversation's messages"))
                }
            },
        }
    }
}
