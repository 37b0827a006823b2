//! A thousand replies, each cut at random places, the server's log of it included.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use h2ogpt::{Client, Event, Reply};

use support::client::builder;
use support::http1::Request;
use support::listener::lock;
use support::script::Endpoint;
use support::service::{Dialect, Service};

use super::cutting::Cutting;
use super::{messages_sent, service};

const THREADS: usize = 12;
const CONVERSATIONS: usize = 50;
const TURNS: usize = 5;

/// The same numbers in each run.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let bound = u64::try_from(bound).expect("a small number");
        usize::try_from(self.0 % bound).expect("a small number")
    }
}

/// Where to cut: each message, and up to two times the log of its reply.
struct Plan {
    random: Random,
    /// How often the log of a reply may still be cut, by the path of its conversation.
    left: HashMap<String, usize>,
}

impl Plan {
    fn cut(&mut self, request: &Request) -> Option<usize> {
        let path = request.path.split('?').next().unwrap_or_default();
        if request.endpoint() == Endpoint::Message {
            let left = self.random.below(3);
            self.left.insert(path.to_owned(), left);
            return Some(self.random.below(2500));
        }
        let path = path.strip_suffix("/stream")?;
        let left = self.left.get_mut(path)?;
        *left = left.checked_sub(1)?;
        Some(self.random.below(900))
    }
}

/// Reads a reply in one of the ways there are. Every token comes once.
fn read(mut reply: Reply<'_>, way: usize) -> String {
    let mut text = String::new();
    match way % 4 {
        0 => return reply.into_text().expect("a whole reply"),
        1 => {
            for token in reply.by_ref() {
                text.push_str(&token.expect("a token"));
            }
        }
        2 => {
            while let Some(token) = reply.next() {
                text.push_str(&token.expect("a token"));
                while let Some(token) = reply.ready() {
                    text.push_str(&token);
                }
            }
        }
        _ => {
            for event in reply.events() {
                if let Event::Token(token) = event.expect("an event") {
                    text.push_str(&token);
                }
            }
        }
    }
    assert_eq!(reply.text(), text);
    text
}

fn converse(service: &Service, client: &Client, number: usize) {
    let mut conversation = client.conversation().expect("a conversation");
    let mut before = None;
    for turn in 0..TURNS {
        let prompt =
            format!("{number}.{turn}: Grüße, 漢字 \u{1f980}\u{1f9d1}\u{200d}\u{1f680} \"\\\n!");
        let reply = conversation.send(&prompt).expect("a reply");
        let text = read(reply, number + turn);
        let expected = match before {
            None => super::first_reply(&prompt),
            Some(before) => format!(
                "You said: \"{prompt}\". Before that you said: \"{before}\". \
                 ({} messages so far)",
                turn + 1
            ),
        };
        assert_eq!(text, expected);
        before = Some(prompt);
        // A response may be cut before the server has stored what it said.
        let id = conversation.id();
        let stored = |service: &Service| service.history(id).map(|said| said.len());
        assert!(service.wait_for(|service| stored(service) == Some(2 * turn + 2)));
    }
    conversation.close().expect("a delete");
}

#[test]
fn a_thousand_replies_are_whole_wherever_they_are_cut() {
    for delay in [Duration::ZERO, Duration::from_millis(2)] {
        let service = service(Dialect::Main).token_delay(delay).start().unwrap();
        let cuts = Arc::new(AtomicUsize::new(0));
        let plan = Mutex::new(Plan {
            random: Random(0x9e37_79b9_7f4a_7c15),
            left: HashMap::new(),
        });
        let counted = Arc::clone(&cuts);
        let cutting = Cutting::start(service.url(), move |request| {
            let cut = lock(&plan).cut(request);
            counted.fetch_add(usize::from(cut.is_some()), Ordering::Relaxed);
            cut
        });
        let client = builder(cutting.url()).build().unwrap();
        let next = AtomicUsize::new(0);
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= 2 * CONVERSATIONS {
                            break;
                        }
                        converse(&service, &client, number);
                    }
                });
            }
        });
        let replies = 2 * CONVERSATIONS * TURNS;
        assert_eq!(messages_sent(&service), replies, "none is sent again");
        let cuts = cuts.load(Ordering::Relaxed);
        assert!(cuts > replies, "{cuts} cuts for {replies} replies");
        assert_eq!(service.conversations(), 0);
    }
}
