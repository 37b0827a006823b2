//! How the program fails: one line on standard error, and an exit status for scripts.

use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

use h2ogpt::{DEFAULT_URL, Error, Step};

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
    Input(&'static str),
    Other(String),
    /// Ctrl-C.
    Interrupted,
    /// Nobody reads the output any more, and so nobody wants to hear about it.
    OutputClosed,
}

impl Failure {
    pub fn usage(message: impl Into<String>) -> Self {
        Failure::Usage(message.into())
    }

    pub fn other(error: impl ToString) -> Self {
        Failure::Other(error.to_string())
    }

    /// Says what to do where that follows from the options.
    pub fn explained(self, url: &str) -> Self {
        match self {
            Failure::Client(error @ Error::Network { .. }) if url == DEFAULT_URL => {
                let hint = "the public service of 2023 answers no longer, name yours with --url \
                            or H2OGPT_URL";
                Failure::Explained(error, hint.into())
            }
            // The first requests: a service that fails later is the right one.
            Failure::Client(
                error @ Error::Network {
                    step: Step::Settings | Step::Models,
                    ..
                },
            ) => {
                let hint = format!(
                    "is the address {} right, and the proxy if there is one?",
                    host(url)
                );
                Failure::Explained(error, hint)
            }
            Failure::Client(
                error @ Error::Timeout {
                    setting: "timeout_token",
                    ..
                },
            ) => Failure::Explained(error, "--timeout grants more".into()),
            other => other,
        }
    }

    /// Whether an interactive chat can go on.
    pub fn is_of_the_turn(&self) -> bool {
        match self {
            Failure::Client(_) | Failure::Explained(..) => true,
            Failure::Input(_) | Failure::Interrupted => true,
            Failure::Usage(_) | Failure::Other(_) | Failure::OutputClosed => false,
        }
    }

    /// Says it on standard error, and returns the exit status.
    pub fn report(&self) -> ExitCode {
        match self {
            Failure::Client(Error::Cancelled { .. })
            | Failure::Interrupted
            | Failure::OutputClosed => {}
            Failure::Client(error) => say(format_args!("{error:?}")),
            Failure::Explained(error, hint) => {
                say(format_args!("{error:?}; {}", one_line(hint)));
            }
            Failure::Usage(message) => say(format_args!("{} (see --help)", one_line(message))),
            Failure::Input(message) => say(message),
            Failure::Other(message) => say(one_line(message)),
        }
        self.status()
    }

    fn status(&self) -> ExitCode {
        ExitCode::from(match self {
            Failure::OutputClosed => 0,
            Failure::Other(_) => 1,
            Failure::Usage(_) | Failure::Input(_) => 2,
            Failure::Interrupted => 130,
            Failure::Client(error) | Failure::Explained(error, _) => match error {
                Error::Configuration { .. } => 2,
                Error::Cancelled { .. } => 130,
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
        })
    }
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
            _ => Failure::Other(format!("the reply cannot be written: {error}")),
        }
    }
}

impl From<lexopt::Error> for Failure {
    fn from(error: lexopt::Error) -> Self {
        Failure::Usage(error.to_string())
    }
}

/// Says something on standard error. Nobody may be listening there, which is no failure.
pub fn say(message: impl Display) {
    let _hidden = waiting::hide();
    let _ = writeln!(io::stderr(), "chat: {message}");
}

/// The part of an address that shows a mistake, and no password.
fn host(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}")
}

/// Without anything that steers the terminal.
pub fn one_line(text: &str) -> String {
    let shown = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(shown).collect()
}
