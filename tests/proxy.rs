//! Proxies: of every kind, with and without credentials, chosen or found in the environment.

mod support;

use std::error::Error as _;
use std::ffi::OsString;

use h2ogpt::{Client, Error};

use support::program::Program;
use support::proxy::{Address, Protocol, Proxy, Target};
use support::script;
use support::server::Server;
use support::tls::Identity;

const HAS_TLS: bool = cfg!(any(feature = "rustls", feature = "native-tls"));

const USER: &str = "ada";
/// Wrong wherever it is used; as it stands in a URL, and as it is meant.
const WRONG: [&str; 2] = ["s3cr%2Ft%40x", "s3cr/t@x"];

#[derive(Clone, Copy, Debug)]
enum Kind {
    Http,
    Https,
    Socks5,
    Socks5h,
}

impl Kind {
    fn all() -> impl Iterator<Item = Kind> {
        let all = [Kind::Http, Kind::Https, Kind::Socks5, Kind::Socks5h];
        all.into_iter()
            .filter(|kind| HAS_TLS || !matches!(kind, Kind::Https))
    }

    fn start(self, identity: &Identity, password: Option<&str>) -> Proxy {
        let protocol = match self {
            Kind::Http => Protocol::Http,
            Kind::Https => Protocol::Https(identity),
            Kind::Socks5 | Kind::Socks5h => Protocol::Socks5,
        };
        match password {
            Some(password) => Proxy::start_with_credentials(protocol, USER, password),
            None => Proxy::start(protocol),
        }
    }

    /// The URL of its proxy.
    fn url(self, proxy: &Proxy, password: Option<&str>) -> String {
        let url = match password {
            Some(password) => proxy.url_with(USER, password),
            None => proxy.url(),
        };
        match self {
            Kind::Socks5h => url.replace("socks5:", "socks5h:"),
            _ => url,
        }
    }
}

/// A service, without TLS and with it.
fn services(identity: &Identity) -> Vec<Server> {
    let mut services = vec![Server::start(script::replies(&["Hello"]))];
    if HAS_TLS {
        services.push(Server::start_tls(identity, script::replies(&["Hello"])));
    }
    services
}

fn client(service: &str, proxy: &str, identity: &Identity) -> Client {
    let mut builder = Client::builder().url(service).model("model").proxy(proxy);
    if HAS_TLS {
        builder = builder.root_certificates(identity.ca_pem());
    }
    builder.build().expect("a client")
}

/// Has a whole conversation, deleted in the end.
fn converse(client: &Client) -> Result<String, Error> {
    let mut conversation = client.conversation()?;
    let text = conversation
        .send("Hi")?
        .collect::<Result<String, Error>>()?;
    conversation.close()?;
    Ok(text)
}

#[test]
fn a_whole_conversation_goes_through_the_proxy() {
    let identity = Identity::localhost();
    for kind in Kind::all() {
        for password in [None, Some("s3cret")] {
            for service in services(&identity) {
                let proxy = kind.start(&identity, password);
                let url = kind.url(&proxy, password);
                let case = format!("{url} to {}", service.url());
                let client = client(&service.url(), &url, &identity);
                let text = converse(&client).unwrap_or_else(|error| panic!("{case}: {error:?}"));
                assert_eq!(text, "Hello", "{case}");
                assert!(script::is_deleted(&service.requests()), "{case}");
                assert_eq!(service.connections(), 1, "{case}");
                let tunnels = proxy.tunnels();
                assert!(
                    tunnels.iter().all(|target| target.port == service.port()),
                    "{case}: {tunnels:?}"
                );
                assert!(!tunnels.is_empty(), "{case}");
                assert_eq!(proxy.refused(), 0, "{case}");
            }
        }
    }
}

