//! A TCP listener on loopback, one thread a connection, that can be stopped at any moment. Servers
//! and proxies are built on it.

use std::collections::HashMap;
use std::io::{self, BufReader};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::tls::Identity;
use super::transport::{self, Reader, Writer};

/// How long a stopped listener waits for the threads of its connections. Their sockets are shut
/// down by then, so that only code blocked on something else takes any time at all.
const GRACE: Duration = Duration::from_secs(10);

/// Locks, also after another thread panicked with the lock held: that panic fails its own test,
/// and a second one while dropping would abort the whole run.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Accepts connections until it is stopped or dropped.
pub struct Listener {
    address: SocketAddr,
    host: &'static str,
    shared: Arc<Shared>,
    accepting: Mutex<Option<JoinHandle<()>>>,
}

/// A listener that accepts nothing, and whose queue of connections is full. Elsewhere a full queue
/// refuses, or takes everything.
#[cfg(target_os = "linux")]
pub struct FullQueue {
    pub address: SocketAddr,
    _listener: TcpListener,
    _waiting: Vec<TcpStream>,
}

#[cfg(target_os = "linux")]
impl FullQueue {
    pub fn start() -> FullQueue {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind to loopback");
        let address = listener.local_addr().expect("address of the listener");
        // The queue is full when a connection waits for a place in it, more than once.
        let mut waiting = Vec::new();
        let mut refused = 0;
        while refused < 2 {
            match TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
                Ok(stream) => waiting.push(stream),
                Err(_) => refused += 1,
            }
            assert!(waiting.len() < 10_000, "the queue has no end");
        }
        FullQueue {
            address,
            _listener: listener,
            _waiting: waiting,
        }
    }
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    accepted: usize,
    /// A second handle of every open socket, so that `stop` can shut it down under its thread.
    open: HashMap<usize, TcpStream>,
    stopping: bool,
    panicked: bool,
}

impl Listener {
    /// Calls `serve` with every connection and its number, counted from 0, in a thread of its own.
    pub fn start(serve: impl Fn(TcpStream, usize) + Send + Sync + 'static) -> Listener {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("bind to loopback");
        let address = listener.local_addr().expect("address of the listener");
        let shared = Arc::new(Shared::default());
        let accepting = thread::spawn({
            let shared = Arc::clone(&shared);
            let serve = Arc::new(serve);
            move || accept(&listener, &shared, &serve)
        });
        Listener {
            address,
            host: "127.0.0.1",
            shared,
            accepting: Mutex::new(Some(accepting)),
        }
    }

    /// The same with connections that can be read and written at once, over TLS if there is an
    /// identity. An error of `serve` is a client that went away, or a failed handshake: the
    /// client's side of the test sees what it needs of it.
    pub fn start_duplex(
        identity: Option<&Identity>,
        serve: impl Fn(Connection) -> io::Result<()> + Send + Sync + 'static,
    ) -> Listener {
        let tls = identity.map(|identity| Arc::clone(identity.server_config()));
        let is_tls = tls.is_some();
        let mut listener = Listener::start(move |stream, number| {
            if let Ok((reader, writer)) = transport::split(stream, tls.as_ref()) {
                let reader = BufReader::new(reader);
                let _ = serve(Connection {
                    number,
                    reader,
                    writer,
                });
            }
        });
        if is_tls {
            listener.host = "localhost";
        }
        listener
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// `host:port` for a URL, with a name as host where a certificate is for names.
    pub fn authority(&self) -> String {
        format!("{}:{}", self.host, self.port())
    }

    /// How many connections have been accepted so far.
    pub fn connections(&self) -> usize {
        lock(&self.shared.state).accepted
    }

    /// Waits until all connections are closed; `false` if that did not happen in time. That a peer
    /// closed one is noticed where the server reads or writes, not while it does neither.
    fn wait_until_closed(&self, deadline: Duration) -> bool {
        let state = lock(&self.shared.state);
        let waiting = |state: &mut State| !state.open.is_empty();
        let (_state, timeout) = self
            .shared
            .changed
            .wait_timeout_while(state, deadline, waiting)
            .unwrap_or_else(PoisonError::into_inner);
        !timeout.timed_out()
    }

    /// Refuses new connections, shuts the open ones down and waits for their threads. Reads and
    /// writes that are blocked meanwhile return, and all later ones fail.
    pub fn stop(&self) {
        lock(&self.shared.state).stopping = true;
        let Some(accepting) = lock(&self.accepting).take() else {
            return;
        };
        // The one portable way to wake a blocked accept(). Should it fail, then because the queue
        // is full, and accept() is not blocked.
        let _ = TcpStream::connect_timeout(&self.address, Duration::from_secs(1));
        let _ = accepting.join();
        for stream in lock(&self.shared.state).open.values() {
            let _ = stream.shutdown(Shutdown::Both);
        }
        self.wait_until_closed(GRACE);
    }
}

impl Drop for Listener {
    /// Stops, and passes a failure inside a connection's thread on to the test that owns it.
    fn drop(&mut self) {
        self.stop();
        if thread::panicking() {
            return;
        }
        let (panicked, running) = {
            let state = lock(&self.shared.state);
            (state.panicked, state.open.len())
        };
        assert!(!panicked, "the thread of a connection panicked, see above");
        assert_eq!(
            running, 0,
            "connections still being served {GRACE:?} after the stop: what do they wait for?"
        );
    }
}

/// An accepted connection.
pub struct Connection {
    /// Counted from 0.
    pub number: usize,
    pub reader: BufReader<Reader>,
    pub writer: Writer,
}

fn accept<F>(listener: &TcpListener, shared: &Arc<Shared>, serve: &Arc<F>)
where
    F: Fn(TcpStream, usize) + Send + Sync + 'static,
{
    loop {
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            // The peer was gone before we looked.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            // Out of file descriptors, most likely: clients are refused from here on, which
            // is a clearer failure than a thread that spins.
            Err(_) => return,
        };
        let Some(guard) = OpenConnection::register(shared, &stream) else {
            return;
        };
        let serve = Arc::clone(serve);
        thread::spawn(move || {
            // The whole of it has to move into this thread, not just its number.
            let guard = guard;
            // A response written in pieces has to leave in pieces.
            let _ = stream.set_nodelay(true);
            serve(stream, guard.number);
        });
    }
}

/// Keeps a connection in the list of the open ones for as long as its thread runs.
struct OpenConnection {
    shared: Arc<Shared>,
    number: usize,
}

impl OpenConnection {
    /// `None` once the listener stops, and if the socket is unusable.
    fn register(shared: &Arc<Shared>, stream: &TcpStream) -> Option<OpenConnection> {
        let handle = stream.try_clone().ok()?;
        let mut state = lock(&shared.state);
        if state.stopping {
            return None;
        }
        let number = state.accepted;
        state.accepted += 1;
        state.open.insert(number, handle);
        shared.changed.notify_all();
        Some(OpenConnection {
            shared: Arc::clone(shared),
            number,
        })
    }
}

impl Drop for OpenConnection {
    fn drop(&mut self) {
        let mut state = lock(&self.shared.state);
        state.open.remove(&self.number);
        state.panicked |= thread::panicking();
        self.shared.changed.notify_all();
    }
}
