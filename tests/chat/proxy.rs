//! The proxy that the programs use: chosen, or found in the environment.

use std::ffi::OsString;

use support::HAS_TLS;
use support::proxy::{Protocol, Proxy};
use support::script;
use support::server::Server;

use crate::{ask_program, chat_program};

const USER: &str = "ada";
/// Wrong wherever it is used.
const WRONG: &str = "s3cr%2Ft%40x";

#[test]
fn what_the_environment_says_is_used_unless_something_else_is_chosen() {
    let server = Server::start(script::replies(&["Hello"]));
    let found = Proxy::start(Protocol::Http);
    let chosen = Proxy::start(Protocol::Socks5);
    let (found_url, chosen_url) = (found.url(), chosen.url());
    let chat = || chat_program().args(["-u", &server.url(), "-m", "model", "Hi"]);
    let ask = || ask_program().env("H2OGPT_URL", server.url()).arg("Hi");
    let own_host = "127.0.0.1";
    let table = [
        ("HTTP_PROXY", chat().env("HTTP_PROXY", &found_url), [1, 0]),
        ("http_proxy", chat().env("http_proxy", &found_url), [1, 0]),
        ("ALL_PROXY", chat().env("ALL_PROXY", &found_url), [1, 0]),
        (
            "ALL_PROXY socks5",
            chat().env("ALL_PROXY", &chosen_url),
            [0, 1],
        ),
        (
            "ask, HTTP_PROXY",
            ask().env("HTTP_PROXY", &found_url),
            [1, 0],
        ),
        (
            "NO_PROXY",
            chat()
                .env("HTTP_PROXY", &found_url)
                .env("NO_PROXY", own_host),
            [0, 0],
        ),
        (
            "NO_PROXY of another host",
            chat()
                .env("ALL_PROXY", &found_url)
                .env("NO_PROXY", "example.org"),
            [1, 0],
        ),
        (
            "--proxy",
            chat()
                .env("HTTP_PROXY", &found_url)
                .args(["-x", &chosen_url]),
            [0, 1],
        ),
        (
            "--proxy and NO_PROXY",
            chat()
                .args(["--proxy", &chosen_url])
                .env("NO_PROXY", own_host),
            [0, 1],
        ),
        ("nothing", chat(), [0, 0]),
    ];
    for (case, program, expected) in table {
        let before = [&found, &chosen].map(|proxy| proxy.tunnels().len());
        let ended = program.run();
        assert_eq!(
            (ended.status, &*ended.stdout),
            (Some(0), "Hello\n"),
            "{case}: {ended:?}"
        );
        let after = [&found, &chosen].map(|proxy| proxy.tunnels().len());
        let used = [after[0] - before[0], after[1] - before[1]];
        assert_eq!(used, expected, "{case}");
    }
}

#[test]
fn a_proxy_of_the_environment_that_cannot_be_read_is_not_done_without() {
    let server = Server::start(script::replies(&["Hello"]));
    let chat = || chat_program().args(["-u", &server.url(), "-m", "model", "Hi"]);
    let ask = || ask_program().env("H2OGPT_URL", server.url()).arg("Hi");
    let mut values: Vec<OsString> = [
        "foo://bar",
        "ftp://ada:s3cret@host:1",
        "http://",
        "http://ada:s3cret@127.0.0.1:99999",
        "http://:3128",
        "a b",
        " ",
    ]
    .map(OsString::from)
    .into();
    #[cfg(unix)]
    values.push(std::os::unix::ffi::OsStringExt::from_vec(vec![b'h', 0xff]));
    for name in ["ALL_PROXY", "HTTPS_PROXY", "HTTP_PROXY"] {
        for name in [name, &name.to_lowercase()] {
            for value in &values {
                for (program, status) in [(chat(), 2), (ask(), 1)] {
                    let ended = program.env(name, value).run();
                    let case = format!("{name}={value:?}: {ended:?}");
                    assert_eq!((ended.status, &*ended.stdout), (Some(status), ""), "{case}");
                    // Some systems do not tell the two cases apart.
                    let said = ended.stderr.to_uppercase();
                    assert!(said.contains(&name.to_uppercase()), "{case}");
                    for secret in ["s3cret", "foo", "a b"] {
                        assert!(!ended.stderr.contains(secret), "{case}");
                    }
                }
            }
        }
    }
    assert_eq!(server.listener.connections(), 0);
}

