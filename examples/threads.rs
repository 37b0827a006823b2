//! Several conversations at once, one a thread, with one client:
//!
//!     cargo run --example threads

mod service;

use std::thread;

use h2ogpt::Client;
use service::Service;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // In place of a server of your own.
    let service = Service::start()?;
    let client = &Client::builder().url(service.url()).no_proxy().build()?;

    thread::scope(|scope| {
        for prompt in ["What is a monad?", "What is a nomad?", "What is a gnomon?"] {
            scope.spawn(move || {
                match client.generate(prompt).and_then(|reply| reply.into_text()) {
                    Ok(text) => println!("{text}"),
                    Err(error) => eprintln!("{prompt} {error:?}"),
                }
            });
        }
    }); // waits for them
    Ok(())
}
