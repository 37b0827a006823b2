//! Memory: that of a reply grows with its text and with nothing else, and a thousand conversations
//! at once are cheap.

#![cfg(target_os = "linux")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::env;
use std::fs;
use std::io::{BufRead, BufReader, stdin};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex};
use std::thread;

use h2ogpt::Client;

use support::client::builder;
use support::http1::{LAST_CHUNK, chunk};
use support::listener::lock;
use support::script;
use support::server::{Server, Then};
use support::stream::{Format, WORD};

/// Counts what the process has of the system's allocator.
struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

fn add(size: usize) {
    let live = LIVE.fetch_add(size, Ordering::Relaxed) + size;
    PEAK.fetch_max(live, Ordering::Relaxed);
}

fn live() -> usize {
    LIVE.load(Ordering::SeqCst)
}

// SAFETY: everything is passed on to the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        add(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // A large block is moved by the system without being there twice.
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        add(size);
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Says what a process of its own is to do.
const ROLE: &str = "H2OGPT_TEST_ROLE";

/// Whether this is the process that is to play that role.
fn plays(role: &str) -> bool {
    env::var_os(ROLE).is_some_and(|played| played == role)
}

/// One test of this program in a process of its own, which may open as many files as it can.
fn process(test: &str, role: &str) -> Command {
    let mut command = Command::new("sh");
    let script = r#"ulimit -n "$(ulimit -Hn)" 2>/dev/null; exec "$0" "$@""#;
    command.args(["-c", script]);
    command.arg(env::current_exe().expect("the path of this test"));
    command.args([test, "--exact", "--nocapture", "--test-threads=1"]);
    command.env(ROLE, role);
    command
}

/// Runs `test`, in a process of its own, as what other tests do meanwhile is not to be counted.
/// Returns whether this is that process.
fn is_alone(test: &str) -> bool {
    if plays("test") {
        return true;
    }
    let output = process(test, "test").output().expect("this test again");
    for text in [output.stdout, output.stderr] {
        println!("{}", String::from_utf8_lossy(&text));
    }
    assert!(output.status.success(), "see above");
    false
}

fn client(server: &Server) -> Client {
    builder(server.url())
        .model("model")
        .build()
        .expect("a client")
}

/// How the final text of a reply goes with what was streamed.
#[derive(Clone, Copy, PartialEq)]
enum Final {
    Same,
    /// Without the space at its start, as some servers do.
    Trimmed,
}

/// A server whose replies have so many tokens. It makes them as it sends them.
fn server(format: Format, tokens: usize, last: Final) -> Server {
    const AT_ONCE: usize = 100;
    let events = chunk(format.event(WORD).repeat(AT_ONCE));
    let words = chunk(WORD.repeat(AT_ONCE));
    let first_words = match last {
        Final::Same => words.clone(),
        Final::Trimmed => chunk(WORD.repeat(AT_ONCE).trim_start()),
    };
    Server::start(format.replying(move |_, writer| {
        let mut write = |bytes: &[u8]| writer.write_all(bytes);
        let mut reply = || {
            write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
            (0..tokens / AT_ONCE).try_for_each(|_| write(&events))?;
            let (before, after) = format.last_event();
            write(&chunk(before))?;
            write(&first_words)?;
            (1..tokens / AT_ONCE).try_for_each(|_| write(&words))?;
            write(&chunk(after))?;
            write(LAST_CHUNK)
        };
        // The client may hang up, which is the server's business.
        let _ = reply();
        Then::KeepAlive
    }))
}

/// The most that was allocated while so many tokens were streamed, without the text itself; and
/// the most until the reply was complete.
fn peaks(format: Format, tokens: usize, last: Final) -> (usize, usize) {
    // It grows as that of the reply.
    let mut text = String::new();
    (0..tokens).for_each(|_| text.push_str(WORD));
    let capacity = text.capacity();
    drop(text);

    let server = server(format, tokens, last);
    let before = live();
    PEAK.store(before, Ordering::SeqCst);
    let client = client(&server);
    let mut conversation = client.conversation().expect("a conversation");
    let mut reply = conversation.send("Hi").expect("a reply");
    for token in reply.by_ref().take(tokens) {
        assert_eq!(token.expect("a token"), WORD);
    }
    let streamed = PEAK.load(Ordering::SeqCst) - before;
    assert!(reply.next().is_none());
    let trimmed = usize::from(last == Final::Trimmed);
    assert_eq!(reply.text().len(), tokens * WORD.len() - trimmed);
    let complete = PEAK.load(Ordering::SeqCst) - before;
    (streamed - capacity, complete)
}

