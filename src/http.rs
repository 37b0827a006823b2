//! One origin over ureq: headers, cookies, timeouts, and what statuses and failures mean.
//!
//! The only place where requests are made.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;
use ureq::config::Config;
use ureq::http::{Method, header};
use ureq::{Agent, AsSendBody, BodyReader, Timeout};

use crate::cookies::Jar;
use crate::error::{Error, Result, Step, plain};
use crate::interrupt::{Cause, Interrupt};
use crate::origin::Origin;
use crate::protocol;

/// Largest answer that is read whole.
const MAX_ANSWER: u64 = 1 << 20;
/// How many unused agents, each with its open connection, a client keeps.
const MAX_IDLE_AGENTS: usize = 16;

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeouts {
    pub(crate) connect: Duration,
    pub(crate) token: Duration,
    pub(crate) reply: Duration,
    pub(crate) delete: Duration,
}

/// One exchange with the service, as an observer sees it.
///
/// It names neither the host nor a header, so that no credential is in it.
#[derive(Debug)]
#[non_exhaustive]
pub struct Exchange<'a> {
    /// `GET`, `POST` or `DELETE`.
    pub method: &'a str,
    /// The path below the service's address.
    pub path: &'a str,
    /// The status of the answer, or why there is none.
    pub outcome: std::result::Result<u16, &'a Error>,
    /// From the request to the headers of the answer.
    pub elapsed: Duration,
}

pub(crate) type Observer = dyn Fn(&Exchange<'_>) + Send + Sync;

/// The service as all conversations of a client share it.
pub(crate) struct Http {
    pub(crate) origin: Origin,
    pub(crate) timeouts: Timeouts,
    pub(crate) config: Config,
    pub(crate) cookies: Mutex<Jar>,
    pub(crate) observer: Option<Box<Observer>>,
    pub(crate) idle: Mutex<Vec<Agent>>,
}

/// What is to be requested.
pub(crate) struct Request<'a> {
    pub(crate) step: Step,
    pub(crate) method: Method,
    pub(crate) path: &'a str,
    pub(crate) content: Content<'a>,
}

/// The body of a request, and its type.
#[derive(Clone, Copy)]
pub(crate) enum Content<'a> {
    None,
    Form(&'a str),
    Json(&'a [u8]),
}

/// How much time a request has.
#[derive(Clone, Copy)]
enum Limit {
    /// That of a token, for a short answer.
    Answer,
    /// That of a reply, token by token.
    Reply,
    /// This much for everything, from looking up the name to the end of the answer.
    Total(Duration),
}

impl Http {
    /// A connection for one conversation, a used one if there is one.
    pub(crate) fn connection(self: &Arc<Self>) -> Connection {
        let agent = lock(&self.idle).pop();
        let http = Arc::clone(self);
        Connection { http, agent }
    }

    pub(crate) fn cookie(&self, name: &str) -> Option<String> {
        lock(&self.cookies).get(name).map(str::to_owned)
    }
}

/// An agent of its own, on loan from the client: so one kept-alive connection, and one that can
/// be interrupted without harm to other conversations.
pub(crate) struct Connection {
    http: Arc<Http>,
    agent: Option<Agent>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        let mut idle = lock(&self.http.idle);
        if idle.len() < MAX_IDLE_AGENTS {
            idle.extend(self.agent.take());
        }
    }
}

impl Connection {
    pub(crate) fn timeouts(&self) -> Timeouts {
        self.http.timeouts
    }

    /// Goes on with a new connection to the service.
    pub(crate) fn renew(&mut self) {
        self.agent = None;
    }

    fn agent(&mut self) -> Agent {
        let config = &self.http.config;
        let agent = self.agent.get_or_insert_with(|| config.new_agent());
        agent.clone()
    }

    /// Requests something with a short answer, whatever its status.
    pub(crate) fn call(&mut self, request: &Request<'_>) -> Result<Answer> {
        self.call_within(request, Limit::Answer)
    }

    /// The same, with so much time for all of it.
    pub(crate) fn call_for(&mut self, request: &Request<'_>, total: Duration) -> Result<Answer> {
        self.call_within(request, Limit::Total(total))
    }

