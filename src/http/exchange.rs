//! One exchange: a request, with all that is sent with every request, and its response.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::{Duration, Instant, SystemTime};

use ureq::http::{HeaderValue, Method, Uri, header};
use ureq::{Agent, Timeout, http};

use super::cookies::Jar;
use super::setup::is_untrusted;
use super::tls::HAS_TLS;
use super::watchdog::{Limits, Watch, Watching};
use super::worker::{Received, Unanswered, Wanted, run, run_apart};
use super::{Connection, Http, Request, Undo, date, lock, retries};
use crate::error::{Error, Result, Step, TimeLimit};
use crate::exchange::Exchange;

impl Connection {
    /// Requests something, and again if the server refuses it for the moment and the caller wants
    /// that.
    pub(super) fn exchange(
        &mut self,
        request: &Request<'_>,
        watch: &Arc<Watch>,
        wanted: Wanted,
    ) -> Result<Box<Received>> {
        let mut tries = 0;
        loop {
            let outcome = self.exchange_once(request, watch, wanted);
            if tries == self.http.options.retries {
                return outcome;
            }
            match retries::delay(request.step, &outcome, tries) {
                Some(delay) if delay < watch.time_left() => {
                    let slept = watch.sleep(delay);
                    slept.map_err(|cause| cause.error(request.step))?;
                    tries += 1;
                }
                _ => return outcome,
            }
        }
    }

    fn exchange_once(
        &mut self,
        request: &Request<'_>,
        watch: &Arc<Watch>,
        wanted: Wanted,
    ) -> Result<Box<Received>> {
        let agent = self.agent(watch);
        // What is not sent is not observed.
        watch.check_limits(request.step)?;
        let started = Instant::now();
        let outcome = self.exchange_trusting(&agent, request, watch, wanted);
        if let Ok(received) = &outcome {
            store_cookies(&mut lock(&self.http.cookies), received);
        }
        let seen = outcome.as_ref().map(|received| received.status());
        self.http.observe(request, started.elapsed(), seen);
        outcome
    }

    /// Tries the other root certificates if those in use do not verify the server, to which
    /// nothing has been sent then. If neither do, the first error counts.
    fn exchange_trusting(
        &mut self,
        agent: &Agent,
        request: &Request<'_>,
        watch: &Arc<Watch>,
        wanted: Wanted,
    ) -> Result<Box<Received>> {
        let first = self.perform(agent, request, watch, wanted);
        if !HAS_TLS {
            return first;
        }
        let agents = &self.http.agents;
        let other = match &first {
            Ok(_) => {
                agents.settle_on_first();
                None
            }
            Err(error) if is_untrusted(error) => agents.other_agent(),
            Err(_) => None,
        };
        let Some(other) = other else {
            return first;
        };
        match self.perform(&other, request, watch, wanted) {
            Err(error) if is_untrusted(&error) => first,
            Err(error) => Err(error),
            Ok(received) => {
                self.http.agents.settle_on_second();
                self.agent = Some(other);
                Ok(received)
            }
        }
    }

    fn perform(
        &self,
        agent: &Agent,
        request: &Request<'_>,
        watch: &Arc<Watch>,
        wanted: Wanted,
    ) -> Result<Box<Received>> {
        let step = request.step;
        match request.undo {
            None => watch.attach(agent).map_err(|cause| cause.error(step))?,
            Some(_) => watch.detach(),
        }
        let fail = |error| self.failed(step, TimeLimit::Token, error);
        let sent = self.http.request(request, &lock(&self.http.cookies));
        let sent = sent.map_err(|error| fail(error.into()))?;
        let undo = match request.undo {
            Some(undo) => {
                let bound = self.bound_in_background(agent);
                let bound = bound.map_err(|error| no_thread(step, &error))?;
                let http = Arc::clone(&self.http);
                let (path, started) = (request.path.to_owned(), Instant::now());
                Some(Box::new(move |agent: &Agent, created: &Received| {
                    let request = Request::new(step, &Method::POST, &path, None);
                    http.observe(&request, started.elapsed(), Ok(created.status()));
                    http.undo(undo, &bound, agent, created);
                }) as _)
            }
            None => None,
        };
        match run_apart(agent, sent, step, wanted, watch, undo) {
            Ok(received) => Ok(received),
            Err(Unanswered::Ended(cause)) => Err(cause.error(step)),
            Err(Unanswered::Failed(error)) => match watch.cause() {
                // Shut down before the request began.
                Some(cause) => Err(cause.error(step)),
                None => Err(fail(error)),
            },
            // Without a thread, everything fails but what leaves nothing behind.
            Err(Unanswered::NoThread(_)) if step == Step::Delete => {
                let sent = self.http.request(request, &lock(&self.http.cookies));
                let sent = sent.map_err(|error| fail(error.into()))?;
                let agent = self.http.agents.bounded_agent();
                let received = run(&agent, sent, step, wanted, &AtomicBool::new(false));
                received.map_err(|error| self.failed(step, TimeLimit::Delete, error))
            }
            Err(Unanswered::NoThread(error)) => Err(no_thread(step, &error)),
        }
    }

