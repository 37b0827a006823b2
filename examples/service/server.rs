//! The listener, its connections, and what they share.

use std::collections::HashMap;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicIsize, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::changes::Changes;
use super::dialect::Rules;
use super::exchange::{After, Exchange};
use super::fault::{Fault, Seen};
use super::http::{Failure, Reader, Request};
use super::limits::{Counter, Limits};
use super::model::{Calls, Model};
use super::planned::Plan;
use super::response::Response;
use super::routes;
use super::store::Store;
use super::tools::Tools;

/// How long a connection may be idle; the `Keep-Alive` header says so too.
const IDLE: Duration = Duration::from_secs(5);

/// What the server takes for its own scheme and host, in a form post.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// The host as the client addressed it, with either scheme. No real server is so lenient; it
    /// stands for one with whatever is right in front of it.
    #[default]
    Any,
    /// The variable `ORIGIN` is not set: up to v0.6 that is `https://HOST`, whatever the
    /// transport; later versions do not care here.
    Unset,
    /// `ORIGIN` is set to this.
    Is(String),
}

/// When a turn is stored, on the versions that store it after the response has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Late {
    After(Duration),
    /// By [`Service::release_history`](super::Service::release_history).
    WhenReleased,
}

pub(super) type Faults = Box<dyn Fn(&Seen) -> Option<Fault> + Send + Sync>;

/// What was configured.
pub(super) struct Config {
    pub rules: &'static Rules,
    pub base_path: String,
    pub cookie_name: String,
    pub token_delay: Duration,
    pub models: Vec<Model>,
    pub require_login: bool,
    pub hide_api: bool,
    pub expose_api: bool,
    pub terms: bool,
    pub origin: Origin,
    pub late_history: Option<Late>,
    pub busy: bool,
    pub one_at_a_time: bool,
    pub title_takes: Duration,
    pub web_search_fails: bool,
    pub limits: Limits,
    pub email_header: Option<String>,
    pub wanted_header: Option<String>,
    pub body_limit: Option<usize>,
    pub page_size: usize,
    pub stream_lasts: Duration,
    pub tools: Tools,
    pub faults: Option<Faults>,
    /// What the model says to the first prompts; the last of them goes for all later ones.
    pub replies: Vec<String>,
}

impl Config {
    /// The longest body that is read.
    fn body_limit(&self) -> usize {
        self.body_limit.unwrap_or(self.rules.body_limit)
    }

    pub(super) fn model(&self, id: &str) -> Option<&Model> {
        self.models.iter().find(|model| model.id == id)
    }
}

/// A connection that is open.
struct Open {
    socket: TcpStream,
    idle: bool,
}

/// Everything the threads share.
pub(super) struct Shared {
    pub config: Config,
    pub stopping: AtomicBool,
    pub changes: Changes,
    pub calls: Calls,
    pub counter: Counter,
    pub plan: Mutex<Plan>,
    /// How often held replies were released.
    pub released: AtomicUsize,
    holding: AtomicIsize,
    /// The number of replies that were given.
    replied: AtomicUsize,
    store: Mutex<Store>,
    seen: Mutex<Vec<Seen>>,
    accepted: AtomicUsize,
    open: Mutex<HashMap<usize, Open>>,
}

/// A thread that panicked leaves the data usable: nothing is half done while a lock is held.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(super) fn new(config: Config) -> Shared {
        Shared {
            config,
            stopping: AtomicBool::new(false),
            changes: Changes::default(),
            calls: Calls::default(),
            counter: Counter::default(),
            plan: Mutex::default(),
            released: AtomicUsize::new(0),
            holding: AtomicIsize::new(0),
            replied: AtomicUsize::new(0),
            store: Mutex::default(),
            seen: Mutex::default(),
            accepted: AtomicUsize::new(0),
            open: Mutex::default(),
        }
    }

    /// The next reply, if the model says nothing of its own.
    pub(super) fn next_reply(&self) -> Option<String> {
        let replies = &self.config.replies;
        let next = self.replied.fetch_add(1, Ordering::SeqCst);
        replies.get(next).or(replies.last()).cloned()
    }

    /// What is stored by now, late saves included.
    pub(super) fn store(&self) -> MutexGuard<'_, Store> {
        let mut store = lock(&self.store);
        store.save_due(Instant::now());
        store
    }

    pub(super) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::SeqCst)
    }

    pub(super) fn requests(&self) -> Vec<Seen> {
        lock(&self.seen).clone()
    }

    /// Counts the replies that are held.
    pub(super) fn held(&self, by: isize) -> isize {
        let before = self.holding.fetch_add(by, Ordering::SeqCst);
        if by != 0 {
            self.changes.note();
        }
        before + by
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Sleeps, but not beyond the end of the service.
    pub(super) fn sleep(&self, duration: Duration) {
        let deadline = Instant::now() + duration;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() || self.is_stopping() {
                return;
            }
            thread::sleep(left.min(Duration::from_millis(20)));
        }
    }

    pub(super) fn answered(&self, index: usize, status: u16) {
        if let Some(seen) = lock(&self.seen).get_mut(index) {
            seen.status = status;
        }
        self.changes.note();
    }

    /// Ends the connections that wait for a request, or all of them; says whether any is left.
    pub(super) fn shut_down(&self, idle_only: bool) -> bool {
        let mut left = false;
        for open in lock(&self.open).values() {
            if open.idle || !idle_only {
                // It fails if the other side was faster.
                let _ = open.socket.shutdown(Shutdown::Both);
            } else {
                left = true;
            }
        }
        left
    }

    /// Notes the request and asks whether something is to go wrong with it.
    fn record(&self, connection: usize, request: &Request) -> (usize, Option<Fault>) {
        let seen = Seen {
            connection,
            method: request.method.clone(),
            path: request.target.clone(),
            headers: request.headers.clone(),
            body: request.body.clone(),
            status: 0,
        };
        let index = {
            let mut all = lock(&self.seen);
            all.push(seen.clone());
            all.len() - 1
        };
        self.changes.note();
        let planned = lock(&self.plan).take(&seen, &self.config.base_path);
        let fault =
            planned.or_else(|| self.config.faults.as_ref().and_then(|faults| faults(&seen)));
        (index, fault)
    }
}

