//! Conversations whose creation was given up: the client deletes them in the background if the
//! server's response still arrives.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use h2ogpt::{Error, Exchange, Step, TimeLimit};

/// How long the program waits for the client to delete them.
const PATIENCE: Duration = Duration::from_secs(1);

#[derive(Default)]
pub struct Creations {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    given_up: usize,
    deleted: usize,
    /// The conversations that the program deletes itself.
    known: Vec<String>,
}

impl Creations {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of a conversation that was created.
    pub fn succeeded(&self, id: &str) {
        self.lock().known.push(id.to_owned());
    }

    /// Takes note of a creation that has failed.
    pub fn failed(&self, error: &Error) {
        let is_open = match error {
            // Nothing was sent then.
            Error::Timeout {
                limit: TimeLimit::Connect,
                ..
            } => false,
            Error::Timeout { step, .. } | Error::Cancelled { step, .. } => *step == Step::Create,
            _ => false,
        };
        if is_open {
            self.lock().given_up += 1;
        }
    }

    /// Takes note of a request.
    pub fn observe(&self, exchange: &Exchange<'_>) {
        let is_gone = matches!(exchange.outcome, Ok(200..=299 | 404));
        if exchange.method != "DELETE" || !is_gone {
            return;
        }
        let mut state = self.lock();
        let id = exchange.path.rsplit('/').next().unwrap_or_default();
        if !state.known.iter().any(|known| known == id) {
            state.deleted += 1;
            self.changed.notify_all();
        }
    }

    /// Waits until all of them are deleted, but not for long. Returns whether they are.
    pub fn settle(&self) -> bool {
        let is_open = |state: &mut State| state.deleted < state.given_up;
        let waited = self
            .changed
            .wait_timeout_while(self.lock(), PATIENCE, is_open);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        !is_open(&mut state)
    }
}
