//! The text of a reply, within its bound.

use std::mem;

use super::final_text::FinalText;
use crate::error::{Error, Result, Step};

/// The longest text by default.
const MAX_REPLY: usize = 64 << 20;

/// The text so far, and in the end the final text.
#[derive(Debug)]
pub(super) struct ReplyText {
    text: String,
    /// What was streamed, if the final text is another one.
    replaced: Option<String>,
    used_tools: bool,
    max_length: usize,
}

impl ReplyText {
    pub(super) fn new(text: String) -> Self {
        ReplyText {
            text,
            replaced: None,
            used_tools: false,
            max_length: MAX_REPLY,
        }
    }

    pub(super) fn set_max_length(&mut self, bytes: usize) {
        self.max_length = bytes;
    }

    /// The model has used tools, which matters for what the final text means.
    pub(super) fn tools_used(&mut self) {
        self.used_tools = true;
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    pub(super) fn into_string(self) -> String {
        self.text
    }

    pub(super) fn replaced(&self) -> Option<&str> {
        self.replaced.as_deref()
    }

    pub(super) fn shrink(&mut self) {
        self.text.shrink_to_fit();
    }

    pub(super) fn push(&mut self, token: &str) -> Result<()> {
        self.check_length(self.text.len() + token.len())?;
        self.text.push_str(token);
        Ok(())
    }

    /// Replaces the text by one that begins with it.
    pub(super) fn complete_with(&mut self, text: String) -> Result<()> {
        self.check_length(text.len())?;
        self.text = text;
        Ok(())
    }

    /// Whether the model has used tools.
    pub(super) fn used_tools(&self) -> bool {
        self.used_tools
    }

    /// Ends the text with the token that comes with the final text. Returns what is new.
    pub(super) fn conclude(&mut self, token: String, ending: FinalText) -> Result<String> {
        let streamed = self.text.len() + token.len();
        self.check_length(match &ending {
            FinalText::Addition(addition) => streamed + addition.len(),
            FinalText::Trimmed => streamed,
            FinalText::Replacement(text) => streamed.max(text.len()),
        })?;
        match ending {
            FinalText::Addition(addition) => {
                let new = token + &addition;
                // No more than is needed, as the event itself may be as long as the text.
                self.text.reserve_exact(new.len());
                self.text.push_str(&new);
                Ok(new)
            }
            FinalText::Trimmed => {
                self.text.truncate(self.text.trim_end().len());
                let start = self.text.len() - self.text.trim_start().len();
                self.text.drain(..start);
                Ok(token)
            }
            FinalText::Replacement(text) => {
                let streamed = mem::replace(&mut self.text, text);
                self.replaced = Some(streamed + &token);
                Ok(token)
            }
        }
    }

    fn check_length(&self, length: usize) -> Result<()> {
        if length <= self.max_length {
            return Ok(());
        }
        let expected = "a reply of at most max_reply bytes";
        let found = format!("{length} bytes");
        Err(Error::protocol(Step::Message, expected, &found))
    }
}
