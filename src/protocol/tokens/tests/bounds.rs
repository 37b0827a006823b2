//! No stream takes memory without bound.

use super::*;

#[test]
fn a_line_without_an_end_is_given_up() {
    for start in ["", "data:{\"token\":{\"text\":\""] {
        let endless = start.as_bytes().chain(io::repeat(b'x'));
        let mut tokens = Tokens::new(BufReader::new(endless));
        let error = tokens.next().unwrap().unwrap_err().to_string();
        assert!(
            error.starts_with("expected a line within the size limit"),
            "{error}"
        );
        assert!(error.len() < 500);
    }
}

#[test]
fn padding_without_an_end_is_given_up() {
    let endless = io::Cursor::new(tree("a")).chain(io::repeat(b' '));
    let mut tokens = Tokens::new(BufReader::new(endless));
    assert_eq!(tokens.next().unwrap().unwrap(), "a");
    let error = tokens.next().unwrap().unwrap_err();
    assert!(matches!(error, Error::Protocol { .. }));
    assert_eq!(error.partial(), Some("a"));
}

#[test]
fn a_final_event_may_be_as_long_as_the_text() {
    // Longer than any other line may be, and six bytes for one.
    let word = "\u{1}".repeat(1 << 16);
    let written = "\\u0001".repeat(1 << 16);
    let stream = tree(&written).repeat(16) + &answer(&written.repeat(16));
    let mut tokens = Tokens::new(BufReader::with_capacity(1 << 14, stream.as_bytes()));
    assert!(tokens.by_ref().all(|token| token.unwrap() == word));
    assert_eq!(tokens.text().len(), 16 << 16);
    assert!(tokens.is_complete());
    let cut = &stream.as_bytes()[..stream.len() - 100];
    let error = Tokens::new(cut).find_map(std::result::Result::err).unwrap();
    assert!(matches!(error, Error::Incomplete { .. }), "{error}");
}

#[test]
fn an_event_other_than_the_last_may_not_be() {
    let word = "a".repeat(1 << 20);
    let title = format!("{{\"type\":\"title\",\"title\":\"{}\"}}\n", word.repeat(5));
    let stream = tree(&word).repeat(4) + &title + &answer(&word.repeat(4));
    let outcome = read(&mut Tokens::new(stream.as_bytes()));
    let error = outcome.trim_start_matches(['a', '|']);
    assert!(
        error.starts_with(" -> expected a line within the size limit"),
        "{error}"
    );
}

#[test]
fn an_event_that_is_spread_over_too_many_lines_is_given_up() {
    let many = "data:{\"a\":[\n".to_owned() + &"data:1,\n".repeat(2000);
    let long =
        "data:{\"a\":[\n".to_owned() + &format!("data:{}1,\n", " 1,".repeat(10_000)).repeat(50);
    for stream in [many, long] {
        let error = Tokens::new(stream.as_bytes()).next().unwrap().unwrap_err();
        let error = error.to_string();
        assert!(
            error.starts_with("expected an event within the size limit"),
            "{error}"
        );
    }
}

#[test]
fn a_reply_that_is_too_long_is_an_error_with_what_came_before() {
    let found = |length| {
        format!(
            "expected a reply of at most max_reply bytes while waiting for the reply, found: {length} bytes"
        )
    };
    let decode = |stream: &str| read(&mut Tokens::new(stream.as_bytes()).max_reply(4));
    let stream = tree("ab") + &tree("cd");
    assert_eq!(decode(&(stream.clone() + &answer("abcd"))), "ab|cd");
    assert_eq!(
        decode(&(stream.clone() + &tree("e"))),
        format!("ab|cd -> {}", found(5))
    );
    // The final text counts too.
    assert_eq!(
        decode(&(stream.clone() + &answer("abcde"))),
        format!("ab|cd -> {}", found(5))
    );
    assert_eq!(
        decode(&(stream + &answer("edcba"))),
        format!("ab|cd -> {}", found(5))
    );
    let last = "{\"token\":{\"text\":\"e\"},\"generated_text\":\"abcde\"}\n";
    assert_eq!(
        decode(&(tree("abcd") + last)),
        format!("abcd -> {}", found(5))
    );
}
