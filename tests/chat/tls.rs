//! The certificates that the chat program trusts.

use std::fs;
use std::path::{Path, PathBuf};

use support::script;
use support::server::Server;
use support::tls::Identity;

use crate::chat_program;

/// Writes a file whose name no other test may use.
fn file(name: &str, contents: impl AsRef<[u8]>) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, contents).expect("a file for the test");
    path
}

#[test]
fn the_chat_program_trusts_the_certificates_in_a_file() {
    let identity = Identity::localhost();
    let own = file("tls-own.pem", identity.ca_pem());
    let other = file("tls-other.pem", Identity::localhost().ca_pem());
    let missing = own.with_file_name("tls-missing.pem");
    let server = Server::start_tls(&identity, script::replies(&["Hello"]));
    let (own, other, missing) = (Some(&own), Some(&other), Some(&missing));
    let table = [
        (own, None, 0),
        (None, own, 0),
        (own, other, 0),
        (None, None, 3),
        (other, None, 3),
        (missing, None, 2),
        (None, missing, 2),
    ];
    for (cacert, variable, status) in table {
        let mut program = chat_program().args(["-u", &server.url(), "-m", "model", "Hi"]);
        if let Some(path) = cacert {
            program = program.arg("--cacert").arg(path);
        }
        if let Some(path) = variable {
            program = program.env("SSL_CERT_FILE", path);
        }
        let ended = program.run();
        let case = format!("--cacert {cacert:?}, SSL_CERT_FILE {variable:?}: {ended:?}");
        assert_eq!(ended.status, Some(status), "{case}");
        assert_eq!(
            ended.stdout,
            if status == 0 { "Hello\n" } else { "" },
            "{case}"
        );
        let word = match status {
            0 => "",
            2 => "tls-missing.pem",
            _ => "certificate",
        };
        assert!(ended.stderr.contains(word), "{case}");
    }
}

/// Where the system says what is trusted by default, it can be told to on loopback too.
#[test]
#[cfg(all(
    target_os = "linux",
    any(feature = "platform-verifier", not(feature = "rustls"))
))]
fn a_server_of_the_default_roots_is_trusted_next_to_an_own_root() {
    let (system, own) = (Identity::localhost(), Identity::localhost());
    let system_file = file("tls-system.pem", system.ca_pem());
    let own_file = file("tls-next-to-it.pem", own.ca_pem());
    for (identity, connections) in [(&own, 1), (&system, 2)] {
        let server = Server::start_tls(identity, script::replies(&["Hello"]));
        let program = chat_program().args(["-u", &server.url(), "-m", "model", "Hi"]);
        let program = program.arg("--cacert").arg(&own_file);
        let ended = program.env("SSL_CERT_FILE", &system_file).run();
        assert_eq!(
            (ended.status, &*ended.stdout),
            (Some(0), "Hello\n"),
            "{ended:?}"
        );
        assert_eq!(server.listener.connections(), connections, "{ended:?}");
    }
}
