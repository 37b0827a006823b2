//! A service behind a proxy, with a certificate of an authority of one's own:
//!
//!     cargo run --example proxy -- URL PROXY_URL CA.pem "What is a monad?"
//!
//! Without arguments it asks a service within the program, without a proxy.

mod service;

use std::env;
use std::fs;
use std::io::{Write, stdout};

use h2ogpt::{Client, Message};
use service::Service;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let service = Service::start()?;
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (client, question) = match arguments.as_slice() {
        [url, proxy, authority, question] => {
            let builder = Client::builder().url(url).proxy(proxy);
            (
                builder.root_certificates(fs::read(authority)?),
                question.as_str(),
            )
        }
        _ => {
            let builder = Client::builder().url(service.url()).no_proxy();
            (builder, "What is a monad?")
        }
    };
    for token in client.build()?.generate(&[Message::user(question)])? {
        print!("{}", token?);
        stdout().flush()?;
    }
    println!();
    Ok(())
}
