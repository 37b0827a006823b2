//! What comes back from the service, whole or as a stream; and what it means if nothing does.

use std::error::Error as StdError;
use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ureq::http::header;
use ureq::{BodyReader, Timeout};

use crate::error::{Error, Fallible, Step};
use crate::interrupt::{Cause, Interrupt};
use crate::origin::Origin;
use crate::plain::{mentions, plain};
use crate::protocol::{self, json};

/// Largest answer that is read whole.
const MAX_ANSWER: usize = 1 << 20;
/// The same for a conversation, which has all of its messages in it.
const MAX_HISTORY: usize = 64 << 20;

/// How much time a request has.
#[derive(Clone, Copy)]
pub(crate) enum Limit {
    /// That of a token, for a short answer.
    Answer,
    /// That of a reply, token by token.
    Reply,
    /// This much for everything, from looking up the name to the end of the answer.
    Total(Duration),
}

/// A whole answer of the service.
pub(crate) struct Answer {
    step: Step,
    pub(crate) status: u16,
    body: String,
    location: Option<String>,
    retry_after: Option<Duration>,
    /// Where it redirects to is another place: the login.
    leads_away: bool,
}

impl Answer {
    pub(crate) fn read(
        origin: &Origin,
        step: Step,
        limit: Limit,
        response: ureq::http::Response<ureq::Body>,
    ) -> Fallible<Answer> {
        let text = |name| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
        let status = response.status().as_u16();
        let location: Option<String> = text(header::LOCATION);
        let retry_after = text(header::RETRY_AFTER);
        let mut body = Vec::new();
        let mut reader = response.into_body().into_reader();
        let mut chunk = [0; 4096];
        let most = match step {
            Step::History => MAX_HISTORY,
            _ => MAX_ANSWER,
        };
        let failure = loop {
            match reader.read(&mut chunk) {
                Ok(0) => break None,
                Ok(length) => body.extend_from_slice(chunk.get(..length).unwrap_or_default()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Some(error),
            }
            if body.len() > most {
                let found = plain(&String::from_utf8_lossy(
                    body.get(..1024).unwrap_or_default(),
                ));
                let step = after(step, status);
                return Err(Error::protocol(step, "an answer of bearable length", found));
            }
        };
        // What an error says is worth having even if its end is missing.
        if let Some(error) = failure.filter(|_| (200..400).contains(&status)) {
            return Err(failed(after(step, status), limit, error.into()));
        }
        let body = String::from_utf8_lossy(&body).into_owned();
        let location = match status {
            200 => location.or_else(|| redirect(&body)),
            _ => location,
        };
        let leads_away = location.as_deref().is_some_and(|to| origin.is_foreign(to));
        Ok(Answer {
            step,
            status,
            body,
            location,
            retry_after: retry_after
                .and_then(|text| protocol::retry_after(&text, SystemTime::now())),
            leads_away,
        })
    }

    pub(crate) fn is_success(&self) -> bool {
        (200..300).contains(&self.status) && !self.leads_away
    }

    /// A redirect that stays with the service, which is how a form post succeeds.
    pub(crate) fn is_see_other(&self) -> bool {
        self.status == 303 && !self.leads_away
    }

    /// Whether the service refuses because the terms are not accepted.
    pub(crate) fn wants_terms(&self) -> bool {
        self.status == 405 && mentions(&self.message(), "welcome modal")
    }

    /// What a successful answer holds; nothing for any other.
    pub(crate) fn content(&self) -> &str {
        match self.is_success() {
            true => &self.body,
            false => "",
        }
    }

    pub(crate) fn message(&self) -> String {
        protocol::message_of_body(&self.body)
    }

    /// What this answer means where another one was needed.
    pub(crate) fn error(&self) -> Box<Error> {
        let step = self.step;
        if self.status == 401
            || (self.leads_away && !self.is_permanent())
            || (self.status == 302 && step == Step::Create)
        {
            return Box::new(Error::LoginRequired { step });
        }
        let message = match &self.location {
            Some(location) if (300..400).contains(&self.status) => plain(&format!(
                "it redirects to {location}, which is not followed"
            )),
            _ => self.message(),
        };
        Box::new(Error::Http {
            step,
            status: self.status,
            message,
            retry_after: self.retry_after,
        })
    }

    /// A permanent redirect is no login: the service has moved, mostly from http to https.
    fn is_permanent(&self) -> bool {
        matches!(self.status, 301 | 308)
    }

    /// What this successful answer means where `expected` was needed.
    pub(crate) fn unexpected(&self, step: Step, expected: &'static str) -> Box<Error> {
        let found = match plain(&self.body) {
            found if found.is_empty() => "nothing".to_owned(),
            found => found,
        };
        Error::protocol(step, expected, found)
    }
}

/// The step that fails if an answer with this status cannot be read.
fn after(step: Step, status: u16) -> Step {
    match step {
        Step::Create if (200..400).contains(&status) => Step::Created,
        step => step,
    }
}

/// Form posts are redirected in the body: `{"type":"redirect","status":303,"location":...}`.
fn redirect(body: &str) -> Option<String> {
    let [kind, location] = json::members(body, ["type", "location"]).ok()?;
    let is_redirect = kind == Some("\"redirect\"");
    json::text(location.filter(|_| is_redirect)?)
}

/// The body of a reply as it comes. Fails with an error of this crate inside the `io::Error`.
pub(crate) struct Stream {
    step: Step,
    reader: BufReader<BodyReader<'static>>,
    interrupt: Arc<Interrupt>,
}

impl Stream {
    pub(crate) fn new(step: Step, body: BodyReader<'static>, interrupt: Arc<Interrupt>) -> Self {
        let reader = BufReader::new(body);
        Stream {
            step,
            reader,
            interrupt,
        }
    }

