//! What is sent to the model.

use std::fmt;

use crate::attachment::Attachment;
use crate::conversation::{Attachments, WEB_SEARCHER, WebSearcher};
use crate::error::{Error, Result};
use crate::parameters::Parameters;
use crate::protocol::request::check_title;

/// A prompt, and how it is to be answered; for [`Conversation::send`](crate::Conversation::send)
/// and [`Client::generate`](crate::Client::generate).
///
/// A text is a prompt. So is a list of messages, which [`format_prompt`] flattens into one text.
/// Building a prompt does no I/O.
///
/// ```no_run
/// use h2ogpt::{Message, Parameters, Prompt};
///
/// # let client = h2ogpt::Client::new("http://localhost:3000")?;
/// client.generate("What is a monad?")?;
/// client.generate(&[Message::system("Be brief."), Message::user("What is a monad?")])?;
/// client.generate(
///     Prompt::new("What is new in Rust?")
///         .web_search(true)
///         .parameters(Parameters::new().temperature(0.9)),
/// )?;
/// # Ok::<(), h2ogpt::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Prompt {
    pub(crate) text: String,
    pub(crate) parameters: Parameters,
    pub(crate) web_search: Option<WebSearcher>,
    pub(crate) title: Option<String>,
    pub(crate) attachments: Option<Attachments>,
    /// Why one of the attachments is invalid.
    rejected: Option<String>,
    pub(crate) tools: Option<Vec<String>>,
}

impl Prompt {
    /// A prompt with the client's parameters, without a web search.
    pub fn new(text: impl Into<String>) -> Self {
        Prompt {
            text: text.into(),
            parameters: Parameters::new(),
            web_search: None,
            title: None,
            attachments: None,
            rejected: None,
            tools: None,
        }
    }

    /// Generation parameters for this prompt alone, which win over those of the client.
    pub fn parameters(mut self, parameters: Parameters) -> Self {
        self.parameters = parameters;
        self
    }

    /// Whether the server is to search the web first, and answer from what it finds; false by
    /// default. [`Reply::events`](crate::Reply::events) reports the progress of the search. If
    /// it fails, the reply comes without its results.
    ///
    /// Up to chat-ui v0.6 the search is a request of its own, which
    /// [`send`](crate::Conversation::send) waits for: `GET /conversation/{id}/web-search`. Up to
    /// v0.9.5 the message asks for it. Later servers have none, which
    /// [`Reply::ignored`](crate::Reply::ignored) reports.
    pub fn web_search(mut self, web_search: bool) -> Self {
        self.web_search = web_search.then_some(WEB_SEARCHER);
        self
    }

    /// Attaches a file; several are possible.
    ///
    /// Sending fails with [`Error::Configuration`] where the server would refuse or silently drop the
    /// file: before chat-ui v0.7; if it is an image and the model takes none; if it is text and the
    /// server is older than v0.10; if it is of any other type; above 10 MiB (2 MB before v0.9). All
    /// files together may have 11 MiB.
    pub fn attach(mut self, attachment: Attachment) -> Self {
        self.rejected = self.rejected.or_else(|| attachment.check().err());
        let attachments = self.attachments.get_or_insert_with(Attachments::new);
        attachments.push(attachment);
        self
    }

    /// The tool servers that the model may use, by their names as
    /// [`Client::tool_servers`](crate::Client::tool_servers) lists them; none for an empty list. By
    /// default it may use all that the server offers. The server ignores names that it does not know.
    ///
    /// Servers before chat-ui v0.9.6 have no such choice, which
    /// [`Reply::ignored`](crate::Reply::ignored) reports.
    ///
    /// ```no_run
    /// use h2ogpt::{Event, Prompt, ToolUpdate};
    ///
    /// # let client = h2ogpt::Client::new("http://localhost:3000")?;
    /// for server in client.tool_servers()? {
    ///     println!("{} at {}", server.name, server.url);
    /// }
    /// let prompt = Prompt::new("What is the weather in Paris?").tools(["weather"]);
    /// for event in client.generate(prompt)?.events() {
    ///     match event? {
    ///         Event::Token(token) => print!("{token}"),
    ///         Event::Tool(ToolUpdate::Call { name, arguments, .. }) => eprintln!("{name} {arguments}"),
    ///         _ => {}
    ///     }
    /// }
    /// # Ok::<(), h2ogpt::Error>(())
    /// ```
    pub fn tools<S: Into<String>>(mut self, names: impl IntoIterator<Item = S>) -> Self {
        self.tools = Some(names.into_iter().map(Into::into).collect());
        self
    }

