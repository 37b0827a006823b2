//! Which requests a client needs, version by version.

use std::time::Duration;

use h2ogpt::{Client, ClientBuilder};

use support::client::{builder, text};
use support::service::{Builder, Dialect, MODELS, Origin, Seen, Service};

const MODELS_API: &str = "GET /api/models 200";
const NO_API: &str = "GET /api/models 404";
const MODELS_PAGE: &str = "GET /__data.json 200";
const SETTINGS: &str = "POST /settings 200";
const OTHER_SCHEME: &str = "POST /settings 403";
const NO_FORM: &str = "POST /settings 500";
const CREATE: &str = "POST /conversation 200";
const TERMS: &str = "POST /conversation 405";
const HISTORY: &str = "GET /api/conversation/{id} 200";
const NO_TREE: &str = "GET /api/conversation/{id} 404";
const PAGE: &str = "GET /conversation/{id}/__data.json 200";
const TITLE: &str = "PATCH /conversation/{id} 200";
const MESSAGE: &str = "POST /conversation/{id} 200";
const DELETE: &str = "DELETE /conversation/{id} 200";

/// What versions have in common, as far as requests and their statuses go.
struct Versions {
    /// As the README calls them.
    name: &'static str,
    dialects: &'static [Dialect],
    /// A one-shot with the model named, where nothing is known of the server.
    named: &'static [&'static str],
    /// The same without a model.
    unnamed: &'static [&'static str],
    /// Another one-shot of the same client, with the model named or without.
    another: &'static [&'static str],
    /// Each further message of a conversation, and each retry.
    turn: &'static [&'static str],
}

#[rustfmt::skip]
const TABLE: [Versions; 4] = [
    Versions {
        name: "v0.3 to v0.6",
        dialects: &[Dialect::V0_3, Dialect::V0_5, Dialect::V0_6],
        named:   &[                     SETTINGS, CREATE, MESSAGE, DELETE],
        unnamed: &[NO_API, MODELS_PAGE, SETTINGS, CREATE, MESSAGE, DELETE],
        another: &[                               CREATE, MESSAGE, DELETE],
        // They store late: is the last turn there?
        turn:    &[                                 PAGE, MESSAGE],
    },
    Versions {
        name: "v0.7",
        dialects: &[Dialect::V0_7],
        named:   &[                      NO_FORM, CREATE, NO_TREE, TITLE, MESSAGE, DELETE],
        unnamed: &[NO_API, MODELS_PAGE,           CREATE, NO_TREE, TITLE, MESSAGE, DELETE],
        another: &[                               CREATE,          TITLE, MESSAGE, DELETE],
        turn:    &[                                                       MESSAGE],
    },
    Versions {
        name: "v0.8 to v0.9.6",
        dialects: &[Dialect::V0_8, Dialect::V0_9_0, Dialect::V0_9_3, Dialect::V0_9_6],
        named:   &[                      NO_FORM, CREATE, HISTORY, TITLE, MESSAGE, DELETE],
        unnamed: &[MODELS_API,                    CREATE, HISTORY, TITLE, MESSAGE, DELETE],
        another: &[                               CREATE, HISTORY, TITLE, MESSAGE, DELETE],
        turn:    &[                                       HISTORY,        MESSAGE],
    },
    Versions {
        name: "v0.10 and later",
        dialects: &[Dialect::Main],
        named:   &[                      NO_FORM, CREATE,          TITLE, MESSAGE, DELETE],
        unnamed: &[MODELS_API,                    CREATE,          TITLE, MESSAGE, DELETE],
        another: &[                               CREATE,          TITLE, MESSAGE, DELETE],
        turn:    &[                                       HISTORY,        MESSAGE],
    },
];

fn versions() -> impl Iterator<Item = (Dialect, &'static Versions)> {
    let rows = TABLE.iter();
    rows.flat_map(|row| row.dialects.iter().map(move |dialect| (*dialect, row)))
}

/// A server that asks for no terms, as most do.
fn service(dialect: Dialect) -> Builder {
    Service::builder().dialect(dialect).terms(false)
}

fn named(service: &Service) -> ClientBuilder {
    builder(service.url()).model(MODELS[0])
}

/// A request and its status, with `{id}` in place of what differs from conversation to conversation.
fn shape(seen: &Seen) -> String {
    let path = seen.path.split('?').next().unwrap_or_default();
    let is_id =
        |segment: &str| segment.len() == 24 && segment.bytes().all(|b| b.is_ascii_hexdigit());
    let segments = path.split('/').map(|segment| match segment {
        id if is_id(id) => "{id}",
        other => other,
    });
    let path: Vec<&str> = segments.collect();
    format!("{} {} {}", seen.method, path.join("/"), seen.status)
}

/// What is requested while something is done.
fn requests_of(service: &Service, act: impl FnOnce()) -> Vec<String> {
    let before = service.requests().len();
    act();
    service.requests()[before..].iter().map(shape).collect()
}

