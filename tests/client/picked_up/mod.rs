//! A reply whose connection breaks is picked up where it broke, where the server goes on with it.

mod cutting;
mod lost;
mod random;
mod reattached;

use std::time::Duration;

use serde_json::Value;

use h2ogpt::{Client, Reply, Result};

use support::client::builder;
use support::http1::percent_decode;
use support::service::{Builder, Dialect, Fault, Seen, Service};

/// What the service says to the first prompt of a conversation.
fn first_reply(prompt: &str) -> String {
    format!("You said: \"{prompt}\". This is the first message of our conversation.")
}

fn service(dialect: Dialect) -> Builder {
    Service::builder().dialect(dialect).terms(false)
}

fn client_of(service: &Service) -> Client {
    builder(service.url()).build().expect("a client")
}

/// A client of the same session, as another process would have one.
fn other_client(service: &Service, client: &Client) -> Client {
    let cookie = client.cookie("hf-chat").expect("a session");
    let builder = builder(service.url()).cookie("hf-chat", cookie);
    builder.build().expect("a client")
}

/// The connection of the next message is lost after so many tokens, and the reply goes on.
fn disconnect_next(service: &Service, tokens: usize) {
    service.fail_next(1, "POST /conversation/{id}", Fault::Disconnect(tokens));
}

fn is_log(seen: &Seen) -> bool {
    seen.path.contains("/stream?")
}

fn logs_read(service: &Service) -> usize {
    service
        .requests()
        .iter()
        .filter(|seen| is_log(seen))
        .count()
}

fn messages_sent(service: &Service) -> usize {
    let requests = service.requests();
    requests.iter().filter(|seen| seen.is_message()).count()
}

/// What a message says, as a form has it.
fn data(seen: &Seen) -> Value {
    let text = seen.text();
    let data = text.strip_prefix("data=").expect("a form");
    serde_json::from_slice(&percent_decode(data)).expect("JSON")
}

/// So many tokens of a reply.
fn take(reply: &mut Reply<'_>, tokens: usize) -> String {
    let taken: Result<String> = reply.by_ref().take(tokens).collect();
    taken.expect("tokens")
}

/// A pause between two tokens that leaves time for something else to happen.
const PAUSE: Duration = Duration::from_millis(20);
