//! Signals on Unix, received by a thread instead of by handlers.

use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::thread;

use nix::libc;
use nix::sys::signal::{SigSet, Signal as Number};

use super::Signal;

const HANDLED: [(Number, Signal); 3] = [
    (Number::SIGINT, Signal::Interrupt),
    (Number::SIGTERM, Signal::Terminate),
    (Number::SIGHUP, Signal::HangUp),
];

/// Calls `handler` for each signal, on a thread of its own. To be called before any other thread is
/// started: they inherit that these signals are blocked.
pub fn watch(mut handler: impl FnMut(Signal) + Send + 'static) -> io::Result<()> {
    let handled = HANDLED.iter().filter(|(number, _)| !is_ignored(*number));
    let set: SigSet = handled.map(|(number, _)| *number).collect();
    set.thread_block()?;
    SigSet::from(Number::SIGWINCH).thread_block()?;
    let receive = move || {
        loop {
            let received = set.wait().ok();
            let known = HANDLED.iter().find(|(number, _)| Some(*number) == received);
            if let Some((_, signal)) = known {
                handler(*signal);
            }
        }
    };
    thread::Builder::new()
        .name("signals".into())
        .spawn(receive)?;
    Ok(())
}

/// Lets the calling thread alone receive that the window has another size, which interrupts what it
/// reads.
pub fn receive_resizes() {
    // Otherwise the line is drawn for the old size.
    let _ = SigSet::from(Number::SIGWINCH).thread_unblock();
}

/// Whether the signal is ignored on behalf of whoever started the program: SIGHUP by `nohup`,
/// SIGINT by a shell for its background jobs.
fn is_ignored(signal: Number) -> bool {
    let mut action = MaybeUninit::<libc::sigaction>::zeroed();
    // SAFETY: without a new action, the call only writes the current one to `action`, for which
    // all zeros are a valid value.
    let action = unsafe {
        libc::sigaction(signal as libc::c_int, ptr::null(), action.as_mut_ptr());
        action.assume_init()
    };
    action.sa_sigaction == libc::SIG_IGN
}
