//! Whatever a service answers to a message: no panic, no hang, no lie.
//!
//! The input is the response to the message, from its status line on. Once it goes through a
//! socket, the client and HTTP; and once its body goes to the decoder, cut in two ways.

#![no_main]

use std::io::{BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{LazyLock, Mutex};
use std::thread;
use std::time::Duration;

use h2ogpt::{Client, Error, Tokens, tokens};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|response: &[u8]| {
    exchange(response);
    decode(response);
});

/// The reply, or what there was of it.
fn outcome(replies: impl Iterator<Item = h2ogpt::Result<String>>) -> (String, Option<Error>) {
    let mut text = String::new();
    for token in replies {
        match token {
            Ok(token) => {
                assert!(!token.is_empty(), "an empty token");
                text.push_str(&token);
            }
            Err(error) => return (text, Some(error)),
        }
    }
    (text, None)
}

fn exchange(response: &[u8]) {
    let client = &*CLIENT;
    *RESPONSE.lock().unwrap() = response.to_vec();
    let Ok(mut conversation) = client.conversation() else {
        // The last response looked whole, and then its connection was closed all the same.
        return;
    };
    let mut reply = conversation.send("Hello").unwrap();
    let (text, error) = outcome(reply.by_ref());
    assert!(reply.next().is_none(), "not fused");
    if let Some(error) = error {
        assert_eq!(error.partial().unwrap_or_default(), text);
        let shown = error.to_string();
        assert!(!shown.contains(char::is_control), "{shown:?}");
    }
    drop(reply);
    // The service answers nothing else than what it is told.
    drop(conversation.keep());
}

fn decode(body: &[u8]) {
    let whole = outcome(tokens(body));
    for size in [1, 7] {
        let mut cut: Tokens<_> = tokens(BufReader::with_capacity(size, body));
        let (text, error) = outcome(cut.by_ref());
        assert_eq!(text, whole.0);
        assert_eq!(
            error.map(|error| error.to_string()),
            whole.1.as_ref().map(|error| error.to_string())
        );
    }
}

/// What the service answers to a message.
static RESPONSE: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// The client of that service.
static CLIENT: LazyLock<Client> = LazyLock::new(|| {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for connection in listener.incoming() {
            thread::spawn(|| serve(connection.unwrap()));
        }
    });
    Client::builder()
        .url(url)
        .model("m")
        .no_proxy()
        .timeout_token(Duration::from_secs(2))
        .build()
        .unwrap()
});

fn serve(mut connection: TcpStream) {
    let mut input = connection.try_clone().unwrap();
    let mut received = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        while let Some(head) = find(&received, b"\r\n\r\n") {
            let text = String::from_utf8_lossy(&received[..head]).to_ascii_lowercase();
            let length = text
                .split("content-length: ")
                .nth(1)
                .map_or(0, |rest| rest.split('\r').next().unwrap().parse().unwrap());
            if received.len() < head + 4 + length {
                break;
            }
            received.drain(..head + 4 + length);
            let body = match text.split(' ').nth(1).unwrap() {
                "/settings" => "",
                "/conversation" => r#"{"conversationId":"1"}"#,
                path if path.ends_with("/stop-generating") => "",
                _ => {
                    let _ = connection.write_all(&RESPONSE.lock().unwrap());
                    return;
                }
            };
            let length = body.len();
            let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}");
            if connection.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
        match input.read(&mut buffer) {
            Ok(length) if length > 0 => received.extend_from_slice(&buffer[..length]),
            _ => return,
        }
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}
