//! What the messages recorded of tree servers come to, read from the recordings.

use h2ogpt::{FinishReason, Step};

use support::client::{Failure, Outcome, http, incomplete, server};

/// The reply in most of them.
pub const HELLO: &str = "Hello there, café 😀 world";
const STOPPED: &str = "Hello| there|,| café";
const NO_OUTPUT: &str = "No output was generated. Something went wrong.";

/// The same tokens again and again, of which the last one is shorter.
fn repeated(tokens: &str, last: &str) -> String {
    [tokens; 5].join("|") + "|" + last
}

/// What the messages to main come to.
pub fn on_main() -> Vec<(&'static str, Outcome)> {
    let hello = "Hello| there|,| café| 😀| world";
    let failed = |tokens, partial, message, status| {
        Outcome::failed(tokens, server(partial, message, None, status))
    };
    let refused = |status, message| Outcome::failed("", http(Step::Message, status, message));
    let internal = || refused(500, "An error occurred");
    let login = || Outcome::failed("", Failure::LoginRequired(Step::Message));
    vec![
        ("04-msg1", Outcome::complete(hello)),
        ("06-msg2", Outcome::complete(hello)),
        (
            "07-msg-slow-stopped",
            Outcome {
                finish_reason: Some(FinishReason::Interrupted),
                ..Outcome::complete(STOPPED)
            },
        ),
        (
            "08-retry-assistant",
            Outcome::complete(&repeated(
                "Hello| there|,| café| 😀| world|.",
                "Hello| there|,| café| 😀",
            )),
        ),
        (
            "20-be-503",
            failed("", "", "503 backend overloaded", Some(503)),
        ),
        ("21-be-429", failed("", "", "429 slow down", Some(429))),
        (
            "22-be-400",
            failed("", "", "400 bad request from backend", Some(400)),
        ),
        // The server has tried twice.
        (
            "23-be-drop",
            failed(
                "Hello| there|,|Hello| there|,",
                "Hello there,Hello there,",
                "terminated",
                None,
            ),
        ),
        (
            "24-be-errevt",
            failed("Hello|Hello", "HelloHello", "model exploded", None),
        ),
        ("25-be-empty", failed("", "", NO_OUTPUT, None)),
        (
            "26-be-nofinish",
            Outcome::failed(hello, incomplete(HELLO, false)),
        ),
        (
            "27-be-think",
            Outcome::complete("<think>Let| me| think|</think>Hello| there|,| café| 😀| world"),
        ),
        ("28-be-delay", Outcome::complete(hello)),
        ("30-no-cookie", refused(404, "Conversation not found")),
        ("31-unknown-conv", refused(404, "Conversation not found")),
        ("32-bad-conv-id", internal()),
        ("34-no-parent", internal()),
        ("35-unknown-parent", internal()),
        (
            "36-no-origin",
            refused(403, "Non-JSON form requests need to have an origin"),
        ),
        (
            "37-wrong-origin",
            refused(403, "Invalid referer for POST request"),
        ),
        ("38-other-encoding", internal()),
        ("40-empty-inputs", internal()),
        (
            "65-msg-after-delete",
            refused(404, "Conversation not found"),
        ),
        (
            "70-rl-429",
            refused(429, "You are sending too many messages. Try again later."),
        ),
        ("72-too-long", refused(400, "Message too long.")),
        ("81-login-msg", login()),
        ("81b-login-msg-acceptjson", login()),
    ]
}

/// What the messages to v0.8.4 come to.
pub fn on_v0_8_4() -> Vec<(&'static str, Outcome)> {
    let hello = || Outcome::complete("Hello| ther|e, ca|fé 😀| worl|d");
    let failed =
        |tokens, partial, message| Outcome::failed(tokens, server(partial, message, None, None));
    let refused = |status, message| Outcome::failed("", http(Step::Message, status, message));
    let internal = || refused(500, "An error occurred");
    // Every five units of UTF-16. The emoji between two of the tokens comes with its second half.
    let long = || {
        Outcome::complete(
            "Hello| ther|e, ca|fé 😀| worl|d.Hel|lo th|ere, |café |😀 wo|rld.H|ello |there|, caf\
             |é 😀 |world|.Hell|o the|re, c|afé |😀 wor|ld.He|llo t|here,| café| 😀 w|orld.\
             |Hello| ther|e, ca|fé 😀",
        )
    };
    vec![
        ("04-msg1", hello()),
        ("06-msg2", hello()),
        ("07-msg-slow-stopped", long()),
        ("08-retry-assistant", long()),
        // An error wins over the final answer that comes after it.
        ("20-be-503", failed("", "", NO_OUTPUT)),
        ("21-be-429", failed("", "", "slow down")),
        ("22-be-400", hello()),
        (
            "23-be-drop",
            failed("Hello| ther", "Hello ther", "terminated"),
        ),
        (
            "24-be-errevt",
            failed(
                "Hello",
                "Hello",
                "Request failed during generation: Server error: boom",
            ),
        ),
        ("25-be-empty", hello()),
        ("26-be-nofinish", hello()),
        ("27-be-think", hello()),
        ("28-be-delay", hello()),
        (
            "30-no-cookie",
            refused(405, "You need to accept the welcome modal first"),
        ),
        ("31-unknown-conv", refused(404, "Conversation not found")),
        ("32-bad-conv-id", internal()),
        ("34-no-parent", internal()),
        ("35-unknown-parent", internal()),
        ("36-no-origin", hello()),
        ("37-wrong-origin", hello()),
        ("38-other-encoding", internal()),
        ("40-empty-inputs", internal()),
        (
            "65-msg-after-delete",
            refused(404, "Conversation not found"),
        ),
        (
            "93-lone-surrogate",
            Outcome::complete("abcd|😀efgh|ijklm|nopqr|stuvw|xyz"),
        ),
    ]
}
