//! How the program fails: one line on standard error, and an exit status for scripts.

use std::fmt::Display;
use std::io::{self, Write};

use h2ogpt::{DEFAULT_URL, Error, Step, TimeLimit};

use crate::options::Options;
use crate::shown::one_line;
use crate::signals::{Signal, Signals};
use crate::waiting;

/// Why the program ends, or why a turn of an interactive chat has failed.
pub enum Failure {
    /// The client says why.
    Client(Error),
    /// The client says why, and here is what to do about it.
    Explained(Error, String),
    /// Wrong use of the command line.
    Usage(String),
    /// Something was typed in an interactive chat that cannot be done.
    Input(String),
    Other(String),
    Signal(Signal),
    /// `--within` is over, and no request was under way.
    Expired,
    /// Nobody reads the output any more, and so nobody wants to hear about it.
    OutputClosed,
}

impl Failure {
    pub fn usage(message: impl Into<String>) -> Self {
        Failure::Usage(message.into())
    }

    pub fn input(message: impl Into<String>) -> Self {
        Failure::Input(message.into())
    }

    pub fn other(error: impl ToString) -> Self {
        Failure::Other(error.to_string())
    }

    /// An error of the client, with what to do where that follows from the options; or the signal
    /// that caused it.
    pub fn of_client(error: Error, options: &Options, signals: &Signals) -> Self {
        match (signals.received(), hint(&error, options)) {
            (Some(signal), _) if matches!(error, Error::Cancelled { .. }) => {
                Failure::Signal(signal)
            }
            (_, Some(hint)) => Failure::Explained(error, hint),
            (_, None) => Failure::Client(error),
        }
    }

    /// Whether an interactive chat can go on.
    pub fn is_of_the_turn(&self) -> bool {
        match self {
            Failure::Signal(signal) => *signal == Signal::Interrupt,
            Failure::Client(error) | Failure::Explained(error, _) => !is_over(error),
            Failure::Input(_) => true,
            Failure::Usage(_) | Failure::Other(_) | Failure::Expired | Failure::OutputClosed => {
                false
            }
        }
    }

    /// Says it on standard error, unless there is nothing to explain.
    pub fn report(&self) {
        match self {
            Failure::Client(Error::Cancelled { .. })
            | Failure::Signal(_)
            | Failure::OutputClosed => {}
            Failure::Usage(_) => say(format_args!("{} (see --help)", self.message())),
            _ => say(self.message()),
        }
    }

    /// The failure in one line.
    pub fn message(&self) -> String {
        match self {
            Failure::Client(error) => format!("{error:?}"),
            Failure::Explained(error, hint) => format!("{error:?}; {}", one_line(hint)),
            Failure::Usage(message) | Failure::Input(message) | Failure::Other(message) => {
                one_line(message)
            }
            Failure::Signal(_) => "interrupted".into(),
            Failure::Expired => "timed out while waiting for input (--within)".into(),
            Failure::OutputClosed => "standard output is closed".into(),
        }
    }

    /// The error of the client, if it is one.
    pub fn error(&self) -> Option<&Error> {
        match self {
            Failure::Client(error) | Failure::Explained(error, _) => Some(error),
            _ => None,
        }
    }

    pub fn exit_status(&self) -> u8 {
        match self {
            Failure::OutputClosed => 0,
            Failure::Other(_) => 1,
            Failure::Usage(_) | Failure::Input(_) => 2,
            Failure::Expired => 3,
            Failure::Signal(signal) => signal.exit_status(),
            Failure::Client(error) | Failure::Explained(error, _) => match error {
                Error::Configuration { .. } => 2,
                Error::Cancelled { .. } => Signal::Interrupt.exit_status(),
                Error::Http { status: 429, .. } => 5,
                Error::Server {
                    status: Some(429), ..
                } => 5,
                Error::Http { .. } | Error::Server { .. } | Error::LoginRequired { .. } => 4,
                Error::Incomplete { .. } => 6,
                _ if error.partial().is_some() => 6,
                Error::Network { .. } | Error::Timeout { .. } => 3,
                _ => 1,
            },
        }
    }
}

/// Whether the time for everything is over.
fn is_over(error: &Error) -> bool {
    matches!(
        error,
        Error::Timeout {
            limit: TimeLimit::Until,
            ..
        }
    )
}

fn hint(error: &Error, options: &Options) -> Option<String> {
    let is_first = matches!(error.step(), Some(Step::Settings | Step::Models));
    Some(match error {
        _ if is_over(error) => "--within allows more time".into(),
        Error::Network { .. } | Error::Timeout { .. } if options.url == DEFAULT_URL => {
            "the public server of 2023 is offline, name another one with --url or H2OGPT_URL".into()
        }
        // The first requests: a server that fails later is the right one.
        Error::Network { .. } if is_first => {
            let host = host(&options.url);
            format!("is the address {host} right, and the proxy if there is one?")
        }
        Error::Timeout {
            limit: TimeLimit::Token,
            ..
        } => "--timeout allows more time".into(),
        Error::LoginRequired { .. } => {
            "log in with a browser, and set H2OGPT_COOKIE to the value of the cookie hf-chat".into()
        }
        _ => return None,
    })
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Client(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Failure::OutputClosed,
            _ => Failure::Other(format!("cannot write to standard output: {error}")),
        }
    }
}

impl From<lexopt::Error> for Failure {
    fn from(error: lexopt::Error) -> Self {
        Failure::Usage(error.to_string())
    }
}

/// Says something on standard error. If that is closed, it is no failure.
pub fn say(message: impl Display) {
    let _hidden = waiting::hide();
    // In one write, as more than one thread may have something to say.
    let line = format!("chat: {message}\n");
    let _ = io::stderr().write_all(line.as_bytes());
}

/// The part of an address that shows a mistake, and no password.
fn host(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}")
}
