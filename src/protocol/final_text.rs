//! How the final text of a reply goes with what was streamed.

use super::surrogates;

/// What the final text means for the text so far.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum FinalText {
    /// It begins with what was streamed, and this is missing.
    Addition(String),
    /// It is what was streamed, without white space around it.
    Trimmed,
    /// It is another text.
    Replacement(String),
}

impl FinalText {
    /// `content` is the final text as it is written in JSON, which is decoded only as far as it
    /// does not repeat what was streamed, so that a long reply is not in memory three times. `token`
    /// comes with it; `used_tools` if the model has used tools. `None` if it is invalid.
    pub(super) fn compare(
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
        let trimmed = streamed.trim();
        // After tools, it is the text after the last call only.
        let may_be_last = used_tools && streamed.ends_with(trimmed);
        if token.is_empty()
            && !trimmed.is_empty()
            && !may_be_last
            && surrogates::strip_decoded(content, trimmed) == Some("")
        {
            return Some(FinalText::Trimmed);
        }
        let text = surrogates::decode(content)?;
        let addition = text.strip_prefix(streamed);
        if let Some(addition) = addition.and_then(|text| text.strip_prefix(token)) {
            return Some(FinalText::Addition(addition.to_owned()));
        }
        // An empty one says nothing.
        if text.is_empty() || used_tools && streamed.ends_with(&text) {
            return Some(FinalText::Addition(String::new()));
        }
        // Where that was not streamed, the server appends it. Some servers trim what they have
        // streamed, which is not such a text.
        if used_tools && !streamed.starts_with(&text) {
            let has_gap = streamed.ends_with("\n\n") || text.starts_with('\n');
            let gap = if has_gap { "" } else { "\n\n" };
            return Some(FinalText::Addition(gap.to_owned() + &text));
        }
        Some(FinalText::Replacement(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use FinalText::{Addition, Replacement, Trimmed};

    #[test]
    fn what_is_missing_at_the_end_is_added() {
        for (streamed, text, used_tools, expected) in [
            ("", "", false, Addition("".into())),
            ("", "ab", false, Addition("ab".into())),
            ("a", "ab", false, Addition("b".into())),
            ("ab", "ab", false, Addition("".into())),
            ("ab", "", false, Addition("".into())),
            ("ab ", "ab", false, Trimmed),
            (" a b\n\n", "a b", false, Trimmed),
            (" ", "", false, Addition("".into())),
            ("ab ", "abc", false, Replacement("abc".into())),
            ("ab", "b", false, Replacement("b".into())),
            ("ab", "b", true, Addition("".into())),
            ("ab", "abc", true, Addition("c".into())),
            ("ab ", "ab", true, Trimmed),
            (" ab", "ab", true, Addition("".into())),
            ("ab", "c", true, Addition("\n\nc".into())),
            ("ab\n\n", "c", true, Addition("c".into())),
            ("ab", "\nc", true, Addition("\nc".into())),
            ("ab", "", true, Addition("".into())),
            ("", "c", true, Addition("c".into())),
        ] {
            let content = text.escape_default().to_string();
            let found = FinalText::compare(streamed, "", &content, used_tools).unwrap();
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
            let found = FinalText::compare("a", "b", text, false);
            assert_eq!(found, Some(expected), "{text:?}");
        }
        assert_eq!(FinalText::compare("a", "b", r"ab\x", false), None);
    }
}
