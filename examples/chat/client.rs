//! The client, as the options want it.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use h2ogpt::{Client, Error, Exchange};

use crate::creations::Creations;
use crate::environment::Cookie;
use crate::failure::{Failure, say};
use crate::options::Options;
use crate::shown::one_line;
use crate::signals::Signals;

/// What all clients of the program have in common.
pub struct Surroundings {
    pub signals: Signals,
    pub creations: Arc<Creations>,
    /// When the time for everything is over.
    pub deadline: Option<Instant>,
}

impl Surroundings {
    /// What an error of a client means here.
    pub fn failure(&self, error: Error, options: &Options) -> Failure {
        Failure::of_client(error, options, &self.signals)
    }
}

/// A client of a session, or of a new one, whose waits end with a signal, or when the time for
/// everything is over.
pub fn connect(
    options: &Options,
    session: Option<&Cookie>,
    surroundings: &Surroundings,
) -> Result<Client, Failure> {
    let client = build(options, session, &surroundings.creations)?;
    let client = client.cancelled_by(surroundings.signals.canceller());
    Ok(match surroundings.deadline {
        Some(deadline) => client.until(deadline),
        None => client,
    })
}

fn build(
    options: &Options,
    session: Option<&Cookie>,
    creations: &Arc<Creations>,
) -> Result<Client, Failure> {
    let mut builder = Client::builder()
        .url(&options.url)
        .parameters(options.parameters.clone())
        .share_with_model_authors(options.share)
        .timeout_token(options.timeout)
        .retries(options.retries);
    if let Some(model) = &options.model {
        builder = builder.model(model);
    }
    if let Some(cookie) = session {
        builder = builder.cookie(&cookie.name, &cookie.value);
    }
    if let Some(system) = &options.system {
        builder = builder.system_prompt(system);
    }
    for (name, value) in &options.headers {
        builder = builder.header(name, value);
    }
    if let Some(proxy) = &options.proxy {
        builder = builder.proxy(proxy);
    }
    if options.demo.is_some() {
        builder = builder.no_proxy();
    }
    if let Some(pem) = certificates(options)? {
        builder = builder.root_certificates(pem);
    }
    let (creations, verbose) = (Arc::clone(creations), options.verbose);
    let builder = builder.on_exchange(move |exchange| {
        if verbose {
            report(exchange);
        }
        // Last, as the program may be waiting for this to end.
        creations.observe(exchange);
    });
    Ok(builder.build()?)
}

/// The certificates of `--cacert`, or else of `SSL_CERT_FILE`, which concerns TLS only.
fn certificates(options: &Options) -> Result<Option<Vec<u8>>, Failure> {
    let is_https = |url: &str| {
        let scheme = url.get(..8).unwrap_or_default();
        scheme.eq_ignore_ascii_case("https://")
    };
    let uses_tls = is_https(&options.url) || options.proxy.as_deref().is_some_and(is_https);
    let read = |source: &str, path: &Path| {
        fs::read(path).map_err(|error| {
            let path = path.display();
            Failure::usage(format!("{source}: cannot read {path}: {error}"))
        })
    };
    match (&options.cacert, &options.ssl_cert_file) {
        (Some(path), _) => read("--cacert", path).map(Some),
        (None, Some(path)) if uses_tls => read("SSL_CERT_FILE", path).map(Some),
        _ => Ok(None),
    }
}

fn report(exchange: &Exchange<'_>) {
    let (method, path) = (exchange.method, one_line(exchange.path));
    let elapsed = exchange.elapsed.as_millis();
    let outcome = match exchange.outcome {
        Ok(status) => status.to_string(),
        Err(_) => "no response".to_owned(),
    };
    say(format_args!(
        "{method} {path}: {outcome} after {elapsed} ms"
    ));
}
