//! Proxies of every kind, with and without credentials.

use std::error::Error as _;

use h2ogpt::{Client, Error};

use support::HAS_TLS;
use support::client::converse;
use support::proxy::{Address, Protocol, Proxy, Target};
use support::script;
use support::server::Server;
use support::tls::Identity;

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

/// A server, without TLS and with it.
fn servers(identity: &Identity) -> Vec<Server> {
    let mut servers = vec![Server::start(script::replies(&["Hello"]))];
    if HAS_TLS {
        servers.push(Server::start_tls(identity, script::replies(&["Hello"])));
    }
    servers
}

fn client(server: &str, proxy: &str, identity: &Identity) -> Client {
    let mut builder = Client::builder().url(server).model("model").proxy(proxy);
    if HAS_TLS {
        builder = builder.root_certificates(identity.ca_pem());
    }
    builder.build().expect("a client")
}

#[test]
fn a_whole_conversation_goes_through_the_proxy() {
    let identity = Identity::localhost();
    for kind in Kind::all() {
        for password in [None, Some("s3cret")] {
            for server in servers(&identity) {
                let proxy = kind.start(&identity, password);
                let url = kind.url(&proxy, password);
                let case = format!("{url} to {}", server.url());
                let client = client(&server.url(), &url, &identity);
                let text =
                    converse(&client, "Hi").unwrap_or_else(|error| panic!("{case}: {error:?}"));
                assert_eq!(text, "Hello", "{case}");
                assert!(server.is_deleted(), "{case}");
                assert_eq!(server.listener.connections(), 1, "{case}");
                let tunnels = proxy.tunnels();
                assert!(
                    tunnels
                        .iter()
                        .all(|target| target.port == server.listener.port()),
                    "{case}: {tunnels:?}"
                );
                assert!(!tunnels.is_empty(), "{case}");
                assert_eq!(proxy.refused(), 0, "{case}");
            }
        }
    }
}

#[test]
fn no_credential_of_the_proxy_reaches_the_server() {
    let identity = Identity::localhost();
    for kind in Kind::all() {
        let proxy = kind.start(&identity, Some("s3cret"));
        let server = Server::start(script::replies(&["Hello"]));
        let url = kind.url(&proxy, Some("s3cret"));
        converse(&client(&server.url(), &url, &identity), "Hi").expect("a conversation");
        for request in server.requests() {
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
        let server = Server::start(script::replies(&["Hello"]));
        let url = kind.url(&proxy, Some(escaped));
        let text = converse(&client(&server.url(), &url, &identity), "Hi");
        assert_eq!(text.expect("a conversation"), "Hello", "{kind:?}");
    }
}

#[test]
fn wrong_credentials_are_refused_and_nobody_hears_the_password() {
    let identity = Identity::localhost();
    for kind in Kind::all() {
        for given in [None, Some(WRONG[0])] {
            let proxy = kind.start(&identity, Some("right"));
            let server = Server::start(script::replies(&["Hello"]));
            let url = kind.url(&proxy, given);
            let client = client(&server.url(), &url, &identity);
            let error = client.conversation().expect_err("refused");
            let case = format!("{kind:?} with {given:?}: {error:?}");
            assert!(matches!(error, Error::Network { .. }), "{case}");
            assert_eq!(server.listener.connections(), 0, "{case}");
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
        // Its port at another address of this machine, where no test listens.
        let url = kind.url(&proxy, Some(WRONG[0]));
        let url = url
            .replace("127.0.0.1", "127.1.2.3")
            .replace("localhost", "127.1.2.3");
        let server = Server::start(script::replies(&["Hello"]));
        let client = client(&server.url(), &url, &identity);
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
        let server = Server::start(script::replies(&["Hello"]));
        // A name that is known here, or one that only the proxy knows.
        let name = match kind {
            Kind::Socks5 => "localhost",
            _ => "chat.test",
        };
        let url = format!("http://{name}:{}", server.listener.port());
        let client = client(&url, &kind.url(&proxy, None), &identity);
        assert_eq!(converse(&client, "Hi").expect("a conversation"), "Hello");
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
                    port: server.listener.port()
                }]
            ),
        }
        let host = format!("{name}:{}", server.listener.port());
        assert_eq!(
            server.requests()[0].header("host"),
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
