//! The chat program in the hands of a person at a terminal.

use std::io::{self, Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use support::http1::{Request, response};
use support::listener::lock;
use support::program::Program;
use support::script::{self, Endpoint};
use support::server::{Server, Then};
use support::service::Service;
use support::terminal::{CTRL_C, CTRL_D, Terminal, screen};

use crate::chat_program;

const SOON: Duration = Duration::from_secs(20);
const WAITING: &str = "\r\u{1b}[K\u{1b}[?7lwaiting for the service ... ";

fn chat(url: &str) -> Program {
    chat_program().args(["-u", url, "-m", "model"])
}

fn on_a_terminal(program: Program) -> Terminal {
    program.start_on_a_terminal(None, None)
}

/// What was asked so far.
fn prompts(server: &Server) -> Vec<String> {
    let messages = server.requests_to(Endpoint::Message);
    let inputs = messages.iter().map(|message| {
        let inputs = &message.json()["inputs"];
        inputs.as_str().expect("a prompt").to_owned()
    });
    inputs.collect()
}

/// A gate that stays open once it is.
#[derive(Default)]
struct Gate {
    is_open: Mutex<bool>,
    opened: Condvar,
}

impl Gate {
    fn open(&self) {
        *lock(&self.is_open) = true;
        self.opened.notify_all();
    }

    fn pass(&self) {
        let is_closed = |is_open: &mut bool| !*is_open;
        let waited = self
            .opened
            .wait_timeout_while(lock(&self.is_open), SOON, is_closed);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

/// A server whose replies do not begin before the gate is open.
fn late(reply: impl Fn(&mut dyn Write) -> Then + Send + Sync + 'static) -> (Server, Arc<Gate>) {
    let gate = Arc::<Gate>::default();
    let closed = Arc::clone(&gate);
    let server = Server::start(script::replying(move |_, writer| {
        closed.pass();
        reply(writer)
    }));
    (server, gate)
}

fn hello(writer: &mut dyn Write) -> Then {
    script::begin(writer, &["Hello", " there"]);
    script::end(writer, "Hello there");
    Then::KeepAlive
}

/// A reply that begins and does not end.
fn endless(writer: &mut dyn Write) -> Then {
    script::begin(writer, &["Hello"]);
    Then::Hold
}

fn refusal(writer: &mut dyn Write) -> Then {
    let body = r#"{"message":"Model is overloaded"}"#;
    let _ = writer.write_all(&response("503 Service Unavailable", &[script::JSON], body));
    Then::KeepAlive
}

#[test]
fn a_reply_that_is_late_is_waited_for_visibly_and_no_trace_of_that_is_left() {
    type Reply = fn(&mut dyn Write) -> Then;
    let refused = "chat: the service answered 503 Service Unavailable while asking for the reply: \
                   Model is overloaded\n";
    let table: [(&[&str], Reply, i32, &str); 3] = [
        (&[], hello, 0, "Hello there\n"),
        (&["--no-stream"], hello, 0, "Hello there\n"),
        (&[], refusal, 4, refused),
    ];
    // All at once, as each takes its seconds.
    let started = table.map(|(options, reply, status, expected)| {
        let (server, gate) = late(reply);
        let terminal = on_a_terminal(chat(&server.url()).arg("Hi").args(options));
        (server, gate, terminal, status, expected)
    });
    for (_server, gate, mut terminal, status, expected) in started {
        // It counts.
        terminal.wait_for(WAITING);
        terminal.wait_for(WAITING);
        gate.open();
        let (ended, output) = terminal.finish();
        assert_eq!(ended, Some(status), "{output:?}");
        assert_eq!(screen(&output), expected, "{output:?}");
    }
}

/// A server that creates its conversations when the gate is open.
fn late_to_create() -> (Server, Arc<Gate>) {
    let gate = Arc::<Gate>::default();
    let (closed, service) = (
        Arc::clone(&gate),
        script::replying(|_, writer| hello(writer)),
    );
    let server = Server::start(move |request, writer| {
        if request.endpoint() == Endpoint::Create {
            closed.pass();
        }
        service(request, writer)
    });
    (server, gate)
}

#[test]
fn requests_are_reported_above_the_line_that_waits() {
    let (server, gate) = late_to_create();
    let mut terminal = on_a_terminal(chat(&server.url()).args(["-v", "Hi"]));
    terminal.wait_for(WAITING);
    gate.open();
    let (status, output) = terminal.finish();
    assert_eq!(status, Some(0), "{output:?}");
    let screen = screen(&output);
    let (steps, lines) = (server.steps(), screen.lines());
    let reports = lines.clone().filter(|line| line.starts_with("chat: "));
    assert_eq!(reports.count(), steps.len(), "{output:?}");
    assert_eq!(lines.count(), steps.len() + 1, "{output:?}");
    assert!(!screen.contains("waiting"), "{output:?}");
}

#[test]
fn ctrl_c_takes_the_line_that_waits_away() {
    let server = Server::start(script::replying(|_, _| Then::Hold));
    let mut terminal = on_a_terminal(chat(&server.url()).arg("Hi"));
    terminal.wait_for(WAITING);
    terminal.press(CTRL_C);
    let (status, output) = terminal.finish();
    assert_eq!(status, Some(130), "{output:?}");
    assert_eq!(screen(&output), "", "{output:?}");
    assert!(server.is_deleted());
}

#[test]
fn nothing_is_shown_where_it_could_not_be_taken_away() {
    let (server, gate) = late(hello);
    let program = || chat(&server.url()).arg("Hi");
    let (mut elsewhere, stderr) = io::pipe().expect("a pipe");
    let piped = program().start_on_a_terminal(None, Some(stderr));
    let dumb = on_a_terminal(program().env("TERM", "dumb"));
    let unknown = on_a_terminal(program().env_remove("TERM"));
    let is_message = |request: &&Request| request.endpoint() == Endpoint::Message;
    let all_wait = |requests: &[Request]| requests.iter().filter(is_message).count() == 3;
    assert!(server.wait_for(all_wait, SOON));
    // Begins to wait after all of them.
    let mut clock = on_a_terminal(program());
    clock.wait_for(WAITING);
    clock.wait_for(WAITING);
    gate.open();
    for terminal in [piped, dumb, unknown, clock].into_iter().take(3) {
        let (status, output) = terminal.finish();
        assert_eq!((status, &*output), (Some(0), "Hello there\r\n"));
    }
    let mut said = String::new();
    elsewhere.read_to_string(&mut said).expect("UTF-8");
    assert_eq!(said, "");
}

#[test]
fn a_reply_that_goes_elsewhere_is_waited_for_visibly_too() {
    let (server, gate) = late(hello);
    let (mut elsewhere, stdout) = io::pipe().expect("a pipe");
    let mut terminal = chat(&server.url())
        .arg("Hi")
        .start_on_a_terminal(Some(stdout), None);
    terminal.wait_for(WAITING);
    gate.open();
    let (status, output) = terminal.finish();
    assert_eq!((status, &*screen(&output)), (Some(0), ""), "{output:?}");
    let mut reply = String::new();
    elsewhere.read_to_string(&mut reply).expect("UTF-8");
    assert_eq!(reply, "Hello there\n");
}

#[test]
fn a_chat_asks_and_retries_and_begins_anew_until_ctrl_d() {
    let service = Service::start().expect("a service");
    let mut terminal = on_a_terminal(chat_program().args(["-u", service.url()]));
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
    Server::start(script::replying(move |_, writer| {
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
    assert!(!server.is_deleted());
    terminal.press("Two\n");
    terminal.wait_for("Hello there\r\n> ");
    terminal.press(format!("Three{CTRL_C}"));
    let (status, output) = terminal.finish();
    assert_eq!(status, Some(130), "{output:?}");
    assert_eq!(prompts(&server), ["One", "Two"]);
    let created = server.requests_to(Endpoint::Create);
    assert_eq!(created.len(), 1, "the chat goes on in its conversation");
    assert!(server.is_deleted());
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

#[test]
fn ctrl_c_while_the_conversation_is_created_shows_at_once_and_sends_nothing() {
    for (is_chat, expected) in [(false, 130), (true, 0)] {
        let (server, gate) = late_to_create();
        let words = if is_chat { None } else { Some("Hi") };
        let mut terminal = on_a_terminal(chat(&server.url()).args(words));
        if is_chat {
            terminal.wait_for("> ");
            terminal.press("Hi\n");
        }
        terminal.wait_for(WAITING);
        terminal.press(CTRL_C);
        // Gone before anything has come.
        terminal.wait_for("\r\u{1b}[K");
        gate.open();
        if is_chat {
            terminal.wait_for("> ");
            terminal.press(CTRL_D);
        }
        let (status, output) = terminal.finish();
        assert_eq!(status, Some(expected), "{output:?}");
        assert!(!screen(&output).contains("waiting"), "{output:?}");
        assert_eq!(prompts(&server), [""; 0]);
        assert!(server.is_deleted());
    }
}

// The default service is one of https.
#[cfg(any(feature = "rustls", feature = "native-tls"))]
#[test]
fn who_names_no_service_is_told_in_a_chat_too_that_the_default_one_is_gone() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let proxy = format!("http://{}", nobody.local_addr().expect("an address"));
    drop(nobody);
    let mut terminal = on_a_terminal(chat_program().args(["-x", &proxy]));
    terminal.wait_for("> ");
    terminal.press("One\n");
    terminal.wait_for("--url");
    terminal.wait_for("> ");
    terminal.press(CTRL_D);
    assert_eq!(terminal.finish().0, Some(0));
}
