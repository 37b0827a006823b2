//! What is said, and how several messages become one prompt.

use crate::role::Role;

/// One message of a conversation that is not kept on the server, for
/// [`Client::generate`](crate::Client::generate).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Message {
    /// Who says it.
    pub role: Role,
    /// What is said.
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

    /// Instructions that the model answers under.
    pub fn system(content: impl Into<String>) -> Self {
        Self::new(Role::System, content)
    }

    fn new(role: Role, content: impl Into<String>) -> Self {
        let content = content.into();
        Message { role, content }
    }
}

/// Flattens messages into the one prompt that the service takes.
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
    fn nothing_to_say_is_an_empty_prompt() {
        assert_eq!(format_prompt(&[]), "");
    }
}
