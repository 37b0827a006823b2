//! One server over ureq: connections, headers, cookies, time limits.
//!
//! The only place where requests are made. Each is made on a thread of its own, so that whoever
//! waits for the response can stop waiting at any moment, also while a name is looked up or a
//! connection is made, which nothing can interrupt.

pub(crate) mod base_url;
pub(crate) mod cancel_signal;
pub(crate) mod cookies;
mod date;
mod exchange;
pub(crate) mod headers;
pub(crate) mod proxy;
pub(crate) mod response;
mod retries;
pub(crate) mod setup;
pub(crate) mod timeouts;
pub(crate) mod tls;
pub(crate) mod watchdog;
mod worker;

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use ureq::Agent;
use ureq::http::{Method, header};

use crate::error::{Result, Step};
use crate::exchange::Observer;
use base_url::BaseUrl;
use cookies::Jar;
use exchange::no_thread;
use headers::Headers;
use response::{Response, Stream};
use setup::Agents;
use timeouts::Timeouts;
use watchdog::{Cause, Watch};
use worker::Wanted;

/// How many unused agents, each with its open connection, a client keeps.
const MAX_IDLE_AGENTS: usize = 16;

/// The server as all conversations of a client share it.
pub(crate) struct Http {
    pub(crate) base_url: BaseUrl,
    /// Whether `Origin` and `Referer` name the other scheme, http or https.
    swaps_scheme: AtomicBool,
    agents: Agents,
    cookies: Mutex<Jar>,
    idle: Mutex<Vec<Agent>>,
    pub(crate) options: HttpOptions,
}

/// What the builder says about requests.
pub(crate) struct HttpOptions {
    pub(crate) timeouts: Timeouts,
    pub(crate) headers: Headers,
    pub(crate) retries: u32,
    pub(crate) observer: Option<Box<Observer>>,
}

/// What is to be requested.
#[derive(Clone, Copy)]
pub(crate) struct Request<'a> {
    pub(crate) step: Step,
    pub(crate) method: &'a Method,
    pub(crate) path: &'a str,
    pub(crate) body: Option<&'a Body>,
    /// What is to be deleted if the response arrives when nobody waits for it any more: finds its
    /// path in the body of that response.
    pub(crate) undo: Option<Undo>,
}

pub(crate) type Undo = fn(&str) -> Option<String>;

/// What a request for a stream came to.
pub(crate) enum Opened {
    Stream(Stream),
    /// The server responded with another status than success.
    Refused(Response),
}

/// The body of a request, and its type.
pub(crate) struct Body {
    pub(crate) content_type: String,
    pub(crate) bytes: Vec<u8>,
}

impl Body {
    pub(crate) fn json(json: String) -> Self {
        Body {
            content_type: "application/json".into(),
            bytes: json.into_bytes(),
        }
    }

    pub(crate) fn multipart(boundary: &str, bytes: Vec<u8>) -> Self {
        Body {
            content_type: format!("multipart/form-data; boundary={boundary}"),
            bytes,
        }
    }

    pub(crate) fn form(form: String) -> Self {
        Body {
            content_type: "application/x-www-form-urlencoded".into(),
            bytes: form.into_bytes(),
        }
    }
}

impl<'a> Request<'a> {
    pub(crate) fn get(step: Step, path: &'a str) -> Self {
        Request::new(step, &Method::GET, path, None)
    }

    pub(crate) fn post(step: Step, path: &'a str, body: &'a Body) -> Self {
        Request::new(step, &Method::POST, path, Some(body))
    }

    pub(crate) fn patch(step: Step, path: &'a str, body: &'a Body) -> Self {
        Request::new(step, &Method::PATCH, path, Some(body))
    }

    pub(crate) fn delete(step: Step, path: &'a str) -> Self {
        Request::new(step, &Method::DELETE, path, None)
    }

    pub(super) fn new(
        step: Step,
        method: &'a Method,
        path: &'a str,
        body: Option<&'a Body>,
    ) -> Self {
        Request {
            step,
            method,
            path,
            body,
            undo: None,
        }
    }

    /// The same request, which does not have its connection shut down if the wait for it is ended,
    /// so that its effect can be undone.
    pub(crate) fn undone_by(self, undo: Undo) -> Self {
        Request {
            undo: Some(undo),
            ..self
        }
    }
}

impl Http {
    pub(crate) fn new(
        base_url: BaseUrl,
        agents: Agents,
        cookies: Jar,
        options: HttpOptions,
    ) -> Self {
        Http {
            base_url,
            swaps_scheme: AtomicBool::new(false),
            agents,
            cookies: Mutex::new(cookies),
            idle: Mutex::default(),
            options,
        }
    }

    /// A connection for one conversation, a used one if there is one.
    pub(crate) fn connection(self: &Arc<Self>) -> Connection {
        Connection {
            http: Arc::clone(self),
            agent: lock(&self.idle).pop(),
            watch: None,
        }
    }

