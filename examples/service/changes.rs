//! Waiting for something to happen in the server.

use std::sync::{Condvar, Mutex};
use std::time::Duration;

use super::server::lock;

/// Counts what happens, and wakes those who wait for it.
#[derive(Default)]
pub(super) struct Changes {
    count: Mutex<u64>,
    changed: Condvar,
}

impl Changes {
    pub(super) fn note(&self) {
        *lock(&self.count) += 1;
        self.changed.notify_all();
    }

    pub(super) fn count(&self) -> u64 {
        *lock(&self.count)
    }

    /// Returns when more has happened than at `count`, or after that time.
    pub(super) fn wait(&self, count: u64, timeout: Duration) {
        let guard = lock(&self.count);
        // A thread that panicked cannot have left a counter half done.
        let _ = self
            .changed
            .wait_timeout_while(guard, timeout, |now| *now == count);
    }
}
