//! The options and variables of the chat program, as the server sees them.

use serde_json::json;

use support::program::{DEMO_NOTE, Program};
use support::script::{self, Endpoint};
use support::server::Server;
use support::service::{Dialect, MODELS, Service};

use crate::chat_program;

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
fn the_cookie_of_a_login_is_sent_from_the_first_request_on() {
    let table = [
        ("t0psecret", "hf-chat=t0psecret"),
        ("session=abc", "session=abc"),
        ("session=abc==", "session=abc=="),
    ];
    for (variable, expected) in table {
        let server = server();
        run(chat(&server).arg("Hi").env("H2OGPT_COOKIE", variable));
        let requests = server.requests();
        assert_eq!(requests[0].header("cookie"), Some(expected), "{variable}");
    }
    let server = server();
    run(chat(&server).arg("Hi").env("H2OGPT_COOKIE", ""));
    assert_eq!(server.requests()[0].header("cookie"), None);

    let ended = chat(&server)
        .arg("Hi")
        .env("H2OGPT_COOKIE", "hf-chat=t0p\nsecret")
        .run();
    assert_eq!(ended.status, Some(2), "{ended:?}");
    assert!(!ended.stderr.contains("secret"), "{ended:?}");
}

#[test]
fn wrong_use_is_refused_before_anything_is_sent() {
    let server = server();
    let table: [(&[&str], &str); 19] = [
        (&["--unknown"], "--unknown"),
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
        (&["--demo=v9"], "v0.3"),
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
fn the_program_tells_its_options_and_its_version() {
    for option in ["-h", "--help"] {
        let ended = chat_program().args(["ignored", option]).run();
        assert_eq!((ended.status, &*ended.stderr), (Some(0), ""), "{ended:?}");
        let documented = [
            "-u, --url",
            "--demo",
            "-m, --model",
            "-s, --system",
            "-o, --option",
            "-x, --proxy",
            "--cacert",
            "--timeout",
            "--no-stream",
            "-w, --web-search",
            "--share",
            "--list-models",
            "-v, --verbose",
            "-h, --help",
            "-V, --version",
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
        assert!(widest <= Some(100), "{widest:?}");
    }
    for option in ["-V", "--version"] {
        let ended = chat_program().arg(option).run();
        let version = format!("chat {}\n", env!("CARGO_PKG_VERSION"));
        assert_eq!((ended.status, ended.stdout), (Some(0), version));
    }
}

#[test]
fn models_are_listed_where_the_service_has_a_list() {
    for dialect in Dialect::ALL {
        let ended = chat_program()
            .args([&format!("--demo={dialect}"), "--list-models"])
            .run();
        if dialect.is_tree() {
            let list = MODELS.join("\n") + "\n";
            assert_eq!(
                (ended.status, &*ended.stdout),
                (Some(0), &*list),
                "{dialect}: {ended:?}"
            );
            assert_eq!(ended.stderr, DEMO_NOTE, "{dialect}");
        } else {
            assert_eq!(
                (ended.status, &*ended.stdout),
                (Some(4), ""),
                "{dialect}: {ended:?}"
            );
            assert!(
                ended.stderr.contains("listing the models"),
                "{dialect}: {ended:?}"
            );
        }
    }
    let service = Service::builder().dialect(Dialect::Main).hide_api(true);
    let service = service.start().expect("a service");
    let ended = chat_program()
        .args(["-u", service.url(), "--list-models"])
        .run();
    assert_eq!((ended.status, &*ended.stdout), (Some(4), ""), "{ended:?}");
    assert!(ended.stderr.contains("API is disabled"), "{ended:?}");
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
        let found = format!("{reply} I searched the web for \"Hi\".\n");
        assert_eq!(
            (ended.status, &*ended.stdout),
            (Some(0), &*found),
            "{dialect}: {ended:?}"
        );
        assert!(
            ended.stderr.contains("chat: web search: Generating"),
            "{dialect}: {ended:?}"
        );
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