#[test]
fn a_proxy_of_the_environment_that_wants_tls_gets_no_password_without() {
    if HAS_TLS {
        return;
    }
    let proxy = Proxy::start_with_credentials(Protocol::Http, USER, "s3cret");
    let url = proxy.url_with(USER, "s3cret").replace("http:", "https:");
    let program = chat_program().args(["-u", "http://chat.test", "-m", "model", "Hi"]);
    let ended = program.env("HTTPS_PROXY", url).run();
    assert_eq!((ended.status, &*ended.stdout), (Some(2), ""), "{ended:?}");
    assert!(ended.stderr.contains("HTTPS_PROXY"), "{ended:?}");
    assert!(!ended.stderr.contains("s3cret"), "{ended:?}");
    assert_eq!(proxy.listener.connections(), 0);
}

#[test]
fn a_proxy_of_the_environment_that_cannot_be_read_does_no_harm_beside_another_choice() {
    let server = Server::start(script::replies(&["Hello"]));
    let proxy = Proxy::start(Protocol::Http);
    let chat = || chat_program().args(["-u", &server.url(), "-m", "model", "Hi"]);
    let bad = || chat().env("ALL_PROXY", "foo://bar");
    let table = [
        (
            "one that can be read",
            bad().env("HTTP_PROXY", proxy.url()),
            1,
        ),
        ("--proxy", bad().args(["--proxy", &proxy.url()]), 1),
        (
            "empty",
            chat().env("ALL_PROXY", "").env("http_proxy", ""),
            0,
        ),
    ];
    for (case, program, expected) in table {
        let before = proxy.tunnels().len();
        let ended = program.run();
        let output = (ended.status, &*ended.stdout);
        assert_eq!(output, (Some(0), "Hello\n"), "{case}: {ended:?}");
        assert_eq!(proxy.tunnels().len() - before, expected, "{case}");
    }
}

#[test]
fn the_demonstration_knows_no_proxy() {
    let proxy = Proxy::start(Protocol::Http);
    let url = proxy.url();
    for (variable, value) in [
        ("HTTP_PROXY", &*url),
        ("ALL_PROXY", &url),
        ("http_proxy", &url),
        ("ALL_PROXY", "foo://bar"),
    ] {
        let program = chat_program().args(["--demo", "Hi"]);
        let ended = program.env(variable, value).run();
        assert_eq!(ended.status, Some(0), "{variable}: {ended:?}");
        assert!(
            ended.stdout.contains("You said: \"Hi\"."),
            "{variable}: {ended:?}"
        );
    }
    assert_eq!(proxy.listener.connections(), 0);
}

#[test]
fn the_chat_program_does_not_tell_the_password_of_a_proxy_either() {
    let proxy = Proxy::start_with_credentials(Protocol::Http, USER, "right");
    let url = proxy.url_with(USER, WRONG);
    let bad = url.replace("http:", "ftp:");
    for (url, status) in [(&url, 3), (&bad, 2)] {
        let program = chat_program().args(["-u", "http://chat.test", "-m", "model", "-v", "Hi"]);
        let ended = program.args(["-x", url]).run();
        assert_eq!(
            (ended.status, &*ended.stdout),
            (Some(status), ""),
            "{ended:?}"
        );
        assert!(!ended.stderr.contains("s3cr"), "{ended:?}");
        assert!(ended.stderr.contains("proxy"), "{ended:?}");
    }
}
