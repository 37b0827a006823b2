//! What an observer of a client sees.

use std::time::Duration;

use crate::error::Error;

/// One exchange with the server, as an observer sees it.
///
/// A creation that was given up is seen twice if its response still arrives: when it was given up,
/// and when the response came, before the DELETE that undoes it.
///
/// It names neither the host nor a header, so that no credential is in it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Exchange<'a> {
    /// `GET`, `POST`, `PATCH` or `DELETE`.
    pub method: &'a str,
    /// The path below the server's address.
    pub path: &'a str,
    /// The status of the response, or why there is none.
    pub outcome: std::result::Result<u16, &'a Error>,
    /// From the request to its response: to the head of a reply, to the end of any other.
    pub elapsed: Duration,
}

pub(crate) type Observer = dyn Fn(&Exchange<'_>) + Send + Sync;
