use super::*;

fn joined(strings: &[&str]) -> String {
    let mut joiner = SurrogateJoiner::default();
    let texts = strings.iter().map(|string| joiner.decode(string).unwrap());
    texts.collect()
}

#[test]
fn surrogates_are_joined_across_strings() {
    assert_eq!(joined(&["abcd\\ud83d", "\\ude00efgh"]), "abcd😀efgh");
    assert_eq!(joined(&["\\uD83D", "", "\\uDE00"]), "😀");
    assert_eq!(joined(&["\\ud83d\\ude00\\ud83d", "\\ude00"]), "😀😀");
}

#[test]
fn a_surrogate_that_stays_alone_is_replaced() {
    assert_eq!(joined(&["a\\ud83d", "b"]), "a\u{fffd}b");
    assert_eq!(joined(&["a\\ud83d", "\\n"]), "a\u{fffd}\n");
    assert_eq!(
        joined(&["\\ude00a\\ud83d\\ud83d", "\\ude00"]),
        "\u{fffd}a\u{fffd}😀"
    );
    assert_eq!(decode("a\\ud83d").unwrap(), "a\u{fffd}");
}

#[test]
fn strings_are_decoded_as_serde_json_does() {
    for text in ["", "é😀", "\n\t\r\u{8}\u{c}\"\\/\0.", "\\ud83d", "a\\\\n"] {
        let json = serde_json::to_string(text).unwrap();
        let content = &json[1..json.len() - 1];
        assert_eq!(joined(&[content]), text, "{json}");
    }
    assert_eq!(joined(&["\\/\\u00e9\\u20AC\\uD83D\\ude00"]), "/é€😀");
}

#[test]
fn what_is_no_string_is_refused_and_changes_nothing() {
    let mut joiner = SurrogateJoiner::default();
    joiner.decode("\\ud83d").unwrap();
    for content in [
        "\"",
        "a\tb",
        "\\",
        "\\x",
        "\\u12",
        "\\u+123",
        "\\ud83",
        "\\uzzzz",
        "\\ud83é",
        "\\é",
        "\\ude00\\",
    ] {
        assert_eq!(joiner.decode(content), None, "{content}");
    }
    assert_eq!(joiner.decode("\\ude00").unwrap(), "😀");
}

#[test]
fn a_text_is_found_at_the_start_of_a_string_wherever_it_ends() {
    let text = "a\n\u{e9}\"b€ and so on";
    for content in [
        "a\\n\u{e9}\\\"b€ and so on",
        "\\u0061\\u000a\\u00E9\\u0022b\\u20ac and so on",
    ] {
        for (end, _) in text.char_indices() {
            let (start, rest) = text.split_at(end);
            let found = strip_decoded(content, start).unwrap();
            assert_eq!(decode(found).unwrap(), rest, "{start:?}");
        }
        assert_eq!(strip_decoded(content, text), Some(""));
        assert_eq!(strip_decoded(content, &format!("{text}.")), None);
        assert_eq!(strip_decoded(content, "b"), None);
    }
}

#[test]
fn lone_surrogates_are_replaced_and_nothing_else() {
    for (json, repaired) in [
        (r#""\ud83d""#, r#""\ufffd""#),
        (
            r#""\uDE00\ud83d\ud83d\ude00""#,
            r#""\ufffd\ufffd\ud83d\ude00""#,
        ),
        (r#""\ud83d\n\ud83d\\ude00""#, r#""\ufffd\n\ufffd\\ude00""#),
        (r#""\\ud83d\\\ud83d""#, r#""\\ud83d\\\ufffd""#),
        (r#""\ud83d\u0041\u00e9""#, r#""\ufffd\u0041\u00e9""#),
        (r#""\ud83"#, r#""\ud83"#),
        ("\"\\é\\", "\"\\é\\"),
    ] {
        assert_eq!(replace_lone(json), repaired);
    }
}
