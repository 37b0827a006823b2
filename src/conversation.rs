//! A conversation on the server: created or resumed, kept or closed, and deleted when it is dropped.

mod deletion;
mod files;
mod history;
mod log;
mod post;
mod preparation;
mod stored;
mod web_search;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use uuid::Uuid;

use crate::error::{Error, Result, Step, TimeLimit};
use crate::http::base_url::conversation_path;
use crate::http::response::{Response, Stream};
use crate::http::watchdog::{Limits, Watch};
use crate::http::{Body, Connection, Request};
use crate::parameters::Parameters;
use crate::prompt::Prompt;
use crate::protocol::dialect::Dialect;
use crate::protocol::finish_reason::FinishReason;
use crate::protocol::json::Json;
use crate::protocol::message::{OutgoingMessage, Parent};
use crate::protocol::request;
use crate::reply::{Owner, Reply};
use crate::session::{BASE_PATH_HINT, Handshake, Scope, Session, watch_alone};

pub(crate) use files::Attachments;
pub(crate) use web_search::{WEB_SEARCHER, WebSearcher};

/// Longest wait for the end of a response whose reply is complete.
const LONGEST_TAIL: Duration = Duration::from_secs(30);
/// The same when the conversation is about to be deleted.
const LONGEST_TAIL_BEFORE_DELETE: Duration = Duration::from_millis(500);

/// Longest wait for a reply to be stopped.
pub(crate) const LONGEST_STOP: Duration = Duration::from_millis(500);
/// The same where the caller is to get an error at once. If it is too short, the reply is stopped
/// before the next message.
pub(crate) const LONGEST_STOP_AFTER_ERROR: Duration = Duration::from_millis(50);

/// How long the next message waits for a reply to be stored: one that is complete, one that nobody
/// reads any more, which may be generated to its end, and one that broke, which mostly is not stored.
const COMPLETE_STORED_WITHIN: Duration = Duration::from_secs(10);
pub(crate) const ABANDONED_STORED_WITHIN: Duration = Duration::from_secs(30);
pub(crate) const BROKEN_STORED_WITHIN: Duration = Duration::from_secs(1);

/// A conversation, whose history the server stores until it is deleted.
///
/// # Deleting
///
/// Dropping a conversation deletes it on the server, however its scope is left: at its end, by an
/// early return, or by a panic that unwinds. That takes one request, at most `timeout_delete`;
/// errors are ignored. [`close`](Conversation::close) deletes it and returns the error.
/// [`keep`](Conversation::keep) leaves it on the server.
///
/// # Resource leaking
///
/// Where `Drop` does not run, nothing is deleted: after [`std::process::exit`], an abort
/// (`panic = "abort"` included), a fatal signal, or [`std::mem::forget`], and on threads that are
/// still running when `main` returns. Servers also keep more than the conversation: the settings of
/// the session, results of web searches, uploaded files, shared copies and, up to chat-ui v0.9.6, a
/// record of each reply that was stopped; the latest versions keep the text of a reply for 24 hours
/// after it was generated.
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
    session: Arc<Session>,
    scope: Scope,
    connection: Connection,
    /// None once it is closed or kept.
    id: Option<String>,
    path: String,
    /// The model that replies, if that is known.
    model: Option<String>,
    preparation: Preparation,
    /// The message that the next one follows, as far as it is known.
    parent: NextParent,
    /// For a retry.
    last: Option<LastMessage>,
    /// A message and its reply that the server may not have stored yet.
    unstored: Option<Unstored>,
    /// The server may be generating a reply that nobody reads any more: the body of the request
    /// that stops it.
    abandoned: Option<Body>,
    stopped_at: Option<Instant>,
    /// What is left of the response to the last message, whose reply is complete: padding. The
    /// server considers the message done, and the connection is free, once it has been read.
    tail: Option<Stream>,
    /// Its connection broke before its end, so that the reply may not be stored yet.
    is_tail_broken: bool,
}

/// What is to be done before the first message.
enum Preparation {
    /// Everything.
    Pending {
        /// The settings, which may hold the system prompt, were posted.
        has_settings: bool,
        /// The caller has given it a title.
        has_title: bool,
    },
    Done,
    /// Nothing, as the conversation was not created here.
    Resumed,
}

/// The message that the next one follows.
enum NextParent {
    /// The server is to be asked.
    Unknown,
    /// This one.
    Known(Parent),
    /// None: the next message is the first.
    Nothing,
}

