//! What is tried again if the caller wants that, how often, and what never is.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use h2ogpt::{Canceller, Client, ClientBuilder, Error, Step};

use support::client::{Failure, Outcome, builder, text};
use support::listener::lock;
use support::service::{Dialect, Fault, MODELS, Service};

const MESSAGE: &str = "POST /conversation/{id}";
const CREATE: &str = "POST /conversation";

fn service(dialect: Dialect) -> Service {
    let service = Service::builder().dialect(dialect).terms(false);
    service.start().unwrap()
}

fn with_retries(service: &Service, retries: u32) -> Client {
    let builder = builder(service.url()).model(MODELS[0]);
    builder.retries(retries).build().unwrap()
}

fn messages(service: &Service) -> Vec<u16> {
    let requests = service.requests();
    let messages = requests.iter().filter(|seen| seen.is_message());
    messages.map(|seen| seen.status).collect()
}

fn creations(service: &Service) -> Vec<u16> {
    let requests = service.requests().into_iter();
    let creations = requests.filter(|seen| seen.path == "/conversation");
    creations.map(|seen| seen.status).collect()
}

/// The first try may have created a conversation, which nobody would delete.
#[test]
fn a_creation_that_a_gateway_may_have_passed_on_is_not_tried_again() {
    for status in [502, 504] {
        let service = service(Dialect::Main);
        service.fail_next(1, CREATE, Fault::Status(status, None));
        let error = with_retries(&service, 3).conversation().unwrap_err();
        assert_eq!(error.step(), Some(Step::Create), "{error:?}");
        assert_eq!(creations(&service), [status]);
    }
}

#[test]
fn nothing_is_tried_again_by_default() {
    for status in [429, 502, 503, 504] {
        let service = service(Dialect::V0_5);
        service.fail_next(1, CREATE, Fault::Status(status, Some(0)));
        let client = builder(service.url()).model(MODELS[0]).build().unwrap();
        assert!(client.conversation().is_err(), "{status}");
        assert_eq!(creations(&service), [status]);
    }
}

#[test]
fn a_refusal_for_the_moment_is_tried_again_so_many_times() {
    for dialect in [Dialect::V0_5, Dialect::V0_8, Dialect::Main] {
        for status in [429, 503] {
            let service = service(dialect);
            let refusal = Fault::Status(status, Some(0));
            service.fail_next(2, CREATE, refusal.clone());
            service.fail_next(2, MESSAGE, refusal.clone());
            let mut conversation = with_retries(&service, 2).conversation().unwrap();
            let said = text(conversation.send("Hello")).unwrap();
            assert!(
                said.starts_with("You said: \"Hello\"."),
                "{dialect}: {said}"
            );
            assert_eq!(creations(&service), [status, status, 200], "{dialect}");
            assert_eq!(messages(&service), [status, status, 200], "{dialect}");

            service.fail_next(2, MESSAGE, refusal);
            let client = with_retries(&service, 1);
            let failure = Outcome::of(client.generate("Hello")).failure;
            let refused = matches!(failure, Some(Failure::Http { step: Step::Message, status: found, .. }) if found == status);
            assert!(refused, "{dialect}: {failure:?}");
        }
    }
}

/// A gateway may have passed a message on, but not the request for a new conversation, which the
/// caller would have to delete: that is tried again.
#[test]
fn a_message_is_never_sent_again_after_a_gateway_has_failed() {
    for status in [502, 504] {
        let service = service(Dialect::V0_9_6);
        let failure = Fault::Status(status, None);
        service.fail_next(1, "GET /api/conversation/{id}", failure.clone());
        let mut conversation = with_retries(&service, 3).conversation().unwrap();
        service.fail_next(1, MESSAGE, failure);
        let error = conversation.send("Hello").unwrap_err();
        let is_it = matches!(error, Error::Http { step: Step::Message, status: found, .. } if found == status);
        assert!(is_it, "{error:?}");
        assert_eq!(messages(&service), [status]);
    }
}

/// Nor after anything else that may have reached it.
#[test]
fn a_message_is_never_sent_again_after_a_broken_connection() {
    let faults = [
        Fault::Reset,
        Fault::Hangup,
        Fault::Cut(0),
        Fault::Status(500, None),
        Fault::ErrorEvent(0),
        Fault::NoFinal(0),
    ];
    for fault in faults {
        let service = service(Dialect::V0_5);
        let mut conversation = with_retries(&service, 3).conversation().unwrap();
        service.fail_next(1, MESSAGE, fault.clone());
        let failure = Outcome::of(conversation.send("Hello")).failure;
        assert!(failure.is_some(), "{fault:?}");
        assert_eq!(messages(&service).len(), 1, "{fault:?}");
    }
}

