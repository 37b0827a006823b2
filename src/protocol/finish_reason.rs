//! How a reply ends.

/// Why a reply ended where it did, as far as the service says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FinishReason {
    /// The model had nothing more to say.
    EndOfText,
    /// The reply reached `max_new_tokens`: the text is cut there.
    Length,
    /// The model wrote one of the `stop` texts.
    StopSequence,
    /// Somebody stopped the reply on the server: the text is cut there.
    Interrupted,
}