    pub(crate) fn cookie(&self, name: &str) -> Option<String> {
        lock(&self.cookies).get(name).map(str::to_owned)
    }

    pub(crate) fn cookies(&self) -> Vec<(String, String)> {
        lock(&self.cookies).all().to_vec()
    }

    pub(crate) fn has_cookie(&self) -> bool {
        lock(&self.cookies).header().is_some()
    }

    /// For how long the session's cookie is valid from when it was set, if the server set it.
    pub(crate) fn cookie_lifetime(&self) -> Option<Duration> {
        lock(&self.cookies).lifetime()
    }
}

/// An agent of its own, on loan from the client: so one kept-alive connection, and one that can
/// be interrupted without harm to other conversations.
pub(crate) struct Connection {
    http: Arc<Http>,
    agent: Option<Agent>,
    /// The operation that can shut the agent down.
    watch: Option<Arc<Watch>>,
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.release();
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
        self.http.options.timeouts
    }

    /// Continues with a new connection to the server.
    pub(crate) fn renew(&mut self) {
        self.agent = None;
    }

    /// Requests something with a short response, whatever its status, as part of the operation
    /// `watch`.
    pub(crate) fn call(&mut self, request: &Request<'_>, watch: &Arc<Watch>) -> Result<Response> {
        let received = self.exchange(request, watch, Wanted::Whole)?;
        Response::new(&self.http.base_url, request.step, received)
    }

    /// Requests something by a form, with the other scheme in `Origin` and `Referer` if the server
    /// rejects the one in use: a server that was not told its address takes itself for `https`. What
    /// works is kept.
    pub(crate) fn call_in_either_scheme(
        &mut self,
        request: &Request<'_>,
        watch: &Arc<Watch>,
    ) -> Result<Response> {
        let in_use = self.http.swaps_scheme.load(Relaxed);
        let response = self.call(request, watch)?;
        if !response.rejects_referer() {
            return Ok(response);
        }
        // Not the other one than by now, as another thread may have found out the same.
        self.http.swaps_scheme.store(!in_use, Relaxed);
        let response = self.call(request, watch)?;
        if response.rejects_referer() {
            self.http.swaps_scheme.store(in_use, Relaxed);
        }
        Ok(response)
    }

    /// Requests something, and returns the bytes of a successful response.
    pub(crate) fn download(
        &mut self,
        request: &Request<'_>,
        watch: &Arc<Watch>,
    ) -> Result<Vec<u8>> {
        let mut received = self.exchange(request, watch, Wanted::Whole)?;
        let is_success = received.head.status.is_success();
        let bytes = if is_success {
            std::mem::take(&mut received.body)
        } else {
            Vec::new()
        };
        let response = Response::new(&self.http.base_url, request.step, received)?;
        if is_success {
            Ok(bytes)
        } else {
            Err(response.error())
        }
    }

    /// Requests a stream, and returns its body as it comes. The operation goes on until the
    /// connection is [released](Connection::release).
    pub(crate) fn open(&mut self, request: &Request<'_>, watch: &Arc<Watch>) -> Result<Opened> {
        let mut received = self.exchange(request, watch, Wanted::Stream)?;
        if let Some(body) = received.stream.take() {
            let content_type = received.header(header::CONTENT_TYPE);
            let stream = Stream::new(request.step, content_type, body, watch);
            return Ok(Opened::Stream(stream));
        }
        let response = Response::new(&self.http.base_url, request.step, received)?;
        Ok(Opened::Refused(response))
    }

    /// Lets the operation `watch` shut down what uses the connection from now on.
    pub(crate) fn attach(&mut self, watch: &Arc<Watch>) -> Result<(), Cause> {
        let agent = self.agent(watch);
        watch.attach(&agent)
    }

    /// Enforces the limits of the operation while its response is read, until the connection is
    /// [released](Connection::release).
    pub(crate) fn enforce_limits(&mut self, watch: &Arc<Watch>, step: Step) -> Result<()> {
        self.agent(watch);
        watchdog::watch(watch).map_err(|error| no_thread(step, &error))
    }

    /// The agent for the next request of the operation.
    fn agent(&mut self, watch: &Arc<Watch>) -> Agent {
        let is_other = |known: &Arc<Watch>| !Arc::ptr_eq(known, watch);
        if self.watch.as_ref().is_some_and(is_other) {
            // A reply that was leaked still uses the agent, and may shut it down.
            self.release();
            self.agent = None;
        }
        self.watch = Some(Arc::clone(watch));
        let agents = &self.http.agents;
        self.agent.get_or_insert_with(|| agents.new_agent()).clone()
    }

    /// Ends the operation that uses the connection. An agent that it has shut down, or left with a
    /// request under way, is replaced by the next request.
    pub(crate) fn release(&mut self) {
        if let Some(watch) = self.watch.take() {
            watchdog::unwatch(&watch);
            watch.detach();
            if watch.has_ended() {
                self.agent = None;
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
