//! Whether the files of a message would reach the model.

use std::sync::Arc;

use super::Conversation;
use crate::attachment::Attachment;
use crate::error::{Error, Result};
use crate::http::watchdog::Watch;
use crate::protocol::dialect::{Dialect, Files, V0_7, V0_8};
use crate::protocol::message::OutgoingMessage;
use crate::sanitize::sanitize;

/// What servers before v0.9 accept, in bytes.
const MAX_SMALL: usize = 2_000_000;
/// What later ones accept of a file, in bytes.
const MAX_LARGE: usize = 10 << 20;
/// What chat-ui accepts of a whole request, unless it is told otherwise.
const MAX_BODY: usize = 15 << 20;

impl Conversation {
    /// Rejects files that the server would refuse or silently drop, before the message is sent.
    pub(super) fn check_files(
        &mut self,
        message: &mut OutgoingMessage,
        dialect: Option<&'static Dialect>,
        watch: &Arc<Watch>,
    ) -> Result<()> {
        if message.attachments.is_empty() || message.is_retry {
            return Ok(());
        }
        let mut dialect = dialect.unwrap_or(&V0_7);
        if *dialect == V0_8 {
            // v0.9.0 and v0.9.1 want more than the bytes, and have tools.
            let page = self.read_page(None, watch)?;
            message.names_files = page.is_some_and(|page| page.has_tools);
        }
        if dialect.files == Files::None {
            return Err(reject(&message.attachments, "this server takes no files"));
        }
        self.check_model(message, watch)?;
        // The list of models may have told the version more exactly.
        dialect = self.session.dialect().unwrap_or(dialect);
        let is_small = dialect.files == Files::SmallImages && !message.names_files;
        let limit = if is_small { MAX_SMALL } else { MAX_LARGE };
        for file in message.attachments.iter() {
            let why = match file.mime.as_str() {
                _ if file.bytes.len() > limit => "it is larger than this server accepts",
                _ if file.is_image() => continue,
                "text/plain" | "application/vnd.chatui.clipboard"
                    if dialect.files == Files::ImagesAndText =>
                {
                    continue;
                }
                _ => "this server drops files of its type",
            };
            return Err(reject(std::slice::from_ref(file), why));
        }
        let total: usize = message
            .attachments
            .iter()
            .map(|file| file.bytes.len())
            .sum();
        if total.div_ceil(3) * 4 > MAX_BODY {
            return Err(reject(&message.attachments, "together they are too large"));
        }
        Ok(())
    }

    /// A model that takes no images is not told of them.
    fn check_model(&mut self, message: &OutgoingMessage, watch: &Arc<Watch>) -> Result<()> {
        let mut images = message.attachments.iter().filter(|file| file.is_image());
        let Some(image) = images.next() else {
            return Ok(());
        };
        let models = self.session.models(&mut self.connection, watch)?.models;
        let used = self.model.as_ref();
        let is_used = |model: &&crate::Model| used.is_none_or(|used| *used == model.id);
        let takes_images = |model: &crate::Model| model.multimodal != Some(false);
        if models.iter().find(is_used).is_none_or(takes_images) {
            return Ok(());
        }
        let able = models.iter().filter(|model| model.multimodal == Some(true));
        let able: Vec<String> = able.take(3).map(|model| sanitize(&model.id)).collect();
        let why = if able.is_empty() {
            "no model of this server takes images".to_owned()
        } else {
            format!("the model takes no images; {} would", able.join(", "))
        };
        Err(reject(std::slice::from_ref(image), &why))
    }
}

fn reject(files: &[Attachment], why: &str) -> Error {
    let names: Vec<String> = files.iter().map(|file| sanitize(&file.name)).collect();
    Error::configuration(format!("cannot attach {}: {why}", names.join(", ")))
}
