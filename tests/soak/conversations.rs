//! A thousand conversations over one client while everything goes wrong at random, and other threads
//! cancel them: none hangs, none is left behind, and nothing leaks.

mod process;
mod random;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::panic;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use h2ogpt::{Canceller, Client, Conversation, Error, TimeLimit};

use support::listener::lock;
use support::service::{Dialect, Fault, Seen, Service};

use random::{Random, SEED};

const THREADS: usize = 8;
const CONVERSATIONS: usize = 1000;
/// After so many, all that is kept for reuse is there.
const SETTLED: usize = 200;
const TIMEOUT_TOKEN: Duration = Duration::from_secs(1);
/// For all of it, on the slowest of machines.
const DEADLINE: Duration = Duration::from_secs(90);

/// What goes wrong, and where it went wrong.
struct Chaos {
    random: Random,
    /// By the names of the faults.
    faults: BTreeMap<String, usize>,
    /// How often something happened to a conversation, by its id.
    hit: HashMap<String, usize>,
    /// Conversations whose DELETE was hit.
    undeleted: Vec<String>,
}

impl Chaos {
    fn new(seed: u64) -> Chaos {
        Chaos {
            random: Random::new(seed),
            faults: BTreeMap::new(),
            hit: HashMap::new(),
            undeleted: Vec::new(),
        }
    }

    fn decide(&mut self, seen: &Seen) -> Option<Fault> {
        let is_delete = seen.method == "DELETE";
        let id = seen.path.split('/').nth(2).map(str::to_owned);
        let fault = match (seen.method.as_str(), seen.path.as_str()) {
            (_, "/settings") | ("GET", _) => None,
            _ if seen.is_message() => self.for_message(),
            _ => self.for_call(),
        }?;
        let name = format!("{fault:?}");
        let name = name.split('(').next().unwrap_or_default().to_owned();
        *self.faults.entry(name).or_default() += 1;
        if let Some(id) = id {
            if is_delete && fault != Fault::CloseAfter {
                self.undeleted.push(id.clone());
            }
            *self.hit.entry(id).or_default() += 1;
        }
        Some(fault)
    }

    fn for_call(&mut self) -> Option<Fault> {
        let chance = self.random.below(100);
        Some(match chance {
            0 => Fault::Status(429, Some(7)),
            1 => Fault::Status(503, None),
            2 => Fault::Reset,
            3 => Fault::Hangup,
            4..8 => Fault::CloseAfter,
            _ => return None,
        })
    }

    fn for_message(&mut self) -> Option<Fault> {
        let tokens = self.random.below(12);
        let chance = self.random.below(200);
        Some(match chance {
            0..6 => Fault::Status(429, Some(7)),
            6..12 => Fault::Status(503, None),
            12..18 => Fault::Reset,
            18..24 => Fault::Hangup,
            24..32 => Fault::Cut(tokens),
            32..40 => Fault::CutMidEvent(tokens),
            40..44 => Fault::Stall(tokens),
            44..52 => Fault::ErrorEvent(tokens),
            52..58 => Fault::NoFinal(tokens),
            58..70 => Fault::CloseAfter,
            _ => return None,
        })
    }
}

/// What all threads share.
struct Soak {
    client: Client,
    chaos: Arc<Mutex<Chaos>>,
    begun: AtomicUsize,
    total: usize,
    outcomes: Mutex<BTreeMap<&'static str, usize>>,
    /// What should not have happened.
    problems: Mutex<Vec<String>>,
    settled_memory: Mutex<Option<usize>>,
}

impl Soak {
    fn work(&self, mut random: Random) {
        loop {
            let number = self.begun.fetch_add(1, Ordering::SeqCst);
            if number >= self.total {
                return;
            }
            if number == SETTLED {
                *lock(&self.settled_memory) = memory();
            }
            let canceller = Canceller::new();
            let mut client = self.client.cancelled_by(&canceller);
            if random.percent(10) {
                client = client.until(Instant::now() + micros(&mut random, 15_000));
            }
            let cancelling = random.percent(10);
            let cancelling =
                cancelling.then(|| cancel_after(micros(&mut random, 2_000), &canceller));
            let created = client.conversation();
            join(cancelling);
            canceller.reset();
            let outcome = match created {
                Ok(conversation) => self.live(conversation, &canceller, number, &mut random),
                Err(Error::Http { .. }) => "not created: refused",
                Err(Error::Network { .. }) => "not created: connection",
                Err(Error::Cancelled { .. }) => "not created: cancelled",
                Err(error) if is_over(&error) => "not created: expired",
                Err(error) => self.problem(format!("{number}, not created: {error:?}")),
            };
            *lock(&self.outcomes).entry(outcome).or_default() += 1;
        }
    }

