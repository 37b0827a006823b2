//! Leaves a conversation on the service, and goes on with it as another process would:
//!
//!     cargo run --example resume

mod service;

use h2ogpt::Client;
use service::Service;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // In place of a service of your own.
    let service = Service::start()?;

    let (id, cookie) = {
        let client = Client::builder().url(service.url()).no_proxy().build()?;
        let mut conversation = client.conversation()?;
        let reply: String = conversation
            .send("My name is Ada.")?
            .collect::<Result<_, _>>()?;
        println!("{reply}");
        // A conversation belongs to its session. Whoever has the cookie has both: keep it safe.
        (conversation.keep(), client.cookie("hf-chat"))
    };

    let client = Client::builder().url(service.url()).no_proxy();
    let client = client
        .cookie("hf-chat", cookie.unwrap_or_default())
        .build()?;
    let mut conversation = client.resume(id)?;
    let reply: String = conversation
        .send("What is my name?")?
        .collect::<Result<_, _>>()?;
    println!("{reply}");
    // Now it is deleted.
    conversation.close()?;
    Ok(())
}
