//! The files of a message: read from its body, kept, and sent back.

use serde_json::Value;

use super::base64;
use super::conversations::find;
use super::dialect::Files;
use super::exchange::{After, Exchange};
use super::image;
use super::multipart::Part;
use super::response::Response;
use super::store::{Store, StoredFile};

/// The longest file, and the longest and largest image of the oldest versions.
const MAX_FILE: usize = 10 * 1024 * 1024;
const MAX_OLD_IMAGE: usize = 2 * 1000 * 1000;
const MAX_OLD_SIDE: u32 = 224;

/// A file as it came.
pub(super) struct NewFile {
    name: String,
    mime: String,
    content: Content,
}

enum Content {
    Bytes(Vec<u8>),
    /// One that the conversation has already.
    Hash(String),
}

/// Why a message is refused because of its files.
pub(super) enum Refusal {
    Malformed,
    TooLarge(&'static str),
}

/// The response to such a message.
pub(super) fn refused(exchange: &Exchange<'_>, refusal: &Refusal) -> After {
    match refusal {
        Refusal::Malformed => exchange.internal_error(),
        Refusal::TooLarge(message) => exchange.error(413, message),
    }
}

/// The files of a JSON body, as the version has them.
pub(super) fn of_json(encoding: Files, json: &Value) -> Result<Vec<NewFile>, Refusal> {
    let Some(files) = json.get("files") else {
        return Ok(Vec::new());
    };
    let files = files.as_array().ok_or(Refusal::Malformed)?;
    match encoding {
        Files::Strings => files.iter().map(old_image).collect(),
        Files::Objects => files.iter().map(object).collect(),
        Files::None | Files::Parts => Ok(Vec::new()),
    }
}

fn old_image(json: &Value) -> Result<NewFile, Refusal> {
    let text = json.as_str().ok_or(Refusal::Malformed)?;
    let bytes = base64::decoded(text.as_bytes());
    let (width, height) = image::size(&bytes).ok_or(Refusal::Malformed)?;
    if bytes.len() > MAX_OLD_IMAGE || width.max(height) > MAX_OLD_SIDE {
        let message = "File too large, should be <2MB and 224x224 max.";
        return Err(Refusal::TooLarge(message));
    }
    // Whatever it is.
    let mime = "image/jpeg".to_owned();
    Ok(NewFile {
        name: String::new(),
        mime,
        content: Content::Bytes(bytes),
    })
}

fn object(json: &Value) -> Result<NewFile, Refusal> {
    let string = |name: &str| json[name].as_str().ok_or(Refusal::Malformed);
    file(
        string("type")?,
        string("name")?,
        string("mime")?,
        string("value")?.as_bytes(),
    )
}

/// The files of a form. The file name of a part says first how the file is encoded, and empty
/// parts are left out.
pub(super) fn of_form(parts: &[Part<'_>]) -> Result<Vec<NewFile>, Refusal> {
    parts
        .iter()
        .filter(|part| part.name == "files" && !part.body.is_empty())
        .map(|part| {
            let (encoding, name) = part.file_name.split_once(';').ok_or(Refusal::Malformed)?;
            file(encoding, name, &part.mime, part.body)
        })
        .collect()
}

fn file(encoding: &str, name: &str, mime: &str, value: &[u8]) -> Result<NewFile, Refusal> {
    let content = match encoding {
        "base64" => Content::Bytes(base64::decoded(value)),
        "hash" => Content::Hash(String::from_utf8_lossy(value).into_owned()),
        _ => return Err(Refusal::Malformed),
    };
    match &content {
        Content::Bytes(bytes) if bytes.len() > MAX_FILE => {
            Err(Refusal::TooLarge("File too large, should be <10MB"))
        }
        _ => Ok(NewFile {
            name: name.to_owned(),
            mime: mime.to_owned(),
            content,
        }),
    }
}

/// Keeps the files, and says how the message names them.
pub(super) fn keep(store: &mut Store, conversation: &str, files: Vec<NewFile>) -> Vec<StoredFile> {
    files
        .into_iter()
        .map(|file| match file.content {
            Content::Bytes(bytes) => store
                .uploads
                .add(conversation, &file.name, &file.mime, bytes),
            Content::Hash(hash) => StoredFile {
                hash,
                name: file.name,
                mime: file.mime,
            },
        })
        .collect()
}

pub(super) fn download(exchange: &Exchange<'_>, id: &str, hash: &str) -> After {
    let conversation = match find(exchange, id) {
        Ok(conversation) => conversation,
        Err(after) => return after,
    };
    let bytes = {
        let store = exchange.shared.store();
        store.uploads.get(id, hash).map(<[u8]>::to_vec)
    };
    let mut files = conversation.messages.iter().flat_map(|m| &m.files);
    let (Some(bytes), Some(file)) = (bytes, files.find(|file| file.hash == hash)) else {
        return exchange.error(404, "File not found");
    };
    let name: String = hash.chars().take(8).collect();
    let extension = file.mime.split('/').nth(1).unwrap_or_default();
    let disposition = format!("attachment; filename=\"{name}.{extension}\"");
    exchange
        .reply_bare(Response::bytes(&file.mime, bytes).header("content-disposition", disposition))
}
