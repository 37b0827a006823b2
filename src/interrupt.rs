//! Ends a blocked read from outside: by hand, or when its time is up.

use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use ureq::Agent;

/// Ends one reply from another thread: of [`Reply::canceller`](crate::Reply::canceller).
///
/// ```no_run
/// # fn main() -> h2ogpt::Result<()> {
/// let client = h2ogpt::Client::new("http://localhost:3000")?;
/// let mut conversation = client.conversation()?;
/// let reply = conversation.send("Count to a million.")?;
/// let canceller = reply.canceller();
/// std::thread::spawn(move || {
///     std::thread::sleep(std::time::Duration::from_secs(5));
///     canceller.cancel();
/// });
/// for token in reply {
///     print!("{}", token?); // after 5 s: Error::Cancelled, with the text so far
/// }
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Canceller {
    interrupt: Arc<Interrupt>,
}

impl Canceller {
    pub(crate) fn new(interrupt: Arc<Interrupt>) -> Self {
        Canceller { interrupt }
    }

    /// Ends the reply: a `next()` that waits returns at once, and yields
    /// [`Error::Cancelled`](crate::Error::Cancelled) with the text so far; one that comes later
    /// does the same. Without effect when the reply has ended by itself. Closes the connection,
    /// does no other I/O and does not wait. Only a connection that is just being made is not
    /// broken off, it takes `timeout_connect` at most.
    pub fn cancel(&self) {
        self.interrupt.lock().trip(Cause::Cancelled);
    }
}

impl fmt::Debug for Canceller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cause = self.interrupt.cause();
        f.debug_struct("Canceller").field("cause", &cause).finish()
    }
}

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
#[derive(Default)]
pub(crate) struct Interrupt {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The agent at work, if there is one.
    agent: Option<Agent>,
    cause: Option<Cause>,
    deadline: Option<(Instant, &'static str)>,
    clock: Clock,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Clock {
    #[default]
    Stopped,
    /// A thread sleeps until then, or until it is told otherwise.
    Sleeping(Option<Instant>),
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
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
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
        if state.clock == Clock::Stopped {
            let clock = Arc::clone(self);
            let thread = thread::Builder::new().name("h2ogpt-clock".into());
            // Without the thread, the agent's own timeouts still bound every single read.
            if thread
                .stack_size(64 << 10)
                .spawn(move || clock.run())
                .is_ok()
            {
                state.clock = Clock::Sleeping(None);
            }
        }
        Ok(())
    }

    /// Takes the agent out of control again: what comes later has no effect on it. Returns
    /// whether it is alive.
    pub(crate) fn detach(&self) -> bool {
        let mut state = self.lock();
        state.deadline = None;
        let alive = state.agent.take().is_some();
        self.changed.notify_all();
        alive
    }

    /// Ends reading at `at`, unless it is told otherwise before.
    pub(crate) fn arm(&self, at: Instant, setting: &'static str) {
        let mut state = self.lock();
        state.deadline = Some((at, setting));
        // Mostly the deadline is only put off, and the sleeper need not know until it wakes.
        if matches!(state.clock, Clock::Sleeping(until) if until.is_none_or(|until| at < until)) {
            self.changed.notify_all();
        }
    }

    /// Grants all the time in the world: nobody is waiting.
    pub(crate) fn disarm(&self) {
        self.lock().deadline = None;
    }

    /// Body of the clock's thread, which lives as long as an agent is attached.
    fn run(&self) {
        let mut state = self.lock();
        while state.agent.is_some() {
            let now = Instant::now();
            let left = match state.deadline {
                Some((at, setting)) if at <= now => {
                    state.trip(Cause::Timeout(setting));
                    break;
                }
                Some((at, _)) => Some(at.duration_since(now)),
                None => None,
            };
            state.clock = Clock::Sleeping(left.map(|left| now + left));
            state = self.sleep(state, left);
        }
        state.clock = Clock::Stopped;
    }

    fn sleep<'a>(
        &self,
        state: MutexGuard<'a, State>,
        left: Option<Duration>,
    ) -> MutexGuard<'a, State> {
        match left {
            Some(left) => {
                let woken = self.changed.wait_timeout(state, left);
                woken.unwrap_or_else(PoisonError::into_inner).0
            }
            None => {
                let woken = self.changed.wait(state);
                woken.unwrap_or_else(PoisonError::into_inner)
            }
        }
    }
}
