//! Responses: whole ones, and streams of chunks.

use std::io::{self, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use super::answer;
use super::date;

/// The longest nap between two looks at whether the service is to stop.
const NAP: Duration = Duration::from_millis(20);

pub(super) enum Body {
    /// With a `Content-Length`.
    Sized(Vec<u8>),
    /// In a single chunk, or in none when empty.
    Chunked(Vec<u8>),
}

/// A response before the headers that are on all of them.
pub(super) struct Response {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Body,
}

impl Response {
    /// Without a body.
    pub(super) fn empty(status: u16) -> Response {
        Response {
            status,
            headers: Vec::new(),
            body: Body::Chunked(Vec::new()),
        }
    }

    pub(super) fn sized(status: u16, content_type: &str, body: String) -> Response {
        Response {
            status,
            headers: vec![
                ("content-length", body.len().to_string()),
                ("content-type", content_type.to_owned()),
            ],
            body: Body::Sized(body.into_bytes()),
        }
    }

    /// A file.
    pub(super) fn bytes(content_type: &str, body: Vec<u8>) -> Response {
        Response {
            status: 200,
            headers: vec![
                ("content-length", body.len().to_string()),
                ("content-type", content_type.to_owned()),
            ],
            body: Body::Sized(body),
        }
    }

    pub(super) fn chunked(status: u16, content_type: &str, body: String) -> Response {
        Response {
            status,
            headers: vec![("content-type", content_type.to_owned())],
            body: Body::Chunked(body.into_bytes()),
        }
    }

    /// An error page for people.
    pub(super) fn page(status: u16, message: &str) -> Response {
        let page = format!(
            "<!doctype html>\n<html lang=\"en\">\n\t<head>\n\t\t<meta charset=\"utf-8\" />\n\t\t\
             <title>{message}</title>\n\t</head>\n\t<body>\n\t\t<div class=\"error\">\n\t\t\t\
             <span class=\"status\">{status}</span>\n\t\t\t<div class=\"message\">\n\t\t\t\t\
             <h1>{message}</h1>\n\t\t\t</div>\n\t\t</div>\n\t</body>\n</html>\n"
        );
        Response::sized(status, "text/html; charset=utf-8", page)
    }

    /// `{"message":...}`
    pub(super) fn message(status: u16, message: &str) -> Response {
        let body = format!("{{\"message\":{}}}", answer::string(message));
        Response::sized(status, "application/json", body)
    }

    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Response {
        self.headers.push((name, value.into()));
        self
    }

    /// Writes all of it in one go; without its body if the request was a `HEAD`.
    pub(super) fn write(&self, mut socket: &TcpStream, head: bool, close: bool) -> io::Result<()> {
        let mut bytes = self.head(matches!(self.body, Body::Chunked(_)), close);
        if head {
            return socket.write_all(&bytes);
        }
        match &self.body {
            Body::Sized(body) => bytes.extend_from_slice(body),
            Body::Chunked(body) => {
                if !body.is_empty() {
                    bytes.extend_from_slice(&chunk(body));
                }
                bytes.extend_from_slice(b"0\r\n\r\n");
            }
        }
        socket.write_all(&bytes)
    }

    fn head(&self, chunked: bool, close: bool) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("Date: {}\r\n", date::http(SystemTime::now())));
        head.push_str(match close {
            true => "Connection: close\r\n",
            false => "Connection: keep-alive\r\nKeep-Alive: timeout=5\r\n",
        });
        if chunked {
            head.push_str("Transfer-Encoding: chunked\r\n");
        }
        head.push_str("\r\n");
        head.into_bytes()
    }
}

/// A line sent again and again while there is nothing else to say.
pub(super) struct Beat {
    pub every: Duration,
    pub line: &'static str,
}

/// A response that is being written, a chunk an event. Once the other side is gone it swallows
/// what is written, for the generation may go on without its reader.
pub(super) struct Stream<'a> {
    socket: &'a TcpStream,
    stopping: &'a AtomicBool,
    gone: bool,
    beat: Option<(Beat, Instant)>,
}

