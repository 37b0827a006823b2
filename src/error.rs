//! What can go wrong, at which step, and what had been received by then.

mod display;
mod step;

use std::error::Error as StdError;
use std::time::Duration;

use crate::plain::plain;

pub use step::Step;

/// The result of anything that can fail in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The same within this crate: an error is large, and mostly only passed on.
pub(crate) type Fallible<T> = std::result::Result<T, Box<Error>>;

impl From<Box<Error>> for Error {
    fn from(error: Box<Error>) -> Self {
        *error
    }
}

type Source = Box<dyn StdError + Send + Sync>;

/// What went wrong.
///
/// `Display` is one line, without HTML and control characters; a cause stands in
/// [`source`](std::error::Error::source) and is not repeated in it. `Debug`, which is what a
/// `fn main() -> Result<(), Box<dyn Error>>` prints, is that line and the causes.
#[non_exhaustive]
pub enum Error {
    /// An argument or a setting is wrong. Nothing was sent.
    #[non_exhaustive]
    Configuration {
        /// What is wrong, and what would be right.
        message: String,
    },
    /// The service could not be reached, or the connection broke before it had answered.
    #[non_exhaustive]
    Network {
        /// What was being done.
        step: Step,
        /// The cause.
        source: Source,
    },
    /// No answer came in time.
    #[non_exhaustive]
    Timeout {
        /// What was being done.
        step: Step,
        /// The setting that bounds it, as in `ClientBuilder`: `"timeout_token"`.
        setting: &'static str,
        /// What of the reply had arrived.
        partial: String,
    },
    /// The service answered with an HTTP status other than success.
    #[non_exhaustive]
    Http {
        /// What was being done.
        step: Step,
        /// The status code.
        status: u16,
        /// What the service says about it; empty if it says nothing.
        message: String,
        /// How long it asks to be left alone (its `Retry-After` header).
        retry_after: Option<Duration>,
    },
    /// The service wants a login first.
    #[non_exhaustive]
    LoginRequired {
        /// What was being done.
        step: Step,
    },
    /// The service reported an error in place of the reply or in the middle of it.
    #[non_exhaustive]
    Server {
        /// What the service says.
        message: String,
        /// Its kind, such as `overloaded`, `validation` or `generation`, if it was named.
        error_type: Option<String>,
        /// The HTTP status of the service behind the service, if it was named.
        status: Option<u16>,
        /// What of the reply had arrived. Newer servers may have sent a part of it twice, as
        /// they try again on their own.
        partial: String,
    },
    /// The reply ended without its final event: what arrived is not all of it.
    #[non_exhaustive]
    Incomplete {
        /// What of the reply had arrived.
        partial: String,
        /// The cause, if the connection broke.
        source: Option<Source>,
    },
    /// The service answered something that the protocol does not have.
    #[non_exhaustive]
    Protocol {
        /// What was being done.
        step: Step,
        /// What should have come.
        expected: &'static str,
        /// The beginning of what came.
        found: String,
        /// What of the reply had arrived.
        partial: String,
    },
    /// The reply was cancelled by a [`Canceller`](crate::Canceller).
    #[non_exhaustive]
    Cancelled {
        /// What of the reply had arrived.
        partial: String,
    },
}

impl Error {
    pub(crate) fn configuration(message: &str) -> Box<Self> {
        let message = message.to_owned();
        Box::new(Error::Configuration { message })
    }

    pub(crate) fn timeout(step: Step, setting: &'static str) -> Box<Self> {
        let partial = String::new();
        Box::new(Error::Timeout {
            step,
            setting,
            partial,
        })
    }

    pub(crate) fn server(
        message: String,
        error_type: Option<String>,
        status: Option<u16>,
    ) -> Box<Self> {
        Box::new(Error::Server {
            message: plain(&message),
            error_type: error_type.map(|kind| plain(&kind)),
            status,
            partial: String::new(),
        })
    }

    pub(crate) fn incomplete(source: Option<Source>) -> Box<Self> {
        let partial = String::new();
        Box::new(Error::Incomplete { partial, source })
    }

    pub(crate) fn protocol(step: Step, expected: &'static str, found: String) -> Box<Self> {
        let partial = String::new();
        Box::new(Error::Protocol {
            step,
            expected,
            found,
            partial,
        })
    }

