//! Ends waits by hand.

use std::fmt;
use std::sync::Arc;

use crate::http::cancel_signal::CancelSignal;

/// Ends waits from another thread: those of a client, by
/// [`Client::cancelled_by`](crate::Client::cancelled_by), or those of one reply, by
/// [`Reply::canceller`](crate::Reply::canceller).
///
/// Clones cancel the same waits. Its methods do no I/O beyond closing connections, and never
/// block.
///
/// ```no_run
/// use h2ogpt::{Canceller, Client, Error};
///
/// # fn main() -> h2ogpt::Result<()> {
/// let canceller = Canceller::new();
/// let client = Client::new("http://localhost:3000")?.cancelled_by(&canceller);
/// std::thread::spawn(move || {
///     std::thread::sleep(std::time::Duration::from_secs(5)); // or wait for a button, a channel
///     canceller.cancel();
/// });
/// match client.generate("Count to a million.").and_then(|reply| reply.into_text()) {
///     Err(Error::Cancelled { partial, .. }) => println!("until then: {partial}"),
///     text => println!("{}", text?),
/// }
/// # Ok(()) }
/// ```
#[derive(Clone, Default)]
pub struct Canceller {
    pub(crate) signal: Arc<CancelSignal>,
}

impl Canceller {
    /// A canceller that cancels nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends every wait within 0.1 s, whatever it is for: connecting, a response, the next token.
    /// It fails with [`Error::Cancelled`](crate::Error::Cancelled), which holds the text so far.
    /// Whatever would begin later fails in the same way, until [`reset`](Canceller::reset).
    ///
    /// A conversation is still deleted when it is dropped or closed.
    pub fn cancel(&self) {
        self.signal.cancel();
    }

    /// Whether it was cancelled, and not reset since.
    pub fn is_cancelled(&self) -> bool {
        self.signal.is_cancelled()
    }

    /// Lets later operations run again. What was cancelled stays cancelled.
    pub fn reset(&self) {
        self.signal.reset();
    }
}

/// Shows whether it was cancelled.
impl fmt::Debug for Canceller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Canceller")
            .field("is_cancelled", &self.is_cancelled())
            .finish()
    }
}
