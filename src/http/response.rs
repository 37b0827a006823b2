//! Responses of the server, whole or as streams.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ureq::BodyReader;
use ureq::http::header;

use super::base_url::BaseUrl;
use super::date::date;
use super::exchange::of_transport;
use super::watchdog::Watch;
use super::worker::{Failure, Received};
use crate::error::{Error, Result, Step};
use crate::protocol::error_body::message_of_body;
use crate::protocol::json::Json;
use crate::protocol::line::Buffered;
use crate::sanitize::sanitize;

/// A whole response.
pub(crate) struct Response {
    step: Step,
    pub(crate) status: u16,
    pub(crate) body: String,
    location: Option<String>,
    retry_after: Option<Duration>,
    /// It redirects to another site, which is how a server asks for a login.
    redirects_off_site: bool,
    /// Whether scripts of any site may read it.
    pub(crate) allows_any_origin: bool,
}

impl Response {
    pub(super) fn new(
        base_url: &BaseUrl,
        step: Step,
        mut received: Box<Received>,
    ) -> Result<Response> {
        let status = received.status();
        let failing_step = step_of_unreadable(step, status);
        match &received.failure {
            Some(Failure::TooLong) => {
                let start = received.body.get(..1024).unwrap_or_default();
                let found = String::from_utf8_lossy(start);
                let expected = "a response within the size limit";
                return Err(Error::protocol(failing_step, expected, &found));
            }
            // A truncated error body is kept: it still explains something.
            Some(Failure::Io(error)) if (200..400).contains(&status) => {
                let source = io::Error::new(error.kind(), error.to_string());
                return Err(Error::network(failing_step, source));
            }
            _ => {}
        }
        let body = text(std::mem::take(&mut received.body));
        let location = match status {
            200 => redirect(&body),
            300..400 => received.header(header::LOCATION),
            _ => None,
        };
        let retry_after = received.header(header::RETRY_AFTER);
        let allows_any_origin = received
            .header(header::ACCESS_CONTROL_ALLOW_ORIGIN)
            .is_some_and(|origin| origin == "*");
        let redirects_off_site = location
            .as_deref()
            .is_some_and(|to| base_url.is_off_site(to));
        Ok(Response {
            step,
            status,
            body,
            location,
            retry_after: retry_after
                .and_then(|header| self::retry_after(&header, SystemTime::now())),
            redirects_off_site,
            allows_any_origin,
        })
    }

    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status) && !self.redirects_off_site
    }

    /// Whether settings posted as a form were accepted: the server redirects to itself.
    pub(crate) fn is_see_other(&self) -> bool {
        self.status == 303 && !self.redirects_off_site
    }

    /// Whether the server refuses because the terms have not been accepted.
    pub(crate) fn asks_for_terms(&self) -> bool {
        self.status == 405 && self.message().contains("welcome modal")
    }

    /// Whether the server has the route, but not the conversation.
    pub(crate) fn misses_conversation(&self) -> bool {
        self.message().contains("Conversation not found")
    }

    /// Whether the server takes itself for another origin than the one it was reached at.
    pub(crate) fn rejects_referer(&self) -> bool {
        self.status == 403 && self.message().contains("Invalid referer")
    }

    /// The body as JSON, if the response is a success and its body is JSON.
    pub(crate) fn json(&self) -> Option<Json<'_>> {
        Json::read(&self.body).ok().filter(|_| self.is_success())
    }

    /// The server's explanation, fit to be shown; may be empty.
    pub(crate) fn message(&self) -> String {
        message_of_body(&self.body)
    }

    /// What this response means where another one was needed.
    pub(crate) fn error(&self) -> Error {
        let step = self.step;
        if self.status == 401
            || (self.redirects_off_site && !self.is_permanent())
            || (self.status == 302 && step == Step::Create)
        {
            return Error::LoginRequired { step };
        }
        let message = match &self.location {
            Some(location) if (300..400).contains(&self.status) => sanitize(&format!(
                "it redirects to {location}, which is not followed"
            )),
            _ => self.message(),
        };
        Error::Http {
            step,
            status: self.status,
            message,
            retry_after: self.retry_after,
        }
    }

    /// A permanent redirect is not a login: the server has moved, mostly from http to https.
    fn is_permanent(&self) -> bool {
        matches!(self.status, 301 | 308)
    }

    /// The error for a success that does not hold what is needed.
    pub(crate) fn unexpected(&self, expected: &'static str) -> Error {
        let step = step_of_unreadable(self.step, self.status);
        let found = sanitize(self.body.get(..4096).unwrap_or(&self.body));
        let found = if found.is_empty() { "nothing" } else { &found };
        Error::protocol(step, expected, &format!("{found} (status {})", self.status))
    }
}

