//! How a reply ends.

/// Why a reply ended where it did, as far as the server says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FinishReason {
    /// The model had nothing more to say.
    EndOfText,
    /// The reply reached `max_new_tokens`: the text is cut there.
    Length,
    /// The model wrote one of the `stop` strings.
    StopSequence,
    /// The reply was stopped on the server: the text is cut there.
    Interrupted,
    /// A tool asks the user something, and the reply cannot go on without an answer. The
    /// question came as [`Event::Question`](crate::Event::Question).
    Question,
}

impl FinishReason {
    /// Reads the `finish_reason` of text-generation-inference.
    pub(super) fn of_details(name: &str) -> Option<FinishReason> {
        match name {
            "eos_token" => Some(FinishReason::EndOfText),
            "length" => Some(FinishReason::Length),
            "stop_sequence" => Some(FinishReason::StopSequence),
            _ => None,
        }
    }
}
