//! Conversations that are left on the server, listed, continued and deleted.

use std::fs;
use std::path::Path;

use serde_json::json;

use support::program::{Finished, Program};
use support::script::{self, ID};
use support::server::Server;
use support::service::{Dialect, Fault, Service};

use crate::{chat_program, folder};

fn service(dialect: Dialect) -> Service {
    let service = Service::builder().dialect(dialect).start();
    service.expect("a service")
}

fn chat(state: &Path) -> Program {
    chat_program().env("XDG_STATE_HOME", state)
}

/// The id that the program says it has kept.
#[track_caller]
fn kept(ended: &Finished) -> String {
    let id = ended.stderr.strip_prefix("chat: kept the conversation ");
    let id = id.unwrap_or_else(|| panic!("{ended:?}"));
    id.trim_end().to_owned()
}

#[track_caller]
fn assert_ok(ended: &Finished) {
    assert_eq!((ended.status, &*ended.stderr), (Some(0), ""), "{ended:?}");
}

#[test]
fn what_is_kept_is_continued_and_listed_and_deleted() {
    for (dialect, cookie) in [
        (Dialect::V0_5, "my.sid"),
        (Dialect::V0_8, "hf-chat"),
        (Dialect::Main, "my.sid"),
    ] {
        let state = folder(&format!("kept-{dialect}"));
        let service = Service::builder().dialect(dialect).cookie_name(cookie);
        let service = service.start().unwrap();
        let ended = chat(&state).args(["-u", service.url(), "-k", "One"]).run();
        assert_eq!(ended.status, Some(0), "{dialect}: {ended:?}");
        let id = kept(&ended);
        assert_eq!(service.conversations(), 1, "{dialect}");

        // The server and the session are remembered too.
        for option in ["-c".to_owned(), format!("--continue={id}"), "-k".to_owned()] {
            let go_on = if option == "-k" {
                vec!["-k", "-c"]
            } else {
                vec![&*option]
            };
            let ended = chat(&state).args(go_on).arg("Two").run();
            assert_ok(&ended);
            assert!(
                ended.stdout.contains("Before that you said"),
                "{dialect}: {ended:?}"
            );
            assert_eq!(service.conversations(), 1, "{dialect}");
        }

        let listed = chat(&state).arg("--list").run();
        assert_ok(&listed);
        let columns: Vec<&str> = listed.stdout.trim_end().split('\t').collect();
        assert_eq!(
            (columns.len(), columns[0]),
            (4, &*id),
            "{dialect}: {listed:?}"
        );

        assert_ok(&chat(&state).args(["--delete", &id]).run());
        assert_eq!(service.conversations(), 0, "{dialect}");
        let ended = chat(&state).args(["-c", "Three"]).run();
        assert_eq!(ended.status, Some(2), "{dialect}: {ended:?}");
        assert!(ended.stderr.contains("--keep"), "{dialect}: {ended:?}");
    }
}

#[test]
fn everything_that_was_kept_on_a_server_is_deleted_at_once() {
    let state = folder("kept-all");
    let (one, other) = (service(Dialect::Main), service(Dialect::Main));
    for service in [&one, &one, &other] {
        kept(&chat(&state).args(["-u", service.url(), "-k", "Hi"]).run());
    }
    let listed = chat(&state).args(["-u", one.url(), "--list"]).run();
    assert_ok(&listed);
    assert_eq!(listed.stdout.lines().count(), 2, "{listed:?}");
    assert_ok(
        &chat(&state)
            .args(["-u", one.url(), "--delete", "all"])
            .run(),
    );
    assert_eq!((one.conversations(), other.conversations()), (0, 1));
    // The other one is still known.
    assert_ok(&chat(&state).args(["-c", "Hi"]).run());
}

