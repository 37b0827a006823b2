//! Sends one prompt and prints the reply as it arrives:
//!
//!     H2OGPT_URL=http://localhost:3000 cargo run --example ask -- What is a monad?

use std::env;
use std::error::Error;
use std::io::{Write, stdout};

use h2ogpt::{Client, DEFAULT_URL};

fn main() -> Result<(), Box<dyn Error>> {
    let prompt: Vec<String> = env::args().skip(1).collect();
    let url = env::var("H2OGPT_URL").unwrap_or_else(|_| {
        eprintln!("{DEFAULT_URL} is offline: name another server with H2OGPT_URL");
        DEFAULT_URL.into()
    });
    let mut client = Client::builder().url(url);
    if let Ok(model) = env::var("H2OGPT_MODEL") {
        client = client.model(model);
    }
    let mut stdout = stdout().lock();
    for token in client.build()?.generate(prompt.join(" "))? {
        stdout.write_all(token?.as_bytes())?;
        stdout.flush()?;
    }
    writeln!(stdout)?;
    Ok(())
}
