//! Everything that can go wrong on the way, one row a fault: what the caller is told, how long that
//! takes at most, what of the reply survives, and whether the conversation is deleted all the same.

mod connect;
mod fault;
mod row;
mod rows;

use std::io::Write;
use std::iter;
use std::panic;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use h2ogpt::{Client, Error, Prompt, Reply, Step};

use support::HAS_TLS;
use support::script::{Endpoint, replies};
use support::server::{Request, Server, Then};
use support::tls::Identity;

use fault::forbidden;
use row::{Leave, Outcome, Row, complete};

/// The timeouts that rows wait for; the second is the slack that the tests grant.
const SECOND: Duration = Duration::from_secs(1);
const TIMEOUT_REPLY: Duration = Duration::from_secs(2);
/// What more TLS may take where that is not what is tested: with some libraries each connection
/// reads all certificates of the system first, which takes seconds where many do so at once.
const HANDSHAKE: Duration = Duration::from_secs(20);
/// More than a client ever has to take before it gives up: 4 MiB of a line, and what the sockets
/// on both sides hold.
const MOST_TAKEN: usize = 24 << 20;

/// What happened.
struct Observed {
    outcome: Outcome,
    partial: String,
    shown: String,
    retry_after: Option<u64>,
    /// Of the step that failed, or of the whole reply.
    elapsed: Duration,
    /// Of leaving the conversation.
    leaving: Duration,
}

impl Observed {
    fn error(error: &Error, started: Instant) -> Observed {
        Observed {
            outcome: Outcome::of(error),
            partial: error.partial().unwrap_or_default().to_owned(),
            shown: error.to_string(),
            retry_after: match error {
                Error::Http { retry_after, .. } => retry_after.map(|wait| wait.as_secs()),
                _ => None,
            },
            elapsed: started.elapsed(),
            leaving: Duration::ZERO,
        }
    }
}

/// How long a client waits.
struct Limits {
    connect: Duration,
    token: Duration,
    reply: Duration,
    delete: Duration,
}

impl Limits {
    /// What every row can be tested with.
    const SHORT: Limits = Limits {
        connect: SECOND,
        token: SECOND,
        reply: TIMEOUT_REPLY,
        delete: SECOND,
    };

    /// So much longer where no row waits for the limit.
    fn patient(row: &Row, patience: Duration) -> Limits {
        let mut limits = Limits::SHORT;
        limits.connect += patience;
        if row.bounds.0.is_zero() {
            limits.token += patience;
            limits.reply += patience;
        }
        if !row.lacks_delete() {
            limits.delete += patience;
        }
        limits
    }
}

fn client(url: &str, identity: Option<&Identity>, limits: &Limits) -> Client {
    let mut builder = Client::builder()
        .url(url)
        .no_proxy()
        .model("model")
        .timeout_connect(limits.connect)
        .timeout_token(limits.token)
        .timeout_reply(limits.reply)
        .timeout_delete(limits.delete);
    if let Some(identity) = identity {
        builder = builder.root_certificates(identity.ca_pem());
    }
    builder.build().expect("a client")
}

/// Makes a connection that is kept alive, without anybody else doing so: handshakes of many at once
/// take longer than the limits that rows wait for.
fn connect_first(client: &Client) {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    // There is no list, which says that there is a connection.
    let mut tries = 0..20;
    while tries.next().is_some() && !matches!(client.models(), Err(Error::Http { .. })) {}
}

/// One conversation with one message, from its beginning to its end.
fn live(client: &Client, row: &Row) -> Observed {
    let started = Instant::now();
    let mut conversation = match client.conversation() {
        Ok(conversation) => conversation,
        Err(error) => return Observed::error(&error, started),
    };
    let started = Instant::now();
    let prompt = Prompt::new("Hi").web_search(row.at == Step::WebSearch);
    let mut observed = match conversation.send(prompt) {
        Ok(reply) => read(reply, row.pause),
        Err(error) => Observed::error(&error, started),
    };
    observed.elapsed = started.elapsed();

    let started = Instant::now();
    match row.leave {
        Leave::Drop => drop(conversation),
        Leave::Close => {
            if let Err(error) = conversation.close() {
                let reply = observed.outcome;
                assert_eq!(reply, complete("Hello you"), "the reply before the DELETE");
                observed = Observed::error(&error, started);
            }
        }
        Leave::Unwind => {
            let unwound = panic::catch_unwind(panic::AssertUnwindSafe(|| {
                let _conversation = conversation;
                // Like a panic, but not reported.
                panic::resume_unwind(Box::new("unwinding"));
            }));
            assert!(unwound.is_err());
        }
    }
    observed.leaving = started.elapsed();
    observed
}

fn read(mut reply: Reply<'_>, pause: Duration) -> Observed {
    let started = Instant::now();
    let mut tokens = String::new();
    let error = loop {
        match reply.next() {
            Some(Ok(token)) => tokens.push_str(&token),
            Some(Err(error)) => break Some(error),
            None => break None,
        }
        thread::sleep(pause);
    };
    assert!(reply.next().is_none(), "something comes after the end");
    assert_eq!(reply.text(), tokens);
    match error {
        Some(error) => Observed::error(&error, started),
        None => Observed {
            outcome: Outcome::Complete(tokens),
            partial: String::new(),
            shown: String::new(),
            retry_after: None,
            elapsed: started.elapsed(),
            leaving: Duration::ZERO,
        },
    }
}

