//! Ending a reply from another thread: at once, wherever it hangs, and without harm to anything else.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use h2ogpt::{Canceller, Client, Conversation, Error, Reply};

use support::client::{send_with_search, text};
use support::http1::{LAST_CHUNK, chunk};
use support::script::{self, Endpoint};
use support::server::{Server, Then};
use support::service::{Dialect, Fault, Seen, Service};

/// Milliseconds are the rule; the rest is for machines that are busy.
const AT_ONCE: Duration = Duration::from_millis(500);
/// Longer than any test: nothing here ends by itself.
const NEVER: Duration = Duration::from_secs(60);
/// For what has to happen some time.
const PATIENCE: Duration = Duration::from_secs(10);

/// When the reply is cancelled.
#[derive(Clone, Copy)]
enum When {
    /// Before it is read.
    Unread,
    /// By its reader, after so many tokens.
    InTheLoop(usize),
    /// By another thread, after so many tokens.
    Tokens(usize),
    /// By another thread, when the service has seen such a request.
    Request(fn(&Seen) -> bool),
}

/// A reply that is cancelled.
struct Case {
    name: &'static str,
    dialect: Dialect,
    /// What keeps it from going on by itself.
    fault: Option<fn(&Seen) -> Option<Fault>>,
    when: When,
    web_search: bool,
    /// Whether the service has to be told, as it is at work.
    stop: bool,
}

fn is_search(seen: &Seen) -> bool {
    seen.path.contains("/web-search?")
}

fn is_history(seen: &Seen) -> bool {
    seen.path.contains("/api/conversation/")
}

fn never(is_it: bool) -> Option<Fault> {
    is_it.then_some(Fault::Delay(NEVER))
}

fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for dialect in Dialect::ALL {
        let case = |name, when, stop, fault| Case {
            name,
            dialect,
            fault,
            when,
            web_search: false,
            stop,
        };
        cases.extend([
            case("before the first next", When::Unread, false, None),
            case(
                "waiting for headers",
                When::Request(Seen::is_message),
                true,
                Some(|seen| never(seen.is_message())),
            ),
            case(
                "in mid-stream",
                When::Tokens(3),
                true,
                Some(|seen| seen.is_message().then_some(Fault::Stall(3))),
            ),
            case(
                "waiting for the first token",
                When::Request(Seen::is_message),
                true,
                Some(|seen| seen.is_message().then_some(Fault::Stall(0))),
            ),
            case("inside the loop", When::InTheLoop(2), true, None),
        ]);
        if matches!(dialect, Dialect::V0_3 | Dialect::V0_5 | Dialect::V0_6) {
            let fault: fn(&Seen) -> Option<Fault> = |seen| never(is_search(seen));
            let when = When::Request(is_search);
            let mut case = case("during the web search", when, false, Some(fault));
            case.web_search = true;
            cases.push(case);
        }
        // Where the response to the creation says what the history is asked for, it is not asked.
        if dialect.is_tree() && dialect != Dialect::Main {
            let fault: fn(&Seen) -> Option<Fault> = |seen| never(is_history(seen));
            let when = When::Request(is_history);
            cases.push(case("during the history", when, false, Some(fault)));
        }
    }
    cases
}

fn client(url: &str) -> Client {
    let client = Client::builder().url(url).no_proxy();
    client.build().expect("a client")
}

/// Reads a reply that is whole.
fn whole(conversation: &mut Conversation, prompt: &str) -> String {
    text(conversation.send(prompt)).expect("a whole reply")
}

/// Cancels from the thread that it is called in, and notes when.
fn cancel(canceller: &Canceller, at: &Mutex<Option<Instant>>) {
    *at.lock().unwrap() = Some(Instant::now());
    canceller.cancel();
}

/// Reads the reply up to its error, and says how long that took after the cancelling.
fn read(reply: &mut Reply<'_>, when: When, service: &Service) -> (Error, String, Duration) {
    let canceller = reply.canceller();
    let cancelled_at = Mutex::new(None);
    let (say, hear) = mpsc::channel::<()>();
    thread::scope(|scope| {
        let (canceller, cancelled_at) = (&canceller, &cancelled_at);
        scope.spawn(move || {
            match when {
                When::Unread | When::InTheLoop(_) => return,
                When::Tokens(count) => {
                    for _ in 0..count {
                        hear.recv_timeout(PATIENCE).expect("a token");
                    }
                }
                When::Request(is_it) => wait_for(|| service.requests().iter().any(is_it)),
            }
            // By then the reader waits. If not, the outcome has to be the same.
            thread::sleep(Duration::from_millis(50));
            cancel(canceller, cancelled_at);
        });
        if let When::Unread = when {
            cancel(canceller, cancelled_at);
        }
        let mut tokens = String::new();
        let mut count = 0;
        loop {
            match reply.next() {
                Some(Ok(token)) => {
                    tokens.push_str(&token);
                    count += 1;
                    // Nobody listens any more after the last one.
                    let _ = say.send(());
                }
                Some(Err(error)) => {
                    let at = cancelled_at.lock().unwrap().expect("not before");
                    break (error, tokens, at.elapsed());
                }
                None => panic!("it ended by itself, with {tokens:?}"),
            }
            if matches!(when, When::InTheLoop(last) if last == count) {
                cancel(canceller, cancelled_at);
            }
        }
    })
}

