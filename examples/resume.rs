//! Leaves a conversation on the server, and goes on with it as another process would:
//!
//!     cargo run --example resume

mod service;

use h2ogpt::Client;
use service::Service;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // In place of a server of your own.
    let service = Service::start()?;

    let (id, cookie) = {
        let client = Client::builder().url(service.url()).no_proxy().build()?;
        let mut conversation = client.conversation()?;
        println!("{}", conversation.send("My name is Ada.")?.into_text()?);
        // A conversation belongs to its session. Whoever has the cookie has both: keep it safe.
        (conversation.keep(), client.cookie("hf-chat"))
    };

    let client = Client::builder().url(service.url()).no_proxy();
    let client = client
        .cookie("hf-chat", cookie.unwrap_or_default())
        .build()?;
    let mut conversation = client.resume(id)?;
    println!("{}", conversation.send("What is my name?")?.into_text()?);
    // Now it is deleted.
    conversation.close()?;
    Ok(())
}