    /// The title of the conversation, if this is its first message: at most 100 UTF-16 units. By
    /// default it is the beginning of the prompt.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }

    /// Rejects what no server accepts.
    pub(crate) fn check(&self, search_enabled: bool) -> Result<()> {
        if self.text.trim().is_empty() {
            return Err(Error::configuration("the prompt is blank"));
        }
        if self.web_search.is_some() && !search_enabled {
            let why = "the prompt asks for a web search, but search_enabled is false";
            return Err(Error::configuration(why));
        }
        if let Some(why) = &self.rejected {
            return Err(Error::configuration(why.as_str()));
        }
        let title = self.title.as_deref().map(str::trim);
        title.map_or(Ok(()), check_title)?;
        self.parameters.check()
    }
}

impl From<String> for Prompt {
    fn from(text: String) -> Self {
        Prompt::new(text)
    }
}

impl From<&String> for Prompt {
    fn from(text: &String) -> Self {
        Prompt::new(text.as_str())
    }
}

impl From<&str> for Prompt {
    fn from(text: &str) -> Self {
        Prompt::new(text)
    }
}

impl From<&[Message]> for Prompt {
    fn from(messages: &[Message]) -> Self {
        let is_blank = |message: &Message| message.content.trim().is_empty();
        if messages.iter().all(is_blank) {
            // Nothing to say, so that there is nothing to frame by roles either.
            return Prompt::new("");
        }
        Prompt::new(format_prompt(messages))
    }
}

impl<const N: usize> From<&[Message; N]> for Prompt {
    fn from(messages: &[Message; N]) -> Self {
        Prompt::from(messages.as_slice())
    }
}

impl From<&Vec<Message>> for Prompt {
    fn from(messages: &Vec<Message>) -> Self {
        Prompt::from(messages.as_slice())
    }
}

/// One message of a conversation that the server does not know.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Message {
    /// Whose message it is.
    pub role: Role,
    /// Its text.
    pub content: String,
}

impl Message {
    /// A message of the person who asks.
    pub fn user(content: impl Into<String>) -> Self {
        Self::new(Role::User, content)
    }

    /// A message of the model.
    pub fn assistant(content: impl Into<String>) -> Self {
        Self::new(Role::Assistant, content)
    }

    /// Instructions for the model.
    pub fn system(content: impl Into<String>) -> Self {
        Self::new(Role::System, content)
    }

    fn new(role: Role, content: impl Into<String>) -> Self {
        let content = content.into();
        Message { role, content }
    }
}

/// Whose [`Message`] it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Role {
    /// The person who asks.
    User,
    /// The model.
    Assistant,
    /// Instructions for the model.
    System,
}

/// The role's name as [`format_prompt`] writes it: `User`, `Assistant`, `System`.
impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::User => "User",
            Role::Assistant => "Assistant",
            Role::System => "System",
        })
    }
}

/// Flattens messages into one prompt.
///
/// A single message is its content, unchanged. Several become lines of `Role: content`, those
/// with blank content left out, followed by a line `Assistant:` for the model to complete. No
/// message at all is the empty prompt. Does no I/O.
///
/// ```
/// use h2ogpt::{Message, format_prompt};
///
/// let prompt = format_prompt(&[Message::system("Be brief."), Message::user("Hello")]);
/// assert_eq!(prompt, "System: Be brief.\nUser: Hello\nAssistant:");
/// ```
pub fn format_prompt(messages: &[Message]) -> String {
    match messages {
        [] => String::new(),
        [only] => only.content.clone(),
        several => {
            let mut prompt = String::new();
            for message in several.iter().filter(|m| !m.content.trim().is_empty()) {
                prompt.push_str(&message.role.to_string());
                prompt.push_str(": ");
                prompt.push_str(&message.content);
                prompt.push('\n');
            }
            prompt + "Assistant:"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_message_is_its_content() {
        assert_eq!(format_prompt(&[Message::user(" Hi \n")]), " Hi \n");
        assert_eq!(format_prompt(&[Message::system("Hi")]), "Hi");
    }

    #[test]
    fn several_messages_are_lines_that_end_with_the_assistants_turn() {
        let messages = [
            Message::system("Be brief."),
            Message::user("One\ntwo"),
            Message::assistant("  "),
            Message::assistant("Three"),
            Message::user(""),
        ];
        assert_eq!(
            format_prompt(&messages),
            "System: Be brief.\nUser: One\ntwo\nAssistant: Three\nAssistant:"
        );
    }

    #[test]
    fn no_message_is_an_empty_prompt() {
        assert_eq!(format_prompt(&[]), "");
    }
}