    fn call_within(&mut self, request: &Request<'_>, limit: Limit) -> Result<Answer> {
        let agent = self.agent();
        let response = self.run(&agent, request, limit)?;
        Answer::read(&self.http.origin, request.step, limit, response)
    }

    /// Requests a stream, and returns its body as it comes.
    pub(crate) fn open(
        &mut self,
        request: &Request<'_>,
        interrupt: &Arc<Interrupt>,
    ) -> Result<Stream> {
        let step = request.step;
        let agent = self.agent();
        let response = self.run(&agent, request, Limit::Reply)?;
        if !response.status().is_success() {
            return Err(Answer::read(&self.http.origin, step, Limit::Reply, response)?.error());
        }
        Ok(Stream {
            step,
            reader: BufReader::new(response.into_body().into_reader()),
            interrupt: Arc::clone(interrupt),
        })
    }

    /// Lets `interrupt` end whatever is requested, until the connection is released.
    pub(crate) fn attach(&mut self, interrupt: &Arc<Interrupt>) -> Result<()> {
        let agent = self.agent();
        let attached = interrupt.attach(&agent);
        attached.map_err(|cause| interrupted(Step::Message, cause))
    }

    /// Takes the connection back from a reply that has ended. An agent that was interrupted is
    /// dead; the next request makes a new one.
    pub(crate) fn release(&mut self, interrupt: &Interrupt) {
        if !interrupt.detach() {
            self.agent = None;
        }
    }

    fn run(
        &self,
        agent: &Agent,
        request: &Request<'_>,
        limit: Limit,
    ) -> Result<ureq::http::Response<ureq::Body>> {
        let started = Instant::now();
        let response = self.exchange(agent, request, limit);
        if let Ok(response) = &response {
            let mut jar = lock(&self.http.cookies);
            for cookie in response.headers().get_all(header::SET_COOKIE) {
                jar.store(
                    &String::from_utf8_lossy(cookie.as_bytes()),
                    SystemTime::now(),
                );
            }
        }
        if let Some(observer) = &self.http.observer {
            observer(&Exchange {
                method: request.method.as_str(),
                path: request.path,
                outcome: response.as_ref().map(|response| response.status().as_u16()),
                elapsed: started.elapsed(),
            });
        }
        response
    }

    fn exchange(
        &self,
        agent: &Agent,
        request: &Request<'_>,
        limit: Limit,
    ) -> Result<ureq::http::Response<ureq::Body>> {
        let http = &*self.http;
        let mut builder = ureq::http::Request::builder()
            .method(&request.method)
            .uri(http.origin.url(request.path))
            .header(header::ORIGIN, http.origin.header())
            .header(header::REFERER, http.origin.referer());
        if let Some(cookies) = lock(&http.cookies).header() {
            builder = builder.header(header::COOKIE, cookies);
        }
        let response = match request.content {
            Content::None => self.send(agent, builder.body(()), limit),
            Content::Form(text) => {
                let form = "application/x-www-form-urlencoded";
                let built = builder.header(header::CONTENT_TYPE, form).body(text);
                self.send(agent, built, limit)
            }
            Content::Json(bytes) => {
                let built = builder
                    .header(header::CONTENT_TYPE, "application/json")
                    .body(bytes);
                self.send(agent, built, limit)
            }
        };
        response.map_err(|error| failed(request.step, limit, error))
    }

    fn send(
        &self,
        agent: &Agent,
        request: ureq::http::Result<ureq::http::Request<impl AsSendBody>>,
        limit: Limit,
    ) -> Result<ureq::http::Response<ureq::Body>, ureq::Error> {
        let timeouts = &self.http.timeouts;
        let configured = agent.configure_request(request?);
        let configured = match limit {
            Limit::Answer => configured,
            Limit::Reply => configured
                .timeout_per_read(Some(timeouts.token))
                .timeout_recv_body(Some(timeouts.reply)),
            Limit::Total(total) => configured.timeout_global(Some(total)),
        };
        agent.run(configured.build())
    }
}

/// A whole answer of the service.
pub(crate) struct Answer {
    step: Step,
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
    location: Option<String>,
    retry_after: Option<Duration>,
    /// Where it redirects to is another place: the login.
    leads_away: bool,
}

