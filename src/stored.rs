//! What a server has stored.

use serde_json::Value;

use crate::prompt::Role;
use crate::protocol::page_data::PageValue;

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

/// A value as an API or a page's data has it.
pub(crate) trait Stored: Copy {
    fn member(self, name: &str) -> Option<Self>;
    fn text(self) -> Option<String>;
    fn list(self) -> Vec<Self>;

    fn text_of(self, name: &str) -> Option<String> {
        self.member(name)?.text()
    }
}

impl Stored for &Value {
    fn member(self, name: &str) -> Option<Self> {
        self.get(name)
    }

    fn text(self) -> Option<String> {
        Some(self.as_str()?.to_owned())
    }

    fn list(self) -> Vec<Self> {
        self.as_array().into_iter().flatten().collect()
    }
}

impl Stored for PageValue<'_> {
    fn member(self, name: &str) -> Option<Self> {
        self.get(name)
    }

    fn text(self) -> Option<String> {
        Some(self.as_str()?.to_owned())
    }

    fn list(self) -> Vec<Self> {
        self.items().collect()
    }
}

impl ConversationInfo {
    pub(crate) fn read(conversation: impl Stored) -> Option<Self> {
        let id = conversation
            .text_of("id")
            .or_else(|| conversation.text_of("_id"))?;
        let model = conversation.text_of("modelId");
        Some(ConversationInfo {
            title: conversation.text_of("title").unwrap_or_default(),
            model: model
                .or_else(|| conversation.text_of("model"))
                .unwrap_or_default(),
            updated_at: conversation.text_of("updatedAt"),
            id,
        })
    }
}

impl StoredMessage {
    pub(crate) fn read(message: impl Stored) -> Option<Self> {
        let files = message.member("files").map(Stored::list);
        let files = files.unwrap_or_default().into_iter();
        Some(StoredMessage {
            id: message.text_of("id")?,
            author: match message.text_of("from")?.as_str() {
                "user" => Role::User,
                "assistant" => Role::Assistant,
                _ => Role::System,
            },
            content: message.text_of("content").unwrap_or_default(),
            files: files.filter_map(StoredFile::read).collect(),
        })
    }
}

impl StoredFile {
    fn read(file: impl Stored) -> Option<Self> {
        // Before v0.9, a file is nothing but its hash.
        let hash = file.text_of("value").or_else(|| file.text())?;
        Some(StoredFile {
            name: file.text_of("name").unwrap_or_default(),
            mime: file.text_of("mime").unwrap_or_default(),
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
    pub(crate) fn read(server: impl Stored) -> Option<Self> {
        Some(ToolServer {
            name: server.text_of("name")?,
            url: server.text_of("url").unwrap_or_default(),
        })
    }
}
