//! The client: a service, a session with it, and the conversations that come of both.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;
use ureq::http::Method;

use crate::builder::ClientBuilder;
use crate::conversation::Conversation;
use crate::error::{Error, Result, Step};
use crate::http::{Connection, Content, Http, Request};
use crate::message::{Message, format_prompt};
use crate::parameters::Parameters;
use crate::protocol::request::{Settings, create};
use crate::reply::Reply;

/// The public service of 2023, which answers no longer. It stands for the default of everything
/// that speaks its protocol; today's servers are your own.
pub const DEFAULT_URL: &str = "https://gpt-gm.h2o.ai";

/// The model that the public service of 2023 used by default.
pub const DEFAULT_MODEL: &str = "h2oai/h2ogpt-gm-oasst1-en-2048-falcon-40b-v1";

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
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) http: Arc<Http>,
    pub(crate) model: String,
    pub(crate) parameters: Parameters,
    pub(crate) system_prompt: Option<String>,
    pub(crate) search_enabled: bool,
    pub(crate) share_with_model_authors: bool,
    /// Whether this session has accepted the terms.
    pub(crate) accepted: Mutex<bool>,
}

impl Client {
    /// A client of the service at `url`, with defaults for everything else. Does no I/O.
    ///
    /// The URL may have a path that the service lives under (`https://host/chat`), and a user
    /// name and password for HTTP basic authentication.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if this is no URL of a service.
    pub fn new(url: &str) -> Result<Client> {
        Client::builder().url(url).build()
    }

    /// Everything that can be chosen about a client.
    pub fn builder() -> ClientBuilder {
        ClientBuilder::new()
    }

    pub(crate) fn from_inner(inner: Inner) -> Client {
        let inner = Arc::new(inner);
        Client { inner }
    }

    /// Creates a conversation on the service, which keeps its history there until it is deleted:
    /// when the [`Conversation`] is closed or dropped.
    ///
    /// Sends `POST /settings` once per session, and `POST /conversation`. Each waits for its
    /// answer no longer than `timeout_connect` and `timeout_token`.
    ///
    /// # Errors
    ///
    /// [`Error::Network`], [`Error::Timeout`], [`Error::Http`] if the service refuses,
    /// [`Error::LoginRequired`], [`Error::Protocol`] if it answers something else. In an error
    /// of [`Step::Created`] the service has created a conversation, but its id did not arrive: it
    /// cannot be deleted.
    pub fn conversation(&self) -> Result<Conversation> {
        let inner = &*self.inner;
        let mut connection = inner.http.connection();
        inner.accept_terms(&mut connection, false)?;
        let body = create(&inner.model);
        let request = Request {
            step: Step::Create,
            method: Method::POST,
            path: "/conversation",
            content: Content::Json(&body),
        };
        let mut answer = connection.call(&request)?;
        if answer.wants_terms() {
            inner.accept_terms(&mut connection, true)?;
            answer = connection.call(&request)?;
        }
        if !answer.is_success() {
            return Err(answer.error());
        }
        let id = answer.json().and_then(|body| {
            let id = body.get("conversationId").and_then(Value::as_str)?;
            Some(id.to_owned())
        });
        let expected = "JSON with a conversationId";
        let id = id.ok_or_else(|| answer.unexpected(Step::Create, expected))?;
        Conversation::new(self.clone(), connection, id)
            .map_err(|_| answer.unexpected(Step::Create, expected))
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
            return Err(Error::configuration(
                "there is no message with any text in it",
            ));
        }
        Reply::of_its_own(self.conversation()?, format_prompt(messages))
    }

    pub(crate) fn parameters(&self) -> &Parameters {
        &self.inner.parameters
    }

    /// Posts the settings again, for a session that the service has forgotten.
    pub(crate) fn accept_terms_again(&self, connection: &mut Connection) -> Result<()> {
        self.inner.accept_terms(connection, true)
    }
}

impl Inner {
    /// Posts the settings, unless this session has done so.
    fn accept_terms(&self, connection: &mut Connection, again: bool) -> Result<()> {
        // Held while posting: other threads wait for the outcome and then go on with the session.
        let mut accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        if *accepted && !again {
            return Ok(());
        }
        let settings = Settings {
            model: &self.model,
            system_prompt: self.system_prompt.as_deref(),
            search_enabled: self.search_enabled,
            share_with_model_authors: self.share_with_model_authors,
        };
        let answer = connection.call(&Request {
            step: Step::Settings,
            method: Method::POST,
            path: "/settings",
            content: Content::Form(&settings.form()),
        })?;
        if !answer.is_success() && !answer.is_see_other() {
            return Err(answer.error());
        }
        *accepted = true;
        Ok(())
    }
}

/// Shows the service and the model, and no cookie or password.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("url", &self.inner.http.origin)
            .field("model", &self.inner.model)
            .finish_non_exhaustive()
    }
}