impl Answer {
    fn read(
        origin: &Origin,
        step: Step,
        limit: Limit,
        response: ureq::http::Response<ureq::Body>,
    ) -> Result<Answer> {
        let text = |name| Some(response.headers().get(name)?.to_str().ok()?.to_owned());
        let status = response.status().as_u16();
        let location: Option<String> = text(header::LOCATION);
        let retry_after = text(header::RETRY_AFTER);
        let mut body = Vec::new();
        let mut reader = response.into_body().into_reader().take(MAX_ANSWER + 1);
        if let Err(error) = reader.read_to_end(&mut body) {
            // What an error says is worth having even if its end is missing.
            if (200..400).contains(&status) {
                let step = if step == Step::Create {
                    Step::Created
                } else {
                    step
                };
                return Err(failed(step, limit, error.into()));
            }
        }
        if body.len() as u64 > MAX_ANSWER {
            let start = String::from_utf8_lossy(body.get(..1024).unwrap_or_default());
            let found = plain(&start);
            return Err(Error::protocol(step, "an answer of bearable length", found));
        }
        let mut answer = Answer {
            step,
            status,
            body,
            location,
            retry_after: retry_after
                .and_then(|text| protocol::retry_after(&text, SystemTime::now())),
            leads_away: false,
        };
        answer.note_redirect();
        answer.leads_away = answer
            .location
            .as_deref()
            .is_some_and(|to| origin.is_foreign(to));
        Ok(answer)
    }

    /// Form posts are redirected in the body: `{"type":"redirect","status":303,"location":...}`.
    fn note_redirect(&mut self) {
        if self.status != 200 || self.location.is_some() {
            return;
        }
        if let Some(body) = self
            .json()
            .filter(|body| body.get("type") == Some(&"redirect".into()))
        {
            self.location = body
                .get("location")
                .and_then(Value::as_str)
                .map(str::to_owned);
        }
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
        self.status == 405 && self.message().contains("welcome modal")
    }

    pub(crate) fn json(&self) -> Option<Value> {
        serde_json::from_slice(&self.body).ok()
    }

    pub(crate) fn message(&self) -> String {
        protocol::message_of_body(&self.body)
    }

    /// What this answer means where another one was needed.
    pub(crate) fn error(&self) -> Error {
        let step = self.step;
        if self.status == 401
            || (self.leads_away && !self.is_upgrade())
            || (self.status == 302 && step == Step::Create)
        {
            return Error::LoginRequired { step };
        }
        let message = match &self.location {
            Some(location) if (300..400).contains(&self.status) => plain(&format!(
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

    /// A permanent redirect is no login: the service has moved, mostly from http to https.
    fn is_upgrade(&self) -> bool {
        matches!(self.status, 301 | 308)
    }

    /// What this successful answer means where `expected` was needed.
    pub(crate) fn unexpected(&self, step: Step, expected: &'static str) -> Error {
        let start = String::from_utf8_lossy(self.body.get(..4096).unwrap_or(&self.body));
        let found = match plain(&start) {
            found if found.is_empty() => "nothing".to_owned(),
            found => found,
        };
        Error::protocol(step, expected, found)
    }
}

/// The body of a reply as it comes. Fails with an error of this crate inside the `io::Error`.
pub(crate) struct Stream {
    step: Step,
    reader: BufReader<BodyReader<'static>>,
    interrupt: Arc<Interrupt>,
}

impl Stream {
    fn error(&self, error: io::Error) -> io::Error {
        if let Some(cause) = self.interrupt.cause() {
            return io::Error::other(interrupted(self.step, cause));
        }
        io::Error::other(failed(self.step, Limit::Reply, error.into()))
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

pub(crate) fn interrupted(step: Step, cause: Cause) -> Error {
    match cause {
        Cause::Cancelled => Error::Cancelled {
            partial: String::new(),
        },
        Cause::Timeout(setting) => Error::timeout(step, setting),
    }
}

/// What a failure of ureq means.
fn failed(step: Step, limit: Limit, error: ureq::Error) -> Error {
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
        error => Error::Network {
            step,
            source: match error {
                ureq::Error::Io(error) => Box::new(error),
                error => Box::new(error),
            },
        },
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
