//! A conversation on the service: opened, kept or closed, and deleted when it is dropped.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::{Error, Fallible, Result, Step};
use crate::http::{Connection, Content, Request};
use crate::interrupt::Interrupt;
use crate::origin::conversation_path;
use crate::protocol::dialect::{Dialect, Encoding};
use crate::protocol::json;
use crate::protocol::request::{self, Message, Parent};
use crate::response::{Answer, Stream};
use crate::session::Session;

/// Longest wait for the end of a response whose reply is complete.
const TAIL: Duration = Duration::from_secs(30);
/// The same, and for stopping a reply, when the conversation is about to be deleted.
const BEFORE_DELETE: Duration = Duration::from_millis(500);

/// A conversation, whose history the service keeps until it is deleted.
///
/// # Deleting
///
/// Dropping a conversation deletes it on the service, whether the program goes on, returns early
/// or unwinds from a panic. That takes one request, at most `timeout_delete`, and is silent about
/// failures: [`close`](Conversation::close) deletes it and reports them.
/// [`keep`](Conversation::keep) leaves it on the service.
///
/// Where `Drop` does not run, nothing is deleted: after [`std::process::exit`], an abort
/// (`panic = "abort"` included), a fatal signal, or [`std::mem::forget`].
///
/// # One thing at a time
///
/// A reply borrows its conversation. Sending while it is alive does not compile:
///
/// ```compile_fail,E0499
/// # fn main() -> h2ogpt::Result<()> {
/// # let client = h2ogpt::Client::new("http://localhost:3000")?;
/// let mut conversation = client.conversation()?;
/// let mut first = conversation.send("One")?;
/// let second = conversation.send("Two")?;
/// first.next();
/// # Ok(()) }
/// ```
///
/// nor does closing under it:
///
/// ```compile_fail,E0505
/// # fn main() -> h2ogpt::Result<()> {
/// # let client = h2ogpt::Client::new("http://localhost:3000")?;
/// let mut conversation = client.conversation()?;
/// let mut reply = conversation.send("One")?;
/// conversation.close()?;
/// reply.next();
/// # Ok(()) }
/// ```
///
/// nor closing it twice:
///
/// ```compile_fail,E0382
/// # fn main() -> h2ogpt::Result<()> {
/// # let client = h2ogpt::Client::new("http://localhost:3000")?;
/// let conversation = client.conversation()?;
/// conversation.close()?;
/// conversation.close()?;
/// # Ok(()) }
/// ```
pub struct Conversation {
    pub(crate) session: Arc<Session>,
    pub(crate) connection: Connection,
    /// None once it is closed or kept.
    id: Option<String>,
    path: String,
    /// The message that the first one follows, if the service has said so.
    pub(crate) root: Option<Parent>,
    /// The last message, to be tried again.
    pub(crate) last: Option<Message>,
    /// The id of the message that it was posted to follow, if there are trees.
    pub(crate) followed: Option<String>,
    /// The service may be at work on a reply that nobody reads any more.
    pub(crate) is_to_stop: bool,
    /// What is left of the response to the last message, whose reply is complete: nothing but
    /// padding. The service takes the message as done, and the connection can be used again, once
    /// it has been read.
    tail: Option<Stream>,
}

impl Conversation {
    pub(crate) fn create(session: &Arc<Session>) -> Fallible<Self> {
        let mut connection = session.http.connection();
        let model = session.begin(&mut connection)?;
        let body = request::create(&model, session.system_prompt.as_deref());
        let request = Request {
            step: Step::Create,
            path: "/conversation",
            content: Content::Json(&body),
        };
        let mut answer = connection.call(&request)?;
        if answer.wants_terms() {
            let accepted = session.begin_again(&mut connection);
            accepted.map_err(|error| refused(error, &model))?;
            answer = connection.call(&request)?;
        }
        if !answer.is_success() {
            return Err(refused(answer.error(), &model));
        }
        Self::created(session, connection, &answer)
            .ok_or_else(|| answer.unexpected(Step::Create, "JSON with a conversationId"))
    }

    fn created(session: &Arc<Session>, connection: Connection, answer: &Answer) -> Option<Self> {
        let id = json::text_member(answer.content(), "conversationId")?;
        let mut conversation = Self::new(session, connection, id).ok()?;
        conversation.root = Parent::root(answer.content());
        if conversation.root.is_some() {
            // Services that say so take messages as a form.
            session.learn(Dialect::Tree(Encoding::Form));
        }
        Some(conversation)
    }

    pub(crate) fn resume(session: &Arc<Session>, id: String) -> Fallible<Self> {
        conversation_path(&id)?;
        let mut connection = session.http.connection();
        session.begin(&mut connection)?;
        Self::new(session, connection, id)
    }

