//! How soon the first token of a reply is there over a link with a delay, where each request is a
//! round trip: with this crate, and in the fewest requests that are possible.

use std::thread;
use std::time::{Duration, Instant};

use h2ogpt::{Reply, Result};

use support::client::builder;
use support::link::Link;
use support::service::{Dialect, MODELS, Service};

use crate::minimal::Minimal;

const DIALECTS: [Dialect; 6] = [
    Dialect::V0_5,
    Dialect::V0_7,
    Dialect::V0_8,
    Dialect::V0_9_3,
    Dialect::V0_9_6,
    Dialect::Main,
];

const CASES: [&str; 4] = [
    "first reply",
    "no model named",
    "next turn",
    "next conversation",
];

/// One first token: the requests until then, and the time.
#[derive(Clone, Copy)]
struct Sample {
    requests: usize,
    time: Duration,
}

pub fn run(round_trip: Duration, rounds: usize) {
    println!("first token over a link whose round trip takes {round_trip:?}, median of {rounds}");
    println!("                              client            fewest requests");
    println!("chat-ui  case                 requests  time    requests  time");
    // They do nothing but wait.
    let measured = thread::scope(|scope| {
        let measuring = DIALECTS.map(|dialect| {
            scope.spawn(move || {
                let rounds = (0..rounds).map(|_| measure(dialect, round_trip));
                rounds.collect::<Vec<_>>()
            })
        });
        measuring.map(|thread| thread.join().expect("figures"))
    });
    for (dialect, rounds) in DIALECTS.iter().zip(&measured) {
        for (index, case) in CASES.iter().enumerate() {
            let client = median(rounds.iter().map(|(client, _)| client[index]));
            let fewest = median(rounds.iter().map(|(_, fewest)| fewest[index]));
            println!(
                "{dialect:<8} {case:<20} {:>8} {:>5} ms  {:>8} {:>5} ms",
                client.requests,
                client.time.as_millis(),
                fewest.requests,
                fewest.time.as_millis()
            );
        }
    }
}

fn median(samples: impl Iterator<Item = Sample>) -> Sample {
    let mut samples: Vec<Sample> = samples.collect();
    samples.sort_by_key(|sample| sample.time);
    samples[samples.len() / 2]
}

/// All cases by the client, and in the fewest requests.
fn measure(dialect: Dialect, round_trip: Duration) -> ([Sample; 4], [Sample; 4]) {
    // The server of 2023 asked for its terms to be accepted. Most others do not.
    let has_terms = dialect == Dialect::V0_5;
    let service = Service::builder().dialect(dialect).terms(has_terms).start();
    let service = service.expect("a service");
    let link = Link::start(service.url().trim_start_matches("http://"), round_trip);
    let client = by_client(&service, &link);
    let fewest = in_fewest(&service, &link, dialect, has_terms);
    (client, fewest)
}

fn by_client(service: &Service, link: &Link) -> [Sample; 4] {
    let client = builder(link.url()).model(MODELS[0]).build();
    let client = client.expect("a client");
    let mut conversation = None;
    let (first, reply) = sample(service, || {
        let conversation = conversation.insert(client.conversation().expect("a conversation"));
        begun(conversation.send("Hello"))
    });
    reply.into_text().expect("the rest");
    let mut conversation = conversation.expect("a conversation");
    let (turn, reply) = sample(service, || begun(conversation.send("Hello")));
    reply.into_text().expect("the rest");
    drop(conversation);
    let (next, reply) = sample(service, || begun(client.generate("Hello")));
    reply.into_text().expect("the rest");

    let client = builder(link.url()).build().expect("a client");
    let (unnamed, reply) = sample(service, || begun(client.generate("Hello")));
    reply.into_text().expect("the rest");
    [first, unnamed, turn, next]
}

/// Waits for the first token.
fn begun(reply: Result<Reply<'_>>) -> Reply<'_> {
    let mut reply = reply.expect("a reply");
    reply.next().expect("a token").expect("a token");
    reply
}

fn in_fewest(service: &Service, link: &Link, dialect: Dialect, has_terms: bool) -> [Sample; 4] {
    let begin = |is_named: bool| {
        let mut session = Minimal::new(link.url(), dialect);
        let (sample, chat) = sample(service, || {
            if !is_named {
                session.ask_for_models();
            }
            if has_terms {
                session.post_settings();
            }
            let mut chat = session.create();
            session.send(&mut chat);
            chat
        });
        session.finish_reply();
        (sample, session, chat)
    };
    let (first, mut session, mut chat) = begin(true);
    let (turn, ()) = sample(service, || session.send(&mut chat));
    session.finish_reply();
    session.delete(&chat);
    let (next, chat) = sample(service, || {
        let mut chat = session.create();
        session.send(&mut chat);
        chat
    });
    session.finish_reply();
    session.delete(&chat);
    let (unnamed, mut session, chat) = begin(false);
    session.delete(&chat);
    [first, unnamed, turn, next]
}

fn sample<T>(service: &Service, first_token: impl FnOnce() -> T) -> (Sample, T) {
    let before = service.requests().len();
    let started = Instant::now();
    let begun = first_token();
    let time = started.elapsed();
    let requests = service.requests().len() - before;
    (Sample { requests, time }, begun)
}