    /// Reads on until nothing more comes.
    pub(crate) fn skip_to_end(&mut self) {
        while let Ok(rest) = self.reader.fill_buf() {
            let amount = rest.len();
            if amount == 0 {
                break;
            }
            self.reader.consume(amount);
        }
    }

    fn error(&self, error: io::Error) -> io::Error {
        let error: Box<dyn StdError + Send + Sync> = match self.interrupt.cause() {
            Some(cause) => interrupted(self.step, cause),
            None => failed(self.step, Limit::Reply, error.into()),
        };
        io::Error::other(error)
    }
}

impl BufRead for Stream {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        // The borrow of a returned buffer forbids to look at it twice, hence the second call,
        // which finds the buffer filled.
        match self.reader.fill_buf() {
            Ok([]) if self.interrupt.cause().is_some() => {
                Err(self.error(io::ErrorKind::UnexpectedEof.into()))
            }
            Ok(_) => Ok(self.reader.buffer()),
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
        let amount = chunk.read(buf)?;
        self.consume(amount);
        Ok(amount)
    }
}

pub(crate) fn interrupted(step: Step, cause: Cause) -> Box<Error> {
    match cause {
        Cause::Cancelled => Box::new(Error::Cancelled {
            partial: String::new(),
        }),
        Cause::Timeout(setting) => Error::timeout(step, setting),
    }
}

/// What a failure of ureq means.
pub(crate) fn failed(step: Step, limit: Limit, error: ureq::Error) -> Box<Error> {
    match error {
        ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect) => {
            Error::timeout(step, "timeout_connect")
        }
        ureq::Error::Timeout(kind) => Error::timeout(
            step,
            match (limit, kind) {
                (Limit::Total(_), _) => "timeout_delete",
                (Limit::Reply, Timeout::RecvBody) => "timeout_reply",
                _ => "timeout_token",
            },
        ),
        ureq::Error::Protocol(_) | ureq::Error::LargeResponseHeader(..) => {
            Error::protocol(step, "an HTTP/1.1 response", plain(&error.to_string()))
        }
        error => Box::new(Error::Network {
            step,
            source: match error {
                ureq::Error::Io(error) => Box::new(error),
                error => Box::new(error),
            },
        }),
    }
}
