//! How an error is shown to people.

use std::error::Error as _;
use std::fmt;

use super::Error;
use crate::sanitize::sanitize;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Configuration { message } => f.write_str(&sanitize(message)),
            Error::Network { step, .. } => write!(f, "could not reach the server while {step}"),
            Error::Timeout { step, limit, .. } => write!(f, "timed out while {step} ({limit})"),
            Error::Http {
                step,
                status,
                message,
                retry_after,
            } => {
                write!(f, "the server responded {status}{}", reason(*status))?;
                write!(f, " while {step}")?;
                if !message.is_empty() {
                    write!(f, ": {message}")?;
                }
                match retry_after {
                    Some(wait) => write!(f, " (retry after {} s)", wait.as_secs()),
                    None => Ok(()),
                }
            }
            Error::LoginRequired { step } => write!(
                f,
                "the server requires a login while {step}: \
                 use the cookie of a session that is logged in"
            ),
            Error::Server {
                message,
                error_type,
                ..
            } => {
                f.write_str("the server reported an error")?;
                if !message.is_empty() {
                    write!(f, ": {message}")?;
                }
                match error_type {
                    Some(kind) => write!(f, " ({kind})"),
                    None => Ok(()),
                }
            }
            Error::Incomplete { .. } => f.write_str("the reply was cut short"),
            Error::Protocol {
                step,
                expected,
                found,
                ..
            } => write!(f, "expected {expected} while {step}, found: {found}"),
            Error::Cancelled { step, .. } => write!(f, "cancelled while {step}"),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        let mut cause = self.source();
        while let Some(error) = cause {
            write!(f, ": {}", sanitize(&error.to_string()))?;
            cause = error.source();
        }
        Ok(())
    }
}

/// The reason phrases of the status codes that the protocol uses.
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
