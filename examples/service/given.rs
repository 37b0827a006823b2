//! What the model is given for a reply: the system prompt, the messages and their files.

use super::model::{GivenFile, ModelCall, Purpose};
use super::server::Config;
use super::store::{Author, Conversation, Message, Store};

/// Why the model cannot be called: a status and a message, where there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub status: Option<u16>,
    pub message: Option<&'static str>,
}

/// The call for the reply at the end of the line.
pub(super) fn call(
    config: &Config,
    store: &Store,
    conversation: &Conversation,
    line: &[&Message],
) -> Result<ModelCall, Problem> {
    let mut messages = Vec::new();
    let images: Vec<GivenFile> = Vec::new();
    let before_reply = line.split_last().map_or(line, |(_, before)| before);
    for message in before_reply {
        if message.from != Author::System {
            messages.push((message.from.name().to_owned(), message.content.clone()));
        }
    }
    Ok(ModelCall {
        purpose: Purpose::Reply,
        conversation: conversation.id.clone(),
        model: conversation.model.clone(),
        system: system(config, store, conversation, before_reply),
        messages,
        images,
        tools: Vec::new(),
    })
}

/// The system prompt. Later versions put the preprompt before a root message of the same text.
fn system(
    config: &Config,
    store: &Store,
    conversation: &Conversation,
    line: &[&Message],
) -> Option<String> {
    let prompt = store.system_prompt(conversation)?;
    let root = line
        .iter()
        .find(|message| message.from == Author::System)
        .filter(|root| config.rules.system_twice && !root.content.is_empty());
    Some(match root {
        Some(root) => format!("{prompt}\n\n{}", root.content),
        None => prompt,
    })
}