    /// Fails on an id that cannot be that of a conversation.
    fn new(session: &Arc<Session>, connection: Connection, id: String) -> Fallible<Self> {
        let path = conversation_path(&id)?;
        Ok(Conversation {
            session: Arc::clone(session),
            connection,
            id: Some(id),
            path,
            root: None,
            last: None,
            followed: None,
            is_to_stop: false,
            tail: None,
        })
    }

    /// The id under which the service keeps it. Whoever has it and the session's cookie can read the
    /// conversation.
    pub fn id(&self) -> &str {
        self.id.as_deref().unwrap_or_default()
    }

    /// Deletes the conversation and says if that failed, in which case it is left behind.
    ///
    /// One request, at most `timeout_delete`. It is sent again once, on a new connection, only
    /// if the old one turned out to be closed.
    ///
    /// # Errors
    ///
    /// [`Error::Http`] if the service refuses, [`Error::Network`] or [`Error::Timeout`] if there
    /// is no answer.
    pub fn close(mut self) -> Result<()> {
        Ok(self.delete()?)
    }

    /// Leaves the conversation on the service, and returns its id, for
    /// [`Client::resume`](crate::Client::resume).
    ///
    /// No request; but what is left of the last response is read first, 30 s at most, as some services
    /// store the answer at its end only.
    pub fn keep(mut self) -> String {
        self.finish_response();
        self.id.take().unwrap_or_default()
    }

    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    /// Takes back what is left of a response whose reply is complete.
    pub(crate) fn reply_is_complete(&mut self, stream: Stream, interrupt: &Interrupt) {
        self.connection.release(interrupt);
        if self
            .session
            .dialect()
            .is_none_or(Dialect::ends_its_response)
        {
            self.tail = Some(stream);
        }
    }

    /// Tells the service that nobody reads the reply any more, where that is so. Best effort.
    pub(crate) fn stop(&mut self) {
        if !std::mem::take(&mut self.is_to_stop) {
            return;
        }
        let path = format!("{}/stop-generating", self.path);
        let request = Request {
            step: Step::Message,
            path: &path,
            content: Content::Json(b"{}"),
        };
        let total = BEFORE_DELETE.min(self.connection.timeouts().delete);
        let _ = self.connection.call_for(&request, total);
    }

    /// Reads the last response to its end. Where that takes too long, its connection is given up.
    pub(crate) fn finish_response(&mut self) {
        // Half of what the next token may take, so that the next message gets its share.
        let token = self.connection.timeouts().token;
        self.finish_response_within(TAIL.min(token / 2));
    }

    fn finish_response_within(&mut self, longest: Duration) {
        if let Some(mut tail) = self.tail.take() {
            let interrupt = Arc::new(Interrupt::new(longest));
            if self.connection.attach(&interrupt).is_ok() {
                interrupt.arm(Instant::now() + longest);
                tail.skip_to_end();
                self.connection.release(&interrupt);
            }
        }
    }

    fn delete(&mut self) -> Fallible<()> {
        // Taken first, so that a delete that fails is not sent again by `Drop`.
        if self.id.take().is_none() {
            return Ok(());
        }
        let total = self.connection.timeouts().delete;
        let started = Instant::now();
        self.finish_response_within(BEFORE_DELETE.min(total / 4));
        let request = Request {
            step: Step::Delete,
            path: &self.path,
            content: Content::None,
        };
        let left = || {
            total
                .saturating_sub(started.elapsed())
                .max(Duration::from_millis(1))
        };
        let (answer, again) = match self.connection.call_for(&request, left()) {
            // Mostly the service had closed the idle connection. To delete twice does no harm.
            Err(error) if matches!(*error, Error::Network { .. }) => {
                self.connection.renew();
                (self.connection.call_for(&request, left())?, true)
            }
            answer => (answer?, false),
        };
        let gone = again && answer.status == 404;
        if answer.is_success() || gone {
            return Ok(());
        }
        Err(answer.error())
    }
}

/// A service without the model says little more than that something is wrong.
fn refused(error: Box<Error>, model: &str) -> Box<Error> {
    let hint = format!(" (does the service have the model {model:?}?)");
    error.with_hint(&[400, 500], &hint)
}

impl Drop for Conversation {
    fn drop(&mut self) {
        let _ = self.delete();
    }
}

/// Shows the id and the service.
impl fmt::Debug for Conversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conversation")
            .field("id", &self.id())
            .field("url", &self.session.http.origin)
            .finish_non_exhaustive()
    }
}
