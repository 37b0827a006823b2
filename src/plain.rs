//! Text from elsewhere, made fit to be shown to a person.

/// Longest text of a server that is shown.
const MAX_SHOWN: usize = 300;

/// One line that can be shown to a person: HTML tags, control characters and surplus white space
/// taken out, and cut to a sane length.
pub(crate) fn plain(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text.chars();
    let mut length = 0;
    while let Some(c) = rest.next() {
        if c == '<' && begins_tag(rest.as_str()) {
            rest.by_ref().find(|&c| c == '>');
            push_space(&mut shown);
        } else if c.is_whitespace() || is_unprintable(c) {
            push_space(&mut shown);
        } else if length == MAX_SHOWN {
            shown.truncate(shown.trim_end().len());
            return shown + "…";
        } else {
            shown.push(c);
            length += 1;
        }
    }
    shown.truncate(shown.trim_end().len());
    shown
}

/// What stands before and after the first of these words. The standard library's search is made
/// for longer texts, and takes 2 kB of code.
pub(crate) fn split_at_words<'a>(text: &'a str, words: &str) -> Option<(&'a str, &'a str)> {
    let mut windows = text.as_bytes().windows(words.len());
    let at = windows.position(|window| window == words.as_bytes())?;
    let (before, rest) = text.split_at_checked(at)?;
    Some((before, rest.strip_prefix(words)?))
}

/// Whether these words occur in the text.
pub(crate) fn mentions(text: &str, words: &str) -> bool {
    split_at_words(text, words).is_some()
}

fn push_space(shown: &mut String) {
    if !shown.is_empty() && !shown.ends_with(' ') {
        shown.push(' ');
    }
}

/// Whether what follows a `<` makes it a tag, and not a comparison.
fn begins_tag(rest: &str) -> bool {
    rest.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '!')
        && rest.contains('>')
}

/// Control characters, and those that turn the direction of the text around them.
fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_shown_as_its_text() {
        let page = "<html>\r\n<head><title>503 Service</title></head>\r\n<body><h1>503 &lt;</h1></body></html>";
        assert_eq!(plain(page), "503 Service 503 &lt;");
    }

    #[test]
    fn a_comparison_is_no_tag() {
        assert_eq!(
            plain("tokens + max <= 2048, 1 <b"),
            "tokens + max <= 2048, 1 <b"
        );
    }

    #[test]
    fn nothing_that_steers_a_terminal_is_shown() {
        assert_eq!(
            plain("a\x1b[31mred\x07\u{9b}1m\u{202e}b\tc\nd"),
            "a [31mred 1m b c d"
        );
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let shown = plain(&"é ".repeat(10_000));
        assert_eq!(shown.chars().filter(|&c| c == 'é').count(), MAX_SHOWN);
        assert!(shown.ends_with('…'));
    }
}
