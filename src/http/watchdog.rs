//! Ends waits from outside: when they are cancelled, or when a time limit expires.

use std::io;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ureq::Agent;

use super::worker::spawn;
use crate::error::{Error, Step, TimeLimit};

/// The watchdog wakes no more often, however short the limits are.
const SHORTEST_TICK: Duration = Duration::from_millis(1);
/// What a thread that slept much longer than it meant to grants before a limit counts as expired:
/// the process was stopped or the machine suspended, and the response may have arrived meanwhile.
const GRACE: Duration = Duration::from_millis(250);

/// Why a wait was ended from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    Cancelled,
    Expired(TimeLimit),
}

impl Cause {
    pub(crate) fn error(self, step: Step) -> Error {
        match self {
            Cause::Cancelled => Error::cancelled(step),
            Cause::Expired(limit) => Error::timeout(step, limit),
        }
    }
}

/// The limits of one operation.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Of each single wait: until a request is answered, and then for each token.
    pub(crate) wait: (Duration, TimeLimit),
    /// Of all of it.
    pub(crate) deadline: Option<(Instant, TimeLimit)>,
}

impl Limits {
    /// When a wait that has begun then expires, and which limit that is.
    fn of_wait(&self, begun: Instant) -> (Instant, TimeLimit) {
        let (longest, limit) = self.wait;
        let wait = (begun + longest, limit);
        match self.deadline {
            Some(deadline) if deadline.0 < wait.0 => deadline,
            _ => wait,
        }
    }
}

/// One operation that can be ended from outside: where its reader, its cancellers and the
/// watchdog meet.
///
/// Shutting the agent down ends a read wherever it hangs: between tokens, within a chunk's frame,
/// or in trailers. It kills the agent, which is why each conversation has its own.
pub(crate) struct Watch {
    limits: Limits,
    state: Mutex<State>,
    changed: Condvar,
    /// Counts the beginnings and the ends of the reader's waits: odd while it waits. This is all
    /// that a token changes here; the watchdog looks at it now and then.
    waits: AtomicUsize,
    has_ended: AtomicBool,
}

struct State {
    /// When the wait for a request began: that of the operation, unless it was restarted.
    begun: Instant,
    /// The agent at work, if there is one.
    agent: Option<Agent>,
    cause: Option<Cause>,
}

