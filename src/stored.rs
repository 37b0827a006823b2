//! What a server has stored.

use crate::prompt::Role;
use crate::protocol::json::Json;

/// A conversation on the server; from [`Client::conversations`](crate::Client::conversations).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConversationInfo {
    /// Its id, for [`Client::resume`](crate::Client::resume).
    pub id: String,
    /// Its title.
    pub title: String,
    /// The model that replies in it; empty if the server does not say.
    pub model: String,
    /// When it was last changed, as the server writes it: `2026-11-21T14:45:19.286Z`.
    pub updated_at: Option<String>,
}

/// A message that the server has stored; from
/// [`Conversation::messages`](crate::Conversation::messages).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredMessage {
    /// Its id.
    pub id: String,
    /// Whose message it is.
    pub author: Role,
    /// Its text.
    pub content: String,
    /// The files that go with it; always empty where the server does not list them.
    pub files: Vec<StoredFile>,
}

/// A file that the server has stored with a message, for
/// [`Conversation::download`](crate::Conversation::download).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoredFile {
    /// Its name.
    pub name: String,
    /// Its MIME type.
    pub mime: String,
    /// The id by which the server knows it.
    pub hash: String,
}

impl ConversationInfo {
    pub(crate) fn read(conversation: Json<'_>) -> Option<Self> {
        let id = conversation.str("id").or_else(|| conversation.str("_id"))?;
        let model = conversation.str("modelId");
        let model = model.or_else(|| conversation.str("model"));
        Some(ConversationInfo {
            id,
            title: conversation.text("title"),
            model: model.unwrap_or_default(),
            updated_at: conversation.get("updatedAt").and_then(Json::as_date),
        })
    }
}

impl StoredMessage {
    pub(crate) fn read(message: Json<'_>) -> Option<Self> {
        let files = message.get("files").map(Json::items).into_iter().flatten();
        Some(StoredMessage {
            id: message.str("id")?,
            author: match message.str("from")?.as_str() {
                "user" => Role::User,
                "assistant" => Role::Assistant,
                _ => Role::System,
            },
            content: message.text("content"),
            files: files.filter_map(StoredFile::read).collect(),
        })
    }
}

impl StoredFile {
    fn read(file: Json<'_>) -> Option<Self> {
        // Before v0.9, a file is nothing but its hash.
        let hash = file.str("value").or_else(|| file.as_str())?;
        Some(StoredFile {
            name: file.text("name"),
            mime: file.text("mime"),
            hash,
        })
    }
}

/// A server of tools that the operator of the chat server has configured; from
/// [`Client::tool_servers`](crate::Client::tool_servers).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ToolServer {
    /// Its name, for [`Prompt::tools`](crate::Prompt::tools).
    pub name: String,
    /// Its address.
    pub url: String,
}

impl ToolServer {
    pub(crate) fn read(server: Json<'_>) -> Option<Self> {
        Some(ToolServer {
            name: server.str("name")?,
            url: server.text("url"),
        })
    }
}
