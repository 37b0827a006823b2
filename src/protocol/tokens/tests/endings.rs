//! How replies end.

use super::*;

const NO_OUTPUT: &str = "No output was generated. Something went wrong.";

fn failed(message: &str) -> String {
    format!("{{\"type\":\"status\",\"status\":\"error\",\"message\":\"{message}\"}}\n")
}

const CALL: &str = "{\"type\":\"tool\",\"subtype\":\"call\",\"uuid\":\"u\",\
                    \"call\":{\"name\":\"f\",\"parameters\":{}}}\n";
const QUESTION: &str = "{\"type\":\"elicitation\",\"subtype\":\"request\",\
                        \"request\":{\"message\":\"Where?\"}}\n";
const ANSWERED: &str = "{\"type\":\"elicitation\",\"subtype\":\"resolved\"}\n";

/// Short texts are compared after the event was decoded, long ones before.
fn in_both_lengths(check: impl Fn(&str)) {
    check("");
    check(&"long \\n\\u00e9 ".repeat(1000));
}

#[test]
fn a_final_text_adds_what_is_missing() {
    in_both_lengths(|long| {
        let said = long.replace("\\n", "\n").replace("\\u00e9", "é");
        for (streamed, end, expected) in [
            ("ab", "ab", "ab"),
            ("ab", "abc", "ab|c"),
            ("ab", "ab\\ud83d\\ude00", "ab|😀"),
            ("ab ", "ab", "ab  => ab"),
            ("ab", "xy", "ab => xy"),
        ] {
            let (streamed, end) = (long.to_owned() + streamed, long.to_owned() + end);
            let expected = match expected.split_once(" => ") {
                Some((tokens, text)) => format!("{said}{tokens} => {said}{text}"),
                None => format!("{said}{expected}"),
            };
            let outcome = read(&mut Tokens::new(
                (flat(&streamed) + &flat_end(&end)).as_bytes(),
            ));
            assert_eq!(outcome, expected);
            let stream = tree(&streamed) + &answer(&end);
            let reader = BufReader::with_capacity(100, stream.as_bytes());
            assert_eq!(read(&mut Tokens::new(reader)), expected);
        }
    });
    assert_eq!(decode(answer("all of it")), "all of it");
    let stream = answer("all of it").replace("{\"type\"", "{ \"x\":1, \"type\"");
    assert_eq!(decode(stream), "all of it");
}

#[test]
fn the_last_token_may_come_with_the_final_text() {
    let end = |text: &str| {
        format!(
            "data:{{\"token\":{{\"text\":\"c\",\"special\":false}},\"generated_text\":\"{text}\"}}\n"
        )
    };
    in_both_lengths(|long| {
        let said = long.replace("\\n", "\n").replace("\\u00e9", "é");
        let stream = |text: &str| flat(&format!("{long}ab")) + &end(&format!("{long}{text}"));
        let read = |text| read(&mut Tokens::new(stream(text).as_bytes()));
        assert_eq!(read("abc"), format!("{said}ab|c"));
        assert_eq!(read("abcd"), format!("{said}ab|cd"));
        assert_eq!(read("ab"), format!("{said}ab|c => {said}ab"));
        assert_eq!(read("xy"), format!("{said}ab|c => {said}xy"));
    });
    assert_eq!(decode(flat("ab") + &end("")), "ab|c");
}

#[test]
fn the_finish_reason_is_that_of_the_final_event() {
    let reason = |stream: String| {
        let mut tokens = Tokens::new(stream.as_bytes());
        read(&mut tokens);
        tokens.finish_reason()
    };
    let details = "{\"generated_text\":\"a\",\"details\":{\"finish_reason\":\"length\"}}";
    assert_eq!(reason(flat("a") + details), Some(FinishReason::Length));
    let interrupted = answer("a").replace("false", "true");
    assert_eq!(
        reason(tree("a") + &interrupted),
        Some(FinishReason::Interrupted)
    );
    assert_eq!(reason(tree("a") + &answer("a")), None);
    assert_eq!(reason(tree("a")), None);
}