/// Keeps the list of open connections true, whichever way a connection's thread ends.
struct Registration<'a> {
    shared: &'a Shared,
    number: usize,
}

impl<'a> Registration<'a> {
    fn new(shared: &'a Shared, number: usize, socket: &TcpStream) -> Option<Registration<'a>> {
        let socket = socket.try_clone().ok()?;
        let open = Open {
            socket,
            idle: false,
        };
        lock(&shared.open).insert(number, open);
        Some(Registration { shared, number })
    }

    fn set_idle(&self, idle: bool) {
        if let Some(open) = lock(&self.shared.open).get_mut(&self.number) {
            open.idle = idle;
        }
    }
}

impl Drop for Registration<'_> {
    fn drop(&mut self) {
        lock(&self.shared.open).remove(&self.number);
    }
}

/// Accepts until the service stops, then waits for the threads of the connections.
pub(super) fn listen(shared: &Arc<Shared>, listener: &TcpListener) {
    let mut threads: Vec<JoinHandle<()>> = Vec::new();
    loop {
        let accepted = listener.accept();
        if shared.is_stopping() {
            break;
        }
        threads.retain(|thread| !thread.is_finished());
        let Ok((socket, _)) = accepted else {
            // Out of file descriptors, most likely: some will be closed soon.
            thread::sleep(Duration::from_millis(10));
            continue;
        };
        let number = shared.accepted.fetch_add(1, Ordering::SeqCst) + 1;
        let shared = Arc::clone(shared);
        let spawned = thread::Builder::new()
            .name(format!("chat service {number}"))
            .spawn(move || serve(&shared, &socket, number));
        threads.extend(spawned);
    }
    for thread in threads {
        // A panic there was reported when it happened.
        let _ = thread.join();
    }
}

fn serve(shared: &Shared, socket: &TcpStream, number: usize) {
    let Some(registration) = Registration::new(shared, number, socket) else {
        return;
    };
    // Only a matter of speed, should it fail.
    let _ = socket.set_nodelay(true);
    let mut reader = Reader::new(socket);
    while !shared.is_stopping() {
        registration.set_idle(true);
        let begun = reader.wait(IDLE);
        registration.set_idle(false);
        if !begun {
            break;
        }
        let after = match reader.request(shared.config.body_limit()) {
            Ok(request) => answer(shared, socket, number, &mut reader, &request),
            Err(Failure::Closed) => break,
            Err(Failure::Refused(status)) => {
                let _ = reader.release();
                let _ = Response::empty(status).write(socket, false, true);
                break;
            }
        };
        match after {
            After::KeepAlive => {}
            After::Close => break,
            // The unread byte makes a reset of it, once nobody holds the socket any more.
            After::Reset => return,
        }
    }
    let _ = reader.release();
    let _ = socket.shutdown(Shutdown::Both);
}

fn answer(
    shared: &Shared,
    socket: &TcpStream,
    number: usize,
    reader: &mut Reader<'_>,
    request: &Request,
) -> After {
    let (index, fault) = shared.record(number, request);
    if fault == Some(Fault::Reset) {
        return After::Reset;
    }
    if reader.release().is_err() || fault == Some(Fault::Hangup) {
        return After::Close;
    }
    let close = request.close || fault == Some(Fault::CloseAfter);
    let exchange = Exchange::new(shared, socket, index, request, fault);
    match routes::route(&exchange) {
        After::KeepAlive if close => After::Close,
        after => after,
    }
}
