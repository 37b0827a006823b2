//! One row of the table: a fault, and what is expected of it.

use std::time::Duration;

use h2ogpt::{Error, Step, TimeLimit};

use crate::fault::Fault;
use crate::{SECOND, TIMEOUT_REPLY};

/// What a step comes to, as far as the caller sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All is well, and this is the reply.
    Complete(String),
    Timeout(Step, TimeLimit),
    Network(Step),
    Http(Step, u16),
    Protocol(Step),
    Incomplete,
    Server(String),
    Other(String),
}

pub fn complete(text: &str) -> Outcome {
    Outcome::Complete(text.to_owned())
}

pub fn server_error(message: &str) -> Outcome {
    Outcome::Server(message.to_owned())
}

impl Outcome {
    pub fn of(error: &Error) -> Outcome {
        match error {
            Error::Timeout { step, limit, .. } => Outcome::Timeout(*step, *limit),
            Error::Network { step, .. } => Outcome::Network(*step),
            Error::Http { step, status, .. } => Outcome::Http(*step, *status),
            Error::Protocol { step, .. } => Outcome::Protocol(*step),
            Error::Incomplete { .. } => Outcome::Incomplete,
            Error::Server { message, .. } => Outcome::Server(message.clone()),
            other => Outcome::Other(other.to_string()),
        }
    }

    /// No earlier and no later than this.
    pub fn bounds(&self) -> (Duration, Duration) {
        match self {
            Outcome::Timeout(_, TimeLimit::Reply) => (TIMEOUT_REPLY, TIMEOUT_REPLY + SECOND),
            Outcome::Timeout(..) => (SECOND, 2 * SECOND),
            _ => (Duration::ZERO, SECOND),
        }
    }
}

/// How the conversation is left in the end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Leave {
    Drop,
    Close,
    Unwind,
}

/// One fault, and all that is expected of it.
pub struct Row {
    pub name: &'static str,
    pub at: Step,
    pub fault: Fault,
    pub outcome: Outcome,
    pub partial: &'static str,
    pub deletes: usize,
    pub leave: Leave,
    pub pause: Duration,
    pub bounds: (Duration, Duration),
    pub says: Option<&'static str>,
    pub retry_after: Option<u64>,
    pub dead: bool,
    pub drained: bool,
}

impl Row {
    pub fn new(at: Step, name: &'static str, fault: Fault, outcome: Outcome) -> Row {
        Row {
            name,
            at,
            fault,
            bounds: outcome.bounds(),
            outcome,
            partial: "",
            deletes: usize::from(!matches!(at, Step::Settings | Step::Create)),
            leave: match at {
                Step::Delete => Leave::Close,
                _ => Leave::Drop,
            },
            pause: Duration::ZERO,
            says: None,
            retry_after: None,
            dead: false,
            drained: false,
        }
    }

    /// What of the reply the error holds; with `…` at its end, what that begins with.
    pub fn partial(mut self, text: &'static str) -> Row {
        self.partial = text;
        self
    }

    /// How many DELETEs reach the server, if it is not the usual number.
    pub fn deletes(mut self, count: usize) -> Row {
        self.deletes = count;
        self
    }

    pub fn leave(mut self, leave: Leave) -> Row {
        self.leave = leave;
        self
    }

    /// How long the caller takes between two tokens.
    pub fn pause(mut self, pause: Duration) -> Row {
        self.pause = pause;
        self
    }

    /// When it ends, in milliseconds, if it is not the usual time.
    pub fn within(mut self, from: u64, to: u64) -> Row {
        self.bounds = (Duration::from_millis(from), Duration::from_millis(to));
        self
    }

    /// What the text of the error contains.
    pub fn says(mut self, text: &'static str) -> Row {
        self.says = Some(text);
        self
    }

    /// After the fault there is no response any more, not even to the DELETE.
    pub fn dead(mut self) -> Row {
        self.dead = true;
        self
    }

    /// Whether there is no response to the DELETE, so that `timeout_delete` is waited for.
    pub fn lacks_delete(&self) -> bool {
        let is_left_waiting = matches!(self.outcome, Outcome::Timeout(..) | Outcome::Complete(_));
        self.dead || (self.at == Step::Delete && is_left_waiting)
    }

    /// However much comes is read and thrown away for a while.
    pub fn drained(mut self) -> Row {
        self.drained = true;
        self
    }

    pub fn retry_after(mut self, seconds: u64) -> Row {
        self.retry_after = Some(seconds);
        self
    }
}
