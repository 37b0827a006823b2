//! Text of a server, made fit for a terminal.

use std::borrow::Cow;

/// Longest line, in characters.
const LONGEST_LINE: usize = 300;

/// What a character does to a terminal.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Effect {
    /// It is seen.
    Seen,
    /// It ends a line.
    Break,
    /// It controls the terminal.
    Control,
    /// It reorders text, or is there without being seen.
    Hidden,
    /// It joins or separates letters or pictures.
    Joiner,
    /// It chooses the form of the character before it.
    Selector,
}

fn effect(c: char) -> Effect {
    match c {
        '\t' => Effect::Seen,
        '\n' | '\u{2028}' | '\u{2029}' => Effect::Break,
        // Mostly half of a line's end.
        '\r' => Effect::Hidden,
        _ if c.is_control() => Effect::Control,
        '\u{200c}' | '\u{200d}' => Effect::Joiner,
        '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}' => Effect::Selector,
        '\u{ad}'
        | '\u{34f}'
        | '\u{61c}'
        | '\u{115f}'
        | '\u{1160}'
        | '\u{17b4}'
        | '\u{17b5}'
        | '\u{180b}'..='\u{180f}'
        | '\u{200b}'
        | '\u{200e}'
        | '\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{3164}'
        | '\u{feff}'
        | '\u{ffa0}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}' => Effect::Hidden,
        _ => Effect::Seen,
    }
}

/// Whether a script needs joiners after this character: Arabic and its relatives, Syriac, the
/// scripts of India and its neighbours, Mongolian, and pictures.
fn is_joined(c: char) -> bool {
    matches!(
        c,
        '\u{600}'..='\u{109f}'
            | '\u{1780}'..='\u{18af}'
            | '\u{1a00}'..='\u{1cff}'
            | '\u{2190}'..='\u{2bff}'
            | '\u{a840}'..='\u{abff}'
            | '\u{fb50}'..='\u{fdff}'
            | '\u{fe0f}'
            | '\u{fe70}'..='\u{fefe}'
            | '\u{10a00}'..='\u{11fff}'
            | '\u{1f000}'..='\u{1faff}'
    )
}

/// One line without anything that controls a terminal, reorders text or is invisible; cut to
/// [`LONGEST_LINE`] characters.
pub fn one_line(text: &str) -> String {
    let mut line = String::new();
    let mut length = 0;
    let mut before = ' ';
    for c in text.chars() {
        let c = match effect(c) {
            Effect::Seen if c != '\t' => c,
            Effect::Seen | Effect::Break | Effect::Control => ' ',
            Effect::Selector if effect(before) == Effect::Seen => c,
            Effect::Hidden | Effect::Joiner | Effect::Selector => continue,
        };
        if length == LONGEST_LINE {
            return line + "…";
        }
        line.push(c);
        before = c;
        length += 1;
    }
    line
}

/// Makes a reply fit for a terminal, as it comes.
#[derive(Default)]
pub struct Filter {
    /// The last character that was passed on.
    before: char,
}

impl Filter {
    /// The next part of the reply, without what reorders or hides text. What the scripts of the
    /// world need to be read stays.
    pub fn pass<'t>(&mut self, text: &'t str) -> Cow<'t, str> {
        if text.chars().all(|c| effect(c) == Effect::Seen) {
            self.before = text.chars().next_back().unwrap_or(self.before);
            return Cow::Borrowed(text);
        }
        text.chars().filter_map(|c| self.pass_char(c)).collect()
    }

    fn pass_char(&mut self, c: char) -> Option<char> {
        let c = match effect(c) {
            Effect::Seen => c,
            Effect::Break => '\n',
            Effect::Control => char::REPLACEMENT_CHARACTER,
            Effect::Joiner if is_joined(self.before) => c,
            Effect::Selector if effect(self.before) == Effect::Seen => c,
            Effect::Hidden | Effect::Joiner | Effect::Selector => return None,
        };
        self.before = c;
        Some(c)
    }
}
