//! A raw HTTP/1.1 server: what a handler writes is what the client gets.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

pub use super::http1::Request;
use super::http1::response;
use super::listener::{Connection, Listener, lock};
use super::tls::Identity;
use super::transport::{self, Writer};

/// Is called with every request and the writing half of its connection. Each `write` goes out at
/// once. A failed write ends the connection, whatever the handler returns; all of them fail once
/// the peer is gone or the server stops, so that a handler may write in a loop until then.
pub trait Handler: Fn(&Request, &mut dyn Write) -> Then + Send + Sync + 'static {}

impl<F: Fn(&Request, &mut dyn Write) -> Then + Send + Sync + 'static> Handler for F {}

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
    pub listener: Listener,
    log: Arc<Log>,
    scheme: &'static str,
}

#[derive(Default)]
struct Log {
    requests: Mutex<Vec<Request>>,
    arrived: Condvar,
}

impl Server {
    pub fn start(handler: impl Handler) -> Server {
        Server::listen(None, handler)
    }

    /// The same over TLS.
    pub fn start_tls(identity: &Identity, handler: impl Handler) -> Server {
        Server::listen(Some(identity), handler)
    }

    fn listen(identity: Option<&Identity>, handler: impl Handler) -> Server {
        let log = Arc::new(Log::default());
        let listener = Listener::start_duplex(identity, {
            let log = Arc::clone(&log);
            move |connection| serve(connection, &log, &handler)
        });
        Server {
            listener,
            log,
            scheme: if identity.is_some() { "https" } else { "http" },
        }
    }

    /// The origin, without a slash at its end. By name if it is TLS, by address if not.
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.listener.authority())
    }

    /// All requests so far, in the order in which they were complete.
    pub fn requests(&self) -> Vec<Request> {
        lock(&self.log.requests).clone()
    }

    /// Waits until the requests are as wanted; `false` if that did not come in time. A request
    /// counts from when it was read, before its response. `wanted` must not ask this server for
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
}

fn serve(connection: Connection, log: &Log, handler: &impl Handler) -> io::Result<()> {
    let Connection {
        number,
        mut reader,
        mut writer,
    } = connection;
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

        let mut response = ResponseWriter {
            writer: &mut writer,
            failed: false,
        };
        let then = handler(&request, &mut response);
        if response.failed {
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
struct ResponseWriter<'a> {
    writer: &'a mut Writer,
    failed: bool,
}

impl Write for ResponseWriter<'_> {
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
