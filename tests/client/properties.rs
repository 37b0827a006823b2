//! What holds for every input, of all that takes bytes from elsewhere.

use std::fmt::Debug;
use std::io::BufReader;
use std::sync::{Arc, Mutex};

use h2ogpt::{Client, Error, Parameters};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use support::client::{
    Failure, Outcome, builder, client, incomplete, read, send_with, send_with_search,
};
use support::http1::{percent_decode, response};
use support::listener::lock;
use support::script::{self, Endpoint, responding};
use support::server::Server;
use support::stream::Format;

/// Tries a test with many inputs, and reports the smallest one that fails it.
#[track_caller]
fn for_all<S: Strategy<Value: Debug>>(inputs: S, test: impl Fn(S::Value)) {
    let config = Config {
        failure_persistence: None,
        ..Config::default()
    };
    let tried = TestRunner::new(config).run(&inputs, |input| {
        test(input);
        Ok(())
    });
    if let Err(failure) = tried {
        panic!("{failure}");
    }
}

/// Bytes as a stream has them, with everything that has a meaning somewhere.
fn stream() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        Just(b"data:".to_vec()),
        Just(b"\n".to_vec()),
        Just(b"\r".to_vec()),
        Just(b"\xEF\xBB\xBF".to_vec()),
        Just("\u{2028}é😀".as_bytes().to_vec()),
        Just(br#"{"token":{"id":1,"text":" a","logprob":-0.1,"special":false},"generated_text":null,"details":null}"#.to_vec()),
        Just(br#"{"token":{"id":1,"text":"</s>","special":true},"generated_text":" a a"}"#.to_vec()),
        Just(br#"{"type":"stream","token":"\ud83d"}"#.to_vec()),
        Just(br#"{"type":"stream","token":"\ude00\u0000"}"#.to_vec()),
        Just(br#"{"type":"finalAnswer","text":" a","interrupted":false}"#.to_vec()),
        Just(br#"{"type":"status","status":"error","message":"x"}"#.to_vec()),
        Just(br#"{"token":"#.to_vec()),
        Just(br#"{"text":"b"}}"#.to_vec()),
        Just(b": comment".to_vec()),
        vec(any::<u8>(), 0..6),
    ];
    vec(part, 0..24).prop_map(|parts| parts.concat())
}

/// Any JSON, with names as protocols have them.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<i32>().prop_map(|number| Value::from(f64::from(number) / 8.0)),
        "\\PC*|[\\x00-\\x7f]*".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            vec(("[a-zA-Z_]{1,3}", inner), 0..6)
                .prop_map(|members| members.into_iter().collect::<Value>()),
        ]
    })
}

/// What JSON on one line is made of, in any order.
fn scraps() -> impl Strategy<Value = String> {
    let scrap = select(vec![
        "{", "}", "[", "]", ":", ",", "\"", "\"a\"", "\"a\":", "\\", "\\\"", "\\n", "\\u00e9",
        "\\u0", "true", "fal", "se", "null", "nul", "-", "0", "1", "12", ".", ".5", "e", "E+",
        "e-3", " ", "\t", "\u{b}", "é", "[]", "{}", "[1,", "{\"b\":[",
    ]);
    vec(scrap, 0..8).prop_map(|scraps| scraps.concat())
}

/// A string with everything that has a meaning in JSON, in URLs or on a terminal.
fn string() -> &'static str {
    "(\\PC|[\"\\\\./%?#&=+<> \r\n\t\u{1b}\u{202e}é😀])*"
}

/// Servers of which a test says one response after the other.
fn responding_at(endpoint: Endpoint) -> (Server, Arc<Mutex<Vec<u8>>>) {
    let current = Arc::<Mutex<Vec<u8>>>::default();
    let server = Server::start(responding({
        let current = Arc::clone(&current);
        move |request| (request.endpoint() == endpoint).then(|| lock(&current).clone())
    }));
    (server, current)
}

/// The error of a message that is responded to with this.
fn refusal(client: &Client) -> Error {
    let mut conversation = client.resume(script::ID).expect("a conversation");
    let (_, error) = read(conversation.send("Hello"));
    drop(conversation.keep());
    error.expect("an error")
}

#[test]
fn a_reply_is_the_same_however_the_bytes_are_cut() {
    for_all((stream(), 1_usize..64), |(bytes, size)| {
        let cut = BufReader::with_capacity(size, &bytes[..]);
        assert_eq!(Outcome::of_stream(cut), Outcome::of_stream(&bytes[..]));
    });
}

#[test]
fn a_reply_is_the_same_however_lines_end() {
    for_all(stream(), |mut bytes| {
        bytes.retain(|&byte| byte != b'\r');
        let expected = Outcome::of_stream(&bytes[..]);
        for line_end in [&b"\r\n"[..], b"\r"] {
            let lines: Vec<&[u8]> = bytes.split(|&byte| byte == b'\n').collect();
            assert_eq!(Outcome::of_stream(&lines.join(line_end)[..]), expected);
        }
    });
}

#[test]
fn what_was_said_is_in_the_error() {
    for_all(stream(), |bytes| {
        let outcome = Outcome::of_stream(&bytes[..]);
        let partial = match outcome.failure {
            None => return,
            Some(Failure::Incomplete { partial, .. }) => partial,
            Some(Failure::Server { partial, .. }) => partial,
            Some(Failure::Protocol { partial, .. }) => partial,
            Some(other) => panic!("{other:?}"),
        };
        assert_eq!(partial, outcome.tokens.concat());
        assert_eq!(partial, outcome.text);
    });
}

#[test]
fn any_event_is_decoded_or_refused() {
    for_all("\\PC*", |json| {
        Outcome::of_stream(format!("data:{json}\n\n{json}\n").as_bytes());
        let event = json!({ "type": json, "token": json, "text": json });
        Outcome::of_stream(format!("{event}\n").as_bytes());
    });
}

#[test]
fn a_token_comes_back_as_it_was_written() {
    for_all(vec(string(), 0..6), |tokens| {
        for format in Format::ALL {
            let mut stream = String::new();
            for token in &tokens {
                let literal = Value::from(token.as_str()).to_string();
                stream.push_str(&format.event(&literal[1..literal.len() - 1]));
            }
            let outcome = Outcome::of_stream(stream.as_bytes());
            let said: Vec<&String> = tokens.iter().filter(|token| !token.is_empty()).collect();
            assert_eq!(outcome.tokens.iter().collect::<Vec<_>>(), said);
            assert_eq!(outcome.failure, Some(incomplete(&tokens.concat(), false)));
        }
    });
}

#[test]
fn characters_are_whole_however_tokens_cut_them() {
    for_all(("[a😀é🦀]{1,12}", 1_usize..4), |(text, size)| {
        let units: Vec<u16> = text.encode_utf16().collect();
        let mut stream = String::new();
        for units in units.chunks(size) {
            let escaped: String = units.iter().map(|unit| format!("\\u{unit:04x}")).collect();
            stream.push_str(&Format::Tree.event(&escaped));
        }
        assert_eq!(Outcome::of_stream(stream.as_bytes()).text, text);
    });
}

#[test]
fn whatever_else_an_event_holds_its_token_is_read() {
    for_all(value(), |value| {
        let token = r#""token":{"text":"a","special":false},"generated_text":null"#;
        for event in [
            format!(r#"data:{{{token},"details":{value}}}"#),
            format!(r#"data:{{"details":{value},{token}}}"#),
            format!(r#"{{"other":{value},"type":"stream","token":"a"}}"#),
        ] {
            let outcome = Outcome::of_stream(format!("{event}\n\n").as_bytes());
            assert_eq!(outcome.tokens, ["a"], "{event}");
        }
    });
}

#[test]
fn an_event_is_decoded_only_if_all_of_it_is_json() {
    for_all(scraps(), |json| {
        let token = r#""token":{"text":"a","special":false},"generated_text":null"#;
        for event in [
            format!(r#"{{{token},"details":{json}}}"#),
            format!(r#"{{"details":{json},{token}}}"#),
        ] {
            let is_json = serde_json::from_str::<Value>(&event).is_ok();
            let outcome = Outcome::of_stream(format!("data:{event}\n\n").as_bytes());
            assert_eq!(!outcome.tokens.is_empty(), is_json, "{event}: {outcome:?}");
        }
    });
}

#[test]
fn cookies_that_are_sent_are_a_header_and_bounded() {
    let (server, settings) = responding_at(Endpoint::Settings);
    // As much as fits into the buffer of a response.
    let long = ("[a-z]{1,2}", 0_usize..1200);
    let cookie = prop_oneof![
        "\\PC{0,40}|[a-c]=[a-z;,= ]{0,20}(; (Max-Age|Expires)=\\PC{0,30})?",
        long.prop_map(|(name, length)| format!("{name}={}", "x".repeat(length))),
    ];
    for_all(vec(cookie, 0..12), |cookies| {
        let headers: Vec<(&str, &str)> = cookies
            .iter()
            .map(|cookie| ("Set-Cookie", cookie.as_str()))
            .collect();
        *lock(&settings) = response("200 OK", &headers, "");
        let client = builder(server.url()).model("model").build().unwrap();
        client
            .conversation()
            .expect("a conversation")
            .close()
            .expect("deleted");
        let create = server.requests_to(Endpoint::Create).pop();
        let create = create.expect("a request");
        let sent = create.header("cookie").unwrap_or_default();
        assert!(sent.len() < 5000, "{} bytes", sent.len());
        assert!(
            sent.bytes().all(|byte| (b' '..=b'~').contains(&byte)),
            "{sent:?}"
        );
    });
}

#[test]
fn any_retry_after_is_a_time_or_nothing() {
    let (server, message) = responding_at(Endpoint::Message);
    let client = client(server.url());
    let header =
        "\\PC*|[0-9]{1,30}|Sun, [0-9]{2} [A-Z][a-z]{2} [0-9]{2,5} [0-9]{2}:[0-9]{2}:[0-9]{2} GMT";
    for_all(header, |header| {
        let headers = [("Retry-After", header.as_str())];
        *lock(&message) = response("429 Too Many Requests", &headers, "");
        let error = refusal(&client);
        assert!(
            matches!(error, Error::Http { status: 429, .. }),
            "{error:?}"
        );
        let seconds = header.trim().parse::<u32>().ok();
        if let Some(seconds) = seconds {
            let wait = error.retry_after().expect("a time");
            assert_eq!(wait.as_secs(), u64::from(seconds));
        }
    });
}

#[test]
fn what_a_server_says_of_an_error_is_one_short_line() {
    let (server, message) = responding_at(Endpoint::Message);
    let client = client(server.url());
    let body = prop_oneof![
        "(\\PC|[<>/a-z\r\n\t\u{1b}\u{202e}])*".prop_map(String::into_bytes),
        string().prop_map(|text| json!({ "message": text }).to_string().into_bytes()),
        vec(any::<u8>(), 0..300),
        vec(any::<u8>(), 0..3000),
    ];
    let content_type = select(vec!["application/json", "text/html", "text/plain"]);
    for_all((body, content_type), |(body, content_type)| {
        let headers = [("Content-Type", content_type)];
        *lock(&message) = response("503 Service Unavailable", &headers, body);
        let error = refusal(&client);
        let Error::Http { message, .. } = &error else {
            panic!("{error:?}");
        };
        let visible = message.chars().filter(|c| !c.is_whitespace());
        assert!(visible.count() <= 301, "{message}");
        assert!(!error.to_string().contains(char::is_control), "{error}");
    });
}

#[test]
fn an_id_is_one_segment_of_the_path_and_comes_back_or_is_refused() {
    let server = Server::start(script::respond);
    let client = client(server.url());
    for_all("\\PC{1,20}|[./]{1,5}|[./%?#&=+\r\n é]{1,9}", |id| {
        let before = server.requests().len();
        let Ok(conversation) = client.resume(&*id) else {
            assert_eq!(server.requests().len(), before, "{id:?}");
            return;
        };
        conversation.close().expect("deleted");
        let delete = server.requests().pop().expect("a request");
        let segments: Vec<&str> = delete.path.split('/').collect();
        let ["", "conversation", segment] = segments[..] else {
            panic!("{id:?}: {}", delete.path);
        };
        assert!(!["", ".", ".."].contains(&segment), "{id:?}: {segment}");
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~%".contains(&byte);
        assert!(segment.bytes().all(plain), "{id:?}: {segment}");
        assert_eq!(percent_decode(segment), id.as_bytes(), "{segment}");
    });
}

#[test]
fn a_prompt_arrives_as_it_was_given() {
    let server = Server::start(script::respond);
    let client = client(server.url());
    // Which version the server is shows in the settings that it takes.
    client
        .conversation()
        .expect("a conversation")
        .close()
        .expect("deleted");
    for_all(string(), |prompt| {
        let mut conversation = client.resume(script::ID).expect("a conversation");
        let outcome = Outcome::of(conversation.send(&*prompt));
        let search = Outcome::of(send_with_search(&mut conversation, &prompt));
        drop(conversation.keep());
        if prompt.trim().is_empty() {
            assert!(outcome.failure.is_some() && search.failure.is_some());
            return;
        }
        assert_eq!((outcome.failure, search.failure), (None, None));
        let inputs = server
            .requests_to(Endpoint::Message)
            .pop()
            .expect("a message");
        assert_eq!(inputs.json()["inputs"], prompt);
        let search = server.requests_to(Endpoint::WebSearch).pop();
        let path = search.expect("a search").path;
        let (_, query) = path.split_once("?prompt=").expect("a query");
        assert_eq!(percent_decode(query), prompt.trim().as_bytes());
    });
}

#[test]
fn a_system_prompt_and_a_model_arrive_as_they_were_given() {
    let server = Server::start(script::respond);
    for_all((string(), "[!-~é😀]{1,20}"), |(prompt, model)| {
        let builder = builder(server.url()).model(&*model).system_prompt(&*prompt);
        let conversation = builder.build().expect("a client").conversation();
        conversation
            .expect("a conversation")
            .close()
            .expect("deleted");
        let settings = server.requests_to(Endpoint::Settings).pop();
        let settings = settings.expect("the settings").form();
        assert_eq!(settings["activeModel"], model);
        let create = server.requests_to(Endpoint::Create).pop();
        let create = create.expect("the creation").json();
        assert_eq!(create["model"], model);
        let is_blank = prompt.trim().is_empty();
        let expected = if is_blank { Value::Null } else { prompt.into() };
        assert_eq!(create["preprompt"], expected);
    });
}

#[test]
fn a_parameter_arrives_as_it_was_set() {
    let server = Server::start(script::respond);
    let client = client(server.url());
    // Which version the server is shows in the settings that it takes.
    client
        .conversation()
        .expect("a conversation")
        .close()
        .expect("deleted");
    for_all((string(), value()), |(name, value)| {
        let name = format!("my {name}");
        let mut conversation = client.resume(script::ID).expect("a conversation");
        let parameters = Parameters::new().set(&*name, value.clone());
        let outcome = Outcome::of(send_with(&mut conversation, "Hello", &parameters));
        drop(conversation.keep());
        assert_eq!(outcome.failure, None);
        let message = server
            .requests_to(Endpoint::Message)
            .pop()
            .expect("a message");
        assert_eq!(message.json()["parameters"][&name], value);
    });
}

#[test]
fn any_url_is_taken_or_refused_without_its_password() {
    for_all(("\\PC{0,20}", "(:[0-9a-z]{0,6})?"), |(host, port)| {
        let url = format!("http://me:secret@{host}{port}/x");
        let builder = Client::builder().url(url).no_proxy();
        let shown = format!("{builder:?}");
        assert!(!shown.contains("secret"), "{shown}");
        let shown = match builder.build() {
            Ok(client) => format!("{client:?}"),
            Err(error) => format!("{error} {error:?}"),
        };
        assert!(!shown.contains("secret"), "{shown}");
    });
}
