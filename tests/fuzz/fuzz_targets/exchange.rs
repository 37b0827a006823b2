//! Whatever a server responds to a message: no panic, no hang, no incomplete reply that looks complete.
//!
//! The input is the response to the message, from its status line on. It goes through a socket, the
//! client and HTTP.

#![no_main]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{LazyLock, Mutex};
use std::thread;
use std::time::Duration;

use h2ogpt::{Client, Error};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|response: &[u8]| {
    exchange(response);
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
    match conversation.send("Hello") {
        Ok(mut reply) => {
            let (text, error) = outcome(reply.by_ref());
            assert!(reply.next().is_none(), "not fused");
            if let Some(error) = error {
                check(&error, &text);
            }
        }
        Err(error) => check(&error, ""),
    }
    // The server has no other response than what it is told.
    drop(conversation.keep());
}

fn check(error: &Error, text: &str) {
    assert_eq!(error.partial().unwrap_or_default(), text);
    let shown = error.to_string();
    assert!(!shown.contains(char::is_control), "{shown:?}");
}

/// What the server responds to a message.
static RESPONSE: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// The client of that server.
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
                // The form of the first versions, so that nothing else is asked before a message.
                "/settings" => "",
                "/conversation" => r#"{"conversationId":"1"}"#,
                path if path.ends_with("/stop-generating") => "",
                _ => {
                    let _ = connection.write_all(&RESPONSE.lock().unwrap());
                    return;
                }
            };
            let length = body.len();
            let response = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}");
            if connection.write_all(response.as_bytes()).is_err() {
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
