//! The options and variables of the chat program, as the server sees them.

use std::fs;

use serde_json::json;

use support::program::{DEMO_NOTE, Program};
use support::script::{self, Endpoint};
use support::server::Server;
use support::service::{Dialect, Fault, MODELS, Service};

use crate::{chat_program, folder};

fn server() -> Server {
    Server::start(script::replies(&["Hello"]))
}

fn chat(server: &Server) -> Program {
    chat_program().args(["-u", &server.url()])
}

#[track_caller]
fn run(program: Program) {
    let ended = program.run();
    assert_eq!(
        (ended.status, &*ended.stdout),
        (Some(0), "Hello\n"),
        "{ended:?}"
    );
}

fn setting(server: &Server, name: &str) -> Option<String> {
    server.requests_to(Endpoint::Settings)[0]
        .form()
        .remove(name)
}

#[test]
fn generation_parameters_are_json_or_else_text() {
    let server = server();
    run(chat(&server).args([
        "-o",
        "temperature=0.75",
        "--option",
        "seed=18446744073709551615",
        "-o=stop=[\"a\", \"=\"]",
        "-ologit_bias={\"a\":null}",
        "-o",
        "flag=true",
        "-o",
        "note=a = b",
        "-o",
        "empty=",
        "-o",
        "quoted=\"1\"",
        "-o",
        "max_new_tokens=1",
        "-o",
        "max_new_tokens=20",
        "Hi",
    ]));
    let parameters = &server.requests_to(Endpoint::Message)[0].json()["parameters"];
    let expected = [
        ("temperature", json!(0.75)),
        ("seed", json!(u64::MAX)),
        ("stop", json!(["a", "="])),
        ("logit_bias", json!({ "a": null })),
        ("flag", json!(true)),
        ("note", json!("a = b")),
        ("empty", json!("")),
        ("quoted", json!("1")),
        ("max_new_tokens", json!(20)),
        // What was not set keeps its default.
        ("repetition_penalty", json!(1.2)),
    ];
    for (name, value) in expected {
        assert_eq!(parameters[name], value, "{name} in {parameters}");
    }
}

#[test]
fn the_model_is_that_of_the_option_or_of_the_environment_or_the_first_of_the_service() {
    let table: [(&[&str], Option<&str>, &str); 6] = [
        (&["-m", "own/one"], None, "own/one"),
        (&["--model=own/one"], Some("env/one"), "own/one"),
        (&[], Some("env/one"), "env/one"),
        (&[], Some(""), h2ogpt::DEFAULT_MODEL),
        (&[], None, h2ogpt::DEFAULT_MODEL),
        (&["-m", "modèle/ö &=+"], None, "modèle/ö &=+"),
    ];
    for (options, variable, expected) in table {
        let server = server();
        let mut program = chat(&server).args(options).arg("Hi");
        if let Some(model) = variable {
            program = program.env("H2OGPT_MODEL", model);
        }
        run(program);
        assert_eq!(setting(&server, "activeModel").as_deref(), Some(expected));
        let create = server.requests_to(Endpoint::Create)[0].json();
        assert_eq!(create["model"], expected);
    }
}

#[test]
fn the_service_is_that_of_the_option_or_of_the_environment() {
    let (chosen, other) = (server(), server());
    let ask = || chat_program().args(["-m", "model", "Hi"]);
    run(ask().env("H2OGPT_URL", chosen.url()));
    run(ask()
        .env("H2OGPT_URL", other.url())
        .args(["-u", &chosen.url()]));
    run(ask()
        .env("H2OGPT_URL", "nonsense")
        .args(["--url", &chosen.url()]));
    assert_eq!(other.requests().len(), 0);

    let ended = ask().env("H2OGPT_URL", "nonsense").run();
    assert_eq!((ended.status, &*ended.stdout), (Some(2), ""), "{ended:?}");
    assert!(ended.stderr.contains("URL"), "{ended:?}");
}

#[test]
fn a_conversation_is_shared_with_the_authors_of_the_model_only_if_asked_to() {
    for (options, expected) in [(&[][..], None), (&["--share"], Some("true"))] {
        let server = server();
        run(chat(&server).args(options).arg("Hi"));
        let shared = setting(&server, "shareConversationsWithModelAuthors");
        assert_eq!(shared.as_deref(), expected, "{options:?}");
    }
}