/// The last message, and what became of it.
struct LastMessage {
    message: OutgoingMessage,
    attachments: Option<Arc<Attachments>>,
    /// The id of the message that it was first posted to follow, if there is a tree; empty if it
    /// was to be the root.
    followed: Option<String>,
    /// The server refused it, so that it is not part of the history.
    is_refused: bool,
}

/// A message that is under way into the history.
#[derive(Clone, Copy)]
struct Unstored {
    id: Uuid,
    response_id: Uuid,
    longest: Duration,
}

/// How a reply ended.
pub(crate) enum ReplyEnd {
    /// It is complete, and this is what is left of its response.
    Complete(Stream),
    /// By an error of the server, or its connection broke, and the rest can be read from a log.
    Broken,
    /// Nobody reads it any more, also because its connection broke. The server may go on with it, and
    /// store it within this time.
    Abandoned {
        generation_id: Option<Uuid>,
        /// How much of it was received, in units of UTF-16.
        seen: usize,
        stored_within: Duration,
    },
}

impl Conversation {
    pub(crate) fn create(session: &Arc<Session>, scope: &Scope) -> Result<Self> {
        let watch = scope.watch_requests(&session.http);
        let mut connection = session.http.connection();
        let (mut opened, turn) = session.open(&mut connection, &watch)?;
        let mut created = create_on_server(session, &mut opened, &mut connection, &watch);
        if let Err(error) = &mut created {
            session.explain_model(error, &opened.model, &mut connection, &watch);
        }
        let response = created?;
        session.set_opened(turn, opened.clone());
        connection.release();
        let created = response.json();
        let id = created.and_then(created_id);
        let path = id.as_deref().and_then(|id| conversation_path(id).ok());
        let (Some(created), Some(id), Some(path)) = (created, id, path) else {
            return Err(response.unexpected("JSON with a conversationId"));
        };
        let mut conversation = Self::new(session, scope, connection, id, path);
        conversation.preparation = Preparation::Pending {
            has_settings: opened.has_settings,
            has_title: false,
        };
        conversation.model = Some(opened.model);
        if let Some(root) = Parent::of_created(created) {
            conversation.parent = NextParent::Known(root);
        }
        if let Some(dialect) = Dialect::of_created(created) {
            session.set_dialect(dialect);
        }
        Ok(conversation)
    }

    pub(crate) fn resume(session: &Arc<Session>, scope: &Scope, id: String) -> Result<Self> {
        let path = conversation_path(&id)?;
        let connection = session.http.connection();
        Ok(Self::new(session, scope, connection, id, path))
    }

    fn new(
        session: &Arc<Session>,
        scope: &Scope,
        connection: Connection,
        id: String,
        path: String,
    ) -> Self {
        Conversation {
            session: Arc::clone(session),
            scope: scope.clone(),
            connection,
            id: Some(id),
            path,
            model: None,
            preparation: Preparation::Resumed,
            parent: NextParent::Unknown,
            last: None,
            unstored: None,
            abandoned: None,
            stopped_at: None,
            tail: None,
            is_tail_broken: false,
        }
    }

    /// The id of the conversation on the server. Whoever has it and the session's cookie can read
    /// the conversation.
    pub fn id(&self) -> &str {
        self.id.as_deref().unwrap_or_default()
    }

    /// The model that replies: the one that was named, or the server's default; `None` in a
    /// conversation that was [resumed](crate::Client::resume), where only the server knows.
    pub fn model(&self) -> Option<&str> {
        self.model.as_deref()
    }

