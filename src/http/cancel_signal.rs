//! What a canceller tells the operations that it can end.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use super::watchdog::{Cause, Watch};

/// Ends operations, those that are under way and those that begin before it is reset.
#[derive(Default)]
pub(crate) struct CancelSignal {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    is_cancelled: bool,
    watches: Vec<Weak<Watch>>,
}

impl CancelSignal {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn cancel(&self) {
        let mut state = self.lock();
        state.is_cancelled = true;
        for watch in state.watches.drain(..) {
            if let Some(watch) = watch.upgrade() {
                watch.end(Cause::Cancelled);
            }
        }
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.lock().is_cancelled
    }

    pub(crate) fn reset(&self) {
        self.lock().is_cancelled = false;
    }

    /// Lets this signal end the operation.
    pub(crate) fn add(&self, watch: &Arc<Watch>) {
        let mut state = self.lock();
        if state.is_cancelled {
            watch.end(Cause::Cancelled);
        } else {
            state.watches.retain(|known| known.strong_count() > 0);
            state.watches.push(Arc::downgrade(watch));
        }
    }
}
