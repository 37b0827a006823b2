//! Requests: read from the socket, parsed by `httparse`, bodies by `Content-Length`.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A body beyond its limit is read and thrown away up to here, so that the client gets to read
/// the refusal instead of a reset connection.
const MAX_DISCARD: usize = 64 * 1024 * 1024;
const MAX_HEAD: usize = 16 * 1024;
const MAX_HEADERS: usize = 64;
/// How long the rest of a request may take once it has begun.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

pub(super) struct Request {
    pub method: String,
    /// As it was sent, with the query.
    pub target: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// The body was over the limit and is not kept.
    pub too_large: bool,
    /// The client wants the connection closed after the answer.
    pub close: bool,
}

impl Request {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        header(&self.headers, name)
    }

    pub(super) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    pub(super) fn query(&self) -> &str {
        self.target
            .split_once('?')
            .map_or("", |(_, query)| query.split('#').next().unwrap_or_default())
    }

    /// The media type of the body, without its parameters, in lower case.
    pub(super) fn content_type(&self) -> String {
        let value = self.header("content-type").unwrap_or_default();
        let media_type = value.split(';').next().unwrap_or_default();
        media_type.trim().to_ascii_lowercase()
    }

    /// A cookie of that name.
    pub(super) fn cookie(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .filter(|(header, _)| header == "cookie")
            .flat_map(|(_, value)| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .find(|(key, _)| *key == name)
            .map(|(_, value)| value)
    }
}

pub(super) fn header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.as_str())
}

/// What came instead of a request.
pub(super) enum Failure {
    /// The other side is gone, or said nothing more.
    Closed,
    /// Nothing that can be answered but by this status, after which the connection is closed.
    Refused(u16),
}

impl From<io::Error> for Failure {
    fn from(_: io::Error) -> Failure {
        Failure::Closed
    }
}

/// Reads one request after the other.
///
/// The last byte received always stays in the kernel until [`Reader::release`]: closing a socket
/// with unread data is the one way of the standard library to send a reset instead of an orderly
/// end.
pub(super) struct Reader<'a> {
    socket: &'a TcpStream,
    buffer: Vec<u8>,
    held: bool,
}

impl<'a> Reader<'a> {
    pub(super) fn new(socket: &'a TcpStream) -> Reader<'a> {
        Reader {
            socket,
            buffer: Vec::new(),
            held: false,
        }
    }

    /// Waits for the first byte of a request; false if none came in time.
    pub(super) fn wait(&mut self, idle: Duration) -> bool {
        !self.buffer.is_empty()
            || (self.socket.set_read_timeout(Some(idle)).is_ok() && self.fill().is_ok())
    }

    /// Reads a request; a body longer than `limit` is thrown away.
    pub(super) fn request(&mut self, limit: usize) -> Result<Request, Failure> {
        self.socket.set_read_timeout(Some(READ_TIMEOUT))?;
        let (mut request, head) = loop {
            if let Some(parsed) = parse_head(&self.buffer)? {
                break parsed;
            }
            if self.buffer.len() > MAX_HEAD {
                return Err(Failure::Refused(431));
            }
            self.fill()?;
        };
        self.buffer.drain(..head);
        if request.header("transfer-encoding").is_some() {
            return Err(Failure::Refused(411));
        }
        let length = match request.header("content-length") {
            None => 0,
            Some(text) => text.trim().parse().map_err(|_| Failure::Refused(400))?,
        };
        let waits = request
            .header("expect")
            .is_some_and(|value| value.eq_ignore_ascii_case("100-continue"));
        if waits && self.buffer.len() < length {
            self.socket.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        if length > limit {
            self.discard(length)?;
            request.too_large = true;
        } else {
            while self.buffer.len() < length {
                self.fill()?;
            }
            request.body = self.buffer.drain(..length).collect();
        }
        Ok(request)
    }

    /// Takes the last byte too. To be called before a request is answered.
    pub(super) fn release(&mut self) -> io::Result<()> {
        if self.held {
            self.socket.read_exact(&mut [0])?;
            self.held = false;
        }
        Ok(())
    }

    fn discard(&mut self, length: usize) -> Result<(), Failure> {
        if length > MAX_DISCARD {
            return Err(Failure::Refused(413));
        }
        let mut missing = length;
        loop {
            let had = missing.min(self.buffer.len());
            self.buffer.drain(..had);
            missing -= had;
            if missing == 0 {
                return Ok(());
            }
            self.fill()?;
        }
    }

    /// Adds what has arrived to the buffer, and waits if that is nothing.
    fn fill(&mut self) -> io::Result<()> {
        self.release()?;
        let mut bytes = [0; 16 * 1024];
        let count = self.socket.peek(&mut bytes)?;
        let Some(all_but_last) = count.checked_sub(1) else {
            return Err(io::ErrorKind::UnexpectedEof.into());
        };
        self.socket.read_exact(&mut bytes[..all_but_last])?;
        self.buffer.extend_from_slice(&bytes[..count]);
        self.held = true;
        Ok(())
    }
}

/// The request without its body and the length of its head, or nothing while that is incomplete.
fn parse_head(bytes: &[u8]) -> Result<Option<(Request, usize)>, Failure> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    let head = match parsed.parse(bytes) {
        Ok(httparse::Status::Complete(head)) => head,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => return Err(Failure::Refused(431)),
        Err(_) => return Err(Failure::Refused(400)),
    };
    let headers: Vec<(String, String)> = parsed
        .headers
        .iter()
        .map(|header| {
            let value = String::from_utf8_lossy(header.value).into_owned();
            (header.name.to_ascii_lowercase(), value)
        })
        .collect();
    let connection = header(&headers, "connection").unwrap_or_default();
    let close = match parsed.version {
        Some(0) => !connection.eq_ignore_ascii_case("keep-alive"),
        _ => connection.eq_ignore_ascii_case("close"),
    };
    let request = Request {
        method: parsed.method.unwrap_or_default().to_owned(),
        target: parsed.path.unwrap_or_default().to_owned(),
        headers,
        body: Vec::new(),
        too_large: false,
        close,
    };
    Ok(Some((request, head)))
}
