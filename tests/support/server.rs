//! A raw, scripted HTTP/1.1 server: what a handler writes is what the client gets.

use std::io::{self, BufReader, Write};
use std::net::TcpStream;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use rustls::ServerConfig;

pub use super::http1::Request;
use super::http1::response;
use super::listener::{Listener, lock};
use super::tls::Identity;
use super::transport::{self, Writer};

/// What happens to the connection after the response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// The next request is read from it.
    KeepAlive,
    /// An orderly end: `close_notify` if it is TLS, then the end of the stream.
    Close,
    /// A TCP reset, under TLS without a `close_notify`.
    Reset,
    /// Nothing, until the peer closes it or the server stops.
    Hold,
}

/// Serves until it is dropped. A panic inside a handler ends its connection, and fails the test
/// when the server is dropped.
pub struct Server {
    listener: Listener,
    log: Arc<Log>,
    tls: bool,
}

#[derive(Default)]
struct Log {
    requests: Mutex<Vec<Request>>,
    arrived: Condvar,
}

impl Server {
    /// The handler is called with every request and the writing half of its connection. Each
    /// `write` goes out at once. A failed write ends the connection, whatever the handler returns;
    /// all of them fail once the peer is gone or the server stops, so that a handler may write in
    /// a loop until then.
    pub fn start(
        handler: impl Fn(&Request, &mut dyn Write) -> Then + Send + Sync + 'static,
    ) -> Server {
        Server::listen(None, handler)
    }

    /// The same over TLS.
    pub fn start_tls(
        identity: &Identity,
        handler: impl Fn(&Request, &mut dyn Write) -> Then + Send + Sync + 'static,
    ) -> Server {
        Server::listen(Some(Arc::clone(identity.server_config())), handler)
    }

    fn listen(
        tls: Option<Arc<ServerConfig>>,
        handler: impl Fn(&Request, &mut dyn Write) -> Then + Send + Sync + 'static,
    ) -> Server {
        let log = Arc::new(Log::default());
        let is_tls = tls.is_some();
        let listener = Listener::start({
            let log = Arc::clone(&log);
            // An error here is a client that went away or a failed handshake: the client's side
            // of the test sees what it needs of it.
            move |stream, number| {
                let _ = serve(stream, number, tls.as_ref(), &log, &handler);
            }
        });
        Server {
            listener,
            log,
            tls: is_tls,
        }
    }

    /// The origin, without a slash at its end. By name if it is TLS, by address if not.
    pub fn url(&self) -> String {
        if self.tls {
            format!("https://localhost:{}", self.port())
        } else {
            format!("http://127.0.0.1:{}", self.port())
        }
    }

    pub fn port(&self) -> u16 {
        self.listener.port()
    }

    /// All requests so far, in the order in which they were complete.
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.log.requests).clone()
    }

    /// Waits until the requests are as wanted; `false` if that did not come in time. A request
    /// counts from when it was read, before it is answered. `wanted` must not ask this server for
    /// anything: its log is locked meanwhile.
    pub fn wait_for(&self, wanted: impl Fn(&[Request]) -> bool, deadline: Duration) -> bool {
        let requests = lock(&self.log.requests);
        let waiting = |requests: &mut Vec<Request>| !wanted(requests);
        let (_requests, timeout) = self
            .log
            .arrived
            .wait_timeout_while(requests, deadline, waiting)
            .unwrap_or_else(PoisonError::into_inner);
        !timeout.timed_out()
    }

    /// How many connections have been accepted so far.
    pub fn connections(&self) -> usize {
        self.listener.accepted()
    }

    /// How many connections are still open. That a peer closed one is noticed where the server
    /// reads or writes, not while a handler does neither.
    pub fn open_connections(&self) -> usize {
        self.listener.open()
    }

    /// Waits until exactly `count` connections are open; `false` if that did not come in time.
    pub fn wait_for_open_connections(&self, count: usize, deadline: Duration) -> bool {
        self.listener.wait_for_open(count, deadline)
    }

    /// Stops early: what [`Drop`] does, with the log still there to be read.
    pub fn stop(&self) {
        self.listener.stop();
    }
}

fn serve(
    stream: TcpStream,
    number: usize,
    tls: Option<&Arc<ServerConfig>>,
    log: &Log,
    handler: &impl Fn(&Request, &mut dyn Write) -> Then,
) -> io::Result<()> {
    let (reader, mut writer) = transport::split(stream, tls)?;
    let mut reader = BufReader::new(reader);
    loop {
        let request = match Request::read(&mut reader, number) {
            Ok(Some(request)) => request,
            Ok(None) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                writer.write_all(&response("400 Bad Request", &[], error.to_string()))?;
                writer.finish()?;
                return transport::drain(reader);
            }
            Err(error) => return Err(error),
        };
        lock(&log.requests).push(request.clone());
        log.arrived.notify_all();

        let mut answer = Answer {
            writer: &mut writer,
            failed: false,
        };
        let then = handler(&request, &mut answer);
        if answer.failed {
            return Ok(());
        }
        match then {
            Then::KeepAlive => {}
            Then::Close => return writer.finish(),
            Then::Reset => {
                reader.into_inner().reset();
                return Ok(());
            }
            Then::Hold => return transport::drain(reader),
        }
    }
}

/// The writing half as a handler sees it. It remembers a failure, so that handlers may ignore it.
struct Answer<'a> {
    writer: &'a mut Writer,
    failed: bool,
}

impl Write for Answer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let result = self.writer.write(bytes);
        if let Err(error) = &result {
            self.failed |= error.kind() != io::ErrorKind::Interrupted;
        }
        result
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}