#[test]
fn no_credential_of_the_proxy_reaches_the_service() {
    let identity = Identity::localhost();
    for kind in Kind::all() {
        let proxy = kind.start(&identity, Some("s3cret"));
        let service = Server::start(script::replies(&["Hello"]));
        let url = kind.url(&proxy, Some("s3cret"));
        converse(&client(&service.url(), &url, &identity)).expect("a conversation");
        for request in service.requests() {
            let head = String::from_utf8_lossy(&request.raw).to_lowercase();
            assert!(!head.contains("authorization"), "{kind:?}: {head}");
            assert!(!head.contains("s3cret"), "{kind:?}: {head}");
        }
    }
}

#[test]
fn a_password_with_special_characters_is_escaped_in_the_url() {
    let identity = Identity::localhost();
    let [escaped, meant] = WRONG;
    for kind in Kind::all() {
        let proxy = kind.start(&identity, Some(meant));
        let service = Server::start(script::replies(&["Hello"]));
        let url = kind.url(&proxy, Some(escaped));
        let text = converse(&client(&service.url(), &url, &identity));
        assert_eq!(text.expect("a conversation"), "Hello", "{kind:?}");
    }
}

#[test]
fn wrong_credentials_are_refused_and_nobody_hears_the_password() {
    let identity = Identity::localhost();
    for kind in Kind::all() {
        for given in [None, Some(WRONG[0])] {
            let proxy = kind.start(&identity, Some("right"));
            let service = Server::start(script::replies(&["Hello"]));
            let url = kind.url(&proxy, given);
            let client = client(&service.url(), &url, &identity);
            let error = client.conversation().expect_err("refused");
            let case = format!("{kind:?} with {given:?}: {error:?}");
            assert!(matches!(error, Error::Network { .. }), "{case}");
            assert_eq!(service.connections(), 0, "{case}");
            assert_eq!(proxy.refused(), 1, "{case}");

            let mut shown = format!("{error} {error:?} {error:#?} {client:?}");
            let mut cause = error.source();
            assert!(cause.is_some(), "{case}");
            while let Some(error) = cause {
                shown.push_str(&format!(" {error} {error:?}"));
                cause = error.source();
            }
            // In base64 too, as in the header that it travels in.
            for secret in [WRONG[0], WRONG[1], "YWRhOnMzY3Iv", "s3cr"] {
                assert!(!shown.contains(secret), "{secret} in {shown}");
            }
        }
    }
}

#[test]
fn a_proxy_that_is_not_there_is_a_network_error() {
    let identity = Identity::localhost();
    for kind in Kind::all() {
        let proxy = kind.start(&identity, None);
        proxy.stop();
        let url = kind.url(&proxy, Some(WRONG[0]));
        let service = Server::start(script::replies(&["Hello"]));
        let client = client(&service.url(), &url, &identity);
        let error = client.conversation().expect_err("nobody listens");
        assert!(
            matches!(error, Error::Network { .. }),
            "{kind:?}: {error:?}"
        );
        assert!(!format!("{error:?}").contains("s3cr"), "{error:?}");
    }
}

#[test]
fn only_socks5_looks_the_name_up_itself() {
    let identity = Identity::localhost();
    for kind in Kind::all() {
        let proxy = kind.start(&identity, None);
        let service = Server::start(script::replies(&["Hello"]));
        // A name that is known here, or one that only the proxy knows.
        let name = match kind {
            Kind::Socks5 => "localhost",
            _ => "chat.test",
        };
        let url = format!("http://{name}:{}", service.port());
        let client = client(&url, &kind.url(&proxy, None), &identity);
        assert_eq!(converse(&client).expect("a conversation"), "Hello");
        let tunnels = proxy.tunnels();
        match kind {
            Kind::Socks5 => assert!(
                tunnels
                    .iter()
                    .all(|target| matches!(target.address, Address::Ip(_))),
                "{tunnels:?}"
            ),
            _ => assert_eq!(
                tunnels,
                [Target {
                    address: Address::Name(name.to_owned()),
                    port: service.port()
                }]
            ),
        }
        let host = format!("{name}:{}", service.port());
        assert_eq!(
            service.requests()[0].header("host"),
            Some(&*host),
            "{kind:?}"
        );
    }
}

