//! The example programs, as people and scripts use them; and what the documentation says of them.

#[cfg(unix)]
mod at_a_terminal;
mod documentation;
mod environment;
mod failures;
mod json;
mod kept;
mod options;
mod output;
mod proxy;
mod serve;
#[cfg(unix)]
mod signals;
#[cfg(any(feature = "rustls", feature = "native-tls"))]
mod tls;

use std::fs;
use std::path::{Path, PathBuf};

use support::program::Program;

fn chat_program() -> Program {
    Program::new(env!("CARGO_BIN_EXE_chat"))
}

fn ask_program() -> Program {
    Program::new(env!("CARGO_BIN_EXE_ask"))
}

/// An empty folder whose name no other test may use.
fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    // There is none at first.
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).expect("a folder");
    path
}
