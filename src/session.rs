//! A session with a server: what all conversations of a client have in common, and what was
//! learned of the server on the way.

mod models;
mod settings;

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::error::{Result, Step, TimeLimit};
use crate::http::cancel_signal::CancelSignal;
use crate::http::watchdog::{Limits, Watch};
use crate::http::{Connection, Http};
use crate::parameters::Parameters;
use crate::protocol::dialect::{Dialect, V0_10};

/// How often a thread that waits for another one to open the session looks whether it was
/// cancelled meanwhile.
const LOOK: Duration = Duration::from_millis(20);

/// What a 404 at the root of the server is likely to mean.
pub(crate) const BASE_PATH_HINT: &str =
    " (does the server live under a path, as in http://host/chat?)";

/// What the builder says about a session.
pub(crate) struct SessionOptions {
    /// The model that the caller named.
    pub(crate) model: Option<String>,
    pub(crate) parameters: Parameters,
    pub(crate) system_prompt: Option<String>,
    pub(crate) search_enabled: bool,
    pub(crate) share_with_model_authors: bool,
    /// Whether the server may ask the model for titles.
    pub(crate) titles: bool,
    pub(crate) max_reply: usize,
    /// Whether a reply whose connection broke is picked up.
    pub(crate) reattach: bool,
}

pub(crate) struct Session {
    pub(crate) http: Arc<Http>,
    pub(crate) options: SessionOptions,
    /// Whether the caller gave a cookie: the account belongs to a person, who keeps their settings.
    is_borrowed: bool,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    opening: Opening,
    dialect: Option<&'static Dialect>,
    /// Whether it says that its API is disabled, as v0.8 to v0.9.4 do.
    hides_api: bool,
    /// Whether it is known to take no settings as a form.
    rejects_forms: bool,
    rejects_details: bool,
}

/// Whether what comes before the first conversation was done. It is done once, as two threads
/// that begin a session at the same time would get two cookies.
#[derive(Default)]
enum Opening {
    #[default]
    Closed,
    /// By another thread. Never held as a lock: each thread has its own time limit.
    UnderWay,
    Open(Handshake),
}

/// What is known once a session is open.
#[derive(Clone)]
pub(crate) struct Handshake {
    pub(crate) model: String,
    /// Whether the settings were posted, and hold the system prompt where a server has it there.
    pub(crate) has_settings: bool,
}

/// What ends the waits of a client and its conversations.
#[derive(Clone, Default)]
pub(crate) struct Scope {
    pub(crate) cancelled_by: Vec<Arc<CancelSignal>>,
    pub(crate) until: Option<Instant>,
}

impl Scope {
    /// An operation with these limits, which this scope can end.
    pub(crate) fn watch(&self, limits: Limits) -> Arc<Watch> {
        let watch = Arc::new(Watch::new(limits));
        for signal in &self.cancelled_by {
            signal.add(&watch);
        }
        watch
    }

    /// An operation of requests that take no longer than a token.
    pub(crate) fn watch_requests(&self, http: &Http) -> Arc<Watch> {
        self.watch(Limits {
            wait: (http.options.timeouts.token, TimeLimit::Token),
            deadline: self.until.map(|until| (until, TimeLimit::Until)),
        })
    }

    /// Sending a message and reading its reply.
    pub(crate) fn watch_reply(&self, http: &Http) -> Arc<Watch> {
        let reply = (
            Instant::now() + http.options.timeouts.reply,
            TimeLimit::Reply,
        );
        self.watch(Limits {
            wait: (http.options.timeouts.token, TimeLimit::Token),
            deadline: Some(match self.until {
                Some(until) if until < reply.0 => (until, TimeLimit::Until),
                _ => reply,
            }),
        })
    }
}

/// Requests that nothing can cancel, such as deleting a conversation, within `longest`.
pub(crate) fn watch_alone(longest: Duration) -> Arc<Watch> {
    Arc::new(Watch::new(Limits {
        wait: (longest, TimeLimit::Delete),
        deadline: None,
    }))
}

impl Session {
    pub(crate) fn new(http: Http, options: SessionOptions) -> Self {
        Session {
            is_borrowed: http.has_cookie(),
            http: Arc::new(http),
            options,
            state: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The dialect of the server, as far as it is known.
    pub(crate) fn dialect(&self) -> Option<&'static Dialect> {
        let known = self.state().dialect;
        known.or_else(|| Dialect::of_cookie(self.http.cookie_lifetime()?))
    }

    /// Learns the dialect from a response. What tells v0.10 is certain; other versions are told by
    /// what is missing, which a gateway may have removed.
    pub(crate) fn set_dialect(&self, dialect: &'static Dialect) {
        let known = &mut self.state().dialect;
        if *known != Some(&V0_10) {
            *known = Some(dialect);
        }
    }

    /// Whether the server says that its API is disabled.
    pub(crate) fn hides_api(&self) -> bool {
        self.state().hides_api
    }

    pub(crate) fn set_api_hidden(&self) {
        self.state().hides_api = true;
    }

    /// Whether messages may ask why their replies end.
    pub(crate) fn wants_details(&self) -> bool {
        !self.state().rejects_details
    }

    pub(crate) fn omit_details(&self) {
        self.state().rejects_details = true;
    }

    /// Does what comes before the first conversation, once: chooses the model, and posts the
    /// settings where the server takes them as a form, unless they belong to a person.
    ///
    /// If the session has no cookie then, the next request brings it: until the returned turn is
    /// over, other threads wait.
    pub(crate) fn open(
        &self,
        connection: &mut Connection,
        watch: &Arc<Watch>,
    ) -> Result<(Handshake, Option<OpeningTurn<'_>>)> {
        if let Some(opened) = self.wait_while_opening(watch)? {
            return Ok((opened, None));
        }
        let mut turn = OpeningTurn {
            session: self,
            opened: None,
        };
        let model = self.choose_model(connection, watch)?;
        let has_settings = self.begin_settings(&model, connection, watch)?;
        let opened = Handshake {
            model,
            has_settings,
        };
        if self.http.has_cookie() {
            turn.opened = Some(opened.clone());
            return Ok((opened, None));
        }
        Ok((opened, Some(turn)))
    }

    /// Ends the turn: others go on with what was opened.
    pub(crate) fn set_opened(&self, turn: Option<OpeningTurn<'_>>, opened: Handshake) {
        match turn {
            Some(mut turn) => turn.opened = Some(opened),
            None => self.state().opening = Opening::Open(opened),
        }
    }

    /// Waits while another thread opens the session. `None` if this thread is to do it.
    fn wait_while_opening(&self, watch: &Watch) -> Result<Option<Handshake>> {
        let mut state = self.state();
        loop {
            match &state.opening {
                Opening::Open(opened) => return Ok(Some(opened.clone())),
                Opening::Closed => {
                    state.opening = Opening::UnderWay;
                    return Ok(None);
                }
                Opening::UnderWay => {}
            }
            let woken = self.changed.wait_timeout(state, LOOK);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
            watch.check_limits(Step::Settings)?;
        }
    }
}

/// The turn of the thread that opens the session. When it is over, others go on with what was
/// opened, or one of them takes its turn.
pub(crate) struct OpeningTurn<'a> {
    session: &'a Session,
    opened: Option<Handshake>,
}

impl Drop for OpeningTurn<'_> {
    fn drop(&mut self) {
        self.session.state().opening = match self.opened.take() {
            Some(opened) => Opening::Open(opened),
            None => Opening::Closed,
        };
        self.session.changed.notify_all();
    }
}
