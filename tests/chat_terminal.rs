//! The chat program in the hands of a person at a terminal.

#![cfg(unix)]

mod support;

#[path = "../examples/service/mod.rs"]
mod service;

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use service::Service;
use support::http1::{LAST_CHUNK, Request, chunk};
use support::program::Program;
use support::script;
use support::server::{Server, Then};
use support::terminal::{CTRL_C, CTRL_D, Terminal};

fn chat(url: &str) -> Program {
    Program::chat().args(["-u", url, "-m", "model"])
}

fn on_a_terminal(program: Program) -> Terminal {
    program.start_on_a_terminal(None, None)
}

fn is_message(request: &Request) -> bool {
    request.method == "POST" && request.path.ends_with(script::CONVERSATION)
}

/// What was asked so far.
fn prompts(server: &Server) -> Vec<String> {
    let requests = server.requests();
    let messages = requests.iter().filter(|request| is_message(request));
    let inputs = messages.map(|message| {
        let body: Value = serde_json::from_slice(&message.body).expect("JSON");
        body["inputs"].as_str().expect("inputs").to_owned()
    });
    inputs.collect()
}

fn hello(writer: &mut dyn Write) -> Then {
    script::begin(writer, &["Hello", " there"]);
    let _ = writer.write_all(&chunk(script::last_event("Hello there")));
    let _ = writer.write_all(LAST_CHUNK);
    Then::KeepAlive
}

/// A reply that begins and does not end.
fn endless(writer: &mut dyn Write) -> Then {
    script::begin(writer, &["Hello"]);
    Then::Hold
}

#[test]
fn a_chat_asks_and_retries_and_begins_anew_until_ctrl_d() {
    let service = Service::start().expect("a service");
    let mut terminal = on_a_terminal(Program::chat().args(["-u", service.url()]));
    terminal.wait_for("> ");
    terminal.press("/retry\n");
    terminal.wait_for("nothing to retry yet\r\n> ");
    terminal.press("/help\n");
    terminal.wait_for("/exit\r\n> ");
    terminal.press("\n");
    terminal.wait_for("> ");
    terminal.press("One\n");
    terminal.wait_for("You said: \"One\". This is the first message of our conversation.\r\n> ");
    terminal.press("Two\n");
    terminal.wait_for("Before that you said: \"One\".");
    terminal.wait_for("> ");
    terminal.press("/retry\n");
    terminal.wait_for("You said: \"Two\".");
    terminal.wait_for("This is the second try.\r\n> ");
    assert_eq!(service.conversations(), 1);
    terminal.press("/new\n");
    terminal.wait_for("> ");
    assert_eq!(service.conversations(), 0);
    // A line that ends with Ctrl-D is a line.
    terminal.press(format!("Three{CTRL_D}{CTRL_D}"));
    terminal.wait_for("Three\r\nYou said: \"Three\". This is the first message");
    terminal.wait_for("> ");
    terminal.press(CTRL_D);
    let (status, output) = terminal.finish();
    assert_eq!(status, Some(0), "{output:?}");
    assert!(output.ends_with("> \r\n"), "{output:?}");
    assert_eq!(service.conversations(), 0);
}

/// A server whose first reply does not end, while the others do.
fn long_winded_once() -> Server {
    let messages = AtomicUsize::new(0);
    Server::start(script::service(move |_, writer| {
        match messages.fetch_add(1, Ordering::SeqCst) {
            0 => endless(writer),
            _ => hello(writer),
        }
    }))
}

#[test]
fn ctrl_c_ends_a_reply_and_then_the_chat() {
    let server = long_winded_once();
    let mut terminal = on_a_terminal(chat(&server.url()));
    terminal.wait_for("> ");
    terminal.press("One\n");
    terminal.wait_for("Hello");
    terminal.press(CTRL_C);
    terminal.wait_for("> ");
    assert!(!script::is_deleted(&server.requests()));
    terminal.press("Two\n");
    terminal.wait_for("Hello there\r\n> ");
    terminal.press(format!("Three{CTRL_C}"));
    let (status, output) = terminal.finish();
    assert_eq!(status, Some(130), "{output:?}");
    assert_eq!(prompts(&server), ["One", "Two"]);
    let requests = server.requests();
    let created = requests.iter().filter(|r| r.path == "/conversation");
    assert_eq!(created.count(), 1, "the chat goes on in its conversation");
    assert!(script::is_deleted(&requests));
}