    fn problem(&self, problem: String) -> &'static str {
        lock(&self.problems).push(problem);
        "wrong"
    }

    /// One conversation of one or two messages, and one of the ways to leave it.
    fn live(
        &self,
        mut conversation: Conversation,
        canceller: &Canceller,
        number: usize,
        random: &mut Random,
    ) -> &'static str {
        let mut outcome = self.talk(&mut conversation, canceller, number, random);
        if outcome == "complete" && random.percent(30) {
            outcome = self.talk(&mut conversation, canceller, number, random);
        }
        match random.below(10) {
            0..6 => drop(conversation),
            6..9 => {
                let id = conversation.id().to_owned();
                let is_hit = || lock(&self.chaos).undeleted.contains(&id);
                if let Err(error) = conversation.close()
                    && !is_hit()
                {
                    self.problem(format!("{number}, not deleted: {error:?}"));
                }
            }
            _ => {
                let unwound = panic::catch_unwind(panic::AssertUnwindSafe(|| {
                    let _conversation = conversation;
                    panic::resume_unwind(Box::new("unwinding"));
                }));
                assert!(unwound.is_err());
            }
        }
        outcome
    }

    fn talk(
        &self,
        conversation: &mut Conversation,
        canceller: &Canceller,
        number: usize,
        random: &mut Random,
    ) -> &'static str {
        let id = conversation.id().to_owned();
        let prompt = format!("Question number {number}");
        let expected = format!("You said: \"{prompt}\".");
        let dropped_after = random.percent(10).then(|| random.below(8));
        let is_cancelled = random.percent(10);

        // Sending waits, too.
        let cancelling = is_cancelled.then(|| cancel_after(micros(random, 15_000), canceller));
        let mut said = String::new();
        let mut is_whole = false;
        let error = match conversation.send(&*prompt) {
            Err(error) => Some(error),
            Ok(mut reply) => {
                let error = loop {
                    if dropped_after.is_some_and(|tokens| said.split(' ').count() > tokens) {
                        break None;
                    }
                    match reply.next() {
                        Some(Ok(token)) => said.push_str(&token),
                        Some(Err(error)) => break Some(error),
                        None => break None,
                    }
                };
                is_whole = reply.next().is_none() && said.starts_with(&expected);
                error
            }
        };
        if let Some(error) = &error
            && error.partial().unwrap_or_default() != said
        {
            self.problem(format!("{number}: {error:?} after {said:?}"));
        }
        join(cancelling);
        canceller.reset();
        let is_hit = || lock(&self.chaos).hit.contains_key(&id);
        match error {
            _ if dropped_after.is_some() && error.is_none() => "dropped",
            None if is_whole => "complete",
            None => self.problem(format!("{number}: complete with {said:?}")),
            Some(Error::Cancelled { .. }) if is_cancelled => "cancelled",
            Some(error) if is_over(&error) => "expired",
            // The connection may have been closed after another conversation's request.
            Some(Error::Network { .. }) if !is_hit() => "stale connection",
            Some(Error::Network { .. }) => "connection",
            Some(error) if !is_hit() => self.problem(format!("{number}, not hit: {error:?}")),
            Some(Error::Http { .. }) => "refused",
            Some(Error::Incomplete { .. }) => "incomplete",
            Some(Error::Server { .. }) => "error event",
            Some(Error::Timeout { .. }) => "timed out",
            Some(error) => self.problem(format!("{number}: {error:?}")),
        }
    }
}

fn micros(random: &mut Random, end: usize) -> Duration {
    Duration::from_micros(random.below(end) as u64)
}

/// Cancels from another thread.
fn cancel_after(wait: Duration, canceller: &Canceller) -> JoinHandle<()> {
    let canceller = canceller.clone();
    thread::spawn(move || {
        thread::sleep(wait);
        canceller.cancel();
    })
}

fn join(thread: Option<JoinHandle<()>>) {
    if let Some(thread) = thread {
        thread.join().expect("a canceller");
    }
}