fn wait_for(is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "it did not come");
        thread::sleep(Duration::from_millis(1));
    }
}

fn run(case: &Case) -> Duration {
    let armed = Arc::new(AtomicBool::new(false));
    let service = Service::builder()
        .dialect(case.dialect)
        .token_delay(Duration::from_millis(5))
        .faults({
            let (armed, fault) = (Arc::clone(&armed), case.fault);
            move |seen| fault.filter(|_| armed.load(Ordering::SeqCst))?(seen)
        })
        .start()
        .expect("a service");
    let client = client(service.url());

    // Another conversation is in the middle of its reply all the time.
    let mut other = client.conversation().expect("a conversation");
    let mut other_reply = other.send("Tell me something.").expect("a prompt");
    let first = other_reply.next().expect("a token").expect("a token");

    let mut conversation = client.conversation().expect("a conversation");
    let path = format!("/conversation/{}", conversation.id());
    armed.store(true, Ordering::SeqCst);
    let before = service.requests().len();
    let reply = if case.web_search {
        send_with_search(&mut conversation, "Count to a million.")
    } else {
        conversation.send("Count to a million.")
    };
    let mut reply = reply.expect("a prompt");
    let (error, tokens, latency) = read(&mut reply, case.when, &service);

    assert!(matches!(error, Error::Cancelled { .. }), "{error:?}");
    assert_eq!(error.partial().unwrap_or_default(), tokens);
    assert_eq!(reply.text(), tokens);
    assert!(reply.next().is_none() && reply.next().is_none());
    reply.canceller().cancel();
    assert!(reply.next().is_none());
    assert!(latency < AT_ONCE, "after {latency:?}");
    drop(reply);
    armed.store(false, Ordering::SeqCst);

    let all = service.requests();
    let stop = |seen: &&Seen| seen.path == format!("{path}/stop-generating");
    let stops = all.iter().filter(stop).count();
    assert_eq!(stops, usize::from(case.stop), "stop-generating");
    if let When::Unread = case.when {
        assert_eq!(all.len(), before, "nothing is sent");
    }

    // The conversation can be used, and so can everything else.
    assert!(whole(&mut conversation, "And now?").contains("You said: \"And now?\"."));
    let rest: h2ogpt::Result<String> = other_reply.by_ref().collect();
    assert_eq!(first + &rest.expect("the rest"), other_reply.text());
    assert!(other_reply.text().contains("Tell me something."));
    drop(other_reply);
    whole(&mut client.conversation().expect("a new one"), "Hi");

    conversation.close().expect("it can be deleted");
    other.close().expect("it can be deleted");
    assert_eq!(service.conversations(), 0);
    latency
}

#[test]
fn a_reply_ends_at_once_wherever_it_is_and_nothing_else_does() {
    let cases = cases();
    let next = Mutex::new(cases.iter());
    let lines = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                loop {
                    let case = next.lock().unwrap().next();
                    let Some(case) = case else { return };
                    let line = format!("{:7} {}", case.dialect.to_string(), case.name);
                    println!("{line}");
                    let latency = run(case);
                    lines.lock().unwrap().push((latency, line));
                }
            });
        }
    });
    let mut lines = lines.into_inner().unwrap();
    lines.sort();
    for (latency, line) in &lines {
        println!("{:7.2} ms  {line}", latency.as_secs_f64() * 1000.0);
    }
    assert_eq!(lines.len(), cases.len());
}

#[test]
fn a_service_that_does_not_answer_the_stop_delays_nobody() {
    let usual = script::replying(|_, writer| {
        script::begin(writer, &["Hello"]);
        Then::Hold
    });
    let server = Server::start(move |request, writer| match request.endpoint() {
        Endpoint::Stop => Then::Hold,
        _ => usual(request, writer),
    });
    let client = client(&server.url());
    let mut conversation = client.conversation().unwrap();
    let mut reply = conversation.send("Hi").unwrap();
    assert_eq!(reply.next().unwrap().unwrap(), "Hello");
    let started = Instant::now();
    reply.canceller().cancel();
    let error = reply.next().unwrap().unwrap_err();
    let elapsed = started.elapsed();
    println!("{elapsed:?}");
    assert_eq!(error.partial(), Some("Hello"));
    assert!(elapsed < AT_ONCE / 2, "{elapsed:?}");
}

