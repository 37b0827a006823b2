//! What was being done when something went wrong.

use std::fmt;

/// A step of a conversation's life, for messages and for matching.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Step {
    /// Accepting the terms and choosing the model: `POST /settings`.
    Settings,
    /// Creating the conversation: `POST /conversation`.
    Create,
    /// Reading the id of a conversation that was just created. Where this fails, the service
    /// keeps a conversation that cannot be deleted, as nobody knows its id.
    Created,
    /// Reading the conversation, to know what its last message is: `GET /api/conversation/{id}`.
    History,
    /// Searching the web before a message: `GET /conversation/{id}/web-search`.
    WebSearch,
    /// Listing the models: `GET /api/models`.
    Models,
    /// Sending a message and reading the reply: `POST /conversation/{id}`.
    Message,
    /// Deleting the conversation: `DELETE /conversation/{id}`.
    Delete,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Step::Settings => "accepting the terms (POST /settings)",
            Step::Create => "creating the conversation",
            Step::Created => "reading the id of the new conversation, which stays on the service",
            Step::History => "reading the conversation (GET /api/conversation)",
            Step::WebSearch => "searching the web",
            Step::Models => "listing the models (GET /api/models)",
            Step::Message => "asking for the reply",
            Step::Delete => "deleting the conversation",
        })
    }
}
