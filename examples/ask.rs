//! Asks one question and prints the answer as it arrives:
//!
//!     H2OGPT_URL=http://localhost:3000 cargo run --example ask -- What is a monad?

use std::env;
use std::error::Error;
use std::io::{Write, stdout};

use h2ogpt::{Client, DEFAULT_MODEL, DEFAULT_URL, Message};

fn main() -> Result<(), Box<dyn Error>> {
    let prompt: Vec<String> = env::args().skip(1).collect();
    let client = Client::builder()
        .url(env::var("H2OGPT_URL").unwrap_or(DEFAULT_URL.into()))
        .model(env::var("H2OGPT_MODEL").unwrap_or(DEFAULT_MODEL.into()))
        .build()?;
    for token in client.generate(&[Message::user(prompt.join(" "))])? {
        print!("{}", token?);
        stdout().flush()?;
    }
    println!();
    Ok(())
}
