//! Which of the conversations that were created may remain on the server. Those whose creation was
//! given up, the client deletes in the background if the server's response still arrives.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use h2ogpt::{Error, Exchange, TimeLimit};

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
    /// Those of them that were deleted, or refused.
    settled: usize,
    /// The conversations that the program deletes itself.
    known: Vec<Known>,
}

struct Known {
    id: String,
    /// Whether it was deleted, or is to stay.
    is_settled: bool,
}

impl State {
    fn find(&mut self, id: &str) -> Option<&mut Known> {
        self.known.iter_mut().find(|known| known.id == id)
    }
}

/// The id in the path of a conversation. Messages are deleted too.
fn id(path: &str) -> Option<&str> {
    let id = path.strip_prefix("/conversation/")?;
    Some(id).filter(|id| !id.contains('/'))
}

/// Whether a request that failed may still have its effect.
fn may_be_under_way(error: &Error) -> bool {
    match error {
        // Nothing was sent then.
        Error::Timeout { limit, .. } => *limit != TimeLimit::Connect,
        error => matches!(error, Error::Cancelled { .. }),
    }
}

impl Creations {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of a conversation that was created.
    pub fn succeeded(&self, id: &str) {
        self.lock().known.push(Known {
            id: id.to_owned(),
            is_settled: false,
        });
    }

    /// Takes note of a conversation that stays.
    pub fn kept(&self, id: &str) {
        if let Some(known) = self.lock().find(id) {
            known.is_settled = true;
        }
    }

    /// Whether a conversation would remain if the program ended now.
    pub fn may_remain(&self) -> bool {
        let state = self.lock();
        state.settled < state.given_up || state.known.iter().any(|known| !known.is_settled)
    }

    /// Takes note of a request.
    pub fn observe(&self, exchange: &Exchange<'_>) {
        let mut state = self.lock();
        match (exchange.method, exchange.path, &exchange.outcome) {
            ("POST", "/conversation", Err(error)) if may_be_under_way(error) => {
                state.given_up += 1;
            }
            // Refused when it was given up already: there is nothing to delete.
            ("POST", "/conversation", Ok(300..)) if state.settled < state.given_up => {
                state.settled += 1;
            }
            ("DELETE", path, Ok(200..=299 | 404)) => {
                let Some(id) = id(path) else {
                    return;
                };
                match state.find(id) {
                    Some(known) => known.is_settled = true,
                    None => state.settled += 1,
                }
            }
            _ => return,
        }
        self.changed.notify_all();
    }

    /// Waits until none of them can remain, but not for long. Returns whether that is so.
    pub fn settle(&self) -> bool {
        let is_open = |state: &mut State| state.settled < state.given_up;
        let waited = self
            .changed
            .wait_timeout_while(self.lock(), PATIENCE, is_open);
        let (mut state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        !is_open(&mut state)
    }
}