/// Whether the time of the client has run out.
fn is_over(error: &Error) -> bool {
    matches!(
        error,
        Error::Timeout {
            limit: TimeLimit::Until,
            ..
        }
    )
}

/// Runs so many conversations against a service of that dialect.
fn soak(dialect: Dialect, total: usize) {
    let chaos = Arc::new(Mutex::new(Chaos::new(SEED)));
    let service = Service::builder()
        .dialect(dialect)
        .token_delay(Duration::from_millis(1))
        .faults({
            let chaos = Arc::clone(&chaos);
            move |seen| lock(&chaos).decide(seen)
        })
        .start()
        .expect("a service");
    let client = Client::builder()
        .url(service.url())
        .no_proxy()
        .timeout_token(TIMEOUT_TOKEN)
        .build()
        .expect("a client");
    let soak = Arc::new(Soak {
        client,
        chaos,
        begun: AtomicUsize::new(0),
        total,
        outcomes: Mutex::default(),
        problems: Mutex::default(),
        settled_memory: Mutex::default(),
    });

    let started = Instant::now();
    let (done, finished) = mpsc::channel();
    for thread in 0..THREADS {
        let (soak, done) = (Arc::clone(&soak), done.clone());
        thread::spawn(move || {
            soak.work(Random::new(SEED ^ (thread as u64 + 1) << 32));
            // Nobody waits any more if it took too long.
            let _ = done.send(());
        });
    }
    drop(done);
    for _ in 0..THREADS {
        let left = DEADLINE.saturating_sub(started.elapsed());
        if let Err(error) = finished.recv_timeout(left) {
            let problems = lock(&soak.problems);
            panic!("a thread hangs or has panicked: {error}; {problems:#?}");
        }
    }
    let elapsed = started.elapsed();

    let chaos = lock(&soak.chaos);
    let outcomes = lock(&soak.outcomes);
    println!("{dialect}: {total} conversations in {elapsed:.2?}, seed {SEED:#x}");
    println!("  outcomes: {outcomes:?}");
    println!("  faults: {:?}", chaos.faults);
    println!(
        "  {} connections, {} requests",
        service.connections(),
        service.requests().len()
    );
    assert_eq!(outcomes.values().sum::<usize>(), total);
    let problems = lock(&soak.problems);
    assert!(problems.is_empty(), "{problems:#?}");
    let count = |name| outcomes.get(name).copied().unwrap_or_default();
    let closed = chaos.faults.get("CloseAfter").copied().unwrap_or_default();
    assert!(count("complete") > total / 3, "hardly anything worked");
    assert!(count("stale connection") <= closed, "{outcomes:?}");
    // Creations are ended as well, but so few that none is certain.
    for ended in ["cancelled", "expired"] {
        assert!(count(ended) > 0, "nothing was {ended}");
    }

    // What was created when nobody waited for it any more is deleted in the background.
    drop(chaos);
    let undeleted = |service: &Service| {
        let hit: BTreeSet<String> = lock(&soak.chaos).undeleted.iter().cloned().collect();
        let left = hit.iter().filter(|id| service.history(id).is_some());
        (hit.len(), left.count())
    };
    let is_clean = service.wait_for(|service| service.conversations() == undeleted(service).1);
    let (hit, expected) = undeleted(&service);
    let count = service.conversations();
    println!("  {hit} DELETEs were hit, {count} conversations are left");
    assert!(
        is_clean,
        "{count} are left, {expected} by a fault of the DELETE"
    );

    if let (Some(settled), Some(end)) = (*lock(&soak.settled_memory), memory()) {
        let grown = end.saturating_sub(settled);
        println!("  memory: {settled} kB after {SETTLED} conversations, {end} kB in the end");
        // The service keeps every request it has seen: several kB a conversation.
        assert!(grown < 20 * (total - SETTLED) + 4096, "{grown} kB more");
    }
}

/// Resident memory in kB.
#[cfg(target_os = "linux")]
fn memory() -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

#[cfg(not(target_os = "linux"))]
fn memory() -> Option<usize> {
    None
}

#[test]
fn no_conversation_hangs_or_leaks_whatever_goes_wrong() {
    process::assert_no_leaks(|| {
        soak(Dialect::V0_5, CONVERSATIONS);
        // The newest one reads its responses to their end later.
        soak(Dialect::Main, SETTLED + SETTLED / 2);
    });
}
