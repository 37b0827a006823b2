//! Whether the files of a message would reach the model.

use std::sync::Arc;

use super::Conversation;
use crate::attachment::Attachment;
use crate::error::{Error, Result};
use crate::http::watchdog::Watch;
use crate::linked::Linked;
use crate::model::first_ids;
use crate::protocol::dialect::{Dialect, Files, MessageEncoding, V0_7, V0_8};
use crate::protocol::files::EncodedFiles;
use crate::sanitize::sanitize;

/// What servers before v0.9 accept, in bytes.
const MAX_SMALL: usize = 2_000_000;
/// What later ones accept of a file, in bytes.
const MAX_LARGE: usize = 10 << 20;
/// What chat-ui accepts of a whole request, unless it is told otherwise.
const MAX_BODY: usize = 15 << 20;

/// The files of a prompt, and what checks and encodes them for the server.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Attachments {
    files: Vec<Attachment>,
    encoder: Linked<Encoder>,
}

type Encoder = fn(
    &mut Conversation,
    &[Attachment],
    Option<&'static Dialect>,
    &Arc<Watch>,
) -> Result<EncodedFiles>;

impl Attachments {
    pub(crate) fn new() -> Self {
        Attachments {
            files: Vec::new(),
            encoder: Linked(Conversation::encode_files),
        }
    }

    pub(crate) fn push(&mut self, file: Attachment) {
        self.files.push(file);
    }

    /// Encodes the files. `dialect` is `None` for a server that has no tree of messages, and
    /// otherwise is not known yet.
    pub(super) fn encode(
        &self,
        conversation: &mut Conversation,
        dialect: Option<&'static Dialect>,
        watch: &Arc<Watch>,
    ) -> Result<EncodedFiles> {
        (self.encoder.0)(conversation, &self.files, dialect, watch)
    }
}

impl Conversation {
    /// Encodes files, unless the server would refuse or silently drop one of them.
    fn encode_files(
        &mut self,
        files: &[Attachment],
        dialect: Option<&'static Dialect>,
        watch: &Arc<Watch>,
    ) -> Result<EncodedFiles> {
        let mut dialect = dialect.unwrap_or(&V0_7);
        let mut has_names = false;
        if *dialect == V0_8 {
            // v0.9.0 and v0.9.1 want more than the bytes, and have tools.
            let page = self.read_page(None, watch)?;
            has_names = page.is_some_and(|page| page.has_tools);
        }
        if dialect.files == Files::None {
            return Err(reject(files, "this server takes no files"));
        }
        self.check_model(files, watch)?;
        // The list of models may have told the version more exactly.
        dialect = self.session.dialect().unwrap_or(dialect);
        let is_small = dialect.files == Files::SmallImages && !has_names;
        let limit = if is_small { MAX_SMALL } else { MAX_LARGE };
        for file in files {
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
        let total: usize = files.iter().map(|file| file.bytes.len()).sum();
        if total.div_ceil(3) * 4 > MAX_BODY {
            return Err(reject(files, "together they are too large"));
        }
        Ok(match dialect.message {
            MessageEncoding::TreeForm => EncodedFiles::form(files),
            MessageEncoding::Flat | MessageEncoding::TreeJson => {
                EncodedFiles::json(files, has_names)
            }
        })
    }

    /// A model that takes no images is not told of them.
    fn check_model(&mut self, files: &[Attachment], watch: &Arc<Watch>) -> Result<()> {
        let mut images = files.iter().filter(|file| file.is_image());
        let Some(image) = images.next() else {
            return Ok(());
        };
        let models = self.session.models(&mut self.connection, watch)?.models;
        let takes_images = |model: &crate::Model| model.multimodal != Some(false);
        let may_take_images = match &self.model {
            Some(used) => models
                .iter()
                .find(|model| model.id == *used)
                .is_none_or(takes_images),
            // In a conversation that goes on, any of them may reply.
            None => models.is_empty() || models.iter().any(takes_images),
        };
        if may_take_images {
            return Ok(());
        }
        let able = models.iter().filter(|model| model.multimodal == Some(true));
        let able = first_ids(able);
        let why = if able.is_empty() {
            "no model of this server takes images".to_owned()
        } else {
            format!("the model takes no images; {able} would")
        };
        Err(reject(std::slice::from_ref(image), &why))
    }
}

fn reject(files: &[Attachment], why: &str) -> Error {
    let names: Vec<String> = files.iter().map(|file| sanitize(&file.name)).collect();
    Error::configuration(format!("cannot attach {}: {why}", names.join(", ")))
}
