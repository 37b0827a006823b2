//! What the chat program reads of the environment and of its input.

use support::program::Program;
use support::script::{self, Endpoint};
use support::server::Server;

use crate::chat_program;

fn server() -> Server {
    Server::start(script::replies(&["Hello"]))
}

fn chat(server: &Server) -> Program {
    chat_program().args(["-u", &server.url(), "-m", "model", "Hi"])
}

#[test]
fn the_cookie_of_a_login_is_sent_from_the_first_request_on() {
    let table = [
        ("t0psecret", "hf-chat=t0psecret"),
        ("session=abc", "session=abc"),
        ("session=abc==", "session=abc=="),
        ("abc=", "hf-chat=abc="),
        ("abc==", "hf-chat=abc=="),
        ("a/b+c=d", "hf-chat=a/b+c=d"),
        ("=abc", "hf-chat==abc"),
    ];
    for (variable, expected) in table {
        let server = server();
        let ended = chat(&server).env("H2OGPT_COOKIE", variable).run();
        assert_eq!(ended.status, Some(0), "{variable}: {ended:?}");
        let requests = server.requests();
        assert_eq!(requests[0].header("cookie"), Some(expected), "{variable}");
    }
    let server = server();
    let ended = chat(&server).env("H2OGPT_COOKIE", "").run();
    assert_eq!(ended.status, Some(0), "{ended:?}");
    assert_eq!(server.requests()[0].header("cookie"), None);

    let ended = chat(&server)
        .env("H2OGPT_COOKIE", "hf-chat=t0p\nsecret")
        .run();
    assert_eq!(ended.status, Some(2), "{ended:?}");
    assert!(!ended.stderr.contains("secret"), "{ended:?}");
}

#[cfg(unix)]
#[test]
fn a_value_that_is_not_utf_8_is_refused_by_name() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    let value = OsStr::from_bytes(b"http://127.0.0.1:1/caf\xe9");
    for name in ["H2OGPT_URL", "H2OGPT_MODEL", "H2OGPT_COOKIE"] {
        let ended = chat_program().env(name, value).arg("Hi").run();
        let said = format!("chat: {name} is not UTF-8 (see --help)\n");
        let outcome = (ended.status, &*ended.stdout, &*ended.stderr);
        assert_eq!(outcome, (Some(2), "", &*said), "{ended:?}");
        for option in ["--help", "--version"] {
            let ended = chat_program().env(name, value).arg(option).run();
            assert_eq!((ended.status, &*ended.stderr), (Some(0), ""), "{ended:?}");
        }
    }
    // What is not used does no harm.
    let server = server();
    let ended = chat(&server).env("H2OGPT_MODEL", value).run();
    assert_eq!(ended.status, Some(0), "{ended:?}");
}

#[test]
fn certificates_of_the_environment_concern_https_only() {
    let server = server();
    let ended = chat(&server).env("SSL_CERT_FILE", "/no/such/file").run();
    assert_eq!(ended.status, Some(0), "{ended:?}");
    let program = chat_program().args(["-u", "https://127.0.0.1:1", "Hi"]);
    let ended = program.env("SSL_CERT_FILE", "/no/such/file").run();
    assert_eq!(ended.status, Some(2), "{ended:?}");
    for word in ["SSL_CERT_FILE", "/no/such/file"] {
        assert!(ended.stderr.contains(word), "{ended:?}");
    }
}

#[test]
fn standard_input_without_end_is_refused() {
    let server = server();
    let endless = Program::new("sh").args([
        "-c",
        "yes | exec \"$0\" -u \"$1\" -m model",
        env!("CARGO_BIN_EXE_chat"),
        &server.url(),
    ]);
    let ended = endless.run();
    assert_eq!((ended.status, &*ended.stdout), (Some(2), ""), "{ended:?}");
    assert!(ended.stderr.contains("64 MiB"), "{ended:?}");
    assert_eq!(server.requests_to(Endpoint::Create).len(), 0);
}

/// The limit does not concern the superuser, who becomes somebody else for that.
#[cfg(target_os = "linux")]
#[test]
fn where_no_thread_can_be_had_an_error_says_so() {
    let server = server();
    let script = "if [ \"$(id -u)\" = 0 ]; then as='setpriv --reuid=65534 --clear-groups'; fi; \
                  exec prlimit --nproc=1 $as \"$0\" -u \"$1\" -m model Hi";
    let program = Program::new("sh").args(["-c", script, env!("CARGO_BIN_EXE_chat")]);
    let ended = program.arg(server.url()).run();
    // Neither may be there, nor the program's folder be open to others.
    if matches!(ended.status, Some(126 | 127)) {
        return;
    }
    assert_eq!((ended.status, &*ended.stdout), (Some(1), ""), "{ended:?}");
    assert!(ended.stderr.contains("thread"), "{ended:?}");
    assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
}