#[test]
fn a_session_of_the_environment_comes_before_what_was_kept() {
    let state = folder("kept-cookie");
    let service = service(Dialect::Main);
    let session = "0123456789abcdef0123456789abcdef";
    let own = || {
        chat(&state)
            .args(["-u", service.url()])
            .env("H2OGPT_COOKIE", session)
    };
    kept(&chat(&state).args(["-u", service.url(), "-k", "Hi"]).run());
    let id = kept(&own().args(["-k", "Hi"]).run());
    let listed = own().arg("--list").run();
    assert!(listed.stdout.starts_with(&id), "{listed:?}");
    assert_eq!(listed.stdout.lines().count(), 1, "{listed:?}");
    assert_ok(&own().args(["--delete", "all"]).run());
    assert_eq!(service.conversations(), 1);
}

/// A proxy in front says who somebody is.
#[test]
fn a_session_that_headers_name_is_listed_and_deleted() {
    for dialect in [Dialect::V0_9_3, Dialect::V0_9_6, Dialect::Main] {
        lists_and_deletes_by_header(dialect);
    }
}

fn lists_and_deletes_by_header(dialect: Dialect) {
    let state = folder(&format!("kept-header-{dialect}"));
    let service = Service::builder()
        .dialect(dialect)
        .trusted_email_header("X-Forwarded-Email");
    let service = service.start().expect("a service");
    let header = "X-Forwarded-Email: ada@example.org";
    let ada = |state: &Path| chat(state).args(["-u", service.url(), "-H", header]);
    let elsewhere = folder(&format!("kept-header-elsewhere-{dialect}"));
    let ids = || [(); 2].map(|()| kept(&ada(&elsewhere).args(["-k", "Hi"]).run()));
    let lists = |state: &Path, ids: &[String]| {
        let ended = ada(state).arg("--list").run();
        assert_ok(&ended);
        let mut listed: Vec<&str> = ended.stdout.lines().collect();
        listed.sort_by_key(|line| ids.iter().position(|id| line.starts_with(&**id)));
        assert_eq!(listed.len(), ids.len(), "{ended:?}");
        for (line, id) in listed.iter().zip(ids) {
            assert!(line.starts_with(&**id), "{ended:?}");
        }
    };

    let [one, other] = ids();
    lists(&state, &[one.clone(), other.clone()]);
    // Where they were kept, each has a cookie too, but is listed once.
    lists(&elsewhere, &[one.clone(), other.clone()]);
    assert_ok(&ada(&state).args(["--delete", &one]).run());
    lists(&state, &[other]);
    assert_ok(&ada(&state).args(["--delete", "all"]).run());
    assert_eq!(service.conversations(), 0);

    // Somebody else's is neither.
    let [one, other] = ids();
    let header = "X-Forwarded-Email: grace@example.org";
    let grace = || chat(&state).args(["-u", service.url(), "-H", header]);
    assert_eq!(grace().arg("--list").run().stdout, "");
    assert_eq!(grace().args(["--delete", &one]).run().status, Some(4));
    assert_ok(&grace().args(["--delete", "all"]).run());
    lists(&state, &[one, other]);
}

#[test]
fn headers_that_name_no_session_do_not_hide_what_was_kept() {
    let state = folder("kept-other-header");
    let service = Service::builder().dialect(Dialect::Main).faults(|request| {
        let is_known = request.header("cookie").is_some();
        (!is_known).then_some(Fault::Status(401, None))
    });
    let service = service.start().expect("a service");
    let own = || chat(&state).args(["-u", service.url(), "-H", "X-Key: 1"]);
    let session = "0123456789abcdef0123456789abcdef";
    let ended = own().env("H2OGPT_COOKIE", session).args(["-k", "Hi"]).run();
    let id = kept(&ended);
    let listed = own().arg("--list").run();
    assert_ok(&listed);
    assert!(listed.stdout.starts_with(&id), "{listed:?}");
    assert_ok(&own().args(["--delete", "all"]).run());
    assert_eq!(service.conversations(), 0);
    // Now nobody is known.
    assert_eq!(own().arg("--list").run().status, Some(4));
}

