//! What an observer of a client sees.

use std::time::Duration;

use crate::error::Error;

/// One exchange with the service, as an observer sees it.
///
/// It names neither the host nor a header, so that no credential is in it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Exchange<'a> {
    /// `GET`, `POST` or `DELETE`.
    pub method: &'a str,
    /// The path below the service's address.
    pub path: &'a str,
    /// The status of the answer, or why there is none.
    pub outcome: std::result::Result<u16, &'a Error>,
    /// From the request to the headers of the answer.
    pub elapsed: Duration,
}

pub(crate) type Observer = dyn Fn(&Exchange<'_>) + Send + Sync;
