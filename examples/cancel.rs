//! Ends a reply that takes too long from another thread, and goes on:
//!
//!     cargo run --example cancel

mod service;

use std::thread;
use std::time::Duration;

use h2ogpt::{Client, Error};
use service::Service;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // In place of a service of your own: one that takes its time.
    let slowly = Service::builder().token_delay(Duration::from_millis(100));
    let service = slowly.start()?;
    let client = Client::builder().url(service.url()).no_proxy().build()?;
    let mut conversation = client.conversation()?;

    let reply = conversation.send("Count to a million.")?;
    let canceller = reply.canceller();
    thread::spawn(move || {
        thread::sleep(Duration::from_millis(350));
        canceller.cancel();
    });
    match reply.collect::<Result<String, Error>>() {
        Ok(text) => println!("all of it: {text}"),
        Err(error @ Error::Cancelled { .. }) => {
            println!("until then: {}", error.partial().unwrap_or("nothing"));
        }
        Err(error) => return Err(error.into()),
    }

    let shorter: String = conversation
        .send("To three will do.")?
        .collect::<Result<_, _>>()?;
    println!("and then: {shorter}");
    conversation.close()?;
    Ok(())
}
