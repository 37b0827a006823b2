//! The chat program in the hands of a person at a terminal.

use std::fs;
use std::io::{self, Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use support::http1::{Request, chunk, response};
use support::listener::lock;
use support::program::Program;
use support::script::{self, Endpoint};
use support::server::{Server, Then};
use support::service::{Dialect, Fault, MODELS, Seen, Service};
use support::terminal::{CTRL_C, CTRL_D, Terminal, screen};

use crate::{chat_program, folder};

const SOON: Duration = Duration::from_secs(20);
const WAITING: &str = "\r\u{1b}[K\u{1b}[?7lwaiting for the server ... ";

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
    let refused = "chat: the server responded 503 Service Unavailable while waiting for the reply: \
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
fn nothing_but_text_is_written_to_a_terminal_that_understands_no_more() {
    let server = Server::start(script::replies(&["Hello"]));
    let chat = || chat(&server.url());
    let programs = [
        chat().env("TERM", "dumb"),
        chat().env("TERM", ""),
        chat().env_remove("TERM"),
    ];
    for program in programs {
        let mut terminal = on_a_terminal(program);
        terminal.wait_for("> ");
        terminal.press("One\n");
        terminal.wait_for("Hello\r\n");
        terminal.wait_for("> ");
        // Which leaves the terminal as it was.
        terminal.signal("TERM");
        let (status, output) = terminal.finish();
        assert_eq!(status, Some(143), "{output:?}");
        assert!(!output.contains('\u{1b}'), "{output:?}");
    }
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
    terminal.wait_for("nothing to retry yet\r\n");
    terminal.wait_for("> ");
    terminal.press("/help\n");
    terminal.wait_for("/exit");
    terminal.wait_for("> ");
    terminal.press("/nwe\n");
    terminal.wait_for("no command");
    terminal.wait_for("> ");
    terminal.press("\n");
    terminal.wait_for("> ");
    terminal.press("One\n");
    terminal.wait_for("You said: \"One\". This is the first message of our conversation.\r\n");
    terminal.wait_for("> ");
    terminal.press("Two\n");
    terminal.wait_for("Before that you said: \"One\".");
    terminal.wait_for("> ");
    terminal.press("/retry\n");
    terminal.wait_for("You said: \"Two\".");
    terminal.wait_for("This is the second try.\r\n");
    terminal.wait_for("> ");
    assert_eq!(service.conversations(), 1);
    terminal.press("/new\n");
    terminal.wait_for("> ");
    assert_eq!(service.conversations(), 0);
    terminal.press("/exit\n");
    let (status, output) = terminal.finish();
    assert_eq!(status, Some(0), "{output:?}");
    assert_eq!(service.conversations(), 0);
}

#[test]
fn a_conversation_that_cannot_be_deleted_is_told_of_by_new_and_exit_and_after_ctrl_c() {
    let usual = script::replying(|request, writer| {
        if request.json()["inputs"] == "Three" {
            return endless(writer);
        }
        hello(writer)
    });
    let server = Server::start(move |request, writer| match request.endpoint() {
        Endpoint::Delete => {
            let _ = writer.write_all(&response("500 Internal Server Error", &[], ""));
            Then::KeepAlive
        }
        _ => usual(request, writer),
    });
    let said = "chat: the conversation remains on the server: the server responded 500";
    let mut terminal = on_a_terminal(chat(&server.url()));
    terminal.wait_for("> ");
    terminal.press("One\n");
    terminal.wait_for("Hello there\r\n");
    terminal.wait_for("> ");
    terminal.press("/new\n");
    terminal.wait_for(said);
    terminal.wait_for("> ");
    terminal.press("Three\n");
    terminal.wait_for("Hello");
    terminal.press(CTRL_C);
    terminal.wait_for("> ");
    terminal.press("/exit\n");
    terminal.wait_for(said);
    let (status, output) = terminal.finish();
    assert_eq!(status, Some(0), "{output:?}");
    assert_eq!(output.matches(said).count(), 2, "{output:?}");
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
fn ctrl_c_ends_a_reply_and_clears_a_line_and_says_how_to_leave() {
    let server = long_winded_once();
    let mut terminal = on_a_terminal(chat(&server.url()));
    terminal.wait_for("> ");
    terminal.press("One\n");
    terminal.wait_for("Hello");
    terminal.press(CTRL_C);
    terminal.wait_for("> ");
    assert!(!server.is_deleted());
    terminal.press("Two\n");
    terminal.wait_for("Hello there\r\n");
    terminal.wait_for("> ");
    terminal.press("Three");
    terminal.wait_for("Three");
    terminal.press(CTRL_C);
    terminal.wait_for("> ");
    terminal.press(CTRL_C);
    terminal.wait_for("Ctrl-D or /exit");
    terminal.wait_for("> ");
    assert!(!terminal.output().contains("Three\r\nchat"));
    terminal.press(CTRL_D);
    let (status, output) = terminal.finish();
    assert_eq!(status, Some(0), "{output:?}");
    assert_eq!(output.matches("Ctrl-D or /exit").count(), 1, "{output:?}");
    assert_eq!(prompts(&server), ["One", "Two"]);
    let created = server.requests_to(Endpoint::Create);
    assert_eq!(created.len(), 1, "the chat goes on in its conversation");
    assert!(server.is_deleted());
}

#[test]
fn a_signal_at_the_prompt_ends_the_chat_and_leaves_the_terminal_as_it_was() {
    for (signal, expected) in [("TERM", 143), ("HUP", 129)] {
        let server = Server::start(script::replies(&["Hello"]));
        let mut terminal = on_a_terminal(chat(&server.url()));
        terminal.wait_for("> ");
        terminal.press("One\n");
        terminal.wait_for("Hello\r\n");
        terminal.wait_for("> ");
        terminal.press("Tw");
        terminal.wait_for("Tw");
        assert!(!terminal.is_cooked());
        terminal.signal(signal);
        // The terminal is looked at while the program may still run, but has nothing left to do.
        assert!(server.wait_for(|requests| requests.iter().any(is_delete), SOON));
        assert!(terminal.is_cooked(), "{signal}");
        let (status, output) = terminal.finish();
        assert_eq!(status, Some(expected), "{output:?}");
        assert_eq!(
            output.matches("[?2004h").count(),
            output.matches("[?2004l").count()
        );
    }
}

#[test]
fn a_terminal_that_is_gone_ends_the_chat_as_sighup_does() {
    let server = Server::start(script::replies(&["Hello"]));
    // The signal comes too late, or not at all.
    let ignoring = "trap '' HUP; exec \"$0\" \"$@\"";
    let program = Program::new("sh").args(["-c", ignoring, env!("CARGO_BIN_EXE_chat")]);
    let program = program.args(["-u", &server.url(), "-m", "model"]);
    let (mut said, stderr) = io::pipe().expect("a pipe");
    let mut terminal = program.start_on_a_terminal(None, Some(stderr));
    terminal.wait_for("> ");
    terminal.press("One\n");
    terminal.wait_for("Hello\r\n");
    terminal.wait_for("> ");
    assert_eq!(terminal.hang_up(), Some(129));
    assert!(server.is_deleted());
    let mut errors = String::new();
    said.read_to_string(&mut errors).expect("what was said");
    assert_eq!(errors.matches("chat: ").count(), 1, "{errors}");
}

#[test]
fn an_interrupt_at_the_prompt_says_how_to_leave_and_the_line_stays() {
    for term in ["xterm", "dumb"] {
        let server = Server::start(script::replies(&["Hello"]));
        let mut terminal = on_a_terminal(chat(&server.url()).env("TERM", term));
        terminal.wait_for("> ");
        for _ in 0..3 {
            if term == "dumb" {
                terminal.press(CTRL_C);
            } else {
                terminal.signal("INT");
            }
            terminal.wait_for("Ctrl-D or /exit");
        }
        terminal.press("One\n");
        terminal.wait_for("Hello\r\n");
        terminal.wait_for("> ");
        terminal.press(CTRL_D);
        let (status, output) = terminal.finish();
        assert_eq!(status, Some(0), "{term}: {output:?}");
        assert_eq!(prompts(&server), ["One"]);
    }
}

fn is_delete(request: &Request) -> bool {
    request.endpoint() == Endpoint::Delete
}

/// Types each of the keys when there is a prompt, and returns what the server was asked.
fn prompts_of(program: Program, server: &Server, typed: &[&str]) -> Vec<String> {
    let mut terminal = on_a_terminal(program);
    for keys in typed {
        terminal.wait_for("> ");
        terminal.press(keys);
        terminal.wait_for("Hello\r\n");
    }
    terminal.wait_for("> ");
    terminal.press("/exit\n");
    let (status, output) = terminal.finish();
    assert_eq!(status, Some(0), "{output:?}");
    prompts(server)
}

#[test]
fn a_prompt_of_several_lines_stands_between_quotes() {
    let typed = [
        "\"\"\"\n  One\n/exit\n\nTwo\n\"\"\"\n",
        "\"\"\"One\nTwo\"\"\" \n",
        " \"\"\"/exit\"\"\"\n",
    ];
    let expected = ["  One\n/exit\n\nTwo", "One\nTwo", "/exit"];
    for term in ["xterm", "dumb"] {
        let server = Server::start(script::replies(&["Hello"]));
        let program = chat(&server.url()).env("TERM", term);
        assert_eq!(prompts_of(program, &server, &typed), expected, "{term}");
    }
}

#[test]
fn a_paste_of_several_lines_is_one_prompt_and_no_command() {
    let server = Server::start(script::replies(&["Hello"]));
    let paste = |text: &str| format!("\u{1b}[200~{text}\u{1b}[201~\n");
    let typed = [
        paste("One\rTwo\r\nThree"),
        paste("/exit\rnow"),
        paste("a\tb\u{1b}[31mred"),
    ];
    let typed = typed.each_ref().map(String::as_str);
    let prompts = prompts_of(chat(&server.url()), &server, &typed);
    assert_eq!(prompts, ["One\nTwo\nThree", "/exit\nnow", "a\tbred"]);
}

#[test]
fn lines_are_edited_and_what_keys_send_never_reaches_the_model() {
    const LEFT: &str = "\u{1b}[D";
    const WORD_LEFT: &str = "\u{1b}b";
    const HOME: &str = "\u{1b}[H";
    const UP: &str = "\u{1b}[A";
    let server = Server::start(script::replies(&["Hello"]));
    let typed = [
        format!("Oe{LEFT}n\n"),
        format!("two three{WORD_LEFT}{WORD_LEFT}one \n"),
        format!("{UP}{UP}\n"),
        format!("b{HOME}a\n"),
        // Keys that mean nothing here, and one that is quoted.
        "x\u{1b}[31~\u{1b}OP\u{1b}[Z\u{16}\u{1b}y\n".to_owned(),
        // Wide and combining characters.
        format!("漢字e\u{301}!{LEFT}{LEFT}{LEFT}か\n"),
        format!("👩\u{200d}🌾 نمی\u{200c}خواهم{HOME}>\n"),
    ];
    let typed = typed.each_ref().map(String::as_str);
    let prompts = prompts_of(chat(&server.url()), &server, &typed);
    let expected = [
        "One",
        "one two three",
        "One",
        "ab",
        "xy",
        "漢か字e\u{301}!",
        ">👩\u{200d}🌾 نمی\u{200c}خواهم",
    ];
    assert_eq!(prompts, expected);
}

#[test]
fn without_line_editing_the_sequences_of_keys_do_not_reach_the_model_either() {
    let server = Server::start(script::replies(&["Hello"]));
    let program = chat(&server.url()).env("TERM", "dumb");
    let typed = ["a\u{1b}[Ab\u{1b}[1;5Dc\u{1b}OPd\u{7}e\u{1b}\n"];
    assert_eq!(prompts_of(program, &server, &typed), ["abcde"]);
}

#[test]
fn a_line_survives_that_the_window_becomes_narrow() {
    let server = Server::start(script::replies(&["Hello"]));
    let mut terminal = on_a_terminal(chat(&server.url()));
    terminal.resize(80);
    terminal.wait_for("> ");
    let words = "All work and no play makes Jack a dull boy";
    terminal.press(words);
    terminal.wait_for("boy");
    terminal.resize(20);
    // A signal that comes while keys are read is noticed with the next one, here Ctrl-L: the line
    // is drawn anew, in lines of the new width.
    terminal.press("\x0c");
    terminal.wait_for("> All work and no pl");
    terminal.press("!\n");
    terminal.wait_for("Hello\r\n");
    terminal.wait_for("> ");
    terminal.press(CTRL_D);
    assert_eq!(terminal.finish().0, Some(0));
    assert_eq!(prompts(&server), [format!("{words}!")]);
}

#[test]
fn commands_are_completed_by_a_tab() {
    let server = Server::start(script::replies(&["Hello"]));
    let mut terminal = on_a_terminal(chat(&server.url()));
    terminal.wait_for("> ");
    terminal.press("/ex\t");
    terminal.wait_for("/exit");
    terminal.press("\n");
    assert_eq!(terminal.finish().0, Some(0));
}

#[test]
fn another_model_and_another_system_prompt_begin_a_new_conversation() {
    let service = Service::builder().dialect(Dialect::Main).start();
    let service = service.expect("a service");
    let mut terminal = on_a_terminal(
        chat_program()
            .args(["-u", service.url()])
            .env("XDG_STATE_HOME", folder("keep-at-a-prompt")),
    );
    let mut type_line = |line: &str, shown: &str| {
        terminal.wait_for("> ");
        terminal.press(format!("{line}\n"));
        terminal.wait_for(shown);
    };
    type_line("One", "first message");
    type_line("/model", MODELS[1]);
    type_line("/model nonsense", "no model \"nonsense\"");
    type_line(&format!("/model {}", MODELS[1]), "\n");
    type_line("/system Rhyme.", "\n");
    type_line("Two", "My instructions are: \"Rhyme.\"");
    type_line("/keep", "will stay");
    // What comes after it does not.
    type_line("/new", "kept the conversation");
    type_line("Three", "first message");
    terminal.wait_for("> ");
    terminal.press(CTRL_D);
    let (status, output) = terminal.finish();
    assert_eq!(status, Some(0), "{output:?}");
    let calls = service.model_calls();
    let models: Vec<&str> = calls.iter().map(|call| call.model.as_str()).collect();
    assert_eq!(models, [MODELS[0], MODELS[1], MODELS[1]]);
    assert_eq!(service.conversations(), 1);
}

#[test]
fn a_command_without_its_file_says_so() {
    let server = Server::start(script::replies(&["Hello"]));
    let mut terminal = on_a_terminal(chat(&server.url()));
    for command in ["/file", "/save "] {
        terminal.wait_for("> ");
        terminal.press(format!("{command}\n"));
        terminal.wait_for(&format!("chat: {} needs a FILE\r\n", command.trim()));
    }
    terminal.wait_for("> ");
    terminal.press(CTRL_D);
    assert_eq!(terminal.finish().0, Some(0));
}

#[test]
fn a_conversation_is_saved_to_a_new_file() {
    let server = Server::start(script::replies(&["Hello"]));
    let path = folder("saved").join("chat.md");
    let save = format!("/save {}\n", path.display());
    let mut terminal = on_a_terminal(chat(&server.url()));
    terminal.wait_for("> ");
    terminal.press("One\n");
    terminal.wait_for("Hello\r\n");
    terminal.wait_for("> ");
    terminal.press(&save);
    terminal.wait_for("> ");
    // Nothing is overwritten.
    terminal.press(&save);
    terminal.wait_for("chat.md: ");
    terminal.wait_for("> ");
    terminal.press(CTRL_D);
    assert_eq!(terminal.finish().0, Some(0));
    let saved = fs::read_to_string(path).expect("a file");
    assert_eq!(saved, "> One\n\nHello\n");
}

#[test]
fn what_cannot_be_sent_is_not_and_the_chat_goes_on() {
    for term in ["xterm", "dumb"] {
        let server = Server::start(script::replies(&["Hello"]));
        let mut terminal = on_a_terminal(chat(&server.url()).env("TERM", term));
        terminal.wait_for("> ");
        terminal.press(b"caf\xe9\n");
        terminal.wait_for("not UTF-8");
        terminal.wait_for("> ");
        if cfg!(target_os = "linux") && term == "dumb" {
            terminal.press(format!("{}\n", "o".repeat(6000)));
            terminal.wait_for("chat < FILE");
            terminal.wait_for("> ");
        }
        terminal.press("One\n");
        terminal.wait_for("Hello\r\n");
        terminal.wait_for("> ");
        terminal.press(CTRL_D);
        let (status, output) = terminal.finish();
        assert_eq!(status, Some(0), "{term}: {output:?}");
        assert_eq!(prompts(&server), ["One"], "{term}");
    }
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

#[test]
fn a_message_that_was_deleted_does_not_hide_a_conversation_that_may_remain() {
    let service = Service::builder().dialect(Dialect::V0_9_6).start();
    let service = service.expect("a service");
    let program = chat_program().args(["-u", service.url(), "-s", "Rhyme."]);
    let mut terminal = on_a_terminal(program);
    terminal.wait_for("> ");
    terminal.press("One\n");
    terminal.wait_for("first message");
    terminal.wait_for("> ");
    terminal.press("/new\n");
    terminal.wait_for("> ");
    let count = |service: &Service, method: &str, part: &str| {
        let requests = service.requests();
        let is_such = |seen: &&Seen| seen.method == method && seen.path.contains(part);
        requests.iter().filter(is_such).count()
    };
    assert_eq!(count(&service, "DELETE", "/message/"), 1);

    let late = Fault::Delay(Duration::from_secs(60));
    service.fail_next(1, "POST /conversation", late);
    let created = count(&service, "POST", "/conversation");
    terminal.press("Two\n");
    assert!(service.wait_for(|service| count(service, "POST", "/conversation") > created));
    terminal.press(CTRL_C);
    terminal.wait_for("> ");
    terminal.press(CTRL_D);
    let (status, output) = terminal.finish();
    assert_eq!(status, Some(0), "{output:?}");
    assert!(output.contains("may remain"), "{output:?}");
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

#[test]
fn what_reorders_or_hides_text_is_not_shown_and_what_scripts_need_is() {
    let table = [
        // Overrides, isolates and marks.
        (
            "a\u{202e}b\u{202c}\u{2066}c\u{2069}\u{200e}\u{200f}\u{61c}d",
            "abcd",
        ),
        // Invisible characters and tags.
        (
            "a\u{200b}\u{2060}\u{feff}\u{ad}\u{180e}\u{e0041}\u{e007f}b",
            "ab",
        ),
        ("a\u{2028}b\u{2029}c", "a\r\nb\r\nc"),
        // A family, a heart, Persian and Devanagari.
        (
            "👩\u{200d}👩\u{200d}👧 ❤\u{fe0f}",
            "👩\u{200d}👩\u{200d}👧 ❤\u{fe0f}",
        ),
        ("نمی\u{200c}خواهم", "نمی\u{200c}خواهم"),
        ("क्\u{200d}ष", "क्\u{200d}ष"),
        // Where no script needs them.
        (
            "a\u{200d}b\u{200c}c\u{fe0f}\u{fe0e}\u{e0100}d",
            "abc\u{fe0f}d",
        ),
        ("👩\u{200d}\u{200d}\u{200d}", "👩\u{200d}"),
    ];
    for (sent, shown) in table {
        // Cut between characters, as a reply is.
        let server = Server::start(script::replying(move |_, writer| {
            let tokens: Vec<String> = sent.chars().map(String::from).collect();
            let tokens: Vec<&str> = tokens.iter().map(String::as_str).collect();
            script::begin(writer, &tokens);
            script::end(writer, sent);
            Then::KeepAlive
        }));
        let program = || chat(&server.url()).arg("Hi");
        let (status, output) = on_a_terminal(program()).finish();
        assert_eq!(
            (status, output),
            (Some(0), format!("{shown}\r\n")),
            "{sent:?}"
        );
        // Other programs get what was sent.
        assert_eq!(program().run().stdout, format!("{sent}\n"));
    }
}

#[test]
fn what_arrives_at_once_is_written_at_once() {
    let (go_on, told) = mpsc::channel::<()>();
    let told = Mutex::new(told);
    let server = Server::start(script::replying(move |_, writer| {
        script::begin(writer, &["First"]);
        let _ = lock(&told).recv_timeout(SOON);
        let chunks = ["one\n", " two\n", "\nthree"].map(|token| chunk(script::token(token)));
        let _ = writer.write_all(&chunks.concat());
        let _ = lock(&told).recv_timeout(SOON);
        script::end(writer, "First one\n two\n\nthree");
        Then::KeepAlive
    }));
    // Keeps the writes of the program apart.
    let (reader, stdout) = UnixDatagram::pair().expect("two sockets");
    reader.set_read_timeout(Some(SOON)).expect("a time limit");
    let stdout = io::PipeWriter::from(OwnedFd::from(stdout));
    let program = chat(&server.url()).arg("Hi");
    let terminal = program.start_on_a_terminal(Some(stdout), None);
    let next = || {
        let mut buffer = [0; 100];
        let length = reader.recv(&mut buffer).expect("a write");
        String::from_utf8_lossy(&buffer[..length]).into_owned()
    };
    assert_eq!(next(), "First");
    go_on.send(()).expect("the server listens");
    assert_eq!(next(), "one\n two\n\nthree");
    go_on.send(()).expect("the server listens");
    assert_eq!(next(), "\n");
    assert_eq!(terminal.finish().0, Some(0));
}