    /// Bounds a request that goes on when nobody waits for it any more, and what undoes it.
    fn bound_in_background(&self, agent: &Agent) -> io::Result<Watching> {
        let longest = self.timeouts().token + self.timeouts().delete;
        let watch = Arc::new(Watch::new(Limits {
            wait: (longest, TimeLimit::Delete),
            deadline: Some((Instant::now() + longest, TimeLimit::Delete)),
        }));
        let _ = watch.attach(agent);
        Watching::begin(watch)
    }

    /// What a failure of ureq means. `limit` is the one that bounds what ureq bounds, other than
    /// connecting.
    fn failed(&self, step: Step, limit: TimeLimit, error: ureq::Error) -> Error {
        match error {
            ureq::Error::Timeout(Timeout::Resolve | Timeout::Connect) => {
                let error = Error::timeout(step, TimeLimit::Connect);
                if self.http.base_url.is_https() {
                    error.with_source("the server may not speak TLS on this port")
                } else {
                    error
                }
            }
            ureq::Error::Timeout(_) => Error::timeout(step, limit),
            error => of_transport(step, error),
        }
    }
}

/// What a failure of ureq means that has nothing to do with its time limits.
pub(super) fn of_transport(step: Step, error: ureq::Error) -> Error {
    match error {
        ureq::Error::Protocol(_) | ureq::Error::LargeResponseHeader(..) => {
            Error::protocol(step, "an HTTP/1.1 response", &error.to_string())
        }
        ureq::Error::Io(error) => Error::network(step, error),
        error => Error::network(step, error),
    }
}

impl Http {
    /// The request with these cookies, and the headers of the caller.
    fn request(
        &self,
        request: &Request<'_>,
        cookies: &Jar,
    ) -> Result<http::Request<Vec<u8>>, http::Error> {
        let swaps_scheme = self.swaps_scheme.load(Relaxed);
        let bytes = request.body.map(|body| body.bytes.clone());
        let mut sent = http::Request::new(bytes.unwrap_or_default());
        *sent.method_mut() = request.method.clone();
        *sent.uri_mut() = Uri::try_from(self.base_url.url(request.path))?;
        let headers = sent.headers_mut();
        let text = |value: &str| HeaderValue::from_str(value);
        headers.insert(header::ORIGIN, text(&self.base_url.origin(swaps_scheme))?);
        headers.insert(header::REFERER, text(&self.base_url.referer(swaps_scheme))?);
        if let Some(authorization) = self.base_url.authorization() {
            headers.insert(header::AUTHORIZATION, authorization);
        }
        if let Some(cookies) = cookies.header() {
            headers.insert(header::COOKIE, text(&cookies)?);
        }
        if let Some(body) = request.body {
            headers.insert(header::CONTENT_TYPE, text(&body.content_type)?);
        }
        self.options.headers.add_to(headers);
        Ok(sent)
    }

    fn observe(
        &self,
        request: &Request<'_>,
        elapsed: Duration,
        outcome: std::result::Result<u16, &Error>,
    ) {
        let Some(observer) = &self.options.observer else {
            return;
        };
        observer(&Exchange {
            method: request.method.as_str(),
            path: request.path,
            outcome,
            elapsed,
        });
    }

    /// Deletes what a request has created whose response nobody waited for.
    fn undo(&self, undo: Undo, bound: &Watching, agent: &Agent, created: &Received) {
        let body = String::from_utf8_lossy(&created.body);
        let path = undo(&body).filter(|_| created.head.status.is_success());
        let Some(path) = path else {
            return;
        };
        // It is of the session that created it, which by now may not be that of the client.
        let mut cookies = lock(&self.cookies).clone();
        store_cookies(&mut cookies, created);
        let request = Request::delete(Step::Delete, &path);
        let delete = |agent: &Agent| -> Result<u16> {
            let bounded = bound.attach(agent);
            bounded.map_err(|cause| cause.error(Step::Delete))?;
            let sent = self.request(&request, &cookies);
            let sent = sent.map_err(|error| Error::network(Step::Delete, error))?;
            let is_refused = AtomicBool::new(false);
            let deleted = run(agent, sent, Step::Delete, Wanted::Whole, &is_refused);
            let deleted = deleted.map_err(|error| Error::network(Step::Delete, error))?;
            Ok(deleted.status())
        };
        let started = Instant::now();
        // Mostly the server had closed the connection. Deleting twice is harmless.
        let deleted = delete(agent).or_else(|_| delete(&self.agents.new_agent()));
        self.observe(&request, started.elapsed(), deleted.as_ref().copied());
    }
}

fn store_cookies(jar: &mut Jar, received: &Received) {
    // By the server's clock, as its cookies expire by that.
    let date = received.header(header::DATE);
    let now = date.and_then(|header| date::date(&header));
    let now = now.unwrap_or_else(SystemTime::now);
    for cookie in received.head.headers.get_all(header::SET_COOKIE) {
        let cookie = String::from_utf8_lossy(cookie.as_bytes());
        jar.store(&cookie, now);
    }
}

/// The error where the system has no thread to spare.
pub(super) fn no_thread(step: Step, error: &io::Error) -> Error {
    let cause = format!("no thread could be started: {error}");
    Error::network(step, io::Error::new(error.kind(), cause))
}
