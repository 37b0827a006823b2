//! One request on a thread of its own.

use std::io::{self, Read};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{mem, thread};

use ureq::http::header::HeaderName;
use ureq::http::{self, response::Parts};
use ureq::{Agent, BodyReader};

use super::watchdog::{Cause, Watch};
use crate::error::Step;

/// Largest response that is read whole.
const MAX_RESPONSE: usize = 1 << 20;
/// The same for a conversation, which has all of its messages in it.
const MAX_HISTORY: usize = 64 << 20;

/// What a thread has for leaving what it has read, after its agent was shut down.
const BRIEFLY: Duration = Duration::from_millis(50);

/// What is wanted of a successful response. Any other one is read whole.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    Whole,
    Stream,
}

/// A response, as far as it was read.
pub(crate) struct Received {
    pub(super) head: Parts,
    pub(super) body: Vec<u8>,
    /// Why the body was not read to its end.
    pub(super) failure: Option<Failure>,
    /// The body, if it is to be read as a stream.
    pub(super) stream: Option<BodyReader<'static>>,
}

pub(super) enum Failure {
    TooLong,
    Io(io::Error),
}

impl Received {
    pub(super) fn status(&self) -> u16 {
        self.head.status.as_u16()
    }

    /// Whether it says what it is to say, even if its end is missing.
    fn is_usable(&self) -> bool {
        self.failure.is_none() || !self.head.status.is_success()
    }

    /// The value of a header, if it is text.
    pub(super) fn header(&self, name: HeaderName) -> Option<String> {
        let value = self.head.headers.get(name)?;
        Some(value.to_str().ok()?.to_owned())
    }
}

/// Why there is no response.
pub(super) enum Unanswered {
    Ended(Cause),
    Failed(ureq::Error),
    /// No thread could be had.
    NoThread(io::Error),
}

/// Undoes what a response tells of that nobody waits for any more.
type UndoCreation = Box<dyn FnOnce(&Agent, &Received) + Send>;

/// Sends the request, and waits for the response until the operation `watch` is ended.
///
/// If the wait ends first, the thread is left behind. If the agent has been shut down, it ends as
/// soon as the system returns from what it is doing, and sends nothing any more. Otherwise it
/// passes the response to `undo` when it arrives.
pub(super) fn run_apart(
    agent: &Agent,
    request: http::Request<Vec<u8>>,
    step: Step,
    wanted: Wanted,
    watch: &Arc<Watch>,
    undo: Option<UndoCreation>,
) -> Result<Box<Received>, Unanswered> {
    let agent = agent.clone();
    let handoff = Arc::new(Handoff {
        slot: Mutex::new(Slot::Empty),
        is_refused: AtomicBool::new(false),
        watch: Arc::clone(watch),
    });
    let running = Running(Arc::clone(&handoff));
    let work = move || {
        let outcome = run(&agent, request, step, wanted, &running.0.is_refused);
        let unwanted = running.fill(outcome);
        if let (Some(Ok(received)), Some(undo)) = (unwanted, undo) {
            undo(&agent, &received);
        }
    };
    spawn("h2ogpt-request", 1 << 20, Box::new(work)).map_err(Unanswered::NoThread)?;
    match watch.wait_for(|| handoff.take()) {
        Ok(outcome) => outcome.map_err(Unanswered::Failed),
        Err(cause) => handoff.give_up(cause),
    }
}

/// Starts a thread that nobody joins.
pub(super) fn spawn(
    name: &str,
    stack_size: usize,
    work: Box<dyn FnOnce() + Send>,
) -> io::Result<()> {
    let thread = thread::Builder::new().name(name.into());
    thread.stack_size(stack_size).spawn(work).map(drop)
}

type Outcome = Result<Box<Received>, ureq::Error>;

/// Where a request's thread leaves its outcome.
struct Handoff {
    slot: Mutex<Slot>,
    /// The head of the response has come, and is not that of a success.
    is_refused: AtomicBool,
    watch: Arc<Watch>,
}

enum Slot {
    Empty,
    Filled(Outcome),
    /// Nobody waits any more.
    Abandoned,
}

impl Handoff {
    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Option<Outcome> {
        let mut slot = self.slot();
        match mem::replace(&mut *slot, Slot::Empty) {
            Slot::Filled(outcome) => Some(outcome),
            other => {
                *slot = other;
                None
            }
        }
    }

    /// Stops waiting. A response that has just come counts, and so does a refusal of which only
    /// the rest of its explanation is missing when the time is up.
    fn give_up(&self, cause: Cause) -> Result<Box<Received>, Unanswered> {
        if matches!(cause, Cause::Expired(_)) && self.is_refused.load(Relaxed) {
            let ends = Instant::now() + BRIEFLY;
            while matches!(*self.slot(), Slot::Empty) && Instant::now() < ends {
                thread::sleep(Duration::from_millis(1));
            }
        }
        match mem::replace(&mut *self.slot(), Slot::Abandoned) {
            Slot::Filled(Ok(received)) if received.is_usable() => Ok(received),
            _ => Err(Unanswered::Ended(cause)),
        }
    }
}

/// The thread's end of it. If it is dropped without an outcome, ureq has panicked.
struct Running(Arc<Handoff>);

impl Running {
    /// Returns the outcome if nobody waits for it.
    fn fill(self, outcome: Outcome) -> Option<Outcome> {
        let mut slot = self.0.slot();
        if matches!(*slot, Slot::Abandoned) {
            return Some(outcome);
        }
        *slot = Slot::Filled(outcome);
        None
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut slot = self.0.slot();
        if matches!(*slot, Slot::Empty) {
            *slot = Slot::Filled(Err(ureq::Error::ConnectionFailed));
        }
        drop(slot);
        self.0.watch.wake();
    }
}

/// Sends the request, and reads what is wanted of the response. Sets `is_refused` when it turns out
/// not to be a success.
pub(super) fn run(
    agent: &Agent,
    request: http::Request<Vec<u8>>,
    step: Step,
    wanted: Wanted,
    is_refused: &AtomicBool,
) -> Outcome {
    let response = if request.body().is_empty() && request.method() != http::Method::POST {
        agent.run(request.map(|_| ()))?
    } else {
        agent.run(request)?
    };
    let is_success = response.status().is_success();
    is_refused.store(!is_success, Relaxed);
    let (head, body) = response.into_parts();
    let mut reader = body.into_reader();
    let mut received = Received {
        head,
        body: Vec::new(),
        failure: None,
        stream: None,
    };
    if wanted == Wanted::Stream && is_success {
        received.stream = Some(reader);
    } else {
        let limit = match step {
            Step::History | Step::Download => MAX_HISTORY,
            _ => MAX_RESPONSE,
        };
        received.failure = read_whole(&mut reader, &mut received.body, limit).err();
    }
    Ok(Box::new(received))
}

fn read_whole(
    reader: &mut BodyReader<'static>,
    body: &mut Vec<u8>,
    limit: usize,
) -> Result<(), Failure> {
    let read = reader.take(limit as u64 + 1).read_to_end(body);
    read.map_err(Failure::Io)?;
    if body.len() > limit {
        return Err(Failure::TooLong);
    }
    Ok(())
}
