//! Which requests a client needs, version by version.

use std::time::Duration;

use h2ogpt::{Client, ClientBuilder};

use support::client::{builder, text};
use support::service::{Builder, Dialect, MODELS, Origin, Seen, Service};

const MODELS_API: &str = "GET /api/models";
const MODELS_PAGE: &str = "GET /__data.json";
const SETTINGS: &str = "POST /settings";
const CREATE: &str = "POST /conversation";
const HISTORY: &str = "GET /api/conversation/{id}";
const PAGE: &str = "GET /conversation/{id}/__data.json";
const TITLE: &str = "PATCH /conversation/{id}";
const MESSAGE: &str = "POST /conversation/{id}";
const DELETE: &str = "DELETE /conversation/{id}";

/// What versions have in common, as far as requests go.
struct Versions {
    dialects: &'static [Dialect],
    /// Of a first question with the model named, where nothing is known of the server.
    first: &'static [&'static str],
    /// The same without a model.
    unnamed: &'static [&'static str],
    /// Of another question of the same client.
    next: &'static [&'static str],
    /// Of each further message in a conversation.
    message: &'static [&'static str],
    /// Of another reply to the last one.
    retry: &'static [&'static str],
}

const TABLE: [Versions; 4] = [
    Versions {
        dialects: &[Dialect::V0_3, Dialect::V0_5, Dialect::V0_6],
        first: &[SETTINGS, CREATE, MESSAGE, DELETE],
        unnamed: &[MODELS_API, MODELS_PAGE, SETTINGS, CREATE, MESSAGE, DELETE],
        next: &[CREATE, MESSAGE, DELETE],
        // They store late: is the last turn there?
        message: &[PAGE, MESSAGE],
        retry: &[PAGE, MESSAGE],
    },
    Versions {
        dialects: &[Dialect::V0_7],
        first: &[SETTINGS, CREATE, HISTORY, TITLE, MESSAGE, DELETE],
        unnamed: &[
            MODELS_API,
            MODELS_PAGE,
            CREATE,
            HISTORY,
            TITLE,
            MESSAGE,
            DELETE,
        ],
        next: &[CREATE, TITLE, MESSAGE, DELETE],
        message: &[MESSAGE],
        retry: &[MESSAGE],
    },
    Versions {
        dialects: &[
            Dialect::V0_8,
            Dialect::V0_9_0,
            Dialect::V0_9_3,
            Dialect::V0_9_6,
        ],
        first: &[SETTINGS, CREATE, HISTORY, TITLE, MESSAGE, DELETE],
        unnamed: &[MODELS_API, CREATE, HISTORY, TITLE, MESSAGE, DELETE],
        next: &[CREATE, HISTORY, TITLE, MESSAGE, DELETE],
        message: &[HISTORY, MESSAGE],
        retry: &[HISTORY, MESSAGE],
    },
    Versions {
        dialects: &[Dialect::Main],
        first: &[SETTINGS, CREATE, TITLE, MESSAGE, DELETE],
        unnamed: &[MODELS_API, CREATE, TITLE, MESSAGE, DELETE],
        next: &[CREATE, TITLE, MESSAGE, DELETE],
        message: &[HISTORY, MESSAGE],
        retry: &[HISTORY, MESSAGE],
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

/// A request with `{id}` in place of what differs from conversation to conversation.
fn shape(seen: &Seen) -> String {
    let path = seen.path.split('?').next().unwrap_or_default();
    let is_id =
        |segment: &str| segment.len() == 24 && segment.bytes().all(|b| b.is_ascii_hexdigit());
    let segments = path.split('/').map(|segment| match segment {
        id if is_id(id) => "{id}",
        other => other,
    });
    let path: Vec<&str> = segments.collect();
    format!("{} {}", seen.method, path.join("/"))
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
fn a_question_takes_no_superfluous_request() {
    for (dialect, versions) in versions() {
        let service = service(dialect).start().unwrap();
        let client = named(&service).build().unwrap();
        let first = requests_of(&service, || one_shot(&client));
        assert_eq!(first, versions.first, "{dialect}, the model is named");
        let next = requests_of(&service, || one_shot(&client));
        assert_eq!(next, versions.next, "{dialect}, another one");

        let client = builder(service.url()).build().unwrap();
        let first = requests_of(&service, || one_shot(&client));
        assert_eq!(first, versions.unnamed, "{dialect}, no model is named");
        let next = requests_of(&service, || one_shot(&client));
        assert_eq!(
            next, versions.next,
            "{dialect}, another one without a model"
        );
        assert!(versions.unnamed.len() <= versions.first.len() + 2);
    }
}

#[test]
fn a_message_takes_no_superfluous_request() {
    for (dialect, versions) in versions() {
        let service = service(dialect).start().unwrap();
        let client = named(&service).build().unwrap();
        let mut conversation = client.conversation().unwrap();
        text(conversation.send("One")).unwrap();
        for prompt in ["Two", "Three"] {
            let sent = requests_of(&service, || {
                text(conversation.send(prompt)).unwrap();
            });
            assert_eq!(sent, versions.message, "{dialect}, {prompt}");
        }
        let sent = requests_of(&service, || {
            text(conversation.retry()).unwrap();
        });
        assert_eq!(sent, versions.retry, "{dialect}, a retry");
    }
}

/// Started without its address, a server takes itself for `https`: that is one request more, once.
#[test]
fn a_server_without_its_address_takes_one_request_more() {
    for dialect in [Dialect::V0_3, Dialect::V0_5, Dialect::V0_6] {
        let service = service(dialect).origin(Origin::Unset).start().unwrap();
        let client = named(&service).build().unwrap();
        let first = requests_of(&service, || one_shot(&client));
        let expected = [SETTINGS, SETTINGS, CREATE, MESSAGE, DELETE];
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
        let mut expected: Vec<&str> = versions.first.to_vec();
        // Up to v0.6 they were accepted by the form, and from v0.9.6 on nobody asks.
        if matches!(
            dialect,
            Dialect::V0_7 | Dialect::V0_8 | Dialect::V0_9_0 | Dialect::V0_9_3
        ) {
            expected.splice(1..1, [CREATE, SETTINGS]);
        }
        assert_eq!(first, expected, "{dialect}");
        let next = requests_of(&service, || one_shot(&client));
        assert_eq!(next, versions.next, "{dialect}");
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
