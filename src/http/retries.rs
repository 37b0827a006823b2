//! When a request is sent again.

use std::io;
use std::time::{Duration, SystemTime};

use uuid::Uuid;

use super::response::retry_after;
use super::worker::Received;
use crate::error::{Error, Result, Step, is_lasting_limit, is_of_gateway};
use crate::protocol::error_body::message_of_body;

/// The delay before the first retry, doubled for each further one.
const FIRST_DELAY: Duration = Duration::from_millis(500);
const LONGEST_DELAY: Duration = Duration::from_secs(30);

/// How long to wait before the request is sent again; `None` if that is of no use, or could repeat
/// something.
pub(super) fn delay(step: Step, outcome: &Result<Box<Received>>, tries: u32) -> Option<Duration> {
    match outcome {
        Ok(received) => {
            let is_refused_for_now = match (received.status(), step) {
                (429 | 503, _) => true,
                // The server may have begun to reply, or have created a conversation that nobody
                // would delete.
                (status, step) if is_of_gateway(status) => {
                    !matches!(step, Step::Message | Step::Create)
                }
                _ => false,
            };
            let body = String::from_utf8_lossy(&received.body);
            if !is_refused_for_now || is_lasting_limit(&message_of_body(&body)) {
                return None;
            }
            let header = received.header(ureq::http::header::RETRY_AFTER);
            let asked = header.and_then(|header| retry_after(&header, SystemTime::now()));
            asked.or_else(|| Some(backoff(tries)))
        }
        Err(Error::Network { source, .. }) => {
            let io = source.downcast_ref::<io::Error>()?;
            let is_refused = io.kind() == io::ErrorKind::ConnectionRefused;
            is_refused.then(|| backoff(tries))
        }
        Err(_) => None,
    }
}

/// Exponential, and between a half and all of that at random, so that clients that were refused
/// together do not come back together.
fn backoff(tries: u32) -> Duration {
    let longest = FIRST_DELAY
        .saturating_mul(1 << tries.min(16))
        .min(LONGEST_DELAY);
    let random = Uuid::new_v4().as_u128() as u16;
    longest / 2 + longest / 2 * u32::from(random) / u32::from(u16::MAX)
}
