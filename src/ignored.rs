//! What a server does not do.

use std::fmt;

/// Something that was asked for and that the server ignores; from
/// [`Reply::ignored`](crate::Reply::ignored).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ignored {
    /// Generation parameters: servers from chat-ui v0.7 on decide them themselves.
    Parameters,
    /// The web search: servers from chat-ui v0.9.6 on have none.
    WebSearch,
    /// The choice of tool servers: servers before chat-ui v0.9.6 have none.
    Tools,
    /// The system prompt: it cannot be added to a conversation that was resumed.
    SystemPrompt,
}

/// A phrase such as "generation parameters".
impl fmt::Display for Ignored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Ignored::Parameters => "generation parameters",
            Ignored::WebSearch => "the web search",
            Ignored::Tools => "the choice of tools",
            Ignored::SystemPrompt => "a system prompt that is added to a resumed conversation",
        })
    }
}