/// Such a limit does not pass by waiting.
#[test]
fn a_lasting_limit_is_not_tried_again() {
    let service = Service::builder()
        .dialect(Dialect::Main)
        .conversation_limit(1)
        .messages_per_conversation(2)
        .start()
        .unwrap();
    let client = with_retries(&service, 3);
    let mut conversation = client.conversation().unwrap();
    let error = client.conversation().unwrap_err();
    assert_limit(&error, Step::Create, "maximum number of conversations");
    assert_eq!(creations(&service), [200, 429]);

    text(conversation.send("One")).unwrap();
    let error = conversation.send("Two").unwrap_err();
    assert_limit(&error, Step::Message, "more than 2 messages");
    assert_eq!(messages(&service), [200, 429]);
}

#[track_caller]
fn assert_limit(error: &Error, at: Step, says: &str) {
    assert!(!error.is_retryable(), "{error:?}");
    let Error::Http {
        status,
        step,
        message,
        ..
    } = error
    else {
        panic!("{error:?}");
    };
    assert_eq!((*status, *step), (429, at), "{error:?}");
    assert!(message.contains(says), "{error:?}");
}

#[test]
fn the_server_says_how_long_to_wait() {
    let service = service(Dialect::V0_5);
    service.fail_next(1, CREATE, Fault::Status(429, Some(1)));
    let started = Instant::now();
    with_retries(&service, 1).conversation().unwrap();
    let elapsed = started.elapsed();
    assert!(elapsed >= Duration::from_secs(1), "{elapsed:?}");
    assert!(elapsed < Duration::from_secs(5), "{elapsed:?}");
}

#[test]
fn a_wait_that_takes_longer_than_the_time_limit_is_not_begun() {
    let service = service(Dialect::V0_5);
    service.fail_next(1, CREATE, Fault::Status(429, Some(60)));
    let started = Instant::now();
    let client = with_retries(&service, 1).until(Instant::now() + Duration::from_secs(30));
    let error = client.conversation().unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(60)));
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_wait_between_two_tries_is_cancelled_at_once() {
    let service = service(Dialect::V0_5);
    service.fail_next(1, CREATE, Fault::Status(503, Some(8)));
    let canceller = Canceller::new();
    let client = with_retries(&service, 1).cancelled_by(&canceller);
    thread::scope(|scope| {
        let creating = scope.spawn(|| (client.conversation().unwrap_err(), Instant::now()));
        assert!(service.wait_for(|service| creations(service) == [503]));
        let at = Instant::now();
        canceller.cancel();
        let (error, ended) = creating.join().unwrap();
        assert!(matches!(error, Error::Cancelled { .. }), "{error:?}");
        let latency = ended.saturating_duration_since(at);
        assert!(latency < Duration::from_millis(500), "{latency:?}");
    });
}

/// An observer that notes how each request ended.
fn observed(builder: ClientBuilder) -> (Client, Arc<Mutex<Vec<String>>>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&seen);
    let builder = builder.on_exchange(move |exchange| {
        let outcome = match exchange.outcome {
            Ok(status) => status.to_string(),
            Err(error) => format!("{:?}", error.step()),
        };
        lock(&noted).push(format!("{} {} {outcome}", exchange.method, exchange.path));
    });
    (builder.build().unwrap(), seen)
}

#[test]
fn a_connection_that_is_refused_is_tried_again() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    // The port of a connection belongs to nobody else meanwhile, and takes none itself.
    let taken = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let url = format!("http://{}", taken.local_addr().unwrap());
    for (retries, least) in [(0, 0), (2, 750)] {
        let (client, seen) = observed(builder(&*url).model("m").retries(retries));
        let started = Instant::now();
        let error = client.conversation().unwrap_err();
        assert!(matches!(error, Error::Network { .. }), "{error:?}");
        let tries = vec!["POST /settings Some(Settings)".to_owned(); retries as usize + 1];
        assert_eq!(*lock(&seen), tries);
        // Half a second, and then twice as long, of which up to a half is left out at random.
        assert!(started.elapsed() >= Duration::from_millis(least));
    }
}
