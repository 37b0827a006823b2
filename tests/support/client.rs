//! What the tests need of a client: one that ignores the environment, the ways to send something,
//! and what a reply came to.

use std::error::Error as _;
use std::io::BufRead;
use std::time::Duration;

use h2ogpt::{
    Client, ClientBuilder, Conversation, Error, FinishReason, Parameters, Prompt, Reply, Result,
    Step, TimeLimit, Tokens,
};

/// Nothing takes that long unless it is broken.
pub const DEADLINE: Duration = Duration::from_secs(10);

pub fn builder(url: impl Into<String>) -> ClientBuilder {
    Client::builder()
        .url(url)
        .no_proxy()
        .timeout_token(DEADLINE)
        .timeout_delete(DEADLINE)
}

#[track_caller]
pub fn client(url: impl Into<String>) -> Client {
    builder(url).build().expect("a client")
}

/// Sends a prompt that has parameters of its own.
pub fn send_with<'c>(
    conversation: &'c mut Conversation,
    prompt: &str,
    parameters: &Parameters,
) -> Result<Reply<'c>> {
    conversation.send(Prompt::new(prompt).parameters(parameters.clone()))
}

/// Sends a prompt that is to be searched for in the web first.
pub fn send_with_search<'c>(conversation: &'c mut Conversation, prompt: &str) -> Result<Reply<'c>> {
    conversation.send(Prompt::new(prompt).web_search(true))
}

/// Decodes a reply without a client.
pub fn decode<R: BufRead>(stream: R) -> Tokens<R> {
    Tokens::new(stream)
}

/// The text of a reply that has to be complete.
pub fn text(reply: Result<Reply<'_>>) -> Result<String> {
    reply?.collect()
}

/// Sends a prompt to a conversation of its own, which is closed in the end.
pub fn converse(client: &Client, prompt: &str) -> Result<String> {
    let mut conversation = client.conversation()?;
    let reply = text(conversation.send(prompt))?;
    conversation.close()?;
    Ok(reply)
}

/// The tokens of a reply, and the error that ended it.
#[track_caller]
pub fn read(reply: Result<Reply<'_>>) -> (Vec<String>, Option<Error>) {
    match reply {
        Ok(mut reply) => {
            let (tokens, error) = read_all(&mut reply);
            assert_eq!(reply.text(), tokens.concat());
            (tokens, error)
        }
        Err(error) => (Vec::new(), Some(error)),
    }
}

/// Reads to the end, and a little beyond, where nothing more may come.
#[track_caller]
fn read_all(reply: &mut impl Iterator<Item = Result<String>>) -> (Vec<String>, Option<Error>) {
    let mut tokens = Vec::new();
    let mut failure = None;
    for token in reply.by_ref() {
        match token {
            Ok(token) => tokens.push(token),
            Err(error) => {
                assert_eq!(error.partial().unwrap_or_default(), tokens.concat());
                failure = Some(error);
                break;
            }
        }
    }
    for _ in 0..2 {
        assert!(reply.next().is_none(), "the end of a reply is its end");
    }
    (tokens, failure)
}

/// The limit that expired.
pub fn expired(error: &Error) -> Option<TimeLimit> {
    match error {
        Error::Timeout { limit, .. } => Some(*limit),
        _ => None,
    }
}

/// An error with all its causes.
pub fn chain(error: &Error) -> String {
    let mut shown = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        shown.push_str(&format!(": {cause}"));
        source = cause.source();
    }
    shown
}

/// All that a reply came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    pub tokens: Vec<String>,
    pub text: String,
    pub finish_reason: Option<FinishReason>,
    pub failure: Option<Failure>,
}

impl Outcome {
    /// A reply that ended as it should, of the tokens between the bars.
    pub fn complete(tokens: &str) -> Outcome {
        let tokens: Vec<String> = match tokens {
            "" => Vec::new(),
            tokens => tokens.split('|').map(str::to_owned).collect(),
        };
        Outcome {
            text: tokens.concat(),
            tokens,
            finish_reason: None,
            failure: None,
        }
    }

