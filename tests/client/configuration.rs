//! What cannot work is refused before anything is sent.

use std::time::Duration;

use h2ogpt::{Client, ClientBuilder, Error, Parameters};

/// Builds a client of a service that nobody must ask for anything.
fn refused(wrong: &str, with: impl Fn(ClientBuilder) -> ClientBuilder) -> String {
    let builder = Client::builder().url("http://127.0.0.1:1").no_proxy();
    match with(builder).build() {
        Err(error @ Error::Configuration { .. }) => error.to_string(),
        other => panic!("{wrong}: {other:?}"),
    }
}

#[test]
fn a_setting_that_cannot_work_is_named() {
    type With = fn(ClientBuilder) -> ClientBuilder;
    let cases: &[(&str, With)] = &[
        ("URL", |b| b.url("")),
        ("URL", |b| b.url("localhost:3000")),
        ("URL", |b| b.url("http://host\r\nX: y/")),
        ("model", |b| b.model("")),
        ("model", |b| b.model("a\nb")),
        ("user agent", |b| b.user_agent("")),
        ("user agent", |b| b.user_agent("a\r\nX: y")),
        ("user agent", |b| b.user_agent("caf\u{e9}")),
        ("cookie", |b| b.cookie("", "1")),
        ("cookie", |b| b.cookie("a", "x".repeat(5000))),
        ("header", |b| b.header("Accept-Encoding", "gzip")),
        ("cookie", |b| b.cookie("a b", "1")),
        ("cookie", |b| b.cookie("a", "1; b=2")),
        ("cookie", |b| b.cookie("a", "1\r\nX: y")),
        ("timeout_connect", |b| b.timeout_connect(Duration::ZERO)),
        ("timeout_token", |b| b.timeout_token(Duration::ZERO)),
        ("timeout_reply", |b| b.timeout_reply(Duration::ZERO)),
        ("timeout_delete", |b| b.timeout_delete(Duration::ZERO)),
        ("temperature", |b| b.parameter("temperature", 0)),
        ("top_p", |b| b.parameters(Parameters::new().top_p(2.0))),
    ];
    for (name, with) in cases {
        let message = refused(name, with);
        assert!(message.contains(name), "{name}: {message}");
        assert!(!message.contains(char::is_control), "{message:?}");
    }
}

#[test]
fn a_cookie_that_is_refused_is_not_betrayed() {
    let message = refused("cookie", |b| b.cookie("hf-chat", "secret;"));
    assert!(!message.contains("secret"), "{message}");
}

#[test]
fn the_longest_time_is_no_overflow() {
    let builder = Client::builder().url("http://127.0.0.1:1").no_proxy();
    let client = builder
        .timeout_connect(Duration::MAX)
        .timeout_token(Duration::MAX)
        .timeout_reply(Duration::MAX)
        .timeout_delete(Duration::MAX)
        .build()
        .unwrap();
    let error = client.conversation().unwrap_err();
    assert!(matches!(error, Error::Network { .. }), "{error}");
}
