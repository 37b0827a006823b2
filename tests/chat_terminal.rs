//! The chat program in the hands of a person at a terminal.

#![cfg(unix)]

mod support;

use support::program::Program;
use support::script;
use support::server::Server;
use support::terminal::Terminal;

fn chat(url: &str) -> Program {
    Program::chat().args(["-u", url, "-m", "model"])
}

fn on_a_terminal(program: Program) -> Terminal {
    program.start_on_a_terminal(None, None)
}

#[test]
fn what_a_reply_says_cannot_steer_the_terminal() {
    let tokens = &[
        "\u{1b}[31mred",
        "\u{1b}]0;ti",
        "tle\u{7}\r\n",
        "a\tb\r",
        "over\u{9b}2J\u{8}\u{7f}",
    ];
    let server = Server::start(script::replies(tokens));
    let shown = "\u{fffd}[31mred\u{fffd}]0;title\u{fffd}\r\na\tbover\u{fffd}2J\u{fffd}\u{fffd}\r\n";
    for options in [&[][..], &["--no-stream"]] {
        let program = || chat(&server.url()).arg("Hi").args(options);
        let (status, output) = on_a_terminal(program()).finish();
        assert_eq!((status, &*output), (Some(0), shown));
        // Other programs get what was sent.
        assert_eq!(program().run().stdout, tokens.concat() + "\n");
    }
}
