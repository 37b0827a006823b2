//! Signals: the first one ends what is going on, cleaning up; a second Ctrl-C ends the program.

#[cfg_attr(unix, path = "signals/unix.rs")]
#[cfg_attr(windows, path = "signals/windows.rs")]
mod system;

use std::io::{self, IsTerminal, Write};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use h2ogpt::Canceller;

use crate::failure::Failure;
use crate::waiting;

pub use system::receive_resizes;

/// A signal that ends the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Ctrl-C.
    Interrupt,
    #[cfg_attr(windows, allow(dead_code, reason = "Windows has no such signal"))]
    Terminate,
    #[cfg_attr(windows, allow(dead_code, reason = "Windows has no such signal"))]
    HangUp,
}

impl Signal {
    pub fn exit_status(self) -> u8 {
        match self {
            Signal::Interrupt => 130,
            Signal::Terminate => 143,
            Signal::HangUp => 129,
        }
    }
}

pub struct Signals {
    shared: Arc<Shared>,
    /// When waiting ends in any case.
    deadline: Option<Instant>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    canceller: Canceller,
}

#[derive(Default)]
struct State {
    received: Option<Signal>,
    /// Ends the wait of the main thread.
    waker: Option<Box<dyn Fn(Signal) + Send>>,
}

impl Signals {
    /// To be called before any other thread is started. `force` is called before a second Ctrl-C
    /// ends the program.
    pub fn install(force: impl Fn() + Send + 'static) -> Result<Signals, Failure> {
        let shared = Arc::<Shared>::default();
        let handler = Arc::clone(&shared);
        system::watch(move |signal| handler.receive(signal, &force)).map_err(no_thread)?;
        Ok(Signals {
            shared,
            deadline: None,
        })
    }

    /// The same, with an end to all waits.
    pub fn until(self, deadline: Option<Instant>) -> Signals {
        Signals { deadline, ..self }
    }

    /// The first signal since the last [`clear_interrupt`](Signals::clear_interrupt).
    pub fn received(&self) -> Option<Signal> {
        self.shared.lock().received
    }

    /// Forgets a Ctrl-C that has ended what was going on. Any other signal ends the program.
    pub fn clear_interrupt(&self) -> Result<(), Failure> {
        let mut state = self.shared.lock();
        match state.received {
            None | Some(Signal::Interrupt) => {
                state.received = None;
                self.shared.canceller.reset();
                Ok(())
            }
            Some(signal) => Err(Failure::Signal(signal)),
        }
    }

    /// Ends whatever the client waits for.
    pub fn canceller(&self) -> &Canceller {
        &self.shared.canceller
    }

    /// Waits for a thread that does this work, which may be a blocking read, up to a signal or the
    /// deadline.
    pub fn wait_for<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Failure> {
        self.begin(work)?.wait(self)
    }

    /// Lets a thread do this work.
    pub fn begin<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Work<T>, Failure> {
        let (sender, outcomes) = mpsc::channel();
        let worker = sender.clone();
        let work = move || {
            let outcome = match catch_unwind(AssertUnwindSafe(work)) {
                Ok(done) => Outcome::Done(done),
                Err(_) => Outcome::Panicked,
            };
            // Perhaps nobody waits for it any more.
            let _ = worker.send(outcome);
        };
        thread::Builder::new().spawn(work).map_err(no_thread)?;
        Ok(Work { sender, outcomes })
    }

    /// Waits for a signal or the deadline.
    pub fn wait(&self) {
        let (sender, signals) = mpsc::channel();
        {
            let mut state = self.shared.lock();
            if state.received.is_some() {
                return;
            }
            // The main thread may have stopped waiting.
            state.waker = Some(Box::new(move |signal| {
                let _ = sender.send(signal);
            }));
        }
        let _ = signals.recv_timeout(self.time_left());
    }

    fn time_left(&self) -> Duration {
        let left = |at: Instant| at.saturating_duration_since(Instant::now());
        self.deadline.map_or(Duration::MAX, left)
    }
}

/// Work that another thread does.
pub struct Work<T> {
    sender: Sender<Outcome<T>>,
    outcomes: Receiver<Outcome<T>>,
}

enum Outcome<T> {
    Done(T),
    Panicked,
    Signal(Signal),
}

impl<T: Send + 'static> Work<T> {
    /// Waits until it is done, or for a signal or the deadline. It can be waited for again then.
    pub fn wait(&self, signals: &Signals) -> Result<T, Failure> {
        let sender = self.sender.clone();
        {
            let mut state = signals.shared.lock();
            if let Some(signal) = state.received {
                return Err(Failure::Signal(signal));
            }
            state.waker = Some(Box::new(move |signal| {
                let _ = sender.send(Outcome::Signal(signal));
            }));
        }
        let outcome = self.outcomes.recv_timeout(signals.time_left());
        signals.shared.lock().waker = None;
        match outcome {
            Ok(Outcome::Done(done)) => Ok(done),
            Ok(Outcome::Signal(signal)) => Err(Failure::Signal(signal)),
            Ok(Outcome::Panicked) => Err(Failure::other("a thread has panicked")),
            Err(_) => Err(Failure::Expired),
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn receive(&self, signal: Signal, force: &dyn Fn()) {
        // Ends the line with the ^C of the terminal, if that is not gone already.
        if !waiting::end() && signal == Signal::Interrupt && io::stderr().is_terminal() {
            let _ = writeln!(io::stderr());
        }
        let mut state = self.lock();
        // `timeout` sends the others twice, and a terminal that is closed sends several.
        if state.received.is_some() && signal == Signal::Interrupt {
            force();
            process::exit(signal.exit_status().into());
        }
        // Of those that end the program, the first one says how.
        if matches!(state.received, None | Some(Signal::Interrupt)) {
            state.received = Some(signal);
        }
        if let Some(wake) = state.waker.take() {
            wake(signal);
        }
        // With the state locked, so that it is not reset before.
        self.canceller.cancel();
    }
}

fn no_thread(error: io::Error) -> Failure {
    Failure::other(format!("the system has no thread left: {error}"))
}