impl<'a> Stream<'a> {
    /// Writes the head.
    pub(super) fn start(
        socket: &'a TcpStream,
        stopping: &'a AtomicBool,
        response: &Response,
        close: bool,
    ) -> Stream<'a> {
        let mut stream = Stream {
            socket,
            stopping,
            gone: false,
            beat: None,
        };
        stream.write(&response.head(true, close));
        stream
    }

    /// Has this line sent every so often during [`Stream::wait`].
    pub(super) fn beat(&mut self, beat: Beat) {
        self.beat = Some((beat, Instant::now()));
    }

    pub(super) fn silence(&mut self) {
        self.beat = None;
    }

    pub(super) fn chunk(&mut self, text: &str) {
        self.write(&chunk(text.as_bytes()));
    }

    /// The last chunk.
    pub(super) fn end(&mut self) {
        self.write(b"0\r\n\r\n");
    }

    pub(super) fn is_gone(&self) -> bool {
        self.gone
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    /// Lets time pass. Ends early when the service stops, and if `watched` when the other side is
    /// gone; a silence without a duration lasts until one of both.
    pub(super) fn wait(&mut self, duration: Option<Duration>, watched: bool) {
        self.until(duration, watched, &|| false);
    }

    /// The same, but ends early as well when `over` says so, which is asked every few
    /// milliseconds.
    pub(super) fn wait_until(
        &mut self,
        duration: Duration,
        watched: bool,
        over: &dyn Fn() -> bool,
    ) {
        self.until(Some(duration), watched, over);
    }

    fn until(&mut self, duration: Option<Duration>, watched: bool, over: &dyn Fn() -> bool) {
        let deadline = duration.map(|duration| Instant::now() + duration);
        loop {
            let left = match deadline {
                Some(deadline) => deadline.saturating_duration_since(Instant::now()),
                None => NAP,
            };
            let lonely = self.gone && (watched || duration.is_none());
            if left.is_zero() || lonely || self.is_stopping() || over() {
                return;
            }
            let due = self.beat.as_ref().map_or(NAP, |(beat, last)| {
                (*last + beat.every).saturating_duration_since(Instant::now())
            });
            if due.is_zero() {
                self.send_beat();
            } else {
                self.nap(left.min(due).min(NAP));
            }
        }
    }

    /// Loses the connection. Whoever generates the reply goes on.
    pub(super) fn disconnect(&mut self) {
        self.gone = true;
        // It fails if the other side was faster.
        let _ = self.socket.shutdown(Shutdown::Both);
    }

    fn send_beat(&mut self) {
        let Some((beat, last)) = &mut self.beat else {
            return;
        };
        *last = Instant::now();
        let line = beat.line;
        self.chunk(line);
    }

    /// Sleeps, with an eye on the other side.
    fn nap(&mut self, duration: Duration) {
        // Read timeouts are as coarse as the ticks of the kernel, too coarse for short naps.
        let coarse = duration < Duration::from_millis(8);
        if self.gone || coarse || self.socket.set_read_timeout(Some(duration)).is_err() {
            return thread::sleep(duration);
        }
        match self.socket.peek(&mut [0]) {
            Ok(0) => self.gone = true,
            // The next request, sent without waiting for the end of this response.
            Ok(_) => thread::sleep(duration),
            Err(error) => {
                let quiet = matches!(
                    error.kind(),
                    io::ErrorKind::WouldBlock
                        | io::ErrorKind::TimedOut
                        | io::ErrorKind::Interrupted
                );
                self.gone = !quiet;
            }
        }
    }

    fn write(&mut self, bytes: &[u8]) {
        if !self.gone && self.socket.write_all(bytes).is_err() {
            self.gone = true;
        }
    }
}

fn chunk(bytes: &[u8]) -> Vec<u8> {
    let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
    chunk.extend_from_slice(bytes);
    chunk.extend_from_slice(b"\r\n");
    chunk
}

pub(super) fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        302 => "Found",
        303 => "See Other",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        410 => "Gone",
        411 => "Length Required",
        413 => "Payload Too Large",
        422 => "Unprocessable Entity",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Status",
    }
}
