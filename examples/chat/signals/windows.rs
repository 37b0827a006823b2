//! Ctrl-C on Windows.

use std::io;

use super::Signal;

/// Calls `handler` for each Ctrl-C, on a thread of its own.
pub fn watch(mut handler: impl FnMut(Signal) + Send + 'static) -> io::Result<()> {
    ctrlc::set_handler(move || handler(Signal::Interrupt)).map_err(io::Error::other)
}

/// Windows reports the size of the window with the keys.
pub fn receive_resizes() {}
