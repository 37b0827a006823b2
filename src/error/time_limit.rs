//! The limits on waiting.

use std::fmt;

/// The time limit that expired, in [`Error::Timeout`](crate::Error::Timeout).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TimeLimit {
    /// [`ClientBuilder::timeout_connect`](crate::ClientBuilder::timeout_connect).
    Connect,
    /// [`ClientBuilder::timeout_token`](crate::ClientBuilder::timeout_token).
    Token,
    /// [`ClientBuilder::timeout_reply`](crate::ClientBuilder::timeout_reply).
    Reply,
    /// [`ClientBuilder::timeout_delete`](crate::ClientBuilder::timeout_delete).
    Delete,
    /// [`Client::until`](crate::Client::until).
    Until,
}

/// The name of the setting, such as `timeout_token`.
impl fmt::Display for TimeLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TimeLimit::Connect => "timeout_connect",
            TimeLimit::Token => "timeout_token",
            TimeLimit::Reply => "timeout_reply",
            TimeLimit::Delete => "timeout_delete",
            TimeLimit::Until => "until",
        })
    }
}
