//! The client: a server, a session with it, and the conversations that come of both.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use crate::builder::ClientBuilder;
use crate::canceller::Canceller;
use crate::conversation::Conversation;
use crate::conversations::Conversations;
use crate::error::Result;
use crate::model::Model;
use crate::prompt::Prompt;
use crate::reply::Reply;
use crate::session::{Scope, Session};
use crate::stored::ToolServer;

/// A chat server, and a session with it.
///
/// Cheap to clone and safe to share between threads: clones share the session's cookie, what was
/// learned of the server, and kept-alive connections. Nothing is sent before it is needed.
///
/// ```no_run
/// let client = h2ogpt::Client::new("http://localhost:3000")?;
/// let mut conversation = client.conversation()?;
/// for token in conversation.send("Hello, how are you?")? {
///     print!("{}", token?);
/// }
/// # Ok::<(), h2ogpt::Error>(())
/// ```
#[derive(Clone)]
pub struct Client {
    session: Arc<Session>,
    scope: Scope,
}

impl Client {
    /// A client of the server at `url`, with defaults for everything else. Does no I/O.
    ///
    /// The URL may have a path that the server lives under (`https://host/chat`), and a user name
    /// and password for HTTP basic authentication, percent-encoded.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`](crate::Error::Configuration) if the URL is invalid.
    pub fn new(url: impl Into<String>) -> Result<Client> {
        Client::builder().url(url).build()
    }

