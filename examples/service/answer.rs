//! What the service says, and how it is cut into tokens.
//!
//! The text is a function of the conversation, so that whoever reads it sees what the server knew.
//! It consists of these sentences, in this order, separated by one space:
//!
//! 1. `You said: "<prompt>".`
//! 2. on the first message `This is the first message of our conversation.`, later
//!    `Before that you said: "<the prompt before>". (<n> messages so far)`, where n counts the
//!    prompts of the conversation, this one included
//! 3. with a system prompt `My instructions are: "<system prompt>".`
//! 4. with files that reached the model `I was given "<name>", "<name>".`
//! 5. after a web search `I searched the web for "<query>".`
//! 6. on a retry `This is the second try.`, then `third`, then `This is try 4.` and so on
//!
//! If there are tools, it says `Let me see.` first, calls one, and ends with what came of it.
//! Prompts are quoted as they are, line breaks and quotation marks included.

/// What an answer is about.
pub(super) struct Subject<'a> {
    /// The prompts on the way to the answer, oldest first; the last is the one to answer.
    pub prompts: &'a [&'a str],
    pub system: Option<&'a str>,
    /// The names of the files.
    pub files: Vec<&'a str>,
    pub search: Option<&'a str>,
    /// 1, or more on a retry.
    pub attempt: u32,
}

impl Subject<'_> {
    pub(super) fn text(&self) -> String {
        let (prompt, earlier) = match self.prompts {
            [earlier @ .., prompt] => (*prompt, earlier.last()),
            [] => ("", None),
        };
        let mut text = format!("You said: \"{prompt}\".");
        match earlier {
            None => text.push_str(" This is the first message of our conversation."),
            Some(before) => {
                let count = self.prompts.len();
                text.push_str(&format!(
                    " Before that you said: \"{before}\". ({count} messages so far)"
                ));
            }
        }
        if let Some(system) = self.system {
            text.push_str(&format!(" My instructions are: \"{system}\"."));
        }
        if !self.files.is_empty() {
            text.push_str(&format!(" I was given \"{}\".", self.files.join("\", \"")));
        }
        if let Some(query) = self.search {
            text.push_str(&format!(" I searched the web for \"{query}\"."));
        }
        match self.attempt {
            0 | 1 => {}
            2 => text.push_str(" This is the second try."),
            3 => text.push_str(" This is the third try."),
            n => text.push_str(&format!(" This is try {n}.")),
        }
        text
    }
}

/// One token a word, with the white space before it; joined they are the text again.
pub(super) fn words(text: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut start = 0;
    let mut in_word = false;
    for (at, character) in text.char_indices() {
        let space = character.is_whitespace();
        if space && in_word {
            words.push(&text[start..at]);
            start = at;
        }
        in_word = !space;
    }
    if start < text.len() {
        words.push(&text[start..]);
    }
    words
}

/// Pieces of so many UTF-16 units each, as JSON strings. A surrogate whose other half is in
/// another piece is escaped, which is how JavaScript writes it.
pub(super) fn unit_strings(text: &str, units: usize) -> Vec<String> {
    let all: Vec<u16> = text.encode_utf16().collect();
    all.chunks(units.max(1))
        .map(|piece| {
            let mut json = String::from("\"");
            for decoded in char::decode_utf16(piece.iter().copied()) {
                match decoded {
                    Ok(character) => json.push_str(&escaped(character)),
                    Err(lone) => {
                        json.push_str(&format!("\\u{:04x}", lone.unpaired_surrogate()));
                    }
                }
            }
            json.push('"');
            json
        })
        .collect()
}

/// The word as a JSON string, filled up with NUL to so many UTF-16 units.
pub(super) fn padded_string(word: &str, units: usize) -> String {
    let missing = units.saturating_sub(word.encode_utf16().count());
    string(&format!("{word}{}", "\0".repeat(missing)))
}

/// A JSON string.
pub(super) fn string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The character as it stands inside a JSON string.
fn escaped(character: char) -> String {
    let quoted = string(character.encode_utf8(&mut [0; 4]));
    quoted[1..quoted.len() - 1].to_owned()
}
