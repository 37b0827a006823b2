//! A server behind a proxy, with a certificate of an authority of one's own:
//!
//!     cargo run --example proxy -- URL PROXY_URL CA.pem "What is a monad?"
//!
//! Without arguments it asks a server within the program, without a proxy.

mod service;

use std::error::Error;
use std::{env, fs};

use h2ogpt::Client;
use service::Service;

fn main() -> Result<(), Box<dyn Error>> {
    let service = Service::start()?;
    let arguments: Vec<String> = env::args().skip(1).collect();
    let (client, prompt) = match arguments.as_slice() {
        [url, proxy, authority, prompt] => {
            let client = Client::builder().url(url).proxy(proxy);
            (client.root_certificates(fs::read(authority)?), &**prompt)
        }
        _ => {
            let client = Client::builder().url(service.url()).no_proxy();
            (client, "What is a monad?")
        }
    };
    println!("{}", client.build()?.generate(prompt)?.into_text()?);
    Ok(())
}