impl Watch {
    pub(crate) fn new(limits: Limits) -> Self {
        Watch {
            limits,
            state: Mutex::new(State {
                begun: Instant::now(),
                agent: None,
                cause: None,
            }),
            changed: Condvar::new(),
            waits: AtomicUsize::new(0),
            has_ended: AtomicBool::new(false),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the operation, now or as soon as it waits.
    pub(crate) fn end(&self, cause: Cause) {
        let mut state = self.lock();
        if state.cause.is_none() {
            state.cause = Some(cause);
            self.has_ended.store(true, Relaxed);
            if let Some(agent) = state.agent.take() {
                agent.shutdown();
            }
            self.changed.notify_all();
        }
    }

    /// Whether it was ended, without a lock.
    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended.load(Relaxed)
    }

    pub(crate) fn cause(&self) -> Option<Cause> {
        self.lock().cause
    }

    /// Fails if the operation was ended, or if its limits have expired.
    pub(crate) fn check_limits(&self, step: Step) -> Result<(), Error> {
        let (deadline, limit) = self.request_deadline();
        if deadline <= Instant::now() {
            self.end(Cause::Expired(limit));
        }
        match self.cause() {
            Some(cause) => Err(cause.error(step)),
            None => Ok(()),
        }
    }

    /// From now on, ending the operation shuts `agent` down.
    pub(crate) fn attach(&self, agent: &Agent) -> Result<(), Cause> {
        let mut state = self.lock();
        if let Some(cause) = state.cause {
            return Err(cause);
        }
        state.agent = Some(agent.clone());
        Ok(())
    }

    /// From now on, ending the operation has no effect on the agent.
    pub(crate) fn detach(&self) {
        self.lock().agent = None;
    }

    /// Requests that follow are a new wait.
    pub(crate) fn restart(&self) {
        self.lock().begun = Instant::now();
    }

    /// When the wait for a request expires, and which limit that is.
    fn request_deadline(&self) -> (Instant, TimeLimit) {
        self.limits.of_wait(self.lock().begun)
    }

    /// The time that is left for requests.
    pub(crate) fn time_left(&self) -> Duration {
        let (at, _) = self.request_deadline();
        at.saturating_duration_since(Instant::now())
    }

    /// Waits until another thread has something for this one. The operation is ended if its limits
    /// expire first.
    ///
    /// That thread is to call [`wake`](Watch::wake) when it has something.
    pub(crate) fn wait_for<T>(&self, mut take: impl FnMut() -> Option<T>) -> Result<T, Cause> {
        let (mut deadline, limit) = self.request_deadline();
        let mut state = self.lock();
        loop {
            if let Some(taken) = take() {
                return Ok(taken);
            }
            if let Some(cause) = state.cause {
                return Err(cause);
            }
            let now = Instant::now();
            if deadline <= now {
                drop(state);
                self.end(Cause::Expired(limit));
                return Err(self.cause().unwrap_or(Cause::Expired(limit)));
            }
            let left = deadline - now;
            let woken = self.changed.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
            if overslept(now, left) {
                deadline = deadline.max(Instant::now() + GRACE);
            }
        }
    }

    /// Wakes the thread that waits in [`wait_for`](Watch::wait_for).
    pub(crate) fn wake(&self) {
        // With the lock held, so that a thread that is about to wait does not miss it.
        let _state = self.lock();
        self.changed.notify_all();
    }

    /// Waits for this long, but no longer than the operation may take.
    pub(crate) fn sleep(&self, duration: Duration) -> Result<(), Cause> {
        let wakes_at = Instant::now() + duration;
        let (deadline, limit) = self.request_deadline();
        let mut state = self.lock();
        loop {
            if let Some(cause) = state.cause {
                return Err(cause);
            }
            let now = Instant::now();
            if wakes_at <= now {
                return Ok(());
            }
            if deadline <= now {
                drop(state);
                self.end(Cause::Expired(limit));
                return Err(Cause::Expired(limit));
            }
            let left = wakes_at.min(deadline) - now;
            let woken = self.changed.wait_timeout(state, left);
            state = woken.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// The reader begins to wait. There is one reader, so no count is lost.
    pub(crate) fn begin_wait(&self) {
        let waits = self.waits.load(Relaxed);
        self.waits.store(waits | 1, Relaxed);
    }

    /// The reader has what it waited for.
    pub(crate) fn end_wait(&self) {
        let waits = self.waits.load(Relaxed);
        self.waits.store((waits | 1).wrapping_add(1), Relaxed);
    }
}

/// Whether a thread that meant to sleep for `left` since `before` slept much longer.
fn overslept(before: Instant, left: Duration) -> bool {
    before.elapsed() > left.saturating_add(GRACE)
}

/// The replies that are being read, and the thread that enforces their limits: one for the whole
/// process, which lives as long as there are any.
struct Watchdog {
    replies: Vec<Watched>,
    has_thread: bool,
}

struct Watched {
    watch: Arc<Watch>,
    /// The wait that was last seen, and since when it has been seen.
    wait: usize,
    since: Instant,
}

static WATCHDOG: Mutex<Watchdog> = Mutex::new(Watchdog {
    replies: Vec::new(),
    has_thread: false,
});
static WATCHDOG_CHANGED: Condvar = Condvar::new();

fn watchdog() -> MutexGuard<'static, Watchdog> {
    WATCHDOG.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Enforces the limits of a reply until [`unwatch`] is called.
///
/// # Errors
///
/// If a thread is needed and cannot be had.
pub(super) fn watch(watch: &Arc<Watch>) -> io::Result<()> {
    let mut watchdog = watchdog();
    if !watchdog.has_thread {
        spawn("h2ogpt-watchdog", 64 << 10, Box::new(run))?;
        watchdog.has_thread = true;
    }
    watchdog.replies.push(Watched {
        watch: Arc::clone(watch),
        wait: watch.waits.load(Relaxed),
        since: Instant::now(),
    });
    WATCHDOG_CHANGED.notify_all();
    Ok(())
}

/// The limits of an operation are enforced until this is dropped.
pub(crate) struct Watching(Arc<Watch>);

impl Watching {
    pub(crate) fn begin(operation: Arc<Watch>) -> io::Result<Self> {
        watch(&operation)?;
        Ok(Watching(operation))
    }

    /// From now on, the limits end what `agent` does.
    pub(crate) fn attach(&self, agent: &Agent) -> Result<(), Cause> {
        self.0.attach(agent)
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        unwatch(&self.0);
    }
}

/// Stops enforcing the limits of a reply.
pub(super) fn unwatch(watch: &Arc<Watch>) {
    let mut watchdog = watchdog();
    let is_other = |watched: &Watched| !Arc::ptr_eq(&watched.watch, watch);
    watchdog.replies.retain(is_other);
    if watchdog.replies.is_empty() {
        WATCHDOG_CHANGED.notify_all();
    }
}

/// Body of the watchdog's thread.
fn run() {
    let mut watchdog = watchdog();
    let mut grace_ends = Instant::now();
    while !watchdog.replies.is_empty() {
        let now = Instant::now();
        let mut left = Duration::MAX;
        for watched in &mut watchdog.replies {
            left = left.min(watched.look(now, now < grace_ends));
        }
        let woken = WATCHDOG_CHANGED.wait_timeout(watchdog, left);
        watchdog = woken.unwrap_or_else(PoisonError::into_inner).0;
        if overslept(now, left) {
            grace_ends = Instant::now() + GRACE;
        }
    }
    watchdog.has_thread = false;
}

impl Watched {
    /// Ends the reply if a limit has expired, and says when to look again.
    ///
    /// A wait is taken to begin when it is first seen; so waits may last a tick longer than they
    /// should, but no less long.
    fn look(&mut self, now: Instant, is_grace: bool) -> Duration {
        if self.watch.has_ended() {
            return Duration::MAX;
        }
        let waits = self.watch.waits.load(Relaxed);
        if waits != self.wait || waits.is_multiple_of(2) {
            (self.wait, self.since) = (waits, now);
        }
        let limits = &self.watch.limits;
        let (at, limit) = limits.of_wait(self.since);
        if at <= now && !is_grace {
            self.watch.end(Cause::Expired(limit));
        }
        let tick = SHORTEST_TICK.max(limits.wait.0 / 16);
        tick.min(at.saturating_duration_since(now))
            .max(SHORTEST_TICK)
    }
}
