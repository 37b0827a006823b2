//! A server that responds from recordings, byte for byte.

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;

use super::http1::{Request, response};
use super::listener::lock;
use super::recording::{End, Recording, Recordings};
use super::server::{Handler, Server, Then};
use super::tls::Identity;

/// What a conversation of the 2023 dialect needs besides its messages: method, path, recording.
const DEFAULTS: [(&str, &str, &str); 5] = [
    ("POST", "/settings", "settings-accept-any"),
    ("POST", "/conversation", "conversation-create"),
    (
        "POST",
        "/conversation/{id}/stop-generating",
        "stop-generating-call",
    ),
    ("GET", "/conversation/{id}/web-search", "web-search"),
    ("DELETE", "/conversation/{id}", "delete"),
];

/// Builds a [`Server`] from a folder of recordings.
///
/// Each step can be given several times: its recordings are then sent one after the other, and
/// the last one again from there on. Steps that were not given are responded to from the recordings
/// that [`DEFAULTS`] names, if the folder has them, all others with a 404.
pub struct Replay {
    recordings: Recordings,
    routes: Vec<Route>,
}

struct Route {
    method: String,
    /// A path without its query, in which `{id}` stands for any one segment.
    path: String,
    responses: Vec<Recording>,
}

impl Replay {
    pub fn new(folder: impl AsRef<Path>) -> Replay {
        Replay {
            recordings: Recordings::open(folder),
            routes: Vec::new(),
        }
    }

    #[track_caller]
    pub fn settings(self, recording: &str) -> Replay {
        self.on("POST", "/settings", recording)
    }

    #[track_caller]
    pub fn create(self, recording: &str) -> Replay {
        self.on("POST", "/conversation", recording)
    }

    #[track_caller]
    pub fn message(self, recording: &str) -> Replay {
        self.on("POST", "/conversation/{id}", recording)
    }

    #[track_caller]
    pub fn stop(self, recording: &str) -> Replay {
        self.on("POST", "/conversation/{id}/stop-generating", recording)
    }

    #[track_caller]
    pub fn web_search(self, recording: &str) -> Replay {
        self.on("GET", "/conversation/{id}/web-search", recording)
    }

    #[track_caller]
    pub fn delete(self, recording: &str) -> Replay {
        self.on("DELETE", "/conversation/{id}", recording)
    }

    /// Any other step, such as `"GET", "/api/conversation/{id}"`.
    #[track_caller]
    pub fn on(mut self, method: &str, path: &str, recording: &str) -> Replay {
        let response = self.recordings.load(recording);
        let known = |route: &&mut Route| route.method == method && route.path == path;
        match self.routes.iter_mut().find(known) {
            Some(route) => route.responses.push(response),
            None => self.routes.push(Route {
                method: method.to_owned(),
                path: path.to_owned(),
                responses: vec![response],
            }),
        }
        self
    }

    pub fn start(self) -> Server {
        Server::start(self.into_handler())
    }

    pub fn start_tls(self, identity: &Identity) -> Server {
        Server::start_tls(identity, self.into_handler())
    }

    fn into_handler(mut self) -> impl Handler {
        for (method, path, recording) in DEFAULTS {
            let given = |route: &Route| route.method == method && route.path == path;
            if !self.routes.iter().any(given) && self.recordings.contains(recording) {
                self = self.on(method, path, recording);
            }
        }
        let routes = self.routes;
        let sent = Mutex::new(HashMap::<usize, usize>::new());
        move |request: &Request, writer: &mut dyn Write| {
            let Some(index) = routes.iter().position(|route| route.matches(request)) else {
                let message = format!("no recording for {} {}", request.method, request.path);
                let headers = [("Content-Type", "text/plain")];
                let _ = writer.write_all(&response("404 Not Found", &headers, message));
                return Then::KeepAlive;
            };
            let responses = &routes[index].responses;
            let response = {
                let mut sent = lock(&sent);
                let count = sent.entry(index).or_default();
                let response = &responses[(*count).min(responses.len() - 1)];
                *count += 1;
                response
            };
            // A client that has gone away is the server's business, which sees the failure too.
            let _ = writer.write_all(&response.response_to(request));
            match response.end {
                End::Complete => Then::KeepAlive,
                End::Cut => Then::Close,
                End::Open => Then::Hold,
            }
        }
    }
}

impl Route {
    fn matches(&self, request: &Request) -> bool {
        let path = request.path.split('?').next().unwrap_or_default();
        let (mut wanted, mut given) = (self.path.split('/'), path.split('/'));
        request.method == self.method
            && loop {
                match (wanted.next(), given.next()) {
                    (None, None) => break true,
                    (Some("{id}"), Some(segment)) if !segment.is_empty() => {}
                    (Some(wanted), Some(given)) if wanted == given => {}
                    _ => break false,
                }
            }
    }
}
