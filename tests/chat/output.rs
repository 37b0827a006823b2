//! The chat program: what it asks, and what it prints.

use std::sync::Mutex;
use std::sync::mpsc;
use std::time::Duration;

use serde_json::json;

use support::http1::{Request, chunk, response};
use support::listener::lock;
use support::program::{DEMO_NOTE, Program};
use support::script::{self, Endpoint};
use support::server::{Server, Then};

use crate::{ask_program, chat_program};

const SOON: Duration = Duration::from_secs(10);

fn chat(server: &Server) -> Program {
    chat_program().args(["-u", &server.url(), "-m", "model"])
}

/// What was asked, from the message that the server got.
fn prompt(server: &Server) -> Option<String> {
    let messages = server.requests_to(Endpoint::Message);
    let inputs = &messages.first()?.json()["inputs"];
    Some(inputs.as_str().expect("a prompt").to_owned())
}

#[test]
fn a_reply_is_printed_without_leading_white_space_and_ends_in_one_newline() {
    let table: [(&[&str], &str); 10] = [
        (&["Hello"], "Hello\n"),
        (&[" Hello", " there", "."], "Hello there.\n"),
        (&["\n", " \n\t", "", "  Hello"], "Hello\n"),
        (&["Hello\n", "\n", "\n\n"], "Hello\n"),
        (&["a\n", "\n", "b\n\nc\n"], "a\n\nb\n\nc\n"),
        (&["Hello ", " "], "Hello  \n"),
        (&["  indented\n", "  code"], "indented\n  code\n"),
        (&["Grüße ", "🦀", "\u{2028}!"], "Grüße 🦀\u{2028}!\n"),
        (&[], "\n"),
        (&[" \n", "\n"], "\n"),
    ];
    for (tokens, expected) in table {
        let server = Server::start(script::replies(tokens));
        for options in [&[][..], &["--no-stream"]] {
            let ended = chat(&server).args(options).arg("Hi").run();
            let case = format!("{tokens:?} with {options:?}: {ended:?}");
            assert_eq!(ended.stdout, expected, "{case}");
            assert_eq!((ended.status, &*ended.stderr), (Some(0), ""), "{case}");
        }
    }
}

#[test]
fn a_token_is_printed_before_the_next_one_is_there() {
    let (go_on, told) = mpsc::channel();
    let told = Mutex::new(told);
    let server = Server::start(script::replying(move |_, writer| {
        script::begin(writer, &["Hello"]);
        if lock(&told).recv_timeout(SOON).is_err() {
            return Then::Close;
        }
        script::end(writer, "Hello");
        Then::KeepAlive
    }));
    let running = chat(&server).arg("Hi").start();
    running.wait_for_stdout("Hello");
    go_on.send(()).expect("the server listens");
    let ended = running.finish();
    assert_eq!(
        (ended.status, &*ended.stdout),
        (Some(0), "Hello\n"),
        "{ended:?}"
    );
}

#[test]
fn the_prompt_is_made_of_words_and_of_standard_input() {
    let table: [(&[&str], &str, &str); 9] = [
        (&["Hi"], "", "Hi"),
        (&["What", "is", "a  monad?"], "", "What is a  monad?"),
        (
            &["Summarise this:"],
            "the notes\n",
            "Summarise this:\n\nthe notes",
        ),
        (
            &["Summarise", "this:"],
            "a\n\nb\r\n\n",
            "Summarise this:\n\na\n\nb",
        ),
        (
            &[],
            "a question\nof two lines\n",
            "a question\nof two lines",
        ),
        (&[], "  indented", "  indented"),
        (&["Hi"], " \n\n", "Hi"),
        (&["Grüße,", "🦀"], "ö\n", "Grüße, 🦀\n\nö"),
        (&["--", "-v", "--help"], "", "-v --help"),
    ];
    for (words, stdin, expected) in table {
        let server = Server::start(script::replies(&["Hello"]));
        let ended = chat(&server).args(words).stdin(stdin).run();
        assert_eq!(ended.status, Some(0), "{words:?}, {stdin:?}: {ended:?}");
        assert_eq!(prompt(&server).as_deref(), Some(expected));
    }
}

#[test]
fn a_long_standard_input_arrives_whole() {
    let server = Server::start(script::replies(&["Hello"]));
    let text = "All work and no play.\n".repeat(10_000);
    let ended = chat(&server).stdin(text.as_bytes()).run();
    assert_eq!(ended.status, Some(0), "{ended:?}");
    assert_eq!(prompt(&server).as_deref(), Some(text.trim_end()));
}

#[test]
fn without_a_prompt_nothing_is_sent() {
    let table: [(&[&str], &[u8], &str); 5] = [
        (&[], b"", "no prompt"),
        (&[], b" \n\t\n", "no prompt"),
        (&["", ""], b"", "prompt"),
        (&[], b"caf\xe9\n", "standard input"),
        (&["Hi"], b"\xff\xfe", "standard input"),
    ];
    for (words, stdin, reason) in table {
        let server = Server::start(script::replies(&["Hello"]));
        let ended = chat(&server).args(words).stdin(stdin).run();
        let case = format!("{words:?}, {stdin:?}: {ended:?}");
        assert_eq!((ended.status, &*ended.stdout), (Some(2), ""), "{case}");
        assert!(ended.stderr.contains(reason), "{case}");
        assert_eq!(ended.stderr.lines().count(), 1, "{case}");
        assert_eq!(server.requests().len(), 0, "{case}");
    }
}