#[test]
fn the_system_prompt_reaches_every_server_that_has_one() {
    for dialect in Dialect::ALL
        .into_iter()
        .filter(|&dialect| dialect != Dialect::V0_3)
    {
        let service = Service::builder()
            .dialect(dialect)
            .start()
            .expect("a service");
        for option in ["-s", "--system"] {
            let program = chat_program().args(["-u", service.url(), option, "Rhyme, ö!", "Hi"]);
            let ended = program.run();
            let instructions = "My instructions are: \"Rhyme, ö!\".";
            assert!(ended.stdout.contains(instructions), "{dialect}: {ended:?}");
        }
    }
}

#[test]
fn wrong_use_is_refused_before_anything_is_sent() {
    let server = server();
    let table: [(&[&str], &str); 32] = [
        (&["--unknown"], "--unknown"),
        (&["--modle", "x"], "did you mean --model?"),
        (&["--no-steam"], "did you mean --no-stream?"),
        (&["--contineu"], "did you mean --continue?"),
        (&["--retries", "many"], "retries"),
        (&["--retries", "-1"], "retries"),
        (&["--within", "0"], "seconds"),
        (&["-H", "no colon"], "NAME: VALUE"),
        (&["-f", "/no/such/file.png"], "/no/such/file.png"),
        (&["-f", "/no/such/file=image/png"], "/no/such/file"),
        (&["-f", "/etc/passwd"], "/etc/passwd"),
        (&["-z"], "-z"),
        (&["-m"], "-m"),
        (&["--no-stream=yes"], "--no-stream"),
        (&["-o", "temperature"], "NAME=VALUE"),
        (&["-o", "=1"], "NAME=VALUE"),
        (&["-o", "temperature=-1"], "temperature"),
        (&["-o", "top_p=1"], "top_p"),
        (&["--timeout", "0"], "seconds"),
        (&["--timeout", "-1"], "seconds"),
        (&["--timeout", "soon"], "seconds"),
        (&["--timeout", "inf"], "seconds"),
        (&["--timeout", "NaN"], "seconds"),
        (&["--timeout", "1e300"], "seconds"),
        (&["-m", ""], "model"),
        (&["--demo"], "--demo"),
        (
            &["--demo=v9"],
            "v0.3, v0.4, v0.5, v0.6, v0.7, v0.8, v0.9, v0.9.1 to v0.9.6, v0.10",
        ),
        (&["--demo=v0.2"], "main"),
        (&["--demo=v0.9.7"], "main"),
        (&["--demo=v0.9."], "main"),
        (&["-u", "ftp://host"], "http"),
        (&["--cacert", "/no/such/file"], "/no/such/file"),
    ];
    for (options, word) in table {
        let ended = chat(&server).arg("Hi").args(options).run();
        assert_eq!(
            (ended.status, &*ended.stdout),
            (Some(2), ""),
            "{options:?}: {ended:?}"
        );
        assert!(ended.stderr.contains(word), "{options:?}: {ended:?}");
        let lines = ended.stderr.lines().count();
        assert_eq!(lines, 1, "{options:?}: {ended:?}");
    }
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn options_that_have_no_effect_together_are_refused() {
    let server = server();
    let table: [(&[&str], &str); 9] = [
        (
            &["--list", "--delete", "all"],
            "--list and --delete exclude each other",
        ),
        (
            &["--serve", "--list"],
            "--serve and --list exclude each other",
        ),
        (
            &["--serve", "--demo"],
            "--serve and --demo exclude each other",
        ),
        (
            &["--delete", "1", "--delete", "2"],
            "--delete can be given once",
        ),
        (&["--list", "Hi"], "--list takes no prompt"),
        (&["--list-models", "Hi"], "--list-models takes no prompt"),
        (&["Hi", "--delete", "all"], "--delete takes no prompt"),
        (
            &["Hi", "--fault", "reset"],
            "--fault needs --serve or --demo",
        ),
        (
            &[
                "Hi",
                "--replies",
                concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"),
            ],
            "--replies needs --serve or --demo",
        ),
    ];
    for (options, reason) in table {
        let program = chat_program().env("H2OGPT_URL", server.url());
        let ended = program.args(options).run();
        let said = format!("chat: {reason} (see --help)\n");
        let outcome = (ended.status, &*ended.stdout, &*ended.stderr);
        assert_eq!(outcome, (Some(2), "", &*said), "{options:?}");
    }
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn the_program_tells_its_options_and_its_version() {
    for option in ["-h", "--help"] {
        let ended = chat_program().args(["ignored", option, "--unknown"]).run();
        assert_eq!((ended.status, &*ended.stderr), (Some(0), ""), "{ended:?}");
        let documented = [
            "-u, --url",
            "--demo",
            "-m, --model",
            "-s, --system",
            "-o, --option",
            "-x, --proxy",
            "--cacert",
            "-f, --file",
            "-c, --continue",
            "-k, --keep",
            "--list,",
            "--delete",
            "-H, --header",
            "--timeout",
            "--within",
            "--retries",
            "--json",
            "--serve",
            "--fault",
            "/h2ogpt/kept",
            "--no-stream",
            "-w, --web-search",
            "--share",
            "--list-models",
            "-v, --verbose",
            "-h, --help; -V, --version",
            "H2OGPT_URL",
            "H2OGPT_MODEL",
            "H2OGPT_COOKIE",
            "SSL_CERT_FILE",
            "Exit status",
        ];
        for text in documented {
            assert!(ended.stdout.contains(text), "{text} in {}", ended.stdout);
        }
        let widest = ended.stdout.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(80), "{widest:?}");
        let lines = ended.stdout.lines().count();
        assert!((24..=40).contains(&lines), "{lines} lines");
    }
    for option in ["-V", "--version"] {
        let ended = chat_program().arg(option).run();
        let version = format!("chat {}\n", env!("CARGO_PKG_VERSION"));
        assert_eq!((ended.status, ended.stdout), (Some(0), version));
    }
}

#[test]
fn every_server_has_a_list_of_models() {
    for dialect in Dialect::ALL {
        let ended = chat_program()
            .args([&format!("--demo={dialect}"), "--list-models"])
            .run();
        let list = MODELS.join("\n") + "\n";
        let outcome = (ended.status, &*ended.stdout, &*ended.stderr);
        assert_eq!(outcome, (Some(0), &*list, DEMO_NOTE), "{dialect}");
    }
}

#[test]
fn every_demonstration_replies_and_searches_the_web_if_asked_to() {
    let reply = "You said: \"Hi\". This is the first message of our conversation.";
    let start = |dialect, options: &[&str]| {
        let program = chat_program().arg(format!("--demo={dialect}"));
        program.args(options).arg("Hi").start()
    };
    // All at once, as they take their time for each token.
    let programs = Dialect::ALL.map(|dialect| {
        let (plain, searching) = (start(dialect, &[]), start(dialect, &["-w"]));
        (dialect, plain, searching)
    });
    for (dialect, plain, searching) in programs {
        let ended = plain.finish();
        assert_eq!(
            (ended.status, &*ended.stderr),
            (Some(0), DEMO_NOTE),
            "{dialect}: {ended:?}"
        );
        assert_eq!(ended.stdout, format!("{reply}\n"), "{dialect}");

        let ended = searching.finish();
        let searches = ![Dialect::V0_9_6, Dialect::Main].contains(&dialect);
        let (found, said) = if searches {
            let found = format!("{reply} I searched the web for \"Hi\".\n");
            (found, "chat: web search: Generating")
        } else {
            let said = "chat: this server ignores the web search\n";
            (format!("{reply}\n"), said)
        };
        let outcome = (ended.status, &*ended.stdout);
        assert_eq!(outcome, (Some(0), &*found), "{dialect}: {ended:?}");
        assert!(ended.stderr.contains(said), "{dialect}: {ended:?}");
        let search = ended.stderr.contains("chat: web search: ");
        assert_eq!(search, searches, "{dialect}: {ended:?}");
    }
}

#[test]
fn the_demonstration_needs_neither_an_address_nor_a_model() {
    let elsewhere = server();
    let program = chat_program().args(["--demo", "Hi"]);
    let ended = program.env("H2OGPT_URL", elsewhere.url()).run();
    assert_eq!(ended.status, Some(0), "{ended:?}");
    assert_eq!(elsewhere.requests().len(), 0);
}

#[test]
fn a_parameter_that_the_server_of_2023_does_not_know_is_told_of_and_sent() {
    let table = [
        ("tempreature=1", ", did you mean temperature?"),
        ("max_tokens=1", ""),
    ];
    for (option, suggestion) in table {
        let server = server();
        let ended = chat(&server).args(["-o", option, "Hi"]).run();
        let (name, _) = option.split_once('=').expect("a name");
        let said =
            format!("chat: text-generation-inference has no parameter {name:?}{suggestion}\n");
        let outcome = (ended.status, &*ended.stdout, &*ended.stderr);
        assert_eq!(outcome, (Some(0), "Hello\n", &*said), "{ended:?}");
        let parameters = &server.requests_to(Endpoint::Message)[0].json()["parameters"];
        assert_eq!(parameters[name], 1);
    }
}

#[test]
fn what_the_server_ignores_is_said_in_one_line() {
    let service = Service::builder().dialect(Dialect::Main).start();
    let service = service.expect("a service");
    let program = chat_program().args(["-u", service.url(), "-o", "seed=1", "-w", "Hi"]);
    let ended = program.run();
    assert_eq!(ended.status, Some(0), "{ended:?}");
    let said = "chat: this server ignores generation parameters and the web search\n";
    assert!(ended.stderr.starts_with(said), "{ended:?}");
}

#[test]
fn headers_go_with_every_request_and_are_not_shown() {
    let server = server();
    let program = chat(&server).args(["-H", "X-Key: s3cret", "--header=X-Other:a: b", "-v", "Hi"]);
    let ended = program.run();
    assert_eq!(ended.status, Some(0), "{ended:?}");
    assert!(!ended.stderr.contains("s3cret"), "{ended:?}");
    for request in server.requests() {
        assert_eq!(request.header("x-key"), Some("s3cret"));
        assert_eq!(request.header("x-other"), Some("a: b"));
    }
}

#[test]
fn files_go_with_the_prompt() {
    let service = Service::builder().dialect(Dialect::Main).start();
    let service = service.expect("a service");
    let notes = folder("files").join("notes.txt");
    fs::write(&notes, "All work and no play").expect("a file");
    let unnamed = notes.with_file_name("unnamed");
    fs::write(&unnamed, "makes Jack a dull boy").expect("a file");
    let typed = format!("{}=text/plain", unnamed.display());
    let program = chat_program().args(["-u", service.url(), "Summarise this", "-f"]);
    let ended = program.arg(&notes).args(["--file", &typed]).run();
    assert_eq!(ended.status, Some(0), "{ended:?}");
    let calls = service.model_calls();
    let (_, prompt) = calls[0].messages.last().expect("a message");
    for part in [
        "All work and no play",
        "makes Jack a dull boy",
        "Summarise this",
    ] {
        assert!(prompt.contains(part), "{prompt}");
    }
}

#[test]
fn a_file_that_the_server_would_drop_is_refused_before_anything_is_sent() {
    let picture = folder("dropped").join("cat.png");
    fs::write(&picture, [0x89, b'P', b'N', b'G']).expect("a file");
    for dialect in [Dialect::V0_5, Dialect::Main] {
        let service = Service::builder().dialect(dialect).start();
        let service = service.expect("a service");
        let program = chat_program().args(["-u", service.url(), "Hi", "-f"]);
        let ended = program.arg(&picture).run();
        assert_eq!((ended.status, &*ended.stdout), (Some(2), ""), "{ended:?}");
        assert!(ended.stderr.contains("cat.png"), "{ended:?}");
        assert_eq!(service.model_calls().len(), 0);
        assert_eq!(service.conversations(), 0);
    }
}

#[test]
fn what_is_refused_for_the_moment_is_tried_again_as_often_as_asked() {
    for (retries, status) in [("0", 4), ("1", 4), ("2", 0)] {
        let service = Service::builder().models(&["model"]).start();
        let service = service.expect("a service");
        service.fail_next(2, "POST /conversation/{id}", Fault::Status(503, Some(0)));
        let program = chat_program().args(["-u", service.url(), "--retries", retries, "Hi"]);
        let ended = program.run();
        assert_eq!(ended.status, Some(status), "{retries}: {ended:?}");
    }
}

#[test]
fn a_time_beyond_the_clock_is_no_limit() {
    for option in ["--within", "--timeout"] {
        let server = server();
        run(chat(&server).args([option, "1e19", "Hi"]));
    }
}

#[test]
fn everything_is_bounded_by_one_time() {
    let stalling = |tokens| {
        let service = Service::builder()
            .models(&["model"])
            .faults(move |request| {
                let stall = Fault::Stall(tokens);
                request.is_message().then_some(stall)
            });
        service.start().expect("a service")
    };
    for (tokens, status, stdout) in [(0, 3, ""), (3, 6, "You said: \"Hi\".\n")] {
        let service = stalling(tokens);
        let program = chat_program().args(["-u", service.url(), "--within", "0.5", "Hi"]);
        let ended = program.run();
        let outcome = (ended.status, &*ended.stdout);
        assert_eq!(outcome, (Some(status), stdout), "{ended:?}");
        assert!(ended.stderr.contains("--within"), "{ended:?}");
        assert_eq!(service.conversations(), 0);
    }
    let program = chat_program()
        .args(["--within", "0.1", "Hi"])
        .stdin_stays_open();
    let running = program.start();
    let _open = running.wait_for_stdin();
    let ended = running.finish();
    assert_eq!((ended.status, &*ended.stdout), (Some(3), ""), "{ended:?}");
    assert!(ended.stderr.contains("--within"), "{ended:?}");
}
