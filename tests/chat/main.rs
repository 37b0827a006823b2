//! The example programs, as people and scripts use them; and what the documentation says of them.

#[cfg(unix)]
mod at_a_terminal;
mod documentation;
mod failures;
#[cfg(unix)]
mod interrupt;
mod options;
mod output;
mod proxy;
#[cfg(any(feature = "rustls", feature = "native-tls"))]
mod tls;

use support::program::Program;

fn chat_program() -> Program {
    Program::new(env!("CARGO_BIN_EXE_chat"))
}

fn ask_program() -> Program {
    Program::new(env!("CARGO_BIN_EXE_ask"))
}
