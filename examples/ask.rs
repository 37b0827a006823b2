//! Asks one question and prints the answer as it arrives:
//!
//!     H2OGPT_URL=http://localhost:3000 cargo run --example ask -- What is a monad?

use std::env;
use std::error::Error;
use std::io::{Write, stdout};

use h2ogpt::{Client, DEFAULT_URL, Message};

fn main() -> Result<(), Box<dyn Error>> {
    let prompt: Vec<String> = env::args().skip(1).collect();
    let mut client = Client::builder().url(env::var("H2OGPT_URL").unwrap_or(DEFAULT_URL.into()));
    if let Ok(model) = env::var("H2OGPT_MODEL") {
        client = client.model(model);
    }
    let client = client.build()?;
    for token in client.generate(&[Message::user(prompt.join(" "))])? {
        print!("{}", token?);
        stdout().flush()?;
    }
    println!();
    Ok(())
}