#[test]
fn what_a_reply_needs_grows_with_its_text_and_with_nothing_else() {
    if !is_alone("what_a_reply_needs_grows_with_its_text_and_with_nothing_else") {
        return;
    }
    const KIB: usize = 1 << 10;
    for format in [Format::Flat, Format::Tree] {
        let [small, large, _] = [
            (200_000, Final::Same, 2.3),
            (2_000_000, Final::Same, 2.3),
            (2_000_000, Final::Trimmed, 2.3),
        ]
        .map(|(tokens, last, most)| {
            let (streamed, complete) = peaks(format, tokens, last);
            let times = complete as f64 / (tokens * WORD.len()) as f64;
            println!(
                "{format:?}, {tokens} tokens: {} KiB and the text; with the final event {times:.2} \
                 times the text",
                streamed / KIB,
            );
            assert!(times < most, "{format:?}: {complete}");
            streamed
        });
        assert!(
            small.abs_diff(large) < 256 * KIB,
            "{format:?}: {small}, {large}"
        );
    }
}

#[test]
fn a_thousand_conversations_at_once_take_less_than_64_mb() {
    if !is_alone("a_thousand_conversations_at_once_take_less_than_64_mb") {
        return;
    }
    let (mut service, url) = start_service();
    let count = conversations();
    let client = builder(url).model("model").build().expect("a client");
    let (all_are_open, measured) = (Barrier::new(count + 1), Barrier::new(count + 1));
    let turn = Mutex::new(());
    let before = live();
    thread::scope(|scope| {
        for _ in 0..count {
            let thread = thread::Builder::new().stack_size(256 << 10);
            let spawned = thread.spawn_scoped(scope, || {
                // One after the other, or the system refuses some connections. Whatever goes wrong
                // is told at the end, as the others wait for this thread until then.
                let opening = lock(&turn);
                let mut conversation = client.conversation();
                let mut reply = conversation.as_mut().ok().map(|open| open.send("Hi"));
                let first = match &mut reply {
                    Some(Ok(reply)) => reply.next(),
                    _ => None,
                };
                drop(opening);
                all_are_open.wait();
                measured.wait();
                let closing = lock(&turn);
                drop(reply);
                let created = conversation.map(drop);
                drop(closing);
                created.expect("a conversation");
                assert_eq!(first.expect("a reply").expect("a token"), WORD);
            });
            spawned.expect("a thread");
        }
        all_are_open.wait();
        let bytes = live() - before;
        let resident = resident_without_stacks();
        println!(
            "{count} conversations: {bytes} bytes, {} each; resident {resident} kB, and {} kB with \
             the stacks of {} threads",
            bytes / count,
            of_status("VmRSS:"),
            of_status("Threads:")
        );
        measured.wait();
        assert!(bytes < 64 << 20, "{bytes} bytes");
    });
    drop(service.stdin.take());
    assert!(service.wait().expect("the service").success());
}

/// A thousand, or as many as there may be open files. In this process each has its connection, and
/// at its end perhaps a second one.
fn conversations() -> usize {
    let limits = fs::read_to_string("/proc/self/limits").expect("/proc");
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().nth(3));
    // The service has four times as many files as there are connections.
    let possible = soft
        .and_then(|soft| soft.parse::<usize>().ok())
        .map_or(1000, |files| files / 5);
    if possible < 1000 {
        println!("only {possible} conversations, as so few files may be open");
    }
    possible.min(1000)
}

/// Resident kilobytes of all mappings but those that are stacks, by their size: of the threads of
/// this test, and of the clocks of their replies.
fn resident_without_stacks() -> usize {
    let mappings = fs::read_to_string("/proc/self/smaps").expect("/proc");
    let mut size = 0;
    let mut resident = 0;
    for line in mappings.lines() {
        let mut words = line.split_whitespace();
        let name = words.next();
        let mut kilobytes = || words.next().and_then(|word| word.parse::<usize>().ok());
        match name {
            Some("Size:") => size = kilobytes().expect("a size"),
            Some("Rss:") if ![256, 64].contains(&size) => {
                resident += kilobytes().expect("a size");
            }
            _ => {}
        }
    }
    resident
}

/// A number of `/proc/self/status`.
fn of_status(name: &str) -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("/proc");
    let line = status.lines().find(|line| line.starts_with(name));
    let number = line.and_then(|line| line.split_whitespace().nth(1)?.parse().ok());
    number.expect("a number")
}

/// A service in a process of its own, whose memory and files are not counted. It ends with its
/// standard input.
fn start_service() -> (std::process::Child, String) {
    let mut command = process("the_service_of_the_thousand", "service");
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("a service");
    let stdout = BufReader::new(child.stdout.take().expect("its output"));
    let mut lines = stdout.lines().map(|line| line.expect("a line"));
    let url = lines.find(|line| line.starts_with("http://"));
    // What comes after it is not read: nothing does before the end.
    let url = url.expect("the address of the service");
    thread::spawn(move || lines.for_each(drop));
    (child, url)
}

/// Not a test, but what another one starts.
#[test]
fn the_service_of_the_thousand() {
    if !plays("service") {
        return;
    }
    let server = Server::start(script::replying(|_, writer| {
        script::begin(writer, &[WORD]);
        Then::Hold
    }));
    println!("\n{}", server.url());
    let _ = stdin().read_line(&mut String::new());
}
