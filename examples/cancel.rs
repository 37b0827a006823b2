//! Ends a reply that takes too long from another thread, and goes on:
//!
//!     cargo run --example cancel

mod service;

use std::thread;
use std::time::Duration;

use h2ogpt::{Canceller, Client, Error};
use service::Service;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // In place of a server of your own: one that takes its time.
    let slow = Service::builder().token_delay(Duration::from_millis(100));
    let service = slow.start()?;
    let canceller = Canceller::new();
    let client = Client::builder().url(service.url()).no_proxy().build()?;
    let client = client.cancelled_by(&canceller);
    let mut conversation = client.conversation()?;

    let button = canceller.clone();
    thread::spawn(move || {
        thread::sleep(Duration::from_millis(350));
        button.cancel();
    });
    match conversation.send("Count to a million.")?.into_text() {
        Err(Error::Cancelled { partial, .. }) => println!("until then: {partial}"),
        other => println!("all of it: {}", other?),
    }

    // From now on nothing is cancelled any more.
    canceller.reset();
    println!(
        "and then: {}",
        conversation.send("To three will do.")?.into_text()?
    );
    conversation.close()?;
    Ok(())
}
