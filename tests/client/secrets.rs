//! Cookies and passwords are in nothing that a program could print.

use h2ogpt::{Client, Error};

use support::client::builder;
use support::script;
use support::server::Server;

/// Everything that a log could show of an error.
fn shown(error: &Error) -> String {
    let mut shown = format!("{error} {error:?} {error:#?}");
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        shown.push_str(&format!(" {error} {error:?}"));
        cause = error.source();
    }
    shown
}

#[test]
fn nothing_that_can_be_printed_shows_a_secret() {
    let server = Server::start(script::respond);
    let with_password = server.url().replace("://", "://me:URL-SECRET@");
    let proxied = |url: &str| {
        builder(with_password.as_str())
            .cookie("hf-chat", "COOKIE-SECRET")
            .proxy(url)
    };
    let mut all = String::new();
    let mut show = |text: String| all.push_str(&text);

    let direct = proxied("socks5://me:PROXY-SECRET@127.0.0.1").no_proxy();
    show(format!("{direct:?} {direct:#?}"));
    let client = direct.build().unwrap();
    let mut conversation = client.conversation().unwrap();
    show(format!("{client:?} {conversation:?}"));
    let mut reply = conversation.send("Hello").unwrap();
    show(format!("{reply:?} {:?}", reply.canceller()));
    assert!(reply.next().expect("a token").is_ok());
    show(format!("{:?}", reply.events()));
    drop(reply);
    drop(conversation);

    // Nobody listens behind a port that was given back.
    let port = {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        listener.local_addr().unwrap().port()
    };
    for scheme in ["http", "socks5"] {
        let builder = proxied(&format!("{scheme}://me:PROXY-SECRET@127.0.0.1:{port}"));
        show(format!("{builder:?}"));
        let client = builder.build().unwrap();
        let error = client.conversation().unwrap_err();
        show(format!("{client:?} {}", shown(&error)));
    }
    for url in ["http://me:PROXY-SECRET@h:99999", "ftp://me:PROXY-SECRET@h"] {
        show(shown(&proxied(url).build().unwrap_err()));
        show(shown(
            &Client::new(url.replace("PROXY", "URL")).unwrap_err(),
        ));
    }
    let error = builder(server.url()).cookie("a", "COOKIE-SECRET;").build();
    show(shown(&error.unwrap_err()));
    drop(server);
    show(shown(&client.conversation().unwrap_err()));

    assert!(all.contains("127.0.0.1"), "the server itself is shown");
    if let Some(at) = all.find("SECRET") {
        panic!(
            "a secret is shown: …{}…",
            &all[at.saturating_sub(200)..at + 6]
        );
    }
}
