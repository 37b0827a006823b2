//! Who says something.

use std::fmt;

/// Who speaks in a [`Message`](crate::Message).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// The person who asks.
    User,
    /// The model that answers.
    Assistant,
    /// The instructions that the model answers under.
    System,
}

/// The role's name as [`format_prompt`](crate::format_prompt) writes it: `User`, `Assistant`, `System`.
impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::User => "User",
            Role::Assistant => "Assistant",
            Role::System => "System",
        })
    }
}
