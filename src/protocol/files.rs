//! The files of a message, encoded as its dialect wants them.

use uuid::Uuid;

use super::encoding::base64;
use super::message::EncodedMessage;
use super::request::{JsonObject, list, quoted};
use crate::attachment::Attachment;

/// The files of a message: none, within its JSON, or as parts of a form.
#[derive(Debug)]
pub(crate) enum EncodedFiles {
    None,
    /// A list in JSON.
    Json(String),
    Form(FormParts),
}

/// The parts of a form that are files.
#[derive(Debug)]
pub(crate) struct FormParts {
    boundary: String,
    parts: String,
}

impl EncodedFiles {
    /// Up to v0.8 a file is its base64, in v0.9.0 and v0.9.1 an object with a name.
    pub(crate) fn json(attachments: &[Attachment], has_names: bool) -> Self {
        EncodedFiles::Json(list(attachments.iter().map(|file| {
            let value = quoted(&base64(&file.bytes));
            if !has_names {
                return value;
            }
            JsonObject::new()
                .string("type", "base64")
                .string("name", &file.name)
                .raw("value", &value)
                .string("mime", &file.mime)
                .end()
        })))
    }

    /// Parts of the form of RFC 7578, each file in base64, as its name says.
    pub(crate) fn form(attachments: &[Attachment]) -> Self {
        let boundary = format!("h2ogpt-{}", Uuid::new_v4().simple());
        let mut parts = String::new();
        for Attachment { name, mime, bytes } in attachments {
            let name = name
                .replace('"', "%22")
                .replace('\r', "%0D")
                .replace('\n', "%0A");
            let head = format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"files\"; \
                 filename=\"base64;{name}\"\r\nContent-Type: {mime}\r\n\r\n"
            );
            parts.push_str(&head);
            parts.push_str(&base64(bytes));
            parts.push_str("\r\n");
        }
        EncodedFiles::Form(FormParts { boundary, parts })
    }
}

impl FormParts {
    /// The form with the message in its field `data`.
    pub(super) fn with_message(&self, data: &str) -> EncodedMessage {
        let FormParts { boundary, parts } = self;
        let disposition = "Content-Disposition: form-data; name=\"data\"";
        let form =
            format!("--{boundary}\r\n{disposition}\r\n\r\n{data}\r\n{parts}--{boundary}--\r\n");
        EncodedMessage::Multipart {
            boundary: boundary.clone(),
            bytes: form.into_bytes(),
        }
    }
}