    /// A reply that failed after the tokens between the bars.
    pub fn failed(tokens: &str, failure: Failure) -> Outcome {
        Outcome {
            failure: Some(failure),
            ..Outcome::complete(tokens)
        }
    }

    /// Reads the reply to its end.
    #[track_caller]
    pub fn of(reply: Result<Reply<'_>>) -> Outcome {
        match reply {
            Ok(mut reply) => {
                let (tokens, error) = read_all(&mut reply);
                Outcome {
                    tokens,
                    text: reply.text().to_owned(),
                    finish_reason: reply.finish_reason(),
                    failure: error.as_ref().map(Failure::from),
                }
            }
            Err(error) => Outcome::failed("", Failure::from(&error)),
        }
    }

    /// The same without a client.
    #[track_caller]
    pub fn of_stream(stream: impl BufRead) -> Outcome {
        let mut decoded = decode(stream);
        let (tokens, error) = read_all(&mut decoded);
        Outcome {
            tokens,
            text: decoded.text().to_owned(),
            finish_reason: decoded.finish_reason(),
            failure: error.as_ref().map(Failure::from),
        }
    }

    /// The same reply from a reader that just ends where the connection broke.
    pub fn with_quiet_end(mut self) -> Outcome {
        if let Some(Failure::Incomplete { broken, .. }) = &mut self.failure {
            *broken = false;
        }
        self
    }
}

/// An error of the client, to be compared.
#[derive(Clone, Debug, PartialEq)]
pub enum Failure {
    Http {
        step: Step,
        status: u16,
        message: String,
        retry_after: Option<u64>,
    },
    LoginRequired(Step),
    Server {
        message: String,
        error_type: Option<String>,
        status: Option<u16>,
        partial: String,
    },
    Incomplete {
        partial: String,
        /// It has a cause: the connection broke.
        broken: bool,
    },
    Protocol {
        step: Step,
        found: String,
        partial: String,
    },
    Network(Step),
    Other(String),
}

impl From<&Error> for Failure {
    fn from(error: &Error) -> Failure {
        match error {
            Error::Http {
                step,
                status,
                message,
                retry_after,
                ..
            } => Failure::Http {
                step: *step,
                status: *status,
                message: message.clone(),
                retry_after: retry_after.map(|wait| wait.as_secs()),
            },
            Error::LoginRequired { step, .. } => Failure::LoginRequired(*step),
            Error::Server {
                message,
                error_type,
                status,
                partial,
                ..
            } => Failure::Server {
                message: message.clone(),
                error_type: error_type.clone(),
                status: *status,
                partial: partial.clone(),
            },
            Error::Incomplete { partial, .. } => Failure::Incomplete {
                partial: partial.clone(),
                broken: error.source().is_some(),
            },
            Error::Protocol {
                step,
                found,
                partial,
                ..
            } => Failure::Protocol {
                step: *step,
                found: found.clone(),
                partial: partial.clone(),
            },
            Error::Network { step, .. } => Failure::Network(*step),
            other => Failure::Other(format!("{other:?}")),
        }
    }
}

pub fn http(step: Step, status: u16, message: &str) -> Failure {
    Failure::Http {
        step,
        status,
        message: message.to_owned(),
        retry_after: None,
    }
}

/// An error that the service reported after `partial`.
pub fn server(
    partial: &str,
    message: &str,
    error_type: Option<&str>,
    status: Option<u16>,
) -> Failure {
    Failure::Server {
        message: message.to_owned(),
        error_type: error_type.map(str::to_owned),
        status,
        partial: partial.to_owned(),
    }
}

pub fn incomplete(partial: &str, broken: bool) -> Failure {
    Failure::Incomplete {
        partial: partial.to_owned(),
        broken,
    }
}
