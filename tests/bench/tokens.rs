//! What a token costs: CPU time of the reading thread, ours beside bare ureq, in one run.
//!
//!     cargo bench --bench tokens
//!
//! A loopback server streams recorded-looking events, in chunks of one event and of 16 KiB.
//! "lines" is ureq's body read by `BufRead::read_until`, without looking at the lines; "reply" is
//! `Reply`, decoding and all. Figures are the median of several rounds, taken in turn.

use std::hint::black_box;
use std::io::{BufRead, BufReader};
use std::time::Instant;

use support::client::builder;
use support::script::PATH;
use support::server::{Server, Then};
use support::stream::{Format, WORD};

const TOKENS: usize = 100_000;
const ROUNDS: usize = 9;

fn main() {
    // `cargo test --benches` runs this too, where one small round shows that it works.
    let is_bench = std::env::args().any(|argument| argument == "--bench");
    let (tokens, rounds) = if is_bench {
        (TOKENS, ROUNDS)
    } else {
        (1_000, 1)
    };
    println!("{tokens} tokens, median of {rounds}; nanoseconds of CPU a token");
    println!("format   chunks     lines  reply  ratio");
    for (name, format) in [("flat", Format::Flat), ("tree", Format::Tree)] {
        for (chunks, chunk_size) in [("1 event", 1), ("16 KiB", 16 << 10)] {
            let response = format.response(tokens, chunk_size);
            let server = Server::start(format.replying(move |_, writer| {
                let _ = writer.write_all(&response);
                Then::KeepAlive
            }));
            let url = server.url();
            let mut lines = Vec::new();
            let mut replies = Vec::new();
            for _ in 0..rounds {
                lines.push(read_lines(&url) / tokens as u64);
                replies.push(read_reply(&url, tokens) / tokens as u64);
            }
            let (lines, reply) = (median(lines), median(replies));
            let ratio = reply as f64 / lines as f64;
            println!("{name:<8} {chunks:<8} {lines:>7} {reply:>6} {ratio:>6.2}");
        }
    }
}

fn median(mut values: Vec<u64>) -> u64 {
    values.sort_unstable();
    values[values.len() / 2]
}

/// CPU time of this thread in nanoseconds, or wall time where the system does not tell.
fn cpu() -> u64 {
    let schedstat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let time = schedstat
        .split(' ')
        .next()
        .and_then(|time| time.parse().ok());
    time.unwrap_or_else(|| {
        static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
        START.get_or_init(Instant::now).elapsed().as_nanos() as u64
    })
}

fn read_lines(url: &str) -> u64 {
    let agent = ureq::Agent::new_with_config(ureq::Agent::config_builder().proxy(None).build());
    let response = agent.post(format!("{url}{PATH}")).send("{}").unwrap();
    let mut body = BufReader::new(response.into_body().into_reader());
    let mut line = Vec::new();
    let start = cpu();
    while body.read_until(b'\n', &mut line).unwrap() > 0 {
        black_box(&line);
        line.clear();
    }
    cpu() - start
}

fn read_reply(url: &str, tokens: usize) -> u64 {
    let client = builder(url).model("model").build().unwrap();
    let mut conversation = client.conversation().unwrap();
    let mut reply = conversation.send("Hello").unwrap();
    // The first one sends the message.
    let first = reply.next().unwrap().unwrap();
    let start = cpu();
    let mut length = first.len();
    for token in reply.by_ref() {
        length += token.unwrap().len();
    }
    let time = cpu() - start;
    assert_eq!(length, reply.text().len());
    assert_eq!(length, WORD.len() * tokens);
    time
}
