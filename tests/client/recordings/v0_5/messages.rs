//! What the messages recorded of a v0.5 server come to, read from the recordings.

use h2ogpt::Step;

use support::client::{Failure, Outcome, http, incomplete, server};

/// The tokens of `message-utf8`. The two empty ones that it also has are no piece of text.
const UTF8: &str = "Привет|,| мир|!| |👋|🏽| Eszter|,| naïve| café| 東京|は|「|晴れ|」| |👨\u{200d}👩\u{200d}👧\u{200d}👦\
    | ½| \u{2028}|sep|\n|строка| два|\t|\"кавычки\"| \\| data:| x|\u{a0}|конец|.";

/// Every recording of a message, and what it is.
pub fn messages() -> Vec<(&'static str, Outcome)> {
    let fake = "Hello!| I| am| a| fake";
    let partial = "Hello! I am a fake";
    let turns = |count| Outcome::complete(&format!("This| prompt| holds| {count}| user| turns."));
    let refused = |status, message: &str| Outcome::failed("", http(Step::Message, status, message));
    let said = |rest: &str| Outcome::complete(&format!("{fake}| model.| You| said:|{rest}"));
    let internal = || refused(500, "Internal Error");
    let numbers: Vec<String> = (0..20).map(|number| format!(" w{number}")).collect();
    vec![
        (
            "backend-422-json",
            refused(
                422,
                "Input validation error: `inputs` tokens + `max_new_tokens` must be <= 2048. \
                 Given: 2000 `inputs` tokens and 1024 `max_new_tokens`",
            ),
        ),
        (
            "backend-422-text",
            refused(
                422,
                "Failed to deserialize the JSON body into the target type: \
                 parameters.temperature: invalid type: string \"x\", expected f32 \
                 at line 1 column 40",
            ),
        ),
        ("backend-429-json", refused(429, "Model is overloaded")),
        ("backend-500-empty", refused(500, "")),
        (
            "backend-503-html",
            refused(503, "503 Service Temporarily Unavailable"),
        ),
        (
            "backend-503-json",
            refused(
                503,
                "Model h2oai/h2ogpt-gm-oasst1-en-2048-falcon-40b-v1 is currently loading",
            ),
        ),
        ("backend-close-noresponse", internal()),
        (
            "backend-drop-mid",
            Outcome::failed(fake, incomplete(partial, true)),
        ),
        (
            "backend-drop-midevent",
            Outcome::failed(fake, incomplete(partial, true)),
        ),
        (
            "backend-errgen-mid",
            Outcome::failed(
                fake,
                server(
                    partial,
                    "Request failed during generation: Server error: CUDA out of memory.",
                    Some("generation"),
                    None,
                ),
            ),
        ),
        (
            "backend-error-first",
            Outcome::failed(
                "",
                server("", "Model is overloaded", Some("overloaded"), None),
            ),
        ),
        (
            "backend-error-mid",
            Outcome::failed(
                fake,
                server(partial, "Model is overloaded", Some("overloaded"), None),
            ),
        ),
        // Its length is that of the compressed reply: it ends in the middle, as it seems in order.
        (
            "backend-gzip",
            Outcome::failed("Hello!| I", incomplete("Hello! I", false)),
        ),
        (
            "backend-rst-mid",
            Outcome::failed(fake, incomplete(partial, true)),
        ),
        ("bad-blank-inputs", internal()),
        ("message-accept-sse", said(" hello")),
        ("message-empty-reply", Outcome::complete("")),
        ("message-happy", turns(1)),
        ("message-keepalive", said(" one| two| three| four| five")),
        ("message-len-limit", Outcome::complete(&numbers.join("|"))),
        ("message-malformed-id", internal()),
        // A response to a request that the client does not make, and no stream.
        (
            "message-no-stream-flag",
            Outcome::failed(
                "",
                Failure::Protocol {
                    step: Step::Message,
                    found: r#"[{"generated_text":"Hello! I am a fake model. You said: hello"}]"#
                        .to_owned(),
                    partial: String::new(),
                },
            ),
        ),
        ("message-second", turns(2)),
        (
            "message-spaces",
            Outcome::complete("  |\n|\n|    x| = |1|\n|  "),
        ),
        ("message-split", said(" x")),
        (
            "message-unknown-conversation",
            refused(404, "Conversation not found"),
        ),
        ("message-utf8", Outcome::complete(UTF8)),
        (
            "ratelimit-3",
            refused(429, "You are sending too many messages. Try again later."),
        ),
        ("retry-0-first", turns(1)),
        ("retry-1-is-retry", turns(1)),
        (
            "stop-generating-stream",
            Outcome::failed(" s0| s1| s2", incomplete(" s0 s1 s2", true)),
        ),
    ]
}
