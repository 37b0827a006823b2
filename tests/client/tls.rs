//! TLS: whose certificates are trusted, and what happens if they are not.

use std::io::Read;
use std::time::{Duration, Instant};

use h2ogpt::{Client, ClientBuilder, Error, TimeLimit};

use support::client::{chain, expired, read};
use support::http1::chunk;
use support::listener::Listener;
use support::script::{self, PATH};
use support::server::{Server, Then};
use support::tls::Identity;

fn builder(url: &str) -> ClientBuilder {
    Client::builder().url(url).model("model").no_proxy()
}

fn trusting(server: &Server, pem: &str) -> Client {
    let builder = builder(&server.url()).root_certificates(pem);
    builder.build().expect("a client")
}

#[test]
fn a_conversation_lives_on_one_connection_that_an_own_root_verifies() {
    let identity = Identity::localhost();
    let server = Server::start_tls(&identity, script::replies(&["Hello", " there"]));
    let client = trusting(&server, identity.ca_pem());
    let mut conversation = client.conversation().expect("a conversation");
    let (tokens, error) = read(conversation.send("Hi"));
    assert!(error.is_none(), "{error:?}");
    assert_eq!(tokens, ["Hello", " there"]);
    conversation.close().expect("deleted");

    let expected = [
        "POST /settings",
        "POST /conversation",
        &format!("POST {PATH}"),
        &format!("DELETE {PATH}"),
    ];
    assert_eq!(server.steps(), expected);
    assert_eq!(server.listener.connections(), 1);
    assert!(
        server
            .requests()
            .iter()
            .all(|request| { request.header("origin") == Some(&server.url()) })
    );
}

#[test]
fn another_conversation_at_the_same_time_trusts_the_own_root_too() {
    let identity = Identity::localhost();
    let server = Server::start_tls(&identity, script::replies(&["Hello"]));
    let client = trusting(&server, identity.ca_pem());
    let first = client.conversation().expect("a conversation");
    let second = client.clone().conversation().expect("another one");
    first.close().expect("deleted");
    second.close().expect("deleted");
    assert_eq!(
        server.listener.connections(),
        2,
        "one for each conversation"
    );
}

#[test]
fn a_server_that_nothing_verifies_is_refused_before_it_is_sent_anything() {
    let server_of = |names: &[&str]| {
        let identity = Identity::new(names);
        let server = Server::start_tls(&identity, script::replies(&["Hello"]));
        (server, identity)
    };
    let other = Identity::localhost();
    let (unknown, _) = server_of(&["localhost"]);
    let (other_root, _) = server_of(&["localhost"]);
    let (wrong_name, wrong_name_identity) = server_of(&["example.org"]);
    // With a root of one's own the default ones are tried as well, unless it verifies the
    // certificate, which then is wrong in itself.
    let wrong_name_handshakes = if cfg!(feature = "rustls") { 1 } else { 2 };
    let table = [
        ("unknown root", &unknown, None, 1),
        ("another root", &other_root, Some(other.ca_pem()), 2),
        (
            "wrong name",
            &wrong_name,
            Some(wrong_name_identity.ca_pem()),
            wrong_name_handshakes,
        ),
    ];
    for (case, server, pem, handshakes) in table {
        let mut builder = builder(&server.url());
        if let Some(pem) = pem {
            builder = builder.root_certificates(pem);
        }
        let client = builder.build().expect("a client");
        let error = client.conversation().expect_err(case);
        assert!(matches!(error, Error::Network { .. }), "{case}: {error:?}");
        let chain = chain(&error).to_lowercase();
        assert!(chain.contains("certificate"), "{case}: {chain}");
        if cfg!(feature = "rustls") {
            let names = chain.contains("name");
            assert_eq!(names, case == "wrong name", "{case}: {chain}");
        }
        assert_eq!(server.listener.connections(), handshakes, "{case}");
        assert_eq!(server.requests().len(), 0, "{case}");

        // Nothing is remembered of a failure.
        client.conversation().expect_err(case);
        assert_eq!(server.listener.connections(), 2 * handshakes, "{case}");
    }
}

#[test]
fn every_certificate_of_a_pem_file_is_trusted() {
    let identities = [Identity::localhost(), Identity::localhost()];
    let pem = format!(
        "Two authorities\r\n\r\n# The first\n{}\n# The second\n{}\nThe end.",
        identities[0].ca_pem().replace('\n', "\r\n"),
        identities[1].ca_pem()
    );
    for identity in &identities {
        let server = Server::start_tls(identity, script::replies(&["Hello"]));
        let client = trusting(&server, &pem);
        client.conversation().expect("a conversation");
    }
}

#[test]
fn what_holds_no_certificate_is_refused_at_once() {
    let certificate = Identity::localhost().ca_pem().to_owned();
    let key = certificate.replace("CERTIFICATE", "PRIVATE KEY");
    let half = &certificate[..certificate.len() / 2];
    let scrambled = certificate.replace("MII", "M!I");
    for pem in ["", "hello", "\u{0}\u{1}", &key, half, &scrambled] {
        let built = builder("https://localhost").root_certificates(pem).build();
        let error = built.expect_err(pem);
        assert!(matches!(error, Error::Configuration { .. }), "{error:?}");
        assert!(error.to_string().contains("certificate"), "{error}");
    }
}

#[test]
fn a_server_that_is_silent_in_the_handshake_takes_no_longer_than_timeout_connect() {
    let silent = Listener::start(|mut stream, _| drop(stream.read_to_end(&mut Vec::new())));
    let client = builder(&format!("https://localhost:{}", silent.port()))
        .timeout_connect(Duration::from_millis(200))
        .build()
        .expect("a client");
    let started = Instant::now();
    let error = client.conversation().expect_err("no TLS");
    assert_eq!(expired(&error), Some(TimeLimit::Connect), "{error:?}");
    assert!(started.elapsed() < Duration::from_secs(5), "{error}");
}

#[test]
fn a_reply_that_is_cut_is_incomplete_and_leaves_what_had_arrived() {
    for then in [Then::Close, Then::Reset] {
        for tail in ["", "data:{\"token\":{\"id\":1,\"te"] {
            let identity = Identity::localhost();
            let handler = script::replying(move |_, writer| {
                script::begin(writer, &["Hello", " the"]);
                if !tail.is_empty() {
                    let _ = writer.write_all(&chunk(tail));
                }
                then
            });
            let server = Server::start_tls(&identity, handler);
            let client = trusting(&server, identity.ca_pem());
            let mut conversation = client.conversation().expect("a conversation");
            let (_, error) = read(conversation.send("Hi"));
            let error = error.expect("an error");
            let case = format!("{then:?} after {tail:?}: {error:?}");
            assert!(matches!(error, Error::Incomplete { .. }), "{case}");
            assert_eq!(error.partial(), Some("Hello the"), "{case}");
            conversation.close().expect("deleted on a new connection");
            assert!(server.is_deleted(), "{case}");
        }
    }
}
