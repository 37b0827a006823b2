//! A line on the terminal that says how long a reply has been awaited, and goes without a trace.

use std::env;
use std::io::{self, IsTerminal, Write};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::terminal;

const ERASE: &str = "\r\x1b[K";

/// There is one terminal. Whoever writes to standard error meanwhile holds this.
static LINE: Mutex<Line> = Mutex::new(Line {
    since: None,
    is_shown: false,
});
static ENDED: Condvar = Condvar::new();

struct Line {
    /// When the wait began; `None` if nothing is awaited.
    since: Option<Instant>,
    is_shown: bool,
}

/// Shows the line from the first second on, until it is dropped.
pub struct Waiting(Option<JoinHandle<()>>);

impl Waiting {
    pub fn begin() -> Waiting {
        let is_known = env::var_os("TERM").is_some() && !terminal::is_plain();
        if !is_known || !io::stderr().is_terminal() {
            return Waiting(None);
        }
        line().since = Some(Instant::now());
        // The reply comes without the thread too.
        Waiting(thread::Builder::new().spawn(draw).ok())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(thread) = self.0.take() {
            end();
            // A panic there was reported when it happened.
            let _ = thread.join();
        }
    }
}

/// Ends the wait, as its owner does, but from any thread. Returns whether the line was shown.
pub fn end() -> bool {
    let mut line = line();
    line.since = None;
    ENDED.notify_all();
    line.hide()
}

/// Takes the line off the screen. It stays away as long as the returned guard lives.
pub fn hide() -> impl Drop {
    let mut line = line();
    line.hide();
    line
}

fn line() -> MutexGuard<'static, Line> {
    LINE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Body of the thread, which ends with the wait.
fn draw() {
    let mut line = line();
    while let Some(since) = line.since {
        let elapsed = since.elapsed();
        let seconds = elapsed.as_secs();
        if seconds > 0 {
            line.show(seconds);
        }
        let next = Duration::from_secs(seconds + 1) - elapsed;
        let woken = ENDED.wait_timeout(line, next);
        line = woken.unwrap_or_else(PoisonError::into_inner).0;
    }
}

impl Line {
    fn show(&mut self, seconds: u64) {
        self.is_shown = true;
        // Without wrapping: of a second line, the first one would be left.
        let text = format!("{ERASE}\x1b[?7lwaiting for the server ... {seconds} s\x1b[?7h");
        let _ = io::stderr().write_all(text.as_bytes());
    }

    fn hide(&mut self) -> bool {
        let was_shown = std::mem::take(&mut self.is_shown);
        if was_shown {
            let _ = io::stderr().write_all(ERASE.as_bytes());
        }
        was_shown
    }
}
