//! How the final text of a reply goes with what was streamed.

use super::json;
use super::surrogates;

/// The shortest event whose text is compared where it lies. Shorter ones are read like any other.
const MIN_LONG: usize = 4096;

/// What the final text means for the text so far.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FinalText {
    /// It begins with what was streamed, and this is missing.
    Addition(String),
    /// It is another text.
    Replacement(String),
}

impl FinalText {
    /// `token` comes with the final text; `used_tools` if the model has used tools.
    pub(super) fn compare(streamed: &str, token: &str, text: String, used_tools: bool) -> Self {
        let addition = text.strip_prefix(streamed);
        if let Some(addition) = addition.and_then(|text| text.strip_prefix(token)) {
            return FinalText::Addition(addition.to_owned());
        }
        // An empty one says nothing. After tools, it is the text after the last call only.
        if text.is_empty() || used_tools && streamed.ends_with(&text) {
            return FinalText::Addition(String::new());
        }
        // Where that was not streamed, the server appends it. Some servers trim what they have
        // streamed, which is not such a text.
        if used_tools && !streamed.starts_with(&text) {
            let has_gap = streamed.ends_with("\n\n") || text.starts_with('\n');
            return FinalText::Addition(if has_gap {
                text
            } else {
                "\n\n".to_owned() + &text
            });
        }
        FinalText::Replacement(text)
    }

    /// The same for a string as it is written in JSON, which is not decoded as far as it repeats
    /// what was streamed; `None` if it is invalid.
    pub(super) fn compare_json(
        streamed: &str,
        token: &str,
        content: &str,
        used_tools: bool,
    ) -> Option<Self> {
        let addition = surrogates::strip_decoded(content, streamed);
        let addition = addition.and_then(|content| surrogates::strip_decoded(content, token));
        if let Some(addition) = addition {
            return Some(FinalText::Addition(surrogates::decode(addition)?));
        }
        let text = surrogates::decode(content)?;
        Some(FinalText::compare(streamed, token, text, used_tools))
    }
}

/// Splits a long event into the event with an empty final text, and the text as it is written, so
/// that a long reply is not in memory three times.
pub(super) fn split_long(json: &str) -> Option<(String, &str)> {
    if json.len() < MIN_LONG {
        return None;
    }
    let range = json::string_member(json, "generated_text");
    let range = range.or_else(|| json::string_member(json, "text"))?;
    let event = [json.get(..range.start)?, json.get(range.end..)?].concat();
    Some((event, json.get(range)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use FinalText::{Addition, Replacement};

    #[test]
    fn what_is_missing_at_the_end_is_added() {
        for (streamed, text, used_tools, expected) in [
            ("", "", false, Addition("".into())),
            ("", "ab", false, Addition("ab".into())),
            ("a", "ab", false, Addition("b".into())),
            ("ab", "ab", false, Addition("".into())),
            ("ab", "", false, Addition("".into())),
            ("ab ", "ab", false, Replacement("ab".into())),
            ("ab", "b", false, Replacement("b".into())),
            ("ab", "b", true, Addition("".into())),
            ("ab", "abc", true, Addition("c".into())),
            ("ab ", "ab", true, Replacement("ab".into())),
            ("ab", "c", true, Addition("\n\nc".into())),
            ("ab\n\n", "c", true, Addition("c".into())),
            ("ab", "\nc", true, Addition("\nc".into())),
            ("ab", "", true, Addition("".into())),
            ("", "c", true, Addition("c".into())),
        ] {
            let found = FinalText::compare(streamed, "", text.to_owned(), used_tools);
            assert_eq!(found, expected, "{streamed:?}, {text:?}");
            let content = text.escape_default().to_string();
            let found = FinalText::compare_json(streamed, "", &content, used_tools).unwrap();
            assert_eq!(found, expected, "{streamed:?}, {text:?}");
        }
    }

    #[test]
    fn a_token_that_comes_with_the_final_text_is_part_of_it_or_not() {
        for (text, expected) in [
            ("abc", Addition("c".into())),
            ("a", Replacement("a".into())),
            ("", Addition("".into())),
        ] {
            let found = FinalText::compare("a", "b", text.to_owned(), false);
            assert_eq!(found, expected, "{text:?}");
            let found = FinalText::compare_json("a", "b", text, false);
            assert_eq!(found, Some(expected), "{text:?}");
        }
        assert_eq!(FinalText::compare_json("a", "b", r"ab\x", false), None);
    }

    #[test]
    fn a_long_event_is_split_at_its_final_text() {
        let long = "a".repeat(MIN_LONG);
        let token = r#"{"token":{"text":"</s>","special":true},"generated_text":""#;
        for (before, after) in [
            (
                r#"{"type":"finalAnswer","text":""#,
                r#"","interrupted":false}"#,
            ),
            (token, r#"","details":null}"#),
        ] {
            let json = [before, &long, after].concat();
            let event = [before, after].concat();
            assert_eq!(split_long(&json), Some((event, long.as_str())));
        }
        assert_eq!(split_long(r#"{"type":"finalAnswer","text":"a"}"#), None);
    }
}