    /// Adds a hint to what the service says with one of these statuses.
    pub(crate) fn with_hint(mut self: Box<Self>, statuses: &[u16], hint: &str) -> Box<Self> {
        if let Error::Http {
            status, message, ..
        } = &mut *self
            && statuses.contains(status)
        {
            message.push_str(hint);
        }
        self
    }

    pub(crate) fn with_partial(mut self: Box<Self>, text: &str) -> Box<Self> {
        match &mut *self {
            Error::Timeout { partial, .. }
            | Error::Server { partial, .. }
            | Error::Incomplete { partial, .. }
            | Error::Protocol { partial, .. }
            | Error::Cancelled { partial } => text.clone_into(partial),
            Error::Configuration { .. }
            | Error::Network { .. }
            | Error::Http { .. }
            | Error::LoginRequired { .. } => {}
        }
        self
    }

    /// The step that failed, if it was one.
    pub(crate) fn step(&self) -> Option<Step> {
        match self {
            Error::Network { step, .. }
            | Error::Timeout { step, .. }
            | Error::Http { step, .. }
            | Error::LoginRequired { step }
            | Error::Protocol { step, .. } => Some(*step),
            Error::Configuration { .. }
            | Error::Server { .. }
            | Error::Incomplete { .. }
            | Error::Cancelled { .. } => None,
        }
    }

    /// What of the reply had arrived before the error; `None` if nothing had.
    pub fn partial(&self) -> Option<&str> {
        match self {
            Error::Timeout { partial, .. }
            | Error::Server { partial, .. }
            | Error::Incomplete { partial, .. }
            | Error::Protocol { partial, .. }
            | Error::Cancelled { partial } => {
                Some(partial.as_str()).filter(|text| !text.is_empty())
            }
            Error::Configuration { .. }
            | Error::Network { .. }
            | Error::Http { .. }
            | Error::LoginRequired { .. } => None,
        }
    }

    /// Whether the same thing may go better later: the service was not reached, did not answer
    /// in time, was overloaded, or the reply broke off. Never for what is wrong with the request
    /// itself.
    ///
    /// Nothing is tried again by this crate. A message that failed may have been taken all the
    /// same; [`Conversation::retry`](crate::Conversation::retry) replaces it where it was.
    pub fn is_retryable(&self) -> bool {
        match self {
            Error::Network { .. } | Error::Timeout { .. } | Error::Incomplete { .. } => true,
            Error::Http { status, .. } => is_passing(*status),
            Error::Server {
                error_type, status, ..
            } => error_type.as_deref() != Some("validation") && status.is_none_or(is_passing),
            Error::Configuration { .. }
            | Error::LoginRequired { .. }
            | Error::Protocol { .. }
            | Error::Cancelled { .. } => false,
        }
    }

    /// How long the service asks to be left alone, if it does.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Error::Http { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// Statuses that speak of the moment, and not of the request.
pub(crate) fn is_passing(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 502 | 503 | 504)
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Error::Network { source, .. } => Some(source.as_ref()),
            Error::Incomplete { source, .. } => Some(source.as_deref()?),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_may_pass_is_worth_another_try() {
        let http = |status| Error::Http {
            step: Step::Message,
            status,
            message: String::new(),
            retry_after: None,
        };
        let server = |kind: Option<&str>, status| {
            Error::server(String::new(), kind.map(str::to_owned), status)
        };
        for error in [
            Box::new(http(429)),
            Box::new(http(503)),
            server(Some("overloaded"), None),
            server(None, None),
            server(None, Some(503)),
            Error::incomplete(None),
            Error::timeout(Step::Create, "timeout_token"),
        ] {
            assert!(error.is_retryable(), "{error}");
        }
        for error in [
            Box::new(http(404)),
            Box::new(http(500)),
            server(Some("validation"), None),
            server(None, Some(400)),
            Error::configuration("x"),
            Box::new(Error::LoginRequired { step: Step::Create }),
        ] {
            assert!(!error.is_retryable(), "{error}");
        }
    }

    #[test]
    fn debug_says_what_display_says_and_the_causes() {
        let cause = std::io::Error::other("first\nlast");
        let error = Error::Network {
            step: Step::Create,
            source: Error::incomplete(Some(Box::new(cause))),
        };
        assert_eq!(
            format!("{error:?}"),
            "the service was not reached while creating the conversation: \
             the reply broke off before its end: first last"
        );
    }

    #[test]
    fn an_error_is_no_larger_than_what_it_travels_with() {
        assert!(size_of::<Error>() <= 104, "{}", size_of::<Error>());
    }
}
