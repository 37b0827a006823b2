//! The time limits of a client.

use std::time::Duration;

use crate::error::{Error, Result};

/// Longer than anyone waits, and short enough to be added to any point in time.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The time limits of a client, as its builder documents them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeouts {
    pub(crate) connect: Duration,
    pub(crate) token: Duration,
    pub(crate) reply: Duration,
    pub(crate) delete: Duration,
}

impl Timeouts {
    /// Rejects a limit of zero, and shortens those that are too long to be added to a point in time.
    pub(crate) fn check(&mut self) -> Result<()> {
        for (name, timeout) in [
            ("timeout_connect", &mut self.connect),
            ("timeout_token", &mut self.token),
            ("timeout_reply", &mut self.reply),
            ("timeout_delete", &mut self.delete),
        ] {
            if timeout.is_zero() {
                let message = format!("{name} must be greater than zero");
                return Err(Error::configuration(message));
            }
            *timeout = LONGEST.min(*timeout);
        }
        Ok(())
    }
}
