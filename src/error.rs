//! What can go wrong, at which step, and what had been received by then.

mod display;
mod step;
mod time_limit;

use std::error::Error as StdError;
use std::time::Duration;

use crate::sanitize::sanitize;

pub use step::Step;
pub use time_limit::TimeLimit;

/// The result of anything that can fail in this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The cause of an error.
pub(crate) type Source = Box<dyn StdError + Send + Sync>;

/// What went wrong.
///
/// `Display` is one line, without HTML and control characters. The cause is in
/// [`source`](std::error::Error::source) and not part of that line. `Debug`, which is what a
/// `fn main() -> Result<(), Box<dyn Error>>` prints, is the line followed by all causes.
#[non_exhaustive]
pub enum Error {
    /// An argument or a setting is invalid, or this server cannot do what was asked for. The message
    /// was not sent.
    #[non_exhaustive]
    Configuration {
        /// What is wrong, and what would be right.
        message: String,
    },
    /// The server could not be reached, or the connection broke before the response.
    #[non_exhaustive]
    Network {
        /// What was being done.
        step: Step,
        /// The cause.
        source: Source,
    },
    /// A time limit expired.
    #[non_exhaustive]
    Timeout {
        /// What was being done.
        step: Step,
        /// The limit that expired.
        limit: TimeLimit,
        /// The part of the reply that had arrived.
        partial: String,
        /// What is likely to be the cause, if that is known.
        source: Option<Source>,
    },
    /// The server responded with an HTTP status other than success.
    #[non_exhaustive]
    Http {
        /// What was being done.
        step: Step,
        /// The status code.
        status: u16,
        /// The server's explanation; empty if it gives none.
        message: String,
        /// The delay that the server requests in its `Retry-After` header.
        retry_after: Option<Duration>,
    },
    /// The server requires a login first.
    #[non_exhaustive]
    LoginRequired {
        /// What was being done.
        step: Step,
    },
    /// The server reported an error in place of the reply, or in the middle of it.
    #[non_exhaustive]
    Server {
        /// The server's explanation.
        message: String,
        /// Its kind, such as `overloaded`, `validation` or `generation`, if it was named.
        error_type: Option<String>,
        /// The HTTP status of the model's own server, if it was named.
        status: Option<u16>,
        /// The part of the reply that had arrived. Newer servers retry by themselves, and may
        /// have sent some of it twice.
        partial: String,
    },
    /// The reply ended without its final event: what arrived is not all of it.
    #[non_exhaustive]
    Incomplete {
        /// The part of the reply that had arrived.
        partial: String,
        /// The cause, if the connection broke.
        source: Option<Source>,
    },
    /// The server sent something that is not part of the protocol.
    #[non_exhaustive]
    Protocol {
        /// What was being done.
        step: Step,
        /// What was expected.
        expected: &'static str,
        /// The beginning of what was found.
        found: String,
        /// The part of the reply that had arrived.
        partial: String,
    },
    /// A [`Canceller`](crate::Canceller) ended the wait.
    #[non_exhaustive]
    Cancelled {
        /// What was being done.
        step: Step,
        /// The part of the reply that had arrived.
        partial: String,
    },
}

impl Error {
    pub(crate) fn configuration(message: impl Into<String>) -> Self {
        Error::Configuration {
            message: message.into(),
        }
    }

    pub(crate) fn network(step: Step, source: impl Into<Source>) -> Self {
        Error::Network {
            step,
            source: source.into(),
        }
    }

    pub(crate) fn timeout(step: Step, limit: TimeLimit) -> Self {
        Error::Timeout {
            step,
            limit,
            partial: String::new(),
            source: None,
        }
    }

    pub(crate) fn server(message: &str, error_type: Option<&str>, status: Option<u16>) -> Self {
        Error::Server {
            message: sanitize(message),
            error_type: error_type.map(sanitize),
            status,
            partial: String::new(),
        }
    }

    pub(crate) fn incomplete(source: Option<Source>) -> Self {
        Error::Incomplete {
            partial: String::new(),
            source,
        }
    }

    /// `found` is shown to people: only a sanitized excerpt of it is kept.
    pub(crate) fn protocol(step: Step, expected: &'static str, found: &str) -> Self {
        Error::Protocol {
            step,
            expected,
            found: sanitize(found),
            partial: String::new(),
        }
    }

    pub(crate) fn cancelled(step: Step) -> Self {
        Error::Cancelled {
            step,
            partial: String::new(),
        }
    }

    /// Adds the likely cause of a timeout.
    pub(crate) fn with_source(mut self, cause: &'static str) -> Self {
        if let Error::Timeout { source, .. } = &mut self {
            *source = Some(cause.into());
        }
        self
    }

    /// Adds a hint to the server's explanation, if the status is one of these.
    pub(crate) fn add_hint(&mut self, statuses: &[u16], hint: &str) {
        if let Error::Http {
            status, message, ..
        } = self
            && statuses.contains(status)
        {
            message.push_str(hint);
        }
    }

