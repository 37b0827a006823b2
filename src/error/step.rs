//! The steps of a conversation's life.

use std::fmt;

/// What was being done when something went wrong, for messages and for matching.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Step {
    /// Accepting the terms and choosing the model: `POST /settings`.
    Settings,
    /// Listing the models: `GET /api/models`, or `GET /__data.json` up to chat-ui v0.9.4.
    Models,
    /// Creating the conversation: `POST /conversation`.
    Create,
    /// Reading the id of a conversation that was just created. If this fails, the conversation
    /// remains on the server, as it cannot be deleted without its id.
    Created,
    /// Setting or deleting what the server adds to a conversation by itself: its title and the
    /// second copy of the system prompt.
    Prepare,
    /// Reading the messages of the conversation: `GET /api/conversation/{id}`, or
    /// `GET /conversation/{id}/__data.json`.
    History,
    /// Searching the web before a message: `GET /conversation/{id}/web-search`.
    WebSearch,
    /// Sending a message and reading the reply: `POST /conversation/{id}`.
    Message,
    /// Stopping a reply: `POST /conversation/{id}/stop-generating`.
    Stop,
    /// Deleting a conversation, or all of them: `DELETE /conversation/{id}`.
    Delete,
    /// Listing the conversations: `GET /api/conversations`.
    Conversations,
    /// Naming a conversation: `PATCH /conversation/{id}`.
    Rename,
    /// Sharing a conversation: `POST /conversation/{id}/share`.
    Share,
    /// Downloading a file: `GET /conversation/{id}/output/{hash}`.
    Download,
    /// Listing the tool servers: `GET /api/mcp/servers`.
    Tools,
    /// Picking up a reply: `GET /conversation/{id}/stream`.
    Reattach,
}

/// A phrase that follows "while", such as "creating the conversation".
impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Step::Settings => "posting the settings",
            Step::Models => "listing the models",
            Step::Create => "creating the conversation",
            Step::Created => "reading the id of the new conversation, which remains on the server",
            Step::Prepare => "preparing the conversation",
            Step::History => "reading the conversation",
            Step::WebSearch => "searching the web",
            Step::Message => "waiting for the reply",
            Step::Stop => "stopping the reply",
            Step::Delete => "deleting the conversation",
            Step::Conversations => "listing the conversations",
            Step::Rename => "renaming the conversation",
            Step::Share => "sharing the conversation",
            Step::Download => "downloading a file",
            Step::Tools => "listing the tool servers",
            Step::Reattach => "picking up the reply",
        })
    }
}