#[test]
fn an_empty_final_text_leaves_what_was_streamed() {
    assert_eq!(decode(tree("a") + &tree("b") + &answer("")), "a|b");
    assert_eq!(decode(flat("a") + &flat_end("")), "a");
    assert_eq!(decode(flat_end("")), "");
    assert_eq!(decode(answer("")), "");
    assert_eq!(decode(answer("") + &status("finished")), "");
    // That of a reply which was stopped before its first token is the end.
    let stopped = answer("").replace("false", "true");
    let mut tokens = Tokens::new(chunks(&[&stopped], || unreachable!()));
    assert_eq!(read(&mut tokens), "");
    assert_eq!(tokens.finish_reason(), Some(FinishReason::Interrupted));
}

#[test]
fn a_connection_that_breaks_after_the_final_event_does_no_harm() {
    for stream in [answer("a"), tree("a") + &answer("")] {
        let mut tokens = Tokens::new(chunks(&[&stream], || io::Error::other("reset")));
        assert_eq!(read(&mut tokens), "a");
    }
}

#[test]
fn an_error_wins_over_a_final_answer() {
    let error = |message| format!("the server reported an error: {message}");
    // As v0.8.4 says it, and as v0.9.0 and later do.
    let stream = failed(NO_OUTPUT) + &answer("");
    assert_eq!(decode(stream), format!(" -> {}", error(NO_OUTPUT)));
    let padding = " ".repeat(4096) + "\n";
    let stream = answer("") + &padding + &status("keepAlive") + &failed(NO_OUTPUT);
    assert_eq!(decode(stream), format!(" -> {}", error(NO_OUTPUT)));
    let stream = tree("a") + &failed("boom") + &answer("ab");
    assert_eq!(decode(stream), format!("a -> {}", error("boom")));
    let stream =
        flat("a") + "data:{\"error\":\"Model is overloaded\",\"error_type\":\"overloaded\"}";
    let overloaded = error("Model is overloaded (overloaded)");
    assert_eq!(decode(stream), format!("a -> {overloaded}"));
    // Once there is a text, nothing that follows is read.
    assert_eq!(decode(answer("a") + &failed("late")), "a");
}

#[test]
fn without_a_final_event_a_reply_is_incomplete() {
    let cut = "a -> the reply was cut short";
    assert_eq!(decode(tree("a") + &status("finished")), cut);
    assert_eq!(
        decode(tree("a") + "{\"type\":\"finalAnswer\",\"text\":null}"),
        cut
    );
    assert_eq!(decode(flat("a") + "data:[DONE]\n\n"), cut);
    assert_eq!(
        decode(tree("a") + &status("started") + &status("keepAlive")),
        cut
    );
}

#[test]
fn text_around_tools_is_what_the_server_stores() {
    // The final answer is the text after the last call only.
    let stream = tree("Let me see.") + CALL + &tree(" It is 3.") + &answer(" It is 3.");
    assert_eq!(decode(stream), "Let me see.| It is 3.");
    let stream = tree("Let me see.") + CALL + &answer("I give up.");
    assert_eq!(decode(stream), "Let me see.|\n\nI give up.");
    let stream = CALL.to_owned() + &tree("It is 3.\\n") + &answer("It is 3.");
    assert_eq!(decode(stream), "It is 3.\n => It is 3.");
    let stream = CALL.to_owned() + &answer("It is 3.");
    assert_eq!(decode(stream), "It is 3.");
    // Without tools, the final answer is all.
    let stream = tree("Let me see.") + &answer("I give up.");
    assert_eq!(decode(stream), "Let me see. => I give up.");
}

#[test]
fn a_reply_may_end_with_a_question() {
    let reason = |stream: &str, expected: &str| {
        let mut tokens = Tokens::new(stream.as_bytes());
        assert_eq!(read(&mut tokens), expected);
        tokens.finish_reason()
    };
    let finished = status("finished");
    let asked = tree("a") + CALL + QUESTION;
    let question = Some(FinishReason::Question);
    assert_eq!(reason(&(asked.clone() + &finished), "a"), question);
    assert_eq!(reason(&(QUESTION.to_owned() + &finished), ""), question);
    assert!(matches!(
        events(&(asked.clone() + &finished))[2],
        Event::Question(_)
    ));
    // The connection broke, or the user has answered elsewhere.
    assert_eq!(reason(&asked, "a -> the reply was cut short"), None);
    let answered = asked + ANSWERED;
    assert_eq!(reason(&(answered.clone() + &answer("b")), "a|\n\nb"), None);
    assert_eq!(
        reason(&(answered + &finished), "a -> the reply was cut short"),
        None
    );
}