    /// Sends a message, and returns its reply as soon as the server has accepted it. The server
    /// adds both to the history. Replies of several conversations are generated at the same time.
    ///
    /// One request, `POST /conversation/{id}`, and before it what the server's version needs: which
    /// message it follows (from chat-ui v0.8 on), and before the first message a title, so that the
    /// server does not ask the model for one. All of it takes at most `timeout_token`.
    ///
    /// ```no_run
    /// # let client = h2ogpt::Client::new("http://localhost:3000")?;
    /// let mut conversation = client.conversation()?;
    /// let text = conversation.send("Name a prime number.")?.into_text()?;
    /// # Ok::<(), h2ogpt::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if the prompt is blank or a parameter out of bounds: nothing is
    /// sent then. [`Error::Http`] or [`Error::LoginRequired`] if the server refuses the message,
    /// [`Error::Network`], [`Error::Timeout`], [`Error::Cancelled`]. What goes wrong later comes
    /// out of the reply.
    pub fn send(&mut self, prompt: impl Into<Prompt>) -> Result<Reply<'_>> {
        let prompt = prompt.into();
        prompt.check(self.session.options.search_enabled)?;
        let searcher = self.take_prompt(prompt);
        Reply::begin(Owner::Borrowed(self), searcher)
    }

    /// Asks for another reply to the last message, in place of the one in the history; with the
    /// same parameters. If the server has not stored that message, it is sent anew.
    ///
    /// Takes the requests and the time of [`send`](Conversation::send). In a conversation that was
    /// [resumed](crate::Client::resume), there is nothing to retry before something was sent.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if nothing was sent in this conversation yet, and those of `send`.
    pub fn retry(&mut self) -> Result<Reply<'_>> {
        let Some(last) = &mut self.last else {
            return Err(Error::configuration("there is no message to retry"));
        };
        last.message.retry();
        Reply::begin(Owner::Borrowed(self), None)
    }

    /// Reads the reply that is being generated, or has just been: that of another process, or one
    /// whose connection broke. It begins with its first token. Dropping it before its end stops it,
    /// also for another process that reads it.
    ///
    /// `GET /conversation/{id}/stream`, from chat-ui v0.10 on. At most `timeout_token` until the
    /// reply begins.
    ///
    /// ```no_run
    /// # let client = h2ogpt::Client::new("http://localhost:3000")?;
    /// let mut conversation = client.resume("6b010396646b822e419515f3")?;
    /// println!("{}", conversation.reattach()?.into_text()?);
    /// conversation.keep();
    /// # Ok::<(), h2ogpt::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Http`] if the server cannot do that, or does not have the conversation,
    /// [`Error::Network`], [`Error::Timeout`], [`Error::Cancelled`]. If the server no longer has the
    /// reply, that is [`Error::Incomplete`] from the reply.
    pub fn reattach(&mut self) -> Result<Reply<'_>> {
        Reply::reattach(self)
    }

    /// Sends a prompt that was checked, in a conversation that is deleted with its reply.
    pub(crate) fn into_reply(mut self, prompt: Prompt) -> Result<Reply<'static>> {
        let searcher = self.take_prompt(prompt);
        Reply::begin(Owner::Owned(Box::new(self)), searcher)
    }

    /// Makes the prompt the last message.
    fn take_prompt(&mut self, prompt: Prompt) -> Option<WebSearcher> {
        let mut parameters = Parameters::of_2023();
        parameters.overlay(&self.session.options.parameters);
        parameters.overlay(&prompt.parameters);
        let mut message = OutgoingMessage::new(prompt.text, parameters);
        message.web_search = prompt.web_search.is_some();
        message.title = prompt.title;
        message.tools = prompt.tools;
        message.has_own_parameters =
            !(self.session.options.parameters.is_empty() && prompt.parameters.is_empty());
        self.last = Some(LastMessage {
            message,
            attachments: prompt.attachments.map(Arc::new),
            followed: None,
            is_refused: false,
        });
        prompt.web_search
    }

    /// Deletes the conversation, and returns any error; the conversation may then remain on the
    /// server.
    ///
    /// One request, at most `timeout_delete`. It is sent again once, on a new connection, only if
    /// the old one turned out to be closed.
    ///
    /// # Errors
    ///
    /// [`Error::Http`] if the server refuses, [`Error::Network`] or [`Error::Timeout`] if there is
    /// no response.
    pub fn close(mut self) -> Result<()> {
        self.delete()
    }

    /// Leaves the conversation on the server, and returns its id for
    /// [`Client::resume`](crate::Client::resume).
    ///
    /// Sends nothing, but reads the rest of the last response, for at most 30 s: some servers store
    /// the reply only when that has ended.
    pub fn keep(mut self) -> String {
        self.finish_response(LONGEST_TAIL);
        self.id.take().unwrap_or_default()
    }

    /// Whether this reply repeats the prompt where that is what a failed model looks like.
    pub(crate) fn fails_by_repeating(&self, reply: &str) -> bool {
        let fails = |dialect: &Dialect| dialect.fails_by_repeating;
        let repeats = |last: &LastMessage| last.message.text().trim() == reply.trim();
        self.session.dialect().is_some_and(fails) && self.last.as_ref().is_some_and(repeats)
    }

    /// Whether a stop that was sent for one reply may end the next one.
    pub(crate) fn may_be_stopped_by_mistake(&self) -> bool {
        let dialect = self.session.dialect();
        dialect.is_some_and(|dialect| dialect.stops_linger)
    }

    /// What the server's reason for the end of a reply means.
    pub(crate) fn finish_reason(&self, said: Option<FinishReason>) -> Option<FinishReason> {
        let dialect = self.session.dialect();
        let is_cut = dialect.is_some_and(|dialect| dialect.calls_cut_replies_interrupted);
        match said {
            Some(FinishReason::Interrupted) if is_cut => Some(FinishReason::Length),
            said => said,
        }
    }

    /// Takes the connection back from a reply that has ended.
    pub(crate) fn reply_ended(&mut self, end: ReplyEnd) {
        self.connection.release();
        let longest = match &end {
            ReplyEnd::Complete(_) => COMPLETE_STORED_WITHIN,
            ReplyEnd::Broken => BROKEN_STORED_WITHIN,
            ReplyEnd::Abandoned { stored_within, .. } => *stored_within,
        };
        if let Some(unstored) = &mut self.unstored {
            unstored.longest = longest;
        }
        match end {
            ReplyEnd::Complete(stream) => {
                let dialect = self.session.dialect();
                if dialect.is_none_or(|dialect| dialect.ends_its_response) {
                    self.tail = Some(stream);
                }
            }
            ReplyEnd::Broken => {}
            ReplyEnd::Abandoned {
                generation_id,
                seen,
                ..
            } => self.abandoned = Some(Body::json(request::stop(generation_id, seen))),
        }
    }

    /// Asks the server to stop a reply that nobody reads any more, if there is one. Errors are
    /// ignored. A server that had little time to respond is asked again before the next message.
    ///
    /// Never after a reply has ended: some servers would then stop the next one.
    pub(crate) fn stop_abandoned_reply(&mut self, longest: Duration) {
        let Some(body) = self.abandoned.take() else {
            return;
        };
        let path = format!("{}/stop-generating", self.path);
        let request = Request::post(Step::Stop, &path, &body);
        let watch = watch_alone(longest.min(self.connection.timeouts().delete));
        let stopped = self.connection.call(&request, &watch);
        self.connection.release();
        self.stopped_at = Some(Instant::now());
        if matches!(stopped, Err(Error::Timeout { .. })) && longest < LONGEST_STOP {
            self.abandoned = Some(body);
        }
    }

    /// Reads the last response to its end. If that takes longer, its connection is given up.
    fn finish_response(&mut self, longest: Duration) {
        let Some(mut tail) = self.tail.take() else {
            return;
        };
        let ends = Instant::now() + longest;
        let watch = self.scope.watch(Limits {
            wait: (longest, TimeLimit::Token),
            deadline: Some((
                self.scope.until.map_or(ends, |until| ends.min(until)),
                TimeLimit::Token,
            )),
        });
        let is_read = self.connection.attach(&watch).is_ok()
            && self
                .connection
                .enforce_limits(&watch, Step::Message)
                .is_ok()
            && tail.skip_to_end();
        self.is_tail_broken = !is_read || watch.has_ended();
        self.connection.release();
    }
}