#[test]
fn a_bad_proxy_url_is_refused_without_repeating_its_password() {
    let urls = [
        "",
        " ",
        "nonsense",
        "127.0.0.1:3128",
        "ftp://ada:s3cret@host:1",
        "http://ada:s3cret@host:99999",
        "http://ada:s3cret@host:port",
        "http://",
        "http://ada:s3cret@",
        "http://ada:s3cret@:3128",
        "socks5://ada:s3cret@host:0",
        "http://ada:s3cret\n@host:1",
        "http://ada:s3cret@ho\u{7}st:1",
        "http://ada:s3cret@host:1\r\nEvil: yes",
        "http://ada:s3c ret@host:1",
        "http://ada:s3cret@hö.st:1",
    ];
    for url in urls {
        let built = Client::builder().url("http://localhost").proxy(url).build();
        let error = built.expect_err(url);
        assert!(
            matches!(error, Error::Configuration { .. }),
            "{url:?}: {error:?}"
        );
        let shown = format!("{error} {error:?}");
        assert!(shown.contains("proxy"), "{url:?}: {shown}");
        assert!(!shown.contains("s3c"), "{url:?}: {shown}");
    }
}

#[test]
fn what_the_environment_says_is_used_unless_something_else_is_chosen() {
    let service = Server::start(script::replies(&["Hello"]));
    let found = Proxy::start(Protocol::Http);
    let chosen = Proxy::start(Protocol::Socks5);
    let (found_url, chosen_url) = (found.url(), chosen.url());
    let chat = || Program::chat().args(["-u", &service.url(), "-m", "model", "Hi"]);
    let ask = || Program::ask().env("H2OGPT_URL", service.url()).arg("Hi");
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
    let service = Server::start(script::replies(&["Hello"]));
    let chat = || Program::chat().args(["-u", &service.url(), "-m", "model", "Hi"]);
    let ask = || Program::ask().env("H2OGPT_URL", service.url()).arg("Hi");
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
    assert_eq!(service.connections(), 0);
}

#[test]
fn a_proxy_of_the_environment_that_wants_tls_gets_no_password_without() {
    if HAS_TLS {
        return;
    }
    let proxy = Proxy::start_with_credentials(Protocol::Http, USER, "s3cret");
    let url = proxy.url_with(USER, "s3cret").replace("http:", "https:");
    let program = Program::chat().args(["-u", "http://chat.test", "-m", "model", "Hi"]);
    let ended = program.env("HTTPS_PROXY", url).run();
    assert_eq!((ended.status, &*ended.stdout), (Some(2), ""), "{ended:?}");
    assert!(ended.stderr.contains("HTTPS_PROXY"), "{ended:?}");
    assert!(!ended.stderr.contains("s3cret"), "{ended:?}");
    assert_eq!(proxy.connections(), 0);
}

#[test]
fn a_proxy_of_the_environment_that_cannot_be_read_does_no_harm_beside_another_choice() {
    let service = Server::start(script::replies(&["Hello"]));
    let proxy = Proxy::start(Protocol::Http);
    let chat = || Program::chat().args(["-u", &service.url(), "-m", "model", "Hi"]);
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
        let program = Program::chat().args(["--demo", "Hi"]);
        let ended = program.env(variable, value).run();
        assert_eq!(ended.status, Some(0), "{variable}: {ended:?}");
        assert!(
            ended.stdout.contains("You said: \"Hi\"."),
            "{variable}: {ended:?}"
        );
    }
    assert_eq!(proxy.connections(), 0);
}

#[test]
fn the_chat_program_does_not_tell_the_password_of_a_proxy_either() {
    let proxy = Proxy::start_with_credentials(Protocol::Http, USER, "right");
    let url = proxy.url_with(USER, WRONG[0]);
    let bad = url.replace("http:", "ftp:");
    for (url, status) in [(&url, 3), (&bad, 2)] {
        let program = Program::chat().args(["-u", "http://chat.test", "-m", "model", "-v", "Hi"]);
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
