//! Ends a reply by hand.

use std::fmt;
use std::sync::Arc;

use crate::interrupt::Interrupt;

/// Ends one reply from another thread: of [`Reply::canceller`](crate::Reply::canceller).
///
/// ```no_run
/// # fn main() -> h2ogpt::Result<()> {
/// let client = h2ogpt::Client::new("http://localhost:3000")?;
/// let mut conversation = client.conversation()?;
/// let reply = conversation.send("Count to a million.")?;
/// let canceller = reply.canceller();
/// std::thread::spawn(move || {
///     std::thread::sleep(std::time::Duration::from_secs(5));
///     canceller.cancel();
/// });
/// for token in reply {
///     print!("{}", token?); // after 5 s: Error::Cancelled, with the text so far
/// }
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Canceller {
    interrupt: Arc<Interrupt>,
}

impl Canceller {
    pub(crate) fn new(interrupt: Arc<Interrupt>) -> Self {
        Canceller { interrupt }
    }

    /// Ends the reply: a `next()` that waits returns at once, and yields
    /// [`Error::Cancelled`](crate::Error::Cancelled) with the text so far; one that comes later
    /// does the same. Without effect when the reply has ended by itself. Closes the connection,
    /// does no other I/O and does not wait. Only a connection that is just being made is not
    /// broken off, it takes `timeout_connect` at most.
    pub fn cancel(&self) {
        self.interrupt.cancel();
    }
}

impl fmt::Debug for Canceller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cause = self.interrupt.cause();
        f.debug_struct("Canceller").field("cause", &cause).finish()
    }
}