#[test]
fn a_prompt_of_several_lines_stands_between_quotes() {
    let server = Server::start(script::replies(&["Hello"]));
    let mut terminal = on_a_terminal(chat(&server.url()));
    let typed = [
        (
            "\"\"\"\n  One\n/exit\n\nTwo\n\"\"\"\n",
            "  One\n/exit\n\nTwo",
        ),
        ("\"\"\"One\nTwo\"\"\" \n", "One\nTwo"),
        (" \"\"\"/exit\"\"\"\n", "/exit"),
        ("\"\"\"\nOne\n\u{4}", "One"),
    ];
    for (keys, _) in typed {
        terminal.wait_for("> ");
        terminal.press(keys);
        terminal.wait_for("Hello\r\n");
    }
    terminal.wait_for("> ");
    terminal.press("/exit\n");
    let (status, output) = terminal.finish();
    assert_eq!(status, Some(0), "{output:?}");
    assert_eq!(prompts(&server), typed.map(|(_, prompt)| prompt));
}

#[test]
fn what_cannot_be_sent_is_not_and_the_chat_goes_on() {
    let server = Server::start(script::replies(&["Hello"]));
    let mut terminal = on_a_terminal(chat(&server.url()));
    terminal.wait_for("> ");
    terminal.press(b"caf\xe9\n");
    terminal.wait_for("not UTF-8");
    terminal.wait_for("> ");
    terminal.press(b"\"\"\"\ncaf\xe9\n/exit\n\"\"\"\n");
    terminal.wait_for("not UTF-8");
    terminal.wait_for("> ");
    if cfg!(target_os = "linux") {
        terminal.press(format!("{}\n", "ö".repeat(3000)));
        terminal.wait_for("chat < FILE");
        terminal.wait_for("> ");
    }
    terminal.press(format!("One\n{CTRL_D}"));
    let (status, output) = terminal.finish();
    assert_eq!(status, Some(0), "{output:?}");
    assert_eq!(prompts(&server), ["One"]);
}

#[test]
fn what_a_reply_says_cannot_steer_the_terminal() {
    let tokens = &[
        "\u{1b}[31mred",
        "\u{1b}]0;ti",
        "tle\u{7}\r\n",
        "a\tb\r",
        "over\u{9b}2J\u{8}\u{7f}",
    ];
    let server = Server::start(script::replies(tokens));
    let shown = "\u{fffd}[31mred\u{fffd}]0;title\u{fffd}\r\na\tbover\u{fffd}2J\u{fffd}\u{fffd}\r\n";
    for options in [&[][..], &["--no-stream"]] {
        let program = || chat(&server.url()).arg("Hi").args(options);
        let (status, output) = on_a_terminal(program()).finish();
        assert_eq!((status, &*output), (Some(0), shown));
        // Other programs get what was sent.
        assert_eq!(program().run().stdout, tokens.concat() + "\n");
    }
}

// The default service is one of https.
#[cfg(any(feature = "rustls", feature = "native-tls"))]
#[test]
fn who_names_no_service_is_told_in_a_chat_too_that_the_default_one_is_gone() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let proxy = format!("http://{}", nobody.local_addr().expect("an address"));
    drop(nobody);
    let mut terminal = on_a_terminal(Program::chat().args(["-x", &proxy]));
    terminal.wait_for("> ");
    terminal.press("One\n");
    terminal.wait_for("--url");
    terminal.wait_for("> ");
    terminal.press(CTRL_D);
    assert_eq!(terminal.finish().0, Some(0));
}