fn one_shot(client: &Client) {
    let reply = text(client.generate("Hello")).expect("a reply");
    assert!(reply.starts_with("You said: \"Hello\"."), "{reply}");
}

#[test]
fn the_table_has_every_version() {
    let mut known: Vec<Dialect> = versions().map(|(dialect, _)| dialect).collect();
    known.sort_by_key(|dialect| Dialect::ALL.iter().position(|other| other == dialect));
    assert_eq!(known, Dialect::ALL);
}

#[test]
fn a_one_shot_takes_no_superfluous_request() {
    for (dialect, versions) in versions() {
        let service = service(dialect).start().unwrap();
        for (builder, first) in [
            (named(&service), versions.named),
            (builder(service.url()), versions.unnamed),
        ] {
            let client = builder.build().unwrap();
            let sent = requests_of(&service, || one_shot(&client));
            assert_eq!(sent, first, "{dialect}");
            let sent = requests_of(&service, || one_shot(&client));
            assert_eq!(sent, versions.another, "{dialect}, another one");
        }
    }
}

#[test]
fn a_turn_takes_no_superfluous_request() {
    for (dialect, versions) in versions() {
        let service = service(dialect).start().unwrap();
        let client = named(&service).build().unwrap();
        let mut conversation = client.conversation().unwrap();
        text(conversation.send("One")).unwrap();
        for prompt in ["Two", "Three"] {
            let sent = requests_of(&service, || {
                text(conversation.send(prompt)).unwrap();
            });
            assert_eq!(sent, versions.turn, "{dialect}, {prompt}");
        }
        let sent = requests_of(&service, || {
            text(conversation.retry()).unwrap();
        });
        assert_eq!(sent, versions.turn, "{dialect}, a retry");
    }
}

#[test]
fn the_readme_counts_the_requests_of_the_table() {
    let readme = include_str!("../../README.md");
    for versions in &TABLE {
        let columns = [
            versions.named,
            versions.unnamed,
            versions.another,
            versions.turn,
        ];
        let [named, unnamed, another, turn] = columns.map(<[_]>::len);
        let name = versions.name;
        let row = format!("| {name} | {named} | {unnamed} | {another} | {turn} |\n");
        assert!(readme.contains(&row), "not in the README: {row}");
    }
    let most = TABLE.iter().map(|versions| versions.unnamed.len()).max();
    let most = ["six", "seven", "eight"][most.unwrap() - 6];
    let sentence = format!("One reply takes up to {most} requests");
    assert!(readme.contains(&sentence), "{sentence}");
}

/// Started without its address, a server takes itself for `https`: that is one request more, once.
#[test]
fn a_server_without_its_address_takes_one_request_more() {
    for dialect in [Dialect::V0_3, Dialect::V0_5, Dialect::V0_6] {
        let service = service(dialect).origin(Origin::Unset).start().unwrap();
        let client = named(&service).build().unwrap();
        let first = requests_of(&service, || one_shot(&client));
        let expected = [OTHER_SCHEME, SETTINGS, CREATE, MESSAGE, DELETE];
        assert_eq!(first, expected, "{dialect}");
        let next = requests_of(&service, || one_shot(&client));
        assert_eq!(next, [CREATE, MESSAGE, DELETE], "{dialect}");
    }
}

/// The terms are accepted where the server asks for them, and nowhere else.
#[test]
fn terms_take_two_requests_more_where_a_version_asks_for_them_later() {
    for (dialect, versions) in versions() {
        let service = Service::builder().dialect(dialect).terms(true).start();
        let service = service.unwrap();
        let client = named(&service).build().unwrap();
        let first = requests_of(&service, || one_shot(&client));
        let mut expected: Vec<&str> = versions.named.to_vec();
        // Up to v0.6 they were accepted by the form, and from v0.9.6 on nobody asks.
        if matches!(
            dialect,
            Dialect::V0_7 | Dialect::V0_8 | Dialect::V0_9_0 | Dialect::V0_9_3
        ) {
            expected.splice(1..1, [TERMS, SETTINGS]);
        }
        assert_eq!(first, expected, "{dialect}");
        let next = requests_of(&service, || one_shot(&client));
        assert_eq!(next, versions.another, "{dialect}");
    }
}

/// The server counts a message before it looks at its encoding.
#[test]
fn with_one_message_a_minute_the_first_message_succeeds() {
    let minute = Duration::from_secs(60);
    for dialect in Dialect::ALL {
        let service = service(dialect).rate_limit(1, minute).start().unwrap();
        for client in [named(&service), builder(service.url())] {
            one_shot(&client.build().unwrap());
        }
        let requests = service.requests();
        let messages = requests.iter().filter(|seen| seen.is_message());
        let statuses: Vec<u16> = messages.map(|seen| seen.status).collect();
        assert_eq!(statuses, [200, 200], "{dialect}");
    }
}
