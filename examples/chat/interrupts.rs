//! Ctrl-C: the first one ends what is going on, cleaning up; the second one ends the program.

use std::io::{self, Write};
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use h2ogpt::Canceller;

use crate::status::Failure;
use crate::waiting;

pub struct Interrupts {
    shared: Arc<Shared>,
    events: Receiver<Event>,
    sender: Sender<Event>,
}

#[derive(Default)]
struct Shared {
    interrupted: AtomicBool,
    /// What ends the reply that is being read.
    canceller: Mutex<Option<Canceller>>,
}

enum Event {
    Interrupt,
    Input(io::Result<Vec<u8>>),
}

impl Interrupts {
    pub fn install() -> Result<Interrupts, Failure> {
        let shared = Arc::<Shared>::default();
        let (sender, events) = mpsc::channel();
        let (handler, waker) = (Arc::clone(&shared), sender.clone());
        ctrlc::set_handler(move || {
            let is_second = handler.interrupted.swap(true, Ordering::SeqCst);
            // Ends the line with the ^C of the terminal, if that is not gone already.
            if !waiting::end() {
                let _ = writeln!(io::stderr());
            }
            if is_second {
                process::exit(130);
            }
            let _ = waker.send(Event::Interrupt);
            if let Some(canceller) = &*handler.canceller() {
                canceller.cancel();
            }
        })
        .map_err(Failure::other)?;
        Ok(Interrupts {
            shared,
            events,
            sender,
        })
    }

    /// Fails if there was a Ctrl-C.
    pub fn check(&self) -> Result<(), Failure> {
        match self.shared.interrupted.load(Ordering::SeqCst) {
            true => Err(Failure::Interrupted),
            false => Ok(()),
        }
    }

    /// Forgets a Ctrl-C that has ended what was going on.
    pub fn clear(&self) {
        self.shared.interrupted.store(false, Ordering::SeqCst);
        while self.events.try_recv().is_ok() {}
    }

    /// Lets Ctrl-C end a reply, as long as the returned guard lives.
    pub fn cancel(&self, canceller: Canceller) -> impl Drop + use<> {
        *self.shared.canceller() = Some(canceller.clone());
        if self.check().is_err() {
            canceller.cancel();
        }
        Forget(Arc::clone(&self.shared))
    }

    /// Reads from standard input, up to a Ctrl-C. A thread does that, as a blocking read cannot
    /// be woken.
    pub fn read(
        &self,
        read: impl FnOnce() -> io::Result<Vec<u8>> + Send + 'static,
    ) -> Result<io::Result<Vec<u8>>, Failure> {
        let sender = self.sender.clone();
        thread::spawn(move || sender.send(Event::Input(read())));
        match self.events.recv().map_err(Failure::other)? {
            Event::Interrupt => Err(Failure::Interrupted),
            Event::Input(input) => Ok(input),
        }
    }
}

impl Shared {
    fn canceller(&self) -> std::sync::MutexGuard<'_, Option<Canceller>> {
        self.canceller
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

struct Forget(Arc<Shared>);

impl Drop for Forget {
    fn drop(&mut self) {
        *self.0.canceller() = None;
    }
}
