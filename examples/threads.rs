//! Several conversations at once, one a thread, with one client:
//!
//!     cargo run --example threads

mod service;

use std::thread;

use h2ogpt::{Client, Message};
use service::Service;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // In place of a service of your own.
    let service = Service::start()?;
    let client = Client::builder().url(service.url()).no_proxy().build()?;

    let questions = ["What is a monad?", "What is a nomad?", "What is a gnomon?"];
    thread::scope(|scope| {
        let answers = questions.map(|question| {
            let client = client.clone();
            scope.spawn(move || client.generate(&[Message::user(question)])?.collect())
        });
        for answer in answers {
            match answer.join() {
                Ok(Ok::<String, h2ogpt::Error>(text)) => println!("{text}"),
                Ok(Err(error)) => eprintln!("{error}"),
                Err(_) => eprintln!("a thread has panicked, and its conversation is deleted"),
            }
        }
    });
    Ok(())
}