#[test]
fn a_reply_that_waits_for_the_end_of_the_last_response_ends_at_once() {
    let replies = AtomicUsize::new(0);
    let server = Server::start(script::replying(move |_, writer| {
        script::begin(writer, &["Hello"]);
        if replies.fetch_add(1, Ordering::SeqCst) == 0 {
            let _ = writer.write_all(&chunk(script::last_event("Hello")));
            return Then::Hold;
        }
        script::end(writer, "Hello");
        Then::KeepAlive
    }));
    let client = client(&server.url());
    let mut conversation = client.conversation().unwrap();
    assert_eq!(whole(&mut conversation, "Hi"), "Hello");

    let mut reply = conversation.send("Hi again").unwrap();
    let canceller = reply.canceller();
    let cancelled_at = Mutex::new(None);
    let latency = thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(Duration::from_millis(100));
            cancel(&canceller, &cancelled_at);
        });
        let error = reply.next().unwrap().unwrap_err();
        assert!(matches!(error, Error::Cancelled { .. }), "{error:?}");
        let at = cancelled_at.lock().unwrap().expect("not before");
        at.elapsed()
    });
    println!("{latency:?}");
    assert!(latency < AT_ONCE, "after {latency:?}");
    drop(reply);
    assert_eq!(whole(&mut conversation, "And now?"), "Hello");
}

#[test]
fn what_comes_after_the_end_of_a_reply_has_no_effect() {
    for dialect in Dialect::ALL {
        let service = Service::builder().dialect(dialect).start().unwrap();
        let client = client(service.url());
        let mut conversation = client.conversation().unwrap();
        let mut cancellers = Vec::new();
        for prompt in ["One", "Two", "Three"] {
            let mut reply = conversation.send(prompt).unwrap();
            cancellers.push(reply.canceller());
            let text: h2ogpt::Result<String> = reply.by_ref().collect();
            assert!(text.unwrap().contains(prompt));
            for canceller in &cancellers {
                canceller.cancel();
            }
            assert!(reply.next().is_none());
        }
        let id = conversation.keep();
        let said: Vec<String> = service
            .history(&id)
            .unwrap()
            .into_iter()
            .map(|(who, what)| format!("{who}: {what}"))
            .collect();
        assert_eq!(said.len(), 6, "{dialect}: {said:#?}");
        assert!(said[5].contains("(3 messages so far)"), "{said:#?}");
        assert!(said.iter().all(|line| !line.ends_with(": ")), "{said:#?}");
        if dialect != Dialect::V0_7 {
            assert_eq!(service.connections(), 1, "{dialect}");
        }
    }
}

#[test]
fn a_canceller_that_is_not_used_costs_no_connection() {
    let service = Service::start().unwrap();
    let client = client(service.url());
    let mut cancellers = Vec::new();
    for _ in 0..10 {
        let mut conversation = client.conversation().unwrap();
        for prompt in ["One", "Two"] {
            let mut reply = conversation.send(prompt).unwrap();
            cancellers.push(reply.canceller());
            assert!(reply.by_ref().all(|token| token.is_ok()));
        }
        conversation.close().unwrap();
    }
    assert_eq!(service.connections(), 1);
    // And none of them has an effect on what others do later.
    let mut conversation = client.conversation().unwrap();
    for canceller in &cancellers {
        canceller.cancel();
    }
    whole(&mut conversation, "Three");
    conversation.close().unwrap();
    assert_eq!(service.connections(), 1);
}

#[test]
fn a_reply_that_owns_its_conversation_deletes_it_when_it_is_cancelled() {
    let service = Service::builder()
        .faults(|seen| seen.is_message().then_some(Fault::Stall(3)))
        .start()
        .unwrap();
    let client = client(service.url());
    let mut reply = client.generate(&[h2ogpt::Message::user("Hi")]).unwrap();
    let (error, tokens, _) = read(&mut reply, When::Tokens(3), &service);
    assert_eq!(error.partial(), Some(tokens.as_str()));
    drop(reply);
    assert_eq!(service.conversations(), 0);
}

#[test]
fn what_had_arrived_unread_is_not_handed_out_after_a_cancel() {
    let whole = [
        script::token("One"),
        script::token("Two"),
        script::last_event("OneTwo"),
    ]
    .concat();
    let server = Server::start(script::replying(move |_, writer| {
        script::begin(writer, &[]);
        let _ = writer.write_all(&chunk(&whole));
        let _ = writer.write_all(LAST_CHUNK);
        Then::KeepAlive
    }));
    let client = Client::builder().url(server.url()).no_proxy().build();
    let mut conversation = client.unwrap().conversation().unwrap();
    let mut reply = conversation.send("Hi").unwrap();
    let canceller = reply.canceller();
    assert_eq!(reply.next().unwrap().unwrap(), "One");
    canceller.cancel();
    let error = reply.next().unwrap().unwrap_err();
    assert!(matches!(error, Error::Cancelled { .. }), "{error:?}");
    assert_eq!(error.partial(), Some("One"));
    assert!(reply.next().is_none());
}
