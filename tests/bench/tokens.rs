//! What a token costs: CPU time of the reading thread, ours beside bare ureq, in one run.
//!
//!     cargo bench --bench tokens
//!
//! A loopback server streams recorded-looking events, in chunks of one event and of 16 KiB.
//! "lines" is ureq's body read by `BufRead::read_until`, without looking at the lines; "reply" is
//! `Reply`, decoding and all. Figures are the median of several rounds, taken in turn.

use std::hint::black_box;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Instant;

use h2ogpt::Client;

const TOKENS: usize = 100_000;
const ROUNDS: usize = 9;

#[derive(Clone, Copy)]
enum Dialect {
    Flat,
    Tree,
}

fn main() {
    // `cargo test --benches` runs this too, where one small round shows that it works.
    let (tokens, rounds) = match std::env::args().any(|argument| argument == "--bench") {
        true => (TOKENS, ROUNDS),
        false => (1_000, 1),
    };
    println!("{tokens} tokens, median of {rounds}; nanoseconds of CPU a token");
    println!("dialect  chunks     lines  reply  ratio");
    for (name, dialect) in [("flat", Dialect::Flat), ("tree", Dialect::Tree)] {
        for (chunks, chunk_size) in [("1 event", 1), ("16 KiB", 16 << 10)] {
            let url = serve(dialect, tokens, chunk_size);
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
    let response = agent
        .post(format!("{url}/conversation/1"))
        .send("{}")
        .unwrap();
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
    let client = Client::builder()
        .url(url)
        .model("m")
        .no_proxy()
        .build()
        .unwrap();
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
    assert_eq!(length, " word".len() * tokens);
    time
}

/// A server that answers every message with the same stream.
fn serve(dialect: Dialect, tokens: usize, chunk_size: usize) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let stream = stream(dialect, tokens, chunk_size);
    thread::spawn(move || {
        for connection in listener.incoming() {
            let (connection, stream) = (connection.unwrap(), stream.clone());
            thread::spawn(move || answer(connection, dialect, &stream));
        }
    });
    url
}

fn stream(dialect: Dialect, tokens: usize, chunk_size: usize) -> Vec<u8> {
    let (event, end) = match dialect {
        Dialect::Flat => (
            "data:{\"token\":{\"id\":100,\"text\":\" word\",\"logprob\":-0.1,\"special\":false},\"generated_text\":null,\"details\":null}\n\n",
            format!(
                "data:{{\"token\":{{\"id\":11,\"text\":\"</s>\",\"logprob\":0.0,\"special\":true}},\"generated_text\":\"{}\",\"details\":null}}\n\n",
                " word".repeat(tokens)
            ),
        ),
        Dialect::Tree => (
            "{\"type\":\"stream\",\"token\":\" word\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000\\u0000\"}\n",
            format!(
                "{{\"type\":\"finalAnswer\",\"text\":\"{}\",\"interrupted\":false}}\n",
                " word".repeat(tokens)
            ),
        ),
    };
    let mut body = Vec::new();
    let mut chunk = String::new();
    for _ in 0..tokens {
        chunk.push_str(event);
        if chunk.len() >= chunk_size {
            write!(body, "{:x}\r\n{chunk}\r\n", chunk.len()).unwrap();
            chunk.clear();
        }
    }
    chunk.push_str(&end);
    write!(body, "{:x}\r\n{chunk}\r\n0\r\n\r\n", chunk.len()).unwrap();
    body
}

fn answer(mut connection: TcpStream, dialect: Dialect, stream: &[u8]) -> Option<()> {
    let mut input = BufReader::new(connection.try_clone().ok()?);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            (input.read_line(&mut head).ok()? > 0).then_some(())?;
        }
        let length = head.to_ascii_lowercase();
        let length = length
            .split("content-length: ")
            .nth(1)
            .and_then(|rest| rest.split('\r').next());
        let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
        input.read_exact(&mut body).ok()?;
        let mut respond = |status: &str, body: &str| {
            let length = body.len();
            write!(
                connection,
                "HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n{body}"
            )
            .ok()
        };
        match (head.split(' ').nth(1)?, dialect) {
            ("/settings", Dialect::Flat) => respond("200 OK", "")?,
            ("/settings", Dialect::Tree) if body.starts_with(b"{") => respond("200 OK", "")?,
            ("/settings", Dialect::Tree) => respond("500 Internal Server Error", "")?,
            ("/conversation", Dialect::Flat) => respond("200 OK", r#"{"conversationId":"1"}"#)?,
            ("/conversation", Dialect::Tree) => respond(
                "200 OK",
                r#"{"conversationId":"1","conversation":"{\"json\":{\"rootMessageId\":\"2\"}}"}"#,
            )?,
            (_, _) if head.starts_with("POST") => {
                write!(
                    connection,
                    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                )
                .ok()?;
                connection.write_all(stream).ok()?;
            }
            _ => respond("200 OK", "")?,
        }
    }
}
