//! Text of a server, made fit to be shown to people.

/// Longest text that is shown, in characters.
const MAX_SHOWN: usize = 300;
/// How much of a text is looked at, in characters: enough to get past the head of an HTML page.
const MAX_READ: usize = 64 << 10;

/// One line that is safe to show: without HTML tags, surplus white space and characters that
/// control a terminal, reorder text or are invisible; cut to [`MAX_SHOWN`] characters.
pub(crate) fn sanitize(text: &str) -> String {
    let mut shown = String::new();
    let mut length = 0;
    let head: String = text.chars().take(MAX_READ).collect();
    let mut rest = head.chars();
    while let Some(c) = rest.next() {
        if c == '<' && begins_tag(rest.as_str()) {
            rest.by_ref().find(|&c| c == '>');
            push_space(&mut shown);
        } else if c.is_whitespace() || c.is_control() {
            push_space(&mut shown);
        } else if is_invisible(c) {
            // Joins nothing and separates nothing.
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

/// Characters that change the direction of the text around them, have no width, or are tags.
/// Line and paragraph separators count as white space.
fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}'
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_shown_as_its_text() {
        let page = "<html>\r\n<head><title>503 Service</title></head>\r\n<body><h1>503 &lt;</h1></body></html>";
        assert_eq!(sanitize(page), "503 Service 503 &lt;");
    }

    #[test]
    fn a_comparison_is_not_a_tag() {
        let text = "tokens + max <= 2048, 1 <b";
        assert_eq!(sanitize(text), text);
    }

    #[test]
    fn nothing_that_controls_a_terminal_is_shown() {
        assert_eq!(
            sanitize("a\x1b[31mred\x07\u{9b}1m\u{202e}b\tc\nd\u{2028}e"),
            "a [31mred 1mb c d e"
        );
    }

    #[test]
    fn nothing_that_hides_or_reorders_text_is_shown() {
        let hidden = "\u{61c}\u{200b}\u{200d}\u{200f}\u{202a}\u{2066}\u{2069}\u{feff}\u{e0041}";
        assert_eq!(sanitize(&format!("a{hidden}b")), "ab");
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let shown = sanitize(&"é ".repeat(100_000));
        assert_eq!(shown.chars().filter(|&c| c == 'é').count(), MAX_SHOWN);
        assert!(shown.ends_with('…'));
    }
}
