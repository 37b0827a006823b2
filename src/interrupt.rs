//! Ends a blocked read from outside: by hand, or when its time is up.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use ureq::Agent;

/// The clock wakes no more often, however short the longest wait is.
const SHORTEST_TICK: Duration = Duration::from_millis(1);

/// Why reading was ended from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    Cancelled,
    /// The time that this setting grants was up.
    Timeout(&'static str),
}

/// The one place where a reply's reader, its canceller and its clock meet.
///
/// Shutting the agent down is what ends a read wherever it hangs: between tokens, within a
/// chunk's frame, or in trailers. It kills the agent, which is why each conversation has its own.
pub(crate) struct Interrupt {
    state: Mutex<State>,
    changed: Condvar,
    /// Counts the beginnings and the ends of the reader's waits: odd while it waits. It is all
    /// that a token changes here; the clock looks at it now and then.
    waits: AtomicUsize,
    longest_wait: Duration,
    is_cancelled: AtomicBool,
}

#[derive(Default)]
struct State {
    /// The agent at work, if there is one.
    agent: Option<Agent>,
    cause: Option<Cause>,
    /// When the reply must have ended.
    deadline: Option<Instant>,
    has_clock: bool,
}

impl State {
    fn trip(&mut self, cause: Cause) {
        if self.cause.is_none() {
            self.cause = Some(cause);
            if let Some(agent) = self.agent.take() {
                agent.shutdown();
            }
        }
    }
}

impl Interrupt {
    /// `longest_wait` is what a single wait may take.
    pub(crate) fn new(longest_wait: Duration) -> Self {
        Interrupt {
            state: Mutex::default(),
            changed: Condvar::new(),
            waits: AtomicUsize::new(0),
            longest_wait,
            is_cancelled: AtomicBool::new(false),
        }
    }

    /// Whether it was cancelled, without a lock.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.is_cancelled.load(Relaxed)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends reading, now or as soon as it begins.
    pub(crate) fn cancel(&self) {
        let mut state = self.lock();
        state.trip(Cause::Cancelled);
        let is_cancelled = state.cause == Some(Cause::Cancelled);
        self.is_cancelled.store(is_cancelled, Relaxed);
    }

    pub(crate) fn cause(&self) -> Option<Cause> {
        self.lock().cause
    }

    /// Puts `agent` under the control of the canceller and of the clock.
    pub(crate) fn attach(self: &Arc<Self>, agent: &Agent) -> Result<(), Cause> {
        let mut state = self.lock();
        if let Some(cause) = state.cause {
            return Err(cause);
        }
        state.agent = Some(agent.clone());
        if !state.has_clock {
            let clock = Arc::clone(self);
            let first = (self.waits.load(Relaxed), Instant::now());
            let thread = thread::Builder::new().name("h2ogpt-clock".into());
            // Without the thread, the agent's own timeouts still bound every single read.
            state.has_clock = thread
                .stack_size(64 << 10)
                .spawn(move || clock.run(first))
                .is_ok();
        }
        Ok(())
    }

    /// Takes the agent out of control again: what comes later has no effect on it. Returns
    /// whether it is alive.
    pub(crate) fn detach(&self) -> bool {
        let mut state = self.lock();
        let alive = state.agent.take().is_some();
        self.changed.notify_all();
        alive
    }

    /// Ends reading at `at`, whether somebody waits or not.
    pub(crate) fn arm(&self, at: Instant) {
        self.lock().deadline = Some(at);
        self.changed.notify_all();
    }

    /// The reader begins or ends a wait. There is one reader, so no step is lost.
    pub(crate) fn step(&self) {
        let waits = self.waits.load(Relaxed);
        self.waits.store(waits.wrapping_add(1), Relaxed);
    }

    /// Body of the clock's thread, which lives as long as an agent is attached.
    ///
    /// It takes a wait to begin when it is first seen, with `first` for the wait in which the
    /// thread was started; so waits may last a tick longer than they should, but no less long.
    fn run(&self, (mut wait, mut since): (usize, Instant)) {
        let tick = SHORTEST_TICK.max(self.longest_wait / 16);
        let mut state = self.lock();
        while state.agent.is_some() {
            let now = Instant::now();
            let waits = self.waits.load(Relaxed);
            if waits != wait || waits.is_multiple_of(2) {
                (wait, since) = (waits, now);
            }
            let token = since + self.longest_wait;
            let (at, setting) = match state.deadline {
                Some(reply) if reply < token => (reply, "timeout_reply"),
                _ => (token, "timeout_token"),
            };
            if at <= now {
                state.trip(Cause::Timeout(setting));
                break;
            }
            let left = at.duration_since(now);
            let woken = self.changed.wait_timeout(state, tick.min(left));
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
        state.has_clock = false;
    }
}
