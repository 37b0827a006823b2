//! What an error says to a person.

use std::error::Error as _;
use std::fmt;

use super::Error;
use crate::plain::plain;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Configuration { message } => f.write_str(&plain(message)),
            Error::Network { step, .. } => write!(f, "the service was not reached while {step}"),
            Error::Timeout { step, setting, .. } => {
                write!(f, "no answer in time while {step} (limit: {setting})")
            }
            Error::Http {
                step,
                status,
                message,
                retry_after,
            } => {
                write!(
                    f,
                    "the service answered {status}{} while {step}",
                    reason(*status)
                )?;
                if !message.is_empty() {
                    write!(f, ": {message}")?;
                }
                match retry_after {
                    Some(wait) => write!(f, " (try again in {} s)", wait.as_secs()),
                    None => Ok(()),
                }
            }
            Error::LoginRequired { step } => write!(
                f,
                "the service wants a login while {step}: pass the cookie of a session that is logged \
                 in, by ClientBuilder::cookie(\"hf-chat\", …), or H2OGPT_COOKIE for the program chat"
            ),
            Error::Server {
                message,
                error_type,
                ..
            } => {
                write!(f, "the service reported an error: {message}")?;
                match error_type {
                    Some(kind) => write!(f, " ({kind})"),
                    None => Ok(()),
                }
            }
            Error::Incomplete { .. } => f.write_str("the reply broke off before its end"),
            Error::Protocol {
                step,
                expected,
                found,
                ..
            } => write!(f, "expected {expected} while {step}, but got: {found}"),
            Error::Cancelled { .. } => f.write_str("the reply was cancelled"),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        let mut cause = self.source();
        while let Some(error) = cause {
            write!(f, ": {}", plain(&error.to_string()))?;
            cause = error.source();
        }
        Ok(())
    }
}

/// The usual words for the status codes that this protocol knows.
fn reason(status: u16) -> &'static str {
    match status {
        400 => " Bad Request",
        401 => " Unauthorized",
        403 => " Forbidden",
        404 => " Not Found",
        405 => " Method Not Allowed",
        410 => " Gone",
        413 => " Payload Too Large",
        422 => " Unprocessable Entity",
        429 => " Too Many Requests",
        500 => " Internal Server Error",
        502 => " Bad Gateway",
        503 => " Service Unavailable",
        504 => " Gateway Timeout",
        _ => "",
    }
}
