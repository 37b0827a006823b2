//! A conversation whose creation was given up is deleted all the same, when its id still comes.

use std::io::Write;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use h2ogpt::{Canceller, Client, ClientBuilder, Error, Step, TimeLimit};

use support::client::expired;
use support::http1::{Request, response};
use support::listener::lock;
use support::script::{self, Endpoint, PATH};
use support::server::{Server, Then};

use super::PATIENCE;
use super::clients::{SOON, assert_cancelled, builder};

/// A server that creates a conversation only when it is told to.
struct Late {
    server: Server,
    /// A creation has been requested.
    requested: Receiver<()>,
    /// Sends it what to respond with.
    respond: Sender<Vec<u8>>,
}

impl Late {
    fn start() -> Late {
        let (say, requested) = mpsc::channel();
        let (respond, responses) = mpsc::channel::<Vec<u8>>();
        let responses = Arc::new(Mutex::new(responses));
        let server = Server::start(move |request: &Request, out: &mut dyn Write| {
            if request.endpoint() != Endpoint::Create {
                return script::respond(request, out);
            }
            // Nobody may listen any more.
            let _ = say.send(());
            match lock(&responses).recv() {
                Ok(response) => {
                    let _ = out.write_all(&response);
                    Then::KeepAlive
                }
                Err(_) => Then::Close,
            }
        });
        Late {
            server,
            requested,
            respond,
        }
    }

    fn wait_for_request(&self) {
        let requested = self.requested.recv_timeout(PATIENCE);
        requested.expect("a creation");
    }

    /// Responds at last, and waits until the conversation has been deleted.
    #[track_caller]
    fn assert_deleted_when_created(&self, context: &str) {
        assert!(!self.server.is_deleted(), "{context}: too soon");
        let created = script::created(script::ID);
        self.respond.send(created).expect("the server waits for it");
        let is_delete = |request: &Request| request.endpoint() == Endpoint::Delete;
        let wanted = |requests: &[Request]| requests.iter().any(is_delete);
        let is_deleted = self.server.wait_for(wanted, PATIENCE);
        assert!(is_deleted, "{context}: the conversation is left behind");
        let deletes = self.server.requests_to(Endpoint::Delete);
        assert_eq!(deletes[0].path, PATH, "{context}");
        assert_eq!(deletes.len(), 1, "{context}");
    }
}

/// What comes before the creation, on the same connection or not at all.
fn clients(server: &Server) -> [(&'static str, ClientBuilder); 3] {
    let builder = || builder(&server.url());
    [
        ("after the models and the settings", builder()),
        ("after the settings", builder().model("m")),
        (
            "as the first request",
            builder().model("m").cookie("hf-chat", "mine"),
        ),
    ]
}

const CLIENTS: usize = 3;

#[test]
fn what_was_cancelled_while_it_was_created_is_deleted() {
    for index in 0..CLIENTS {
        let late = Late::start();
        let (context, builder) = clients(&late.server).into_iter().nth(index).unwrap();
        let canceller = Canceller::new();
        let client = builder.build().unwrap().cancelled_by(&canceller);
        thread::scope(|scope| {
            let creating = scope.spawn(|| (client.conversation().unwrap_err(), Instant::now()));
            late.wait_for_request();
            let at = Instant::now();
            canceller.cancel();
            let (error, ended) = creating.join().unwrap();
            assert_cancelled(context, &error, ended.saturating_duration_since(at));
            assert_eq!(error.step(), Some(Step::Create), "{context}");
        });
        late.assert_deleted_when_created(context);
    }
}

#[test]
fn what_took_too_long_to_be_created_is_deleted() {
    let timeout = Duration::from_millis(500);
    for index in 0..CLIENTS {
        let late = Late::start();
        let (context, builder) = clients(&late.server).into_iter().nth(index).unwrap();
        let client = builder.timeout_token(timeout).build().unwrap();
        let started = Instant::now();
        let error = client.conversation().unwrap_err();
        assert!(started.elapsed() < timeout + SOON, "{context}");
        assert_eq!(expired(&error), Some(TimeLimit::Token), "{error:?}");
        late.wait_for_request();
        late.assert_deleted_when_created(context);
    }
}

/// Also with the program's own reply on the way, which owns its conversation.
#[test]
fn what_was_generated_too_slowly_is_deleted() {
    let late = Late::start();
    let client = Client::builder().url(late.server.url()).no_proxy();
    let client = client.model("m").build().unwrap();
    let deadline = Instant::now() + Duration::from_millis(300);
    let error = client.until(deadline).generate("Hi").unwrap_err();
    assert_eq!(expired(&error), Some(TimeLimit::Until), "{error:?}");
    late.wait_for_request();
    late.assert_deleted_when_created("generate");
}

/// The session's cookie may come with the response that is late.
#[test]
fn it_is_deleted_by_the_session_that_created_it() {
    let late = Late::start();
    let client = builder(&late.server.url()).model("m");
    let client = client.build().unwrap();
    let error = client
        .until(Instant::now() + Duration::from_millis(300))
        .conversation()
        .unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error:?}");
    late.wait_for_request();
    let body = format!("{{\"conversationId\":\"{}\"}}", script::ID);
    let cookie = ("Set-Cookie", "hf-chat=late; Path=/");
    let created = response("200 OK", &[script::JSON, cookie], body);
    late.respond.send(created).unwrap();
    let is_delete = |request: &Request| request.endpoint() == Endpoint::Delete;
    let wanted = |requests: &[Request]| requests.iter().any(is_delete);
    assert!(late.server.wait_for(wanted, PATIENCE), "not deleted");
    let deletes = late.server.requests_to(Endpoint::Delete);
    assert_eq!(deletes[0].header("cookie"), Some("hf-chat=late"));
    // The client may have begun another session meanwhile.
    assert_eq!(client.cookie("hf-chat"), None);
}

/// What was refused is not there, and there is nothing to delete.
#[test]
fn a_creation_that_is_refused_late_leaves_nothing_to_delete() {
    let late = Late::start();
    let client = builder(&late.server.url()).model("m").build().unwrap();
    let deadline = Instant::now() + Duration::from_millis(300);
    client.until(deadline).conversation().unwrap_err();
    late.wait_for_request();
    let refused = response("429 Too Many Requests", &[], "");
    late.respond.send(refused).unwrap();
    // The next conversation comes after it.
    thread::scope(|scope| {
        let next = scope.spawn(|| client.conversation().map(drop));
        late.wait_for_request();
        late.respond.send(script::created(script::ID)).unwrap();
        next.join().unwrap().expect("a conversation");
    });
    assert_eq!(late.server.requests_to(Endpoint::Delete).len(), 1);
}