/// Where a step sends its requests.
fn endpoint(step: Step) -> Endpoint {
    match step {
        Step::Settings => Endpoint::Settings,
        Step::Create => Endpoint::Create,
        Step::Prepare => Endpoint::Title,
        Step::History => Endpoint::History,
        Step::WebSearch => Endpoint::WebSearch,
        Step::Message => Endpoint::Message,
        Step::Delete => Endpoint::Delete,
        other => panic!("no row is about {other:?}"),
    }
}

/// What the server of that row does.
fn serve(row: &Row, request: &Request, out: &mut dyn Write, taken: &AtomicUsize) -> Then {
    let at = request.endpoint();
    if at == endpoint(row.at) {
        return row.fault.play(out, taken);
    }
    if row.dead && matches!(at, Endpoint::Delete | Endpoint::Stop) {
        return Then::Hold;
    }
    // Only of a server that refuses the settings as a form, messages may be trees.
    let is_later = matches!(row.at, Step::History | Step::Prepare);
    if at == Endpoint::Settings && is_later && !request.is_json() {
        let _ = out.write_all(&forbidden());
        return Then::KeepAlive;
    }
    replies(&["Hello", " you"])(request, out)
}

/// Runs a row and returns its line of the table, with everything that is not as it should be.
fn run(row: Row, identity: Option<&Identity>) -> (String, Vec<String>) {
    let row = Arc::new(row);
    let taken = Arc::new(AtomicUsize::new(0));
    let handler = {
        let (row, taken) = (Arc::clone(&row), Arc::clone(&taken));
        move |request: &Request, out: &mut dyn Write| serve(&row, request, out, &taken)
    };
    let server = match identity {
        Some(identity) => Server::start_tls(identity, handler),
        None => Server::start(handler),
    };
    let patience = identity.map_or(Duration::ZERO, |_| HANDSHAKE);
    let limits = Limits::patient(&row, patience);
    let client = client(&server.url(), identity, &limits);
    if identity.is_some() {
        connect_first(&client);
    }
    let observed = live(&client, &row);
    let deletes = server.requests_to(Endpoint::Delete).len();
    let taken = taken.load(Ordering::Relaxed);

    let mut problems = Vec::new();
    let mut expect = |is_met: bool, what: String| {
        if !is_met {
            problems.push(format!("{:?}, {}: {what}", row.at, row.name));
        }
    };
    let (from, to) = (row.bounds.0, row.bounds.1 + patience);
    let (elapsed, leaving) = (observed.elapsed, observed.leaving);
    expect(
        observed.outcome == row.outcome,
        format!(
            "{:?} instead of {:?} ({})",
            observed.outcome, row.outcome, observed.shown
        ),
    );
    expect(
        match row.partial.strip_suffix('…') {
            Some(start) => observed.partial.starts_with(start),
            None => observed.partial == row.partial,
        },
        format!(
            "partial {:?} instead of {:?}",
            observed.partial, row.partial
        ),
    );
    expect(
        // Clocks of sleeping threads are not exact.
        elapsed + Duration::from_millis(50) >= from && elapsed <= to,
        format!("after {elapsed:?} instead of {from:?} to {to:?}"),
    );
    expect(
        leaving <= 2 * SECOND + patience,
        format!("left after {leaving:?}"),
    );
    expect(
        // In the short time for a DELETE without a response, its connection may not be there yet.
        deletes == row.deletes || (row.dead && deletes == 0 && !patience.is_zero()),
        format!("{deletes} times DELETE instead of {}", row.deletes),
    );
    expect(
        row.says.is_none_or(|text| observed.shown.contains(text)),
        format!("{:?} does not say {:?}", observed.shown, row.says),
    );
    expect(
        observed.retry_after == row.retry_after,
        format!(
            "retry after {:?} instead of {:?}",
            observed.retry_after, row.retry_after
        ),
    );
    expect(
        row.drained || taken <= MOST_TAKEN,
        format!("took {taken} bytes"),
    );
    let line = format!(
        "{:9} {:62} {:40} {:>6.2} s {:>6.2} s {:2} {:>10}",
        format!("{:?}", row.at),
        row.name,
        format!("{:?}", observed.outcome),
        elapsed.as_secs_f64(),
        leaving.as_secs_f64(),
        deletes,
        taken,
    );
    (line, problems)
}

/// Runs many rows at once, as most of them mostly wait, but not so many that they wait for a
/// processor.
fn run_all(identity: Option<&Identity>) {
    static ALONE: Mutex<()> = Mutex::new(());
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let rows = Mutex::new(rows::all().into_iter().enumerate());
    let next = || rows.lock().expect("no panic in an iterator").next();
    let work = || {
        let rows = iter::from_fn(next);
        rows.map(|(index, row)| (index, run(row, identity)))
            .collect::<Vec<_>>()
    };
    let mut outcomes: Vec<_> = thread::scope(|scope| {
        let workers: Vec<_> = (0..48).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .flat_map(|worker| {
                worker
                    .join()
                    .unwrap_or_else(|panic| panic::resume_unwind(panic))
            })
            .collect()
    });
    outcomes.sort_by_key(|(index, _)| *index);
    let mut table = String::new();
    let mut problems = Vec::new();
    for (_, (line, found)) in outcomes {
        table.push_str(&line);
        table.push('\n');
        problems.extend(found);
    }
    println!("at, fault, outcome, time of the step and of leaving, DELETEs, bytes taken:\n{table}");
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

#[test]
fn every_fault_over_http_is_told_in_time_and_leaves_nothing_behind() {
    run_all(None);
}

#[test]
fn every_fault_over_tls_is_told_in_time_and_leaves_nothing_behind() {
    if HAS_TLS {
        run_all(Some(&Identity::localhost()));
    }
}
