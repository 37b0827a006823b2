//! One origin over ureq: connections, headers, cookies, timeouts.
//!
//! The only place where requests are made.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use ureq::Agent;
use ureq::http::{HeaderValue, Method, Uri, header};

use crate::agents::{Agents, is_untrusted};
use crate::cookies::Jar;
use crate::error::{Fallible, Step};
use crate::exchange::{Exchange, Observer};
use crate::interrupt::Interrupt;
use crate::origin::Origin;
use crate::response::{Answer, Limit, Stream, failed, interrupted};
use crate::timeouts::Timeouts;

/// How many unused agents, each with its open connection, a client keeps.
const MAX_IDLE_AGENTS: usize = 16;

/// The service as all conversations of a client share it.
pub(crate) struct Http {
    pub(crate) origin: Origin,
    pub(crate) timeouts: Timeouts,
    pub(crate) agents: Agents,
    pub(crate) cookies: Mutex<Jar>,
    pub(crate) observer: Option<Box<Observer>>,
    pub(crate) idle: Mutex<Vec<Agent>>,
}

/// What is to be requested.
pub(crate) struct Request<'a> {
    pub(crate) step: Step,
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

impl Request<'_> {
    fn method(&self) -> Method {
        match (self.step, self.content) {
            (Step::Delete, _) => Method::DELETE,
            (_, Content::None) => Method::GET,
            (_, Content::Form(_) | Content::Json(_)) => Method::POST,
        }
    }
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
        if idle.len() < MAX_IDLE_AGENTS
            && let Some(agent) = self.agent.take()
        {
            idle.push(agent);
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
        let agents = &self.http.agents;
        let agent = self.agent.get_or_insert_with(|| agents.new_agent());
        agent.clone()
    }

    /// Requests something with a short answer, whatever its status.
    pub(crate) fn call(&mut self, request: &Request<'_>) -> Fallible<Answer> {
        self.call_within(request, Limit::Answer)
    }

    /// The same, with so much time for all of it.
    pub(crate) fn call_for(&mut self, request: &Request<'_>, total: Duration) -> Fallible<Answer> {
        self.call_within(request, Limit::Total(total))
    }

    fn call_within(&mut self, request: &Request<'_>, limit: Limit) -> Fallible<Answer> {
        let response = self.run(request, limit)?;
        Answer::read(&self.http.origin, request.step, limit, response)
    }

    /// Requests a stream, and returns its body as it comes.
    pub(crate) fn open(
        &mut self,
        request: &Request<'_>,
        interrupt: &Arc<Interrupt>,
    ) -> Fallible<Stream> {
        let step = request.step;
        let response = self.run(request, Limit::Reply)?;
        if !response.status().is_success() {
            return Err(Answer::read(&self.http.origin, step, Limit::Reply, response)?.error());
        }
        let body = response.into_body().into_reader();
        Ok(Stream::new(step, body, Arc::clone(interrupt)))
    }

    /// Lets `interrupt` end whatever is requested, until the connection is released.
    pub(crate) fn attach(&mut self, interrupt: &Arc<Interrupt>) -> Fallible<()> {
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
        &mut self,
        request: &Request<'_>,
        limit: Limit,
    ) -> Fallible<ureq::http::Response<ureq::Body>> {
        let started = Instant::now();
        let response = self.exchange_trusting(request, limit);
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
                method: request.method().as_str(),
                path: request.path,
                outcome: match &response {
                    Ok(response) => Ok(response.status().as_u16()),
                    Err(error) => Err(error),
                },
                elapsed: started.elapsed(),
            });
        }
        response
    }

    /// Tries the other root certificates if those in use do not verify the server, to which
    /// nothing has been sent then. If both do not, the first error counts.
    fn exchange_trusting(
        &mut self,
        request: &Request<'_>,
        limit: Limit,
    ) -> Fallible<ureq::http::Response<ureq::Body>> {
        let agent = self.agent();
        let first = self.exchange(&agent, request, limit);
        let agents = &self.http.agents;
        let other = match &first {
            Ok(_) => {
                agents.settle(false);
                None
            }
            Err(error) => agents.other_agent().filter(|_| is_untrusted(error)),
        };
        let Some(other) = other else {
            return first;
        };
        match self.exchange(&other, request, limit) {
            Err(error) if is_untrusted(&error) => first,
            second => {
                if second.is_ok() {
                    agents.settle(true);
                }
                self.agent = Some(other);
                second
            }
        }
    }

    fn exchange(
        &self,
        agent: &Agent,
        request: &Request<'_>,
        limit: Limit,
    ) -> Fallible<ureq::http::Response<ureq::Body>> {
        self.send(agent, request, limit)
            .map_err(|error| failed(request.step, limit, error))
    }

    fn send(
        &self,
        agent: &Agent,
        request: &Request<'_>,
        limit: Limit,
    ) -> Result<ureq::http::Response<ureq::Body>, ureq::Error> {
        let http = &*self.http;
        let cookies = lock(&http.cookies).header();
        let (content_type, body) = match request.content {
            Content::None => (None, None),
            Content::Form(text) => (
                Some("application/x-www-form-urlencoded"),
                Some(text.as_bytes()),
            ),
            Content::Json(bytes) => (Some("application/json"), Some(bytes)),
        };
        let mut sent = ureq::http::Request::new(());
        *sent.method_mut() = request.method();
        *sent.uri_mut() =
            Uri::try_from(http.origin.url(request.path)).map_err(ureq::http::Error::from)?;
        let mut set = |name, value: &str| {
            let value = HeaderValue::from_str(value).map_err(ureq::http::Error::from)?;
            sent.headers_mut().insert(name, value);
            Ok::<(), ureq::http::Error>(())
        };
        set(header::ORIGIN, http.origin.header())?;
        set(header::REFERER, &http.origin.referer())?;
        if let Some(cookies) = cookies {
            set(header::COOKIE, &cookies)?;
        }
        if let Some(content_type) = content_type {
            set(header::CONTENT_TYPE, content_type)?;
        }
        let configured = agent.configure_request(sent);
        let configured = match limit {
            Limit::Answer => configured,
            Limit::Reply => configured
                .timeout_per_read(Some(http.timeouts.token))
                .timeout_recv_body(Some(http.timeouts.reply)),
            Limit::Total(total) => configured.timeout_global(Some(total)),
        };
        let request = configured.build();
        match body {
            None => agent.run(request),
            Some(bytes) => agent.run(request.map(|()| bytes)),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