/// Requests the creation, and accepts the terms before if the server asks for that.
fn create_on_server(
    session: &Session,
    opened: &mut Handshake,
    connection: &mut Connection,
    watch: &Arc<Watch>,
) -> Result<Response> {
    let system_prompt = session.options.system_prompt.as_deref();
    let body = Body::json(request::create(&opened.model, system_prompt));
    let request = Request::post(Step::Create, "/conversation", &body).undone_by(created_path);
    let mut response = connection.call(&request, watch)?;
    if response.asks_for_terms() {
        opened.has_settings = session.accept_terms(&opened.model, connection, watch)?;
        response = connection.call(&request, watch)?;
    }
    if response.is_success() {
        Ok(response)
    } else {
        let mut error = response.error();
        error.add_hint(&[404], BASE_PATH_HINT);
        Err(error)
    }
}

/// The id of a conversation, in the response to its creation. Some servers number them.
fn created_id(created: Json<'_>) -> Option<String> {
    let id = created.get("conversationId")?;
    let number = || id.as_u64().map(|id| id.to_string());
    id.as_str().or_else(number)
}

/// The path of a conversation whose creation nobody waits for any more.
fn created_path(body: &str) -> Option<String> {
    let created = Json::read(body).ok()?;
    conversation_path(&created_id(created)?).ok()
}

impl Drop for Conversation {
    fn drop(&mut self) {
        let _ = self.delete();
    }
}

/// Shows the id and the server.
impl fmt::Debug for Conversation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conversation")
            .field("id", &self.id())
            .field("url", &self.session.http.base_url)
            .finish_non_exhaustive()
    }
}
