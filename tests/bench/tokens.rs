//! What a token costs: CPU time of the reading thread, and instructions, ours beside bare ureq.
//!
//!     cargo bench --bench tokens
//!
//! A loopback server streams recorded-looking events, in chunks of one event and of 16 KiB.
//! "lines" is ureq's body read by `BufRead::read_until`, without looking at the lines; "reply" is
//! `Reply`, decoding and all; "chat" is that program, printing into a pipe. Times are those of
//! the fastest of several rounds, taken in turn: what else the machine does only adds to them.
//! Instructions are those of whole programs, counted by `valgrind --tool=callgrind` if there is one:
//! the difference of two replies.

use std::env;
use std::hint::black_box;
use std::io::{BufRead, BufReader};
use std::process::Command;

use support::client::builder;
use support::script::PATH;
use support::server::{Server, Then};
use support::stream::Format;

const TOKENS: usize = 200_000;
const ROUNDS: usize = 9;

/// The tokens of the shorter reply whose instructions are counted, and what the longer one has more.
const FEW: usize = 1_000;
const MORE: usize = 20_000;

const CHUNKS: [(&str, usize); 2] = [("1 event", 1), ("16 KiB", 16 << 10)];

fn main() {
    let arguments: Vec<String> = env::args().collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[1..] {
        // What is counted, in a process of its own.
        ["lines", url] => {
            read_lines(url);
        }
        ["reply", url] => {
            read_reply(url);
        }
        // `cargo test --benches` runs this too, where one small round shows that it works.
        _ if !arguments.contains(&"--bench") => print_times(1_000, 1),
        _ => {
            print_times(TOKENS, ROUNDS);
            print_instructions();
        }
    }
}

fn print_times(tokens: usize, rounds: usize) {
    println!("{tokens} tokens, fastest of {rounds} rounds; nanoseconds of CPU a token");
    println!("format       chunks     lines  reply  ratio");
    for format in Format::ALL {
        for (chunks, chunk_size) in CHUNKS {
            let server = server(format, tokens, chunk_size);
            let url = server.url();
            let (mut lines, mut reply) = (u64::MAX, u64::MAX);
            for _ in 0..rounds {
                lines = lines.min(read_lines(&url) / tokens as u64);
                reply = reply.min(read_reply(&url) / tokens as u64);
            }
            let ratio = reply as f64 / lines as f64;
            let format = format!("{format:?}");
            println!("{format:<12} {chunks:<8} {lines:>7} {reply:>6} {ratio:>6.2}");
        }
    }
}

fn print_instructions() {
    println!("\ninstructions a token: a reply of {MORE} tokens more than another");
    println!("format       chunks     lines  reply  ratio   chat  ratio");
    for format in Format::ALL {
        for (chunks, chunk_size) in CHUNKS {
            let [few, many] = [FEW, FEW + MORE].map(|tokens| server(format, tokens, chunk_size));
            let cost = |program: &str| {
                let [few, many] = [&few, &many].map(|server| instructions(program, &server.url()));
                Some((many? - few?) / MORE as u64)
            };
            let (Some(lines), Some(reply), Some(chat)) =
                (cost("lines"), cost("reply"), cost("chat"))
            else {
                println!("valgrind does not run here");
                return;
            };
            let ratio = |cost: u64| cost as f64 / lines as f64;
            println!(
                "{:<12} {chunks:<8} {lines:>7} {reply:>6} {:>6.2} {chat:>6} {:>6.2}",
                format!("{format:?}"),
                ratio(reply),
                ratio(chat)
            );
        }
    }
}

/// The instructions of a program that reads one reply; `None` if there is no valgrind.
fn instructions(program: &str, url: &str) -> Option<u64> {
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    let counted = match program {
        "chat" => valgrind
            .arg(env!("CARGO_BIN_EXE_chat"))
            .args(["--url", url, "--model", "model", "Hello"]),
        _ => valgrind
            .arg(env::current_exe().expect("this program"))
            .args([program, url]),
    };
    for name in ["ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY"] {
        counted.env_remove(name).env_remove(name.to_lowercase());
    }
    let output = counted.output().ok()?;
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");
    let (_, collected) = log.split_once("Collected : ").expect("a count");
    let count = collected.split_whitespace().next();
    count.and_then(|count| count.parse().ok())
}

/// A server whose replies have so many tokens, in chunks of so many bytes at least.
fn server(format: Format, tokens: usize, chunk_size: usize) -> Server {
    let response = format.response(tokens, chunk_size);
    Server::start(format.replying(move |_, writer| {
        let _ = writer.write_all(&response);
        Then::KeepAlive
    }))
}

/// CPU time of this thread in nanoseconds.
#[cfg(unix)]
fn cpu() -> u64 {
    let clock = nix::time::ClockId::CLOCK_THREAD_CPUTIME_ID;
    let time = nix::time::clock_gettime(clock).expect("a clock");
    time.tv_sec() as u64 * 1_000_000_000 + time.tv_nsec() as u64
}

/// The time that passes, where the system does not tell that.
#[cfg(not(unix))]
fn cpu() -> u64 {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    START
        .get_or_init(std::time::Instant::now)
        .elapsed()
        .as_nanos() as u64
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

fn read_reply(url: &str) -> u64 {
    let client = builder(url).model("model").build().unwrap();
    let mut conversation = client.conversation().unwrap();
    let mut reply = conversation.send("Hello").unwrap();
    let first = reply.next().unwrap().unwrap();
    let start = cpu();
    let mut length = first.len();
    for token in reply.by_ref() {
        length += token.unwrap().len();
    }
    let time = cpu() - start;
    assert_eq!(length, reply.text().len());
    time
}