#[test]
fn what_the_server_no_longer_has_is_forgotten() {
    for dialect in Dialect::ALL {
        let state = folder(&format!("kept-expired-{dialect}"));
        let service = service(dialect);
        let kept = json!({
            "url": service.url(), "id": ID, "cookie_name": "hf-chat", "cookie_value": "expired",
        });
        let file = state.join("h2ogpt/kept");
        fs::create_dir(state.join("h2ogpt")).expect("a folder");
        fs::write(&file, format!("{kept}\n")).expect("a file");
        assert_ok(&chat(&state).args(["--delete", "all"]).run());
        assert_eq!(fs::read_to_string(&file).expect("text"), "", "{dialect}");
    }
}

#[test]
fn where_no_session_is_known_one_line_says_so() {
    let state = folder("kept-nothing");
    let server = Server::start(script::replies(&["Hello"]));
    for options in [&["--list"][..], &["--delete", "all"]] {
        let ended = chat(&state).args(["-u", &server.url()]).args(options).run();
        let said = "chat: no session of this server was kept here, and H2OGPT_COOKIE is not set\n";
        let outcome = (ended.status, &*ended.stdout, &*ended.stderr);
        assert_eq!(outcome, (Some(0), "", said), "{options:?}");
    }
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn the_file_is_for_its_owner_alone_and_only_written_by_keep() {
    let state = folder("kept-file");
    let service = service(Dialect::V0_5);
    let file = state.join("h2ogpt/kept");
    for options in [&["Hi"][..], &["--list"], &["--delete", "all"]] {
        let ended = chat(&state).args(["-u", service.url()]).args(options).run();
        assert_eq!(ended.status, Some(0), "{ended:?}");
    }
    assert!(!file.exists());
    assert_eq!(fs::read_dir(&state).expect("a folder").count(), 0);
    kept(&chat(&state).args(["-u", service.url(), "-k", "Hi"]).run());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = fs::metadata(&file).expect("the file").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    // Whatever else is in it stays.
    let kept = fs::read(&file).expect("a file");
    let other = b"of another version\nnot UTF-8: \xff\n";
    fs::write(&file, [other, &*kept].concat()).expect("it is ours");
    assert_ok(
        &chat(&state)
            .args(["-u", service.url(), "--delete", "all"])
            .run(),
    );
    assert_eq!(fs::read(&file).expect("a file"), other);
    assert_eq!(service.conversations(), 0);
}

#[cfg(unix)]
#[test]
fn where_nothing_can_be_remembered_keep_fails_before_anything_is_sent() {
    let file = folder("kept-unwritable").join("file");
    fs::write(&file, "").expect("a file where a folder should be");
    let path = file.join("h2ogpt/kept");
    let table = [
        (Some(&*file), path.to_str().expect("a path")),
        (Some(Path::new("relative")), "XDG_STATE_HOME"),
        (None, "XDG_STATE_HOME"),
    ];
    for (state, word) in table {
        let server = Server::start(script::replies(&["Hello"]));
        let mut program = chat_program().env_remove("HOME");
        if let Some(state) = state {
            program = program.env("XDG_STATE_HOME", state);
        }
        let ended = program.args(["-u", &server.url(), "-k", "Hi"]).run();
        assert_eq!((ended.status, &*ended.stdout), (Some(1), ""), "{ended:?}");
        assert!(ended.stderr.starts_with("chat: --keep: "), "{ended:?}");
        assert!(ended.stderr.contains(word), "{ended:?}");
        assert_eq!(ended.stderr.lines().count(), 1, "{ended:?}");
        assert_eq!(server.requests().len(), 0);
    }
}

#[cfg(unix)]
#[test]
fn a_conversation_is_kept_after_a_signal_too() {
    let state = folder("kept-signal");
    let service = Service::builder().faults(|request| {
        let stall = Fault::Stall(2);
        request.is_message().then_some(stall)
    });
    let service = service.start().expect("a service");
    let running = chat(&state).args(["-u", service.url(), "-k", "Hi"]).start();
    running.wait_for_stdout("You");
    running.interrupt();
    let ended = running.finish();
    assert_eq!(ended.status, Some(130), "{ended:?}");
    kept(&ended);
    assert_eq!(service.conversations(), 1);
}
