//! As much of HTTP/1.1 as a scripted server and a recording need.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Read};

use serde_json::Value;

/// More than any request of a test; what is above it is a client gone wrong.
const MAX_HEAD: u64 = 64 * 1024;
const MAX_BODY: u64 = 16 * 1024 * 1024;

/// A request as it arrived.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    /// The target as sent, with its query.
    pub path: String,
    /// Names in lower case, in the order and number they came in.
    pub headers: Vec<(String, String)>,
    /// The body without chunk framing.
    pub body: Vec<u8>,
    /// On which connection it came, counted from 0.
    pub connection: usize,
    /// The exact bytes of the request line and the headers, up to the blank line and with it.
    pub raw: Vec<u8>,
}

impl Request {
    /// Reads the next request of a connection; `None` if the peer closed it instead.
    pub fn read(reader: &mut impl BufRead, connection: usize) -> io::Result<Option<Request>> {
        let Some(mut request) = Request::read_head(reader, connection)? else {
            return Ok(None);
        };
        if request.header("transfer-encoding") == Some("chunked") {
            read_chunked(reader, &mut request.body)?;
        } else if let Some(length) = request.header("content-length") {
            let length = length.parse().map_err(|_| invalid("bad content-length"))?;
            read_up_to(reader, length, &mut request.body)?;
        }
        Ok(Some(request))
    }

    /// The same without the body, as a CONNECT request has none.
    pub fn read_head(reader: &mut impl BufRead, connection: usize) -> io::Result<Option<Request>> {
        let Some(raw) = read_head(reader)? else {
            return Ok(None);
        };
        let mut fields = [httparse::EMPTY_HEADER; 64];
        let mut head = httparse::Request::new(&mut fields);
        let status = head
            .parse(&raw)
            .map_err(|error| invalid(&error.to_string()))?;
        let (httparse::Status::Complete(_), Some(method), Some(path)) =
            (status, head.method, head.path)
        else {
            return Err(invalid("not a request"));
        };
        Ok(Some(Request {
            method: method.to_owned(),
            path: path.to_owned(),
            headers: owned_headers(head.headers),
            body: Vec::new(),
            connection,
            raw,
        }))
    }

    /// The first header of that name, given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        find_header(&self.headers, name)
    }

    pub fn is_json(&self) -> bool {
        self.header("content-type") == Some("application/json")
    }

    /// The body as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    /// The fields of the form in the body, decoded.
    #[track_caller]
    pub fn form(&self) -> BTreeMap<String, String> {
        let body = str::from_utf8(&self.body).expect("a form is text");
        let field = |field: &str| {
            let (name, value) = field.split_once('=').expect("a field has a value");
            (form_decode(name), form_decode(value))
        };
        body.split('&').map(field).collect()
    }
}

#[track_caller]
fn form_decode(value: &str) -> String {
    let spaced = value.replace('+', " ");
    String::from_utf8(percent_decode(&spaced)).expect("UTF-8")
}

/// The bytes that an escaped string stands for.
#[track_caller]
pub fn percent_decode(escaped: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = escaped.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let hex = [rest.next(), rest.next()].map(|digit| digit.expect("two digits"));
                u8::from_str_radix(str::from_utf8(&hex).expect("ASCII"), 16).expect("digits")
            }
            byte => byte,
        });
    }
    bytes
}

/// A complete response with a `Content-Length`, for a handler to write.
pub fn response(status: &str, headers: &[(&str, &str)], body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut bytes = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n", body.len()).into_bytes();
    for (name, value) in headers {
        bytes.extend_from_slice(format!("{name}: {value}\r\n").as_bytes());
    }
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(body);
    bytes
}

/// One chunk of a chunked body. An empty one would end the body: [`LAST_CHUNK`] says that.
pub fn chunk(data: impl AsRef<[u8]>) -> Vec<u8> {
    let data = data.as_ref();
    assert!(!data.is_empty(), "an empty chunk ends the body");
    let mut bytes = format!("{:x}\r\n", data.len()).into_bytes();
    bytes.extend_from_slice(data);
    bytes.extend_from_slice(b"\r\n");
    bytes
}

/// The end of a chunked body without trailers.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// Reads up to the blank line and with it; `None` if there is not a single byte.
pub fn read_head(reader: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut head = Vec::new();
    let mut limited = reader.take(MAX_HEAD);
    loop {
        let line = head.len();
        limited.read_until(b'\n', &mut head)?;
        match &head[line..] {
            [] if head.is_empty() => return Ok(None),
            b"\r\n" | b"\n" => return Ok(Some(head)),
            [.., b'\n'] => {}
            _ if limited.limit() == 0 => return Err(invalid("the head is too long")),
            _ => return Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

/// Reads a chunked body with its last chunk and trailers. After an error `body` holds what came
/// before it, which is the body of a recording that was cut.
pub fn read_chunked(reader: &mut impl BufRead, body: &mut Vec<u8>) -> io::Result<()> {
    loop {
        let line = read_line(reader)?;
        let digits = line.split(';').next().unwrap_or_default().trim();
        let size = u64::from_str_radix(digits, 16).map_err(|_| invalid("bad chunk size"))?;
        if size == 0 {
            while !read_line(reader)?.is_empty() {}
            return Ok(());
        }
        read_up_to(reader, size, body)?;
        if !read_line(reader)?.is_empty() {
            return Err(invalid("a chunk is longer than its size"));
        }
    }
}

/// Appends exactly `length` bytes, or as many as there are before it fails.
fn read_up_to(reader: &mut impl BufRead, length: u64, body: &mut Vec<u8>) -> io::Result<()> {
    if length > MAX_BODY {
        return Err(invalid("the body is too long"));
    }
    let read = reader.take(length).read_to_end(body)?;
    if (read as u64) < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(())
}

/// One line without its end; the end of the input inside it is an error.
fn read_line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = Vec::new();
    reader.take(MAX_HEAD).read_until(b'\n', &mut line)?;
    if line.pop() != Some(b'\n') {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(String::from_utf8_lossy(&line).into_owned())
}

pub fn owned_headers(headers: &[httparse::Header<'_>]) -> Vec<(String, String)> {
    let owned = |header: &httparse::Header<'_>| {
        let value = String::from_utf8_lossy(header.value).into_owned();
        (header.name.to_ascii_lowercase(), value)
    };
    headers.iter().map(owned).collect()
}

pub fn find_header<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let (_, value) = headers.iter().find(|(known, _)| known == name)?;
    Some(value)
}

pub fn invalid(message: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}
