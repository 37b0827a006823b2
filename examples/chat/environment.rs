//! What the program reads of the environment.

use std::env;
use std::path::PathBuf;

use crate::failure::Failure;

/// A variable that is set to something.
pub fn variable(name: &str) -> Result<Option<String>, Failure> {
    let Some(value) = env::var_os(name) else {
        return Ok(None);
    };
    match value.into_string() {
        Ok(value) => Ok(Some(value).filter(|value| !value.is_empty())),
        Err(_) => Err(Failure::usage(format!("{name} is not UTF-8"))),
    }
}

/// A variable that names a file.
pub fn path(name: &str) -> Option<PathBuf> {
    let path = env::var_os(name)?;
    Some(PathBuf::from(path)).filter(|path| !path.as_os_str().is_empty())
}

/// A cookie, by name and value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cookie {
    pub name: String,
    pub value: String,
}

/// What chat-ui calls the cookie of a session, unless it is told otherwise.
pub const SESSION_COOKIE: &str = "hf-chat";

impl Cookie {
    /// Reads `NAME=VALUE`, or the value alone of the cookie that chat-ui sets. An `=` that is not
    /// followed by a value is part of a value, such as the padding of base64.
    pub fn parse(text: &str) -> Cookie {
        let split = text.split_once('=');
        let is_pair = |(name, value): &(&str, &str)| {
            is_cookie_name(name) && !value.trim_start_matches('=').is_empty()
        };
        let (name, value) = split.filter(is_pair).unwrap_or((SESSION_COOKIE, text));
        Cookie {
            name: name.to_owned(),
            value: value.to_owned(),
        }
    }
}

fn is_cookie_name(name: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(is_allowed)
}
