//! The server for the tests of other programs.

use std::fs;

use support::program::{Finished, Program, Running};
use support::service::Dialect;

use crate::{chat_program, folder};

/// Starts a server, and returns its address.
fn serve(options: &[&str]) -> (Running, String) {
    let running = chat_program().args(options).start();
    running.wait_for_stdout("\n");
    let url = running.stdout().trim_end().to_owned();
    (running, url)
}

fn ask(url: &str) -> Program {
    chat_program().args(["-u", url, "--timeout", "0.5", "Hi"])
}

#[track_caller]
fn assert_stopped(ended: &Finished, url: &str) {
    let expected = (Some(0), &*format!("{url}\n"), "");
    let outcome = (ended.status, &*ended.stdout, &*ended.stderr);
    assert_eq!(outcome, expected, "{ended:?}");
}

#[cfg(unix)]
#[test]
fn it_serves_every_dialect_until_a_signal() {
    let signals = ["TERM", "INT", "HUP"].into_iter().cycle();
    for (dialect, signal) in Dialect::ALL.into_iter().zip(signals) {
        let (running, url) = serve(&[&format!("--serve={dialect}")]);
        assert!(url.starts_with("http://127.0.0.1:"), "{url}");
        let ended = ask(&url).run();
        let said = "You said: \"Hi\". This is the first message of our conversation.\n";
        let outcome = (ended.status, &*ended.stdout);
        assert_eq!(outcome, (Some(0), said), "{dialect}: {ended:?}");
        running.signal(signal);
        assert_stopped(&running.finish(), &url);
    }
}

#[test]
fn it_replies_what_it_is_told_to() {
    for dialect in Dialect::ALL {
        let (_running, url) = serve(&[&format!("--serve={dialect}"), "All", "work"]);
        for _ in 0..2 {
            let ended = ask(&url).run();
            let outcome = (ended.status, &*ended.stdout);
            assert_eq!(outcome, (Some(0), "All work\n"), "{dialect}: {ended:?}");
        }
    }
}

#[test]
fn it_replies_one_after_the_other_what_is_in_a_file() {
    let file = folder("replies").join("replies.txt");
    fs::write(&file, "All work\n\nand\n---\nno play\n").expect("a file");
    let path = file.to_str().expect("UTF-8");
    let (_running, url) = serve(&["--serve=main", "--replies", path]);
    for expected in ["All work\n\nand\n", "no play\n", "no play\n"] {
        let ended = ask(&url).run();
        let outcome = (ended.status, &*ended.stdout);
        assert_eq!(outcome, (Some(0), expected), "{ended:?}");
    }
    let ended = chat_program()
        .args(["--serve", "--replies", "/no/such/file"])
        .run();
    assert_eq!((ended.status, &*ended.stdout), (Some(2), ""), "{ended:?}");
    assert!(ended.stderr.contains("/no/such/file"), "{ended:?}");
}

#[test]
fn it_stops_by_itself_when_its_time_is_over() {
    let (running, url) = serve(&["--serve", "--within", "0.1"]);
    assert_stopped(&running.finish(), &url);
}

#[test]
fn what_goes_wrong_is_named() {
    let table = [
        ("status=503", 4, ""),
        ("create:status=429", 5, ""),
        ("settings:hangup", 3, ""),
        ("reset", 3, ""),
        ("delay=60", 3, ""),
        ("cut=3", 6, "You said: \"Hi\".\n"),
        ("cut-mid-event=3", 6, "You said: \"Hi\".\n"),
        ("stall=3", 6, "You said: \"Hi\".\n"),
        ("error=3", 4, "You said: \"Hi\".\n"),
        ("no-final=3", 6, "You said: \"Hi\".\n"),
        ("disconnect=3", 6, "You said: \"Hi\".\n"),
        ("length=3", 0, "You said: \"Hi\".\n"),
    ];
    for (fault, status, stdout) in table {
        let (_running, url) = serve(&["--serve", "--fault", fault]);
        let ended = ask(&url).run();
        let outcome = (ended.status, &*ended.stdout);
        assert_eq!(outcome, (Some(status), stdout), "{fault}: {ended:?}");
    }
    let (_running, url) = serve(&["--serve", "--fault", "delete:status=500"]);
    let ended = ask(&url).run();
    assert_eq!(ended.status, Some(0), "{ended:?}");
    assert!(ended.stderr.contains("remains on the server"), "{ended:?}");
}

#[test]
fn a_fault_that_does_not_exist_is_refused_with_those_that_do() {
    for (fault, known) in [("cutt=3", "cut-mid-event"), ("nowhere:reset", "settings")] {
        let ended = chat_program().args(["--serve", "--fault", fault]).run();
        assert_eq!((ended.status, &*ended.stdout), (Some(2), ""), "{ended:?}");
        assert!(ended.stderr.contains(known), "{ended:?}");
    }
}