/// A reply that does not end as long as somebody reads it.
fn endless() -> Server {
    Server::start(script::replying(|_, writer| {
        script::begin(writer, &["Hello"]);
        let event = chunk(script::token(" again"));
        while writer.write_all(&event).is_ok() {}
        Then::Close
    }))
}

#[test]
fn a_reader_that_has_enough_ends_the_program_quietly() {
    let server = endless();
    let ended = chat(&server).arg("Hi").stdout_limit(5).run();
    assert_eq!(ended.stdout, "Hello");
    assert_eq!((ended.status, &*ended.stderr), (Some(0), ""));
    assert!(server.is_deleted());
}

#[test]
fn a_reader_that_has_enough_is_told_only_of_a_conversation_that_remains() {
    let usual = script::replying(|_, writer| {
        script::begin(writer, &["Hello"]);
        let event = chunk(script::token(" again"));
        while writer.write_all(&event).is_ok() {}
        Then::Close
    });
    let server = Server::start(move |request, writer| match request.endpoint() {
        Endpoint::Delete => {
            let _ = writer.write_all(&response("403 Forbidden", &[], ""));
            Then::KeepAlive
        }
        _ => usual(request, writer),
    });
    let ended = chat(&server).arg("Hi").stdout_limit(5).run();
    assert_eq!(
        (ended.status, &*ended.stdout),
        (Some(0), "Hello"),
        "{ended:?}"
    );
    let said = "chat: the conversation remains on the server: ";
    assert!(ended.stderr.starts_with(said), "{ended:?}");
    assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
}

#[test]
fn a_reader_of_everything_that_has_enough_ends_the_program_quietly_too() {
    let server = endless();
    let program = chat(&server).args(["-v", "Hi"]).stdout_limit(5);
    let ended = program.start_with_one_output().finish();
    assert_eq!((ended.status, &*ended.stdout), (Some(0), "chat:"));
    assert!(server.is_deleted());
}

#[test]
fn output_that_nobody_reads_is_no_failure() {
    let server = Server::start(script::replies(&["Hello"]));
    let programs = [
        ("a reply", chat(&server).arg("Hi")),
        ("a whole reply", chat(&server).args(["--no-stream", "Hi"])),
        ("events", chat(&server).args(["--json", "Hi"])),
        ("help", chat_program().arg("--help")),
        ("version", chat_program().arg("--version")),
        (
            "models",
            chat_program().args(["--demo=main", "--list-models"]),
        ),
    ];
    for (case, program) in programs {
        let ended = program.stdout_limit(0).run();
        let said = ended.stderr.replace(DEMO_NOTE, "");
        assert_eq!((ended.status, &*said), (Some(0), ""), "{case}: {ended:?}");
    }
    assert_eq!(server.requests_to(Endpoint::Delete).len(), 3);
}

#[cfg(target_os = "linux")]
#[test]
fn output_that_cannot_be_written_is_a_failure_that_says_so() {
    let table: [&[&str]; 4] = [&["--list-models"], &["--help"], &["Hi"], &["--json", "Hi"]];
    for arguments in table {
        let script = "exec \"$0\" --demo \"$@\" > /dev/full";
        let program = Program::new("sh").args(["-c", script, env!("CARGO_BIN_EXE_chat")]);
        let ended = program.args(arguments).run();
        assert_eq!(ended.status, Some(1), "{ended:?}");
        let said = ended.stderr.replace(DEMO_NOTE, "");
        let expected = "chat: cannot write to standard output: ";
        assert!(said.starts_with(expected), "{ended:?}");
        assert_eq!(said.lines().count(), 1, "{ended:?}");
    }
}

#[test]
fn the_ask_program_prints_the_reply_to_its_arguments() {
    let server = Server::start(script::replies(&["Hello", " there"]));
    let program = ask_program().env("H2OGPT_URL", server.url());
    let ended = program
        .env("H2OGPT_MODEL", "some/model")
        .args(["Hi", "you"])
        .run();
    assert_eq!(
        (ended.status, &*ended.stdout),
        (Some(0), "Hello there\n"),
        "{ended:?}"
    );
    assert_eq!(prompt(&server).as_deref(), Some("Hi you"));
    let settings = server.requests_to(Endpoint::Settings)[0].form();
    assert_eq!(settings["activeModel"], "some/model");
    assert!(server.is_deleted());
}

#[test]
fn a_reply_that_is_cut_at_its_greatest_length_is_said_to_be() {
    let demo = ["--demo", "-o", "max_new_tokens=3"];
    let ended = chat_program().args(demo).arg("one two three four").run();
    assert_eq!(ended.status, Some(0), "{ended:?}");
    assert_eq!(ended.stdout, "You said: \"one\n");
    let said = format!("{DEMO_NOTE}chat: the reply was cut off at its maximum length\n");
    assert_eq!(ended.stderr, said);
}

#[test]
fn the_steps_of_a_web_search_are_said_unless_they_are_without_words() {
    let search = |request: &Request| {
        let steps = json!({ "messages": [
            { "type": "update", "message": "Searching", "args": ["primes"] },
            { "type": "update" },
            { "type": "update", "message": " ", "sources": [{ "title": "T", "link": "L" }] },
            { "type": "result", "id": "1" },
        ]});
        let is_search = request.endpoint() == Endpoint::WebSearch;
        is_search.then(|| response("200 OK", &[script::JSON], steps.to_string()))
    };
    let server = Server::start(script::responding(search));
    let ended = chat(&server).args(["-w", "Name a prime number."]).run();
    assert_eq!((ended.status, &*ended.stdout), (Some(0), "Hi\n"));
    let said = "chat: web search: Searching: primes\nchat:   T <L>\n";
    assert_eq!(ended.stderr, said);
}