    /// Client configuration.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::new()
    }

    pub(crate) fn with_session(session: Session) -> Client {
        Client {
            session: Arc::new(session),
            scope: Scope::default(),
        }
    }

    /// Sends a prompt in a conversation of its own, and returns the reply as soon as the server has
    /// accepted the prompt. The conversation is deleted when the reply is dropped.
    ///
    /// Like [`conversation`](Client::conversation) and [`Conversation::send`] in one.
    ///
    /// # Errors
    ///
    /// Those of both. [`Error::Configuration`](crate::Error::Configuration) if the prompt is blank:
    /// nothing is sent then. An error after the conversation was created comes when that has been
    /// deleted, which takes at most `timeout_delete`.
    pub fn generate(&self, prompt: impl Into<Prompt>) -> Result<Reply<'static>> {
        let prompt = prompt.into();
        prompt.check(self.session.options.search_enabled)?;
        self.conversation()?.into_reply(prompt)
    }

    /// Creates a conversation on the server, which stores its history until it is deleted: when
    /// the [`Conversation`] is closed or dropped.
    ///
    /// Sends `POST /conversation`, and before the first one of a session what the server needs:
    /// `GET /api/models` if no model was named, and `POST /settings` to servers up to chat-ui v0.6
    /// or of an unknown version, which later ones reject.
    /// All of it takes at most `timeout_token`.
    ///
    /// # Errors
    ///
    /// [`Error::Network`](crate::Error::Network), [`Error::Timeout`](crate::Error::Timeout),
    /// [`Error::Cancelled`](crate::Error::Cancelled), [`Error::Http`](crate::Error::Http) if the
    /// server refuses, [`Error::LoginRequired`](crate::Error::LoginRequired),
    /// [`Error::Protocol`](crate::Error::Protocol) if the response is something else. After an
    /// error of [`Step::Created`](crate::Step::Created) a conversation remains on the server: its
    /// id could not be read, so it cannot be deleted. After a timeout or a cancel of
    /// [`Step::Create`](crate::Step::Create), a thread in the background deletes it if the response
    /// still arrives.
    pub fn conversation(&self) -> Result<Conversation> {
        Conversation::create(&self.session, &self.scope)
    }

    /// Continues a conversation that was left on the server by [`Conversation::keep`]. When it is
    /// closed or dropped it is deleted, like any other.
    ///
    /// It belongs to the session that created it: to continue it in another process, pass that
    /// session's cookie (see [`cookie`](Client::cookie)) to
    /// [`ClientBuilder::cookie`](crate::ClientBuilder::cookie).
    ///
    /// Does no I/O, and so does not check that the conversation exists; the first message fails if
    /// it does not.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`](crate::Error::Configuration) if `id` is not a valid conversation
    /// id.
    pub fn resume(&self, id: impl Into<String>) -> Result<Conversation> {
        Conversation::resume(&self.session, &self.scope, id.into())
    }

    /// The models that the server lists, on every version. The first one answers if none is named,
    /// up to chat-ui v0.9.4 the one that is active in the session.
    ///
    /// `GET /api/models`; where there is no API, or it is hidden, `GET /__data.json`. At most
    /// `timeout_token`.
    ///
    /// ```no_run
    /// # let client = h2ogpt::Client::new("http://localhost:3000")?;
    /// for model in client.models()? {
    ///     let images = if model.multimodal == Some(true) { ", takes images" } else { "" };
    ///     println!("{}{images}", model.id);
    /// }
    /// # Ok::<(), h2ogpt::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Http`](crate::Error::Http) if the server refuses,
    /// [`Error::Network`](crate::Error::Network), [`Error::Timeout`](crate::Error::Timeout),
    /// [`Error::Cancelled`](crate::Error::Cancelled), [`Error::Protocol`](crate::Error::Protocol)
    /// if there is no list.
    pub fn models(&self) -> Result<Vec<Model>> {
        let watch = self.scope.watch_requests(&self.session.http);
        let mut connection = self.session.http.connection();
        Ok(self.session.models(&mut connection, &watch)?.models)
    }

    /// The conversations that this session has on the server, the latest first. Lazy: each page is
    /// requested when it is needed; deleting meanwhile shifts the pages, so collect the list first.
    ///
    /// `GET /api/conversations`; where there is no API, or it is hidden, `GET /__data.json`. Creating
    /// the iterator does no I/O; its items are `Err` where [`models`](Client::models) would fail.
    ///
    /// ```no_run
    /// # let client = h2ogpt::Client::new("http://localhost:3000")?;
    /// for conversation in client.conversations() {
    ///     let conversation = conversation?;
    ///     println!("{} {}", conversation.id, conversation.title);
    /// }
    /// # Ok::<(), h2ogpt::Error>(())
    /// ```
    pub fn conversations(&self) -> Conversations {
        Conversations::new(&self.session, &self.scope)
    }

    /// Deletes a conversation by its id. One request, at most `timeout_delete`; it cannot be
    /// cancelled.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`](crate::Error::Configuration) if `id` is not a valid conversation
    /// id, [`Error::Http`](crate::Error::Http) with the status 404 if the session has no such
    /// conversation, [`Error::Network`](crate::Error::Network),
    /// [`Error::Timeout`](crate::Error::Timeout).
    pub fn delete(&self, id: impl AsRef<str>) -> Result<()> {
        let mut connection = self.session.http.connection();
        self.session.delete(&mut connection, id.as_ref())
    }

    /// Deletes all conversations of the session, also those of other programs that use it. One
    /// request, two before chat-ui v0.9.5, at most `timeout_delete`; it cannot be cancelled.
    ///
    /// # Errors
    ///
    /// [`Error::Http`](crate::Error::Http) if the server refuses, which up to v0.9.5 it also does in a
    /// session that has not accepted its terms, and so has no conversations,
    /// [`Error::Network`](crate::Error::Network), [`Error::Timeout`](crate::Error::Timeout).
    pub fn delete_all(&self) -> Result<()> {
        self.session.delete_all(&mut self.session.http.connection())
    }

    /// The tool servers that the operator has configured, for [`Prompt::tools`]. From chat-ui
    /// v0.9.6 on: `GET /api/mcp/servers`, at most `timeout_token`.
    ///
    /// # Errors
    ///
    /// [`Error::Http`](crate::Error::Http) with the status 404, or 403, from servers before v0.9.6,
    /// [`Error::Network`](crate::Error::Network), [`Error::Timeout`](crate::Error::Timeout),
    /// [`Error::Cancelled`](crate::Error::Cancelled).
    pub fn tool_servers(&self) -> Result<Vec<ToolServer>> {
        let watch = self.scope.watch_requests(&self.session.http);
        let mut connection = self.session.http.connection();
        self.session.tool_servers(&mut connection, &watch)
    }

    /// The value of a cookie of this session, such as `hf-chat`. Treat it as a credential: it
    /// grants access to the session.
    pub fn cookie(&self, name: &str) -> Option<String> {
        self.session.http.cookie(name)
    }

    /// All cookies of this session by name and value, in the order in which they were first set. The
    /// session's own has another name on some servers. Treat them as credentials.
    pub fn cookies(&self) -> Vec<(String, String)> {
        self.session.http.cookies()
    }

    /// A clone whose waits end with the canceller: whatever it and its conversations wait for, from
    /// the connection to the last token, fails with
    /// [`Error::Cancelled`](crate::Error::Cancelled) within 0.1 s. Conversations are still deleted.
    /// Other clones notice nothing.
    ///
    /// A clone may have several cancellers, each of which ends its waits.
    pub fn cancelled_by(&self, canceller: &Canceller) -> Client {
        let mut client = self.clone();
        client
            .scope
            .cancelled_by
            .push(Arc::clone(&canceller.signal));
        client
    }

    /// A clone whose waits end at this time: whatever it and its conversations wait for then fails
    /// with [`Error::Timeout`](crate::Error::Timeout). Conversations are still deleted, which has
    /// its own limit, `timeout_delete`. Other clones notice nothing.
    ///
    /// ```no_run
    /// use std::time::{Duration, Instant};
    ///
    /// # let client = h2ogpt::Client::new("http://localhost:3000")?;
    /// let client = client.until(Instant::now() + Duration::from_secs(5));
    /// let text = client.generate("Name a prime number.")?.into_text()?;
    /// # Ok::<(), h2ogpt::Error>(())
    /// ```
    pub fn until(&self, deadline: Instant) -> Client {
        let mut client = self.clone();
        let earlier = client.scope.until.filter(|until| *until < deadline);
        client.scope.until = Some(earlier.unwrap_or(deadline));
        client
    }
}

/// Shows the server and the model, but no cookie or password.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("url", &self.session.http.base_url)
            .field("model", &self.session.options.model)
            .finish_non_exhaustive()
    }
}
