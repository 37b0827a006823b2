//! How soon a token is there after it was sent, how soon the first one is there after a program was
//! started, and after a prompt was sent over a slow link. Nothing is asserted: these are figures to
//! look at.
//!
//!     cargo bench --bench latency
//!
//! "lines" and "bare" are the same with ureq alone, for comparison. Rounds are taken in turn.

mod minimal;
mod round_trips;

use std::env;
use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use support::client::builder;
use support::http1::{LAST_CHUNK, chunk};
use support::script;
use support::server::{Server, Then};
use support::service::Service;
use support::stream::{Format, WORD};

/// The time between two tokens.
const PAUSE: Duration = Duration::from_millis(10);

/// What a request takes over a slow link.
const ROUND_TRIP: Duration = Duration::from_millis(100);

fn main() {
    // `cargo test --benches` runs this too, where one small round shows that it works.
    let is_bench = env::args().any(|argument| argument == "--bench");
    let (tokens, starts, slow) = if is_bench { (300, 100, 5) } else { (10, 3, 1) };
    for format in Format::ALL {
        let (server, sent) = paced(format, tokens);
        println!("{format:?}, {tokens} tokens, {PAUSE:?} apart: from the server's write");
        report("  to the line (ureq)", lines(&server, &sent, tokens));
        report("  to the token (Reply)", reply(&server, &sent, tokens));
    }
    println!("from the start of the process to the first byte of its output, {starts} times");
    let service = Service::start().expect("a service");
    let (mut bare, mut ask) = (Vec::new(), Vec::new());
    for _ in 0..starts {
        bare.push(start_up(env!("CARGO_BIN_EXE_bare"), service.url()));
        ask.push(start_up(env!("CARGO_BIN_EXE_ask"), service.url()));
    }
    let mut differences: Vec<i128> = ask
        .iter()
        .zip(&bare)
        .map(|(ask, bare)| ask.as_micros() as i128 - bare.as_micros() as i128)
        .collect();
    differences.sort_unstable();
    report("  bare (ureq)", bare);
    report("  ask", ask);
    let difference = differences[differences.len() / 2];
    println!("  ask after bare: {difference} µs (median of the pairs)");
    round_trips::run(ROUND_TRIP, slow);
}

fn report(what: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let (median, max) = (times[times.len() / 2], times[times.len() - 1]);
    println!("{what:<24} median {median:>9.1?}, max {max:>9.1?}");
}

/// A service that sends a token at a time, and says when.
fn paced(format: Format, tokens: usize) -> (Server, Receiver<Instant>) {
    let (sender, sent) = channel();
    let sender = Mutex::new(sender);
    let server = Server::start(format.replying(move |_, writer| {
        let sender = sender.lock().unwrap_or_else(PoisonError::into_inner);
        let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        let _ = writer.write_all(head);
        let event = chunk(format.event(WORD));
        for _ in 0..tokens {
            thread::sleep(PAUSE);
            let _ = sender.send(Instant::now());
            let _ = writer.write_all(&event);
        }
        let (before, after) = format.last_event();
        let last = format!("{before}{}{after}", WORD.repeat(tokens));
        let _ = writer.write_all(&[&chunk(last), LAST_CHUNK].concat());
        Then::KeepAlive
    }));
    (server, sent)
}

fn since(sent: &Receiver<Instant>) -> Duration {
    let now = Instant::now();
    now.duration_since(sent.recv().expect("it was sent before"))
}

fn lines(server: &Server, sent: &Receiver<Instant>, tokens: usize) -> Vec<Duration> {
    let config = ureq::Agent::config_builder().proxy(None);
    let agent = ureq::Agent::new_with_config(config.build());
    let message = format!("{}{}", server.url(), script::PATH);
    let response = agent.post(message).send("{}").expect("a reply");
    let mut body = BufReader::new(response.into_body().into_reader());
    let mut line = Vec::new();
    let mut times = Vec::new();
    while times.len() < tokens {
        line.clear();
        body.read_until(b'\n', &mut line).expect("a line");
        if line.len() > 1 {
            times.push(since(sent));
        }
    }
    times
}

fn reply(server: &Server, sent: &Receiver<Instant>, tokens: usize) -> Vec<Duration> {
    let client = builder(server.url()).model("model").build();
    let client = client.expect("a client");
    let mut conversation = client.conversation().expect("a conversation");
    let mut reply = conversation.send("Hi").expect("a reply");
    let mut times = Vec::new();
    for token in reply.by_ref().take(tokens) {
        times.push(since(sent));
        assert_eq!(token.expect("a token"), WORD);
    }
    assert!(reply.next().is_none());
    times
}

fn start_up(program: &str, url: &str) -> Duration {
    let mut command = Command::new(program);
    for name in ["ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY", "H2OGPT_MODEL"] {
        command.env_remove(name).env_remove(name.to_lowercase());
    }
    let command = command.arg("Hello").env("H2OGPT_URL", url);
    let started = Instant::now();
    let mut child = command.stdout(Stdio::piped()).spawn().expect("a program");
    let mut stdout = child.stdout.take().expect("its output");
    let mut first = [0];
    stdout.read_exact(&mut first).expect("a first byte");
    let time = started.elapsed();
    let _ = stdout.read_to_end(&mut Vec::new());
    assert!(child.wait().expect("its status").success());
    time
}
