//! Processes that were stopped for a while, and processes that get no threads.

use std::env;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use support::program::Program;
use support::service::{Dialect, Fault, Seen, Service};

const WHOLE: &str = "You said: \"Hello\". This is the first message of our conversation.";

fn holding(dialect: Dialect) -> Service {
    let service = Service::builder().dialect(dialect).terms(false);
    let service = service.faults(|seen| seen.is_message().then_some(Fault::Hold(3)));
    service.start().expect("a service")
}

fn deletes(service: &Service) -> usize {
    let is_delete = |seen: &&Seen| seen.method == "DELETE";
    service.requests().iter().filter(is_delete).count()
}

/// For longer than it waits for a token, which has come meanwhile.
#[test]
fn a_process_that_was_stopped_loses_no_reply_that_has_arrived() {
    for dialect in [Dialect::V0_5, Dialect::Main] {
        let service = holding(dialect);
        let program = Program::new(env!("CARGO_BIN_EXE_chat"));
        let arguments = ["--url", service.url(), "--timeout", "2", "Hello"];
        let running = program.args(arguments).start();
        running.wait_for_stdout("You said: \"Hello\".");
        running.signal("STOP");
        service.release_replies();
        // That time has to pass: it is what is tested.
        thread::sleep(Duration::from_millis(3500));
        running.signal("CONT");
        let finished = running.finish();
        assert_eq!(finished.status, Some(0), "{dialect}: {finished:?}");
        assert_eq!(finished.stdout, format!("{WHOLE}\n"), "{dialect}");
        assert_eq!(service.conversations(), 0, "{dialect}");
    }
}

/// The arguments that run a program as a user for whom the number of threads can be limited; none
/// where that cannot be done.
fn as_nobody() -> Option<[&'static str; 3]> {
    let is_there = |program: &str| Command::new(program).arg("--version").output().is_ok();
    let identity = Command::new("id").arg("-u").output().ok()?;
    let is_root = identity.stdout.trim_ascii() == b"0";
    let can = cfg!(target_os = "linux") && is_root && is_there("setpriv") && is_there("prlimit");
    if !can {
        eprintln!("not tested: this needs Linux, root, setpriv and prlimit");
    }
    can.then_some(["--reuid=65534", "--clear-groups", "--"])
}

/// The small program, as that user and with these programs in front of it.
fn ask(service: &Service, front: &[&str]) -> Option<Child> {
    let mut command = Command::new("setpriv");
    command.args(as_nobody()?).args(front);
    command.arg(env!("CARGO_BIN_EXE_ask")).arg("Hello");
    command.env_clear().env("H2OGPT_URL", service.url());
    command.env("PATH", env::var_os("PATH").unwrap_or_default());
    command.stdin(Stdio::null()).stdout(Stdio::piped());
    Some(
        command
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts"),
    )
}

/// The exit status, standard output and standard error.
fn finish(child: Child) -> (Option<i32>, String, String) {
    let output = child.wait_with_output().expect("it ends");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (
        output.status.code(),
        text(output.stdout),
        text(output.stderr),
    )
}

#[test]
fn without_a_thread_there_is_an_error_and_nothing_is_left_behind() {
    for dialect in [Dialect::V0_5, Dialect::Main] {
        let service = Service::builder().dialect(dialect).terms(false);
        let service = service.start().unwrap();
        let Some(child) = ask(&service, &["prlimit", "--nproc=1"]) else {
            return;
        };
        let (status, stdout, stderr) = finish(child);
        assert_eq!(status, Some(1), "{dialect}: {stdout}{stderr}");
        assert!(!stderr.contains("panicked"), "{dialect}: {stderr}");
        assert!(stderr.contains("Error"), "{dialect}: {stderr}");
        assert_eq!(service.conversations(), 0, "{dialect}");
    }
}

/// Threads become scarce while the reply is read: the conversation is deleted all the same.
#[test]
fn without_a_thread_the_conversation_is_still_deleted() {
    for dialect in [Dialect::V0_5, Dialect::Main] {
        let service = holding(dialect);
        let Some(child) = ask(&service, &[]) else {
            return;
        };
        assert!(service.wait_for(|service| service.held_replies() == 1));
        let pid = format!("--pid={}", child.id());
        // By the same user: elsewhere it may not even be lowered.
        let mut limit = Command::new("setpriv");
        limit.args(as_nobody().unwrap_or_default()).arg("prlimit");
        let limited = limit.args([pid.as_str(), "--nproc=1"]).status();
        assert!(limited.expect("prlimit").success());
        service.release_replies();
        let (status, stdout, stderr) = finish(child);
        assert_eq!(status, Some(0), "{dialect}: {stdout}{stderr}");
        assert_eq!(
            (stdout, stderr),
            (format!("{WHOLE}\n"), String::new()),
            "{dialect}"
        );
        assert_eq!(deletes(&service), 1, "{dialect}");
        assert_eq!(service.conversations(), 0, "{dialect}");
    }
}
