//! A message can be cancelled wherever it is, on every version.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use h2ogpt::{Conversation, Error, Prompt, Result};

use support::service::{Dialect, Fault, Seen, Service};

use super::clients::builder;
use super::{AT_ONCE, PATIENCE, Watch, whole};

/// Longer than any test: nothing here ends by itself.
const NEVER: Duration = Duration::from_secs(60);

/// When the wait is cancelled.
#[derive(Clone, Copy)]
enum When {
    /// Before the reply is read.
    Unread,
    /// By the canceller of the reply, by its reader, after so many tokens.
    InTheLoop(usize),
    /// By another thread, after so many tokens.
    Tokens(usize),
    /// By another thread, when the server has seen such a request.
    Request(fn(&Seen) -> bool),
}

/// A message that is cancelled.
struct Case {
    name: &'static str,
    dialect: Dialect,
    /// What keeps it from going on by itself.
    fault: Option<fn(&Seen) -> Option<Fault>>,
    when: When,
    web_search: bool,
    /// Whether the server has to be told, as it is at work.
    stop: bool,
}

fn is_search(seen: &Seen) -> bool {
    seen.path.contains("/web-search?")
}

fn is_history(seen: &Seen) -> bool {
    seen.path.contains("/api/conversation/")
}

fn is_title(seen: &Seen) -> bool {
    seen.method == "PATCH"
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
            case("before the first next", When::Unread, true, None),
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
        } else {
            let fault: fn(&Seen) -> Option<Fault> = |seen| never(is_title(seen));
            let when = When::Request(is_title);
            cases.push(case("during the title", when, false, Some(fault)));
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

fn wait_for(is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "it did not come");
        thread::sleep(Duration::from_millis(1));
    }
}

/// What a message came to that was cancelled.
struct Cancelled {
    error: Error,
    tokens: String,
    latency: Duration,
}

/// Sends a message and reads its reply up to the error of being cancelled.
fn talk(
    conversation: &mut Conversation,
    prompt: Prompt,
    when: When,
    watch: &Watch,
    service: &Service,
) -> Cancelled {
    let before = service.requests().len();
    let (say, hear) = mpsc::channel::<()>();
    thread::scope(|scope| {
        scope.spawn(move || {
            match when {
                When::Unread | When::InTheLoop(_) => return,
                When::Tokens(count) => {
                    for _ in 0..count {
                        hear.recv_timeout(PATIENCE).expect("a token");
                    }
                }
                When::Request(is_it) => {
                    wait_for(|| service.requests()[before..].iter().any(is_it));
                }
            }
            // By then the reader waits. If not, the outcome has to be the same.
            thread::sleep(Duration::from_millis(50));
            watch.cancel(&watch.canceller);
        });
        let mut reply = match conversation.send(prompt) {
            Ok(reply) => reply,
            Err(error) => {
                return Cancelled {
                    error,
                    tokens: String::new(),
                    latency: watch.latency(),
                };
            }
        };
        if let When::Unread = when {
            watch.cancel(&watch.canceller);
        }
        let mut tokens = String::new();
        let mut count = 0;
        let error = loop {
            match reply.next() {
                Some(Ok(token)) => {
                    tokens.push_str(&token);
                    count += 1;
                    // Nobody listens any more after the last one.
                    let _ = say.send(());
                }
                Some(Err(error)) => break error,
                None => panic!("it ended by itself, with {tokens:?}"),
            }
            if matches!(when, When::InTheLoop(last) if last == count) {
                watch.cancel(&reply.canceller());
            }
        };
        let latency = watch.latency();
        assert_eq!(reply.text(), tokens);
        assert!(reply.next().is_none() && reply.next().is_none());
        reply.canceller().cancel();
        assert!(reply.next().is_none());
        Cancelled {
            error,
            tokens,
            latency,
        }
    })
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
    // What the next message may wait for, where a turn is never stored, is bounded by this.
    let client = builder(service.url()).timeout_token(PATIENCE / 2);
    let client = client.build().expect("a client");

    // Another conversation is in the middle of its reply all the time.
    let mut other = client.conversation().expect("a conversation");
    let mut other_reply = other.send("Tell me something.").expect("a prompt");
    let first = other_reply.next().expect("a token").expect("a token");

    let watch = Watch::default();
    let cancelled = client.cancelled_by(&watch.canceller);
    let mut conversation = cancelled.conversation().expect("a conversation");
    let path = format!("/conversation/{}", conversation.id());
    armed.store(true, Ordering::SeqCst);
    let prompt = Prompt::new("Count to a million.").web_search(case.web_search);
    let outcome = talk(&mut conversation, prompt, case.when, &watch, &service);
    armed.store(false, Ordering::SeqCst);

    let Cancelled { error, tokens, .. } = outcome;
    assert!(matches!(error, Error::Cancelled { .. }), "{error:?}");
    assert_eq!(error.partial().unwrap_or_default(), tokens);
    assert!(outcome.latency < AT_ONCE, "after {:?}", outcome.latency);
    let all = service.requests();
    let stop = |seen: &&Seen| seen.path == format!("{path}/stop-generating");
    let stops = all.iter().filter(stop).count();
    assert_eq!(stops, usize::from(case.stop), "stop-generating");

    // The conversation can be used, and so can everything else.
    watch.canceller.reset();
    assert!(whole(&mut conversation, "And now?").contains("You said: \"And now?\"."));
    let rest: Result<String> = other_reply.by_ref().collect();
    assert_eq!(first + &rest.expect("the rest"), other_reply.text());
    assert!(other_reply.text().contains("Tell me something."));
    drop(other_reply);
    whole(&mut client.conversation().expect("a new one"), "Hi");

    conversation.close().expect("it can be deleted");
    other.close().expect("it can be deleted");
    assert_eq!(service.conversations(), 0);
    outcome.latency
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
