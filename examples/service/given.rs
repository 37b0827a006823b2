//! What the model is given for a reply: the system prompt, the messages and their files.

use super::dialect::Rules;
use super::image;
use super::model::{GivenFile, Model, ModelCall, Purpose};
use super::server::Config;
use super::store::{Author, Conversation, Message, Store, StoredFile};

/// Text that was pasted, by its media type.
const CLIPBOARD: &str = "application/vnd.chatui.clipboard";

/// Why the model cannot be called: a status and a message, where there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub status: Option<u16>,
    pub message: Option<&'static str>,
}

/// The call for the reply at the end of the line. A bad file anywhere on the line fails it.
pub(super) fn call(
    config: &Config,
    store: &Store,
    conversation: &Conversation,
    line: &[&Message],
    tools: Vec<String>,
) -> Result<ModelCall, Problem> {
    let before_reply = line.split_last().map_or(line, |(_, before)| before);
    let mut call = ModelCall {
        purpose: Purpose::Reply,
        conversation: conversation.id.clone(),
        model: conversation.model.clone(),
        system: system(config, store, conversation, before_reply),
        messages: Vec::new(),
        images: Vec::new(),
        documents: Vec::new(),
        tools,
    };
    let model = config.model(&conversation.model);
    for message in before_reply {
        if message.from == Author::System {
            continue;
        }
        let mut content = message.content.clone();
        for file in &message.files {
            let Some(bytes) = store.uploads.get(&conversation.id, &file.hash) else {
                return Err(Problem {
                    status: Some(404),
                    message: None,
                });
            };
            add(&mut call, &mut content, config.rules, model, file, bytes)?;
        }
        call.messages
            .push((message.from.name().to_owned(), content));
    }
    Ok(call)
}

/// Adds a file to what the model is given, or drops it silently.
fn add(
    call: &mut ModelCall,
    content: &mut String,
    rules: &Rules,
    model: Option<&Model>,
    file: &StoredFile,
    bytes: &[u8],
) -> Result<(), Problem> {
    let (name, mime) = (&file.name, file.mime.as_str());
    let text = String::from_utf8_lossy(bytes);
    if mime.starts_with("image/") && model.is_some_and(|model| model.multimodal) {
        if image::size(bytes).is_none() {
            let message = "Input buffer contains unsupported image format";
            return Err(Problem {
                status: None,
                message: Some(message),
            });
        }
        call.images.push(GivenFile {
            name: name.clone(),
            mime: mime.to_owned(),
            bytes: bytes.to_vec(),
        });
    } else if mime == CLIPBOARD && rules.reads_clipboard {
        *content = format!("{text}\n\n{content}");
        call.documents.push(name.clone());
    } else if mime == "text/plain" && rules.reads_documents {
        *content =
            format!("<document name=\"{name}\" type=\"{mime}\">\n{text}\n</document>\n\n{content}");
        call.documents.push(name.clone());
    }
    Ok(())
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
