//! The client: a service, a session with it, and the conversations that come of both.

use std::fmt;
use std::sync::Arc;

use crate::conversation::Conversation;
use crate::error::{Error, Result};
use crate::message::{Message, format_prompt};
use crate::model::Model;
use crate::reply::Reply;
use crate::session::{self, Session};

/// A chat service, and a session with it.
///
/// Cheap to clone, and to be shared between threads: clones share the session's cookie, what was
/// learned of the service, and the kept-alive connections. Nothing is sent before it is needed.
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
}

impl Client {
    pub(crate) fn with_session(session: Session) -> Client {
        let session = Arc::new(session);
        Client { session }
    }

    /// Creates a conversation on the service, which keeps its history there until it is deleted:
    /// when the [`Conversation`] is closed or dropped.
    ///
    /// Sends `POST /settings` once per session, after `GET /api/models` if no model was chosen, and
    /// `POST /conversation`. Each waits for `timeout_connect` at most, and for `timeout_token` for
    /// the beginning of its answer, and again for the rest of it.
    ///
    /// # Errors
    ///
    /// [`Error::Network`], [`Error::Timeout`], [`Error::Http`] if the service refuses,
    /// [`Error::LoginRequired`], [`Error::Protocol`] if it answers something else. In an error
    /// of [`Step::Created`](crate::Step::Created) the service has created a conversation, but its id did not arrive: it
    /// cannot be deleted.
    pub fn conversation(&self) -> Result<Conversation> {
        Ok(Conversation::create(&self.session)?)
    }

    /// Goes on with a conversation that was left on the service by
    /// [`Conversation::keep`]. It belongs to the session that created it: to go on with it in
    /// another process, pass that session's cookie (see [`cookie`](Client::cookie)) to
    /// [`ClientBuilder::cookie`](crate::ClientBuilder::cookie). When it is closed or dropped it is deleted, like any other.
    ///
    /// Sends `POST /settings` once per session, and does not ask whether the conversation is
    /// there: its first message will show.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if this cannot be an id, and those of
    /// [`conversation`](Client::conversation).
    pub fn resume(&self, id: impl Into<String>) -> Result<Conversation> {
        Ok(Conversation::resume(&self.session, id.into())?)
    }

    /// The models that the service lists, the first one being its default. Servers before
    /// chat-ui v0.8 have no list.
    ///
    /// One request, which waits for its answer no longer than `timeout_connect` and
    /// `timeout_token`.
    ///
    /// # Errors
    ///
    /// [`Error::Http`] if the service has no list or hides it, [`Error::Network`],
    /// [`Error::Timeout`], [`Error::Protocol`].
    pub fn models(&self) -> Result<Vec<Model>> {
        Ok(session::models(&mut self.session.http.connection())?)
    }

    /// The value of a cookie of this session, such as `hf-chat`. Whoever has it has the session:
    /// it is a credential.
    pub fn cookie(&self, name: &str) -> Option<String> {
        self.session.http.cookie(name)
    }

    /// Asks a question in a conversation of its own, which is deleted when the reply is dropped.
    /// Several messages are flattened into one prompt by [`format_prompt`].
    ///
    /// Creates the conversation at once, see [`conversation`](Client::conversation); the prompt
    /// is sent when the reply is first read.
    ///
    /// # Errors
    ///
    /// Those of [`conversation`](Client::conversation), and [`Error::Configuration`] if there is
    /// no message or nothing in them.
    pub fn generate(&self, messages: &[Message]) -> Result<Reply<'static>> {
        if messages
            .iter()
            .all(|message| message.content.trim().is_empty())
        {
            return Err(*Error::configuration(
                "there is no message with any text in it",
            ));
        }
        let conversation = self.conversation()?;
        Ok(conversation.into_reply(format_prompt(messages))?)
    }
}

/// Shows the service, and no cookie or password.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("url", &self.session.http.origin)
            .field("model", &self.session.model)
            .finish_non_exhaustive()
    }
}