/// The step that fails if a response with this status cannot be read.
fn step_of_unreadable(step: Step, status: u16) -> Step {
    match step {
        Step::Create if (200..300).contains(&status) => Step::Created,
        step => step,
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

/// Form posts are redirected in the body: `{"type":"redirect","status":303,"location":...}`.
fn redirect(body: &str) -> Option<String> {
    if !body.contains("redirect") {
        return None;
    }
    let body = Json::read(body).ok()?;
    let is_redirect = body.str("type")? == "redirect";
    body.str("location").filter(|_| is_redirect)
}

/// The delay that a `Retry-After` header requests, in seconds or by a date.
pub(super) fn retry_after(header: &str, now: SystemTime) -> Option<Duration> {
    let header = header.trim();
    if let Ok(seconds) = header.parse() {
        return Some(Duration::from_secs(seconds));
    }
    Some(date(header)?.duration_since(now).unwrap_or_default())
}

/// The body of a reply as it comes. Fails with an error of this crate inside the `io::Error`.
pub(crate) struct Stream {
    step: Step,
    reader: Box<BufReader<BodyReader<'static>>>,
    watch: Arc<Watch>,
    pub(crate) content_type: Option<String>,
}

impl Stream {
    pub(super) fn new(
        step: Step,
        content_type: Option<String>,
        body: BodyReader<'static>,
        watch: &Arc<Watch>,
    ) -> Self {
        Stream {
            step,
            reader: Box::new(BufReader::new(body)),
            watch: Arc::clone(watch),
            content_type,
        }
    }

    /// Reads until nothing more comes. Returns whether that is the end of the response.
    pub(crate) fn skip_to_end(&mut self) -> bool {
        loop {
            let length = match self.reader.fill_buf() {
                Ok([]) => return !self.watch.has_ended(),
                Ok(rest) => rest.len(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return false,
            };
            self.reader.consume(length);
        }
    }

    fn error(&self, error: io::Error) -> io::Error {
        if let Some(cause) = self.watch.cause() {
            return io::Error::other(cause.error(self.step));
        }
        io::Error::other(of_transport(self.step, ureq::Error::from(error)))
    }
}

impl BufRead for Stream {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        // The borrow checker does not let the buffer be returned from inside the match, hence the
        // second call, which finds the buffer filled.
        match self.reader.fill_buf() {
            Ok([]) if self.watch.has_ended() => {
                Err(self.error(io::ErrorKind::UnexpectedEof.into()))
            }
            Ok(_) => Ok(self.reader.buffer()),
            // A signal: whoever reads tries again.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => Err(self.error(error)),
        }
    }

    fn consume(&mut self, amount: usize) {
        self.reader.consume(amount);
    }
}

impl Read for Stream {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let mut chunk = self.fill_buf()?;
        let length = chunk.read(buf)?;
        self.consume(length);
        Ok(length)
    }
}

impl Buffered for Stream {
    fn buffered(&self) -> &[u8] {
        self.reader.buffer()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = date("Sun, 21 Nov 2027 02:42:35 GMT").unwrap();
        let wait = |header| retry_after(header, now).map(|wait| wait.as_secs());
        assert_eq!(wait(" 120 "), Some(120));
        assert_eq!(wait("Sun, 21 Nov 2027 02:43:35 GMT"), Some(60));
        assert_eq!(wait("Sun, 21 Nov 2027 02:41:35 GMT"), Some(0));
        for nonsense in ["", "-1", "soon", "1.5", "99999999999999999999999"] {
            assert_eq!(wait(nonsense), None, "{nonsense}");
        }
    }
}