    pub(crate) fn with_partial(mut self, text: &str) -> Self {
        self.set_partial(text);
        self
    }

    pub(crate) fn set_partial(&mut self, text: &str) {
        match self {
            Error::Timeout { partial, .. }
            | Error::Server { partial, .. }
            | Error::Incomplete { partial, .. }
            | Error::Protocol { partial, .. }
            | Error::Cancelled { partial, .. } => text.clone_into(partial),
            Error::Configuration { .. }
            | Error::Network { .. }
            | Error::Http { .. }
            | Error::LoginRequired { .. } => {}
        }
    }

    /// The step that failed; `None` for [`Error::Configuration`], which no request has caused.
    pub fn step(&self) -> Option<Step> {
        match self {
            Error::Configuration { .. } => None,
            Error::Network { step, .. }
            | Error::Timeout { step, .. }
            | Error::Http { step, .. }
            | Error::LoginRequired { step }
            | Error::Protocol { step, .. }
            | Error::Cancelled { step, .. } => Some(*step),
            Error::Server { .. } | Error::Incomplete { .. } => Some(Step::Message),
        }
    }

    /// The part of the reply that had arrived before the error; `None` if nothing had.
    pub fn partial(&self) -> Option<&str> {
        match self {
            Error::Timeout { partial, .. }
            | Error::Server { partial, .. }
            | Error::Incomplete { partial, .. }
            | Error::Protocol { partial, .. }
            | Error::Cancelled { partial, .. } => {
                Some(partial.as_str()).filter(|text| !text.is_empty())
            }
            Error::Configuration { .. }
            | Error::Network { .. }
            | Error::Http { .. }
            | Error::LoginRequired { .. } => None,
        }
    }

    /// Whether retrying may succeed: the server was not reached, did not respond in time, was
    /// overloaded, or the reply was cut short. Never for what is wrong with the request itself.
    ///
    /// The server may have accepted a message that failed;
    /// [`Conversation::retry`](crate::Conversation::retry) replaces it in that case.
    pub fn is_retryable(&self) -> bool {
        match self {
            Error::Network { .. } | Error::Incomplete { .. } => true,
            // That time does not come again.
            Error::Timeout { limit, .. } => *limit != TimeLimit::Until,
            Error::Http {
                status, message, ..
            } => is_transient(*status) && !is_lasting_limit(message),
            Error::Server {
                error_type, status, ..
            } => error_type.as_deref() != Some("validation") && status.is_none_or(is_transient),
            Error::Configuration { .. }
            | Error::LoginRequired { .. }
            | Error::Protocol { .. }
            | Error::Cancelled { .. } => false,
        }
    }

    /// The delay that the server requests before the next try, if it does.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Error::Http { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// HTTP statuses that describe the moment, and not the request.
pub(crate) fn is_transient(status: u16) -> bool {
    matches!(status, 408 | 425 | 429 | 502 | 503 | 504)
}

/// Statuses of a gateway, which may have passed the request on.
pub(crate) fn is_of_gateway(status: u16) -> bool {
    matches!(status, 502 | 504)
}

/// Whether a 429 is about a limit that waiting does not lift: on the messages of a conversation,
/// or on the number of conversations.
pub(crate) fn is_lasting_limit(message: &str) -> bool {
    message.starts_with("This conversation has more than")
        || message.starts_with("You have reached the maximum number of conversations")
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Error::Network { source, .. } => Some(source.as_ref()),
            Error::Timeout { source, .. } | Error::Incomplete { source, .. } => {
                Some(source.as_deref()?)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_transient_errors_are_retryable() {
        let http = |status, message: &str| Error::Http {
            step: Step::Message,
            status,
            message: message.to_owned(),
            retry_after: None,
        };
        for error in [
            http(429, "Too many requests."),
            http(503, ""),
            Error::server("", Some("overloaded"), None),
            Error::server("", None, None),
            Error::server("", None, Some(503)),
            Error::incomplete(None),
            Error::timeout(Step::Create, TimeLimit::Token),
        ] {
            assert!(error.is_retryable(), "{error}");
        }
        for error in [
            http(404, ""),
            http(500, ""),
            http(
                429,
                "This conversation has more than 4 messages. Start a new one.",
            ),
            http(
                429,
                "You have reached the maximum number of conversations. Delete some to continue.",
            ),
            Error::server("", Some("validation"), None),
            Error::server("", None, Some(400)),
            Error::configuration("x"),
            Error::LoginRequired { step: Step::Create },
        ] {
            assert!(!error.is_retryable(), "{error}");
        }
    }

    #[test]
    fn debug_is_display_followed_by_the_causes() {
        let cause = std::io::Error::other("first\nlast");
        let error = Error::network(
            Step::Create,
            Box::new(Error::incomplete(Some(Box::new(cause)))) as Source,
        );
        assert_eq!(
            format!("{error:?}"),
            "could not reach the server while creating the conversation: \
             the reply was cut short: first last"
        );
    }
}
