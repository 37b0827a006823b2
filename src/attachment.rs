//! Files that go with a prompt.

use std::fs;
use std::path::Path;

use crate::error::{Error, Result};

/// The MIME types of the file names that servers do something with.
const TYPES: [(&str, &str); 16] = [
    ("png", "image/png"),
    ("jpg", "image/jpeg"),
    ("jpeg", "image/jpeg"),
    ("gif", "image/gif"),
    ("webp", "image/webp"),
    ("txt", "text/plain"),
    ("md", "text/plain"),
    ("log", "text/plain"),
    ("csv", "text/plain"),
    ("json", "text/plain"),
    ("toml", "text/plain"),
    ("yaml", "text/plain"),
    ("yml", "text/plain"),
    ("rs", "text/plain"),
    ("py", "text/plain"),
    ("pdf", "application/pdf"),
];

/// A file that goes with a prompt; for [`Prompt::attach`](crate::Prompt::attach).
///
/// ```no_run
/// use h2ogpt::{Attachment, Prompt};
///
/// # let client = h2ogpt::Client::new("http://localhost:3000")?;
/// let prompt = Prompt::new("What is in this picture?").attach(Attachment::from_path("cat.png")?);
/// println!("{}", client.generate(prompt)?.into_text()?);
/// # Ok::<(), h2ogpt::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    pub(crate) name: String,
    pub(crate) mime: String,
    pub(crate) bytes: Vec<u8>,
}

impl Attachment {
    /// A file with this name, which the model may be told, of this MIME type. Does no I/O.
    pub fn new(
        name: impl Into<String>,
        mime: impl Into<String>,
        bytes: impl Into<Vec<u8>>,
    ) -> Self {
        Attachment {
            name: name.into(),
            mime: mime.into(),
            bytes: bytes.into(),
        }
    }

    /// Reads the file. Its type follows from its name: PNG, JPEG, GIF and WebP are images, what is
    /// known as text is `text/plain`.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`] if the file cannot be read, or its type does not follow from its
    /// name: then use [`new`](Attachment::new).
    pub fn from_path(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let fail = |why: &dyn std::fmt::Display| {
            Error::configuration(format!("cannot attach {}: {why}", path.display()))
        };
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let extension = path.extension().unwrap_or_default().to_string_lossy();
        let extension = extension.to_ascii_lowercase();
        fs::metadata(path).map_err(|error| fail(&error))?;
        let known = TYPES.iter().find(|(known, _)| *known == extension);
        let (_, mime) = known.ok_or_else(|| fail(&"its name does not tell its type"))?;
        let bytes = fs::read(path).map_err(|error| fail(&error))?;
        Ok(Attachment::new(name, *mime, bytes))
    }

    pub(crate) fn is_image(&self) -> bool {
        self.mime.starts_with("image/")
    }

    /// Rejects what no server accepts, and what would break the request.
    pub(crate) fn check(&self) -> std::result::Result<(), String> {
        let name = crate::sanitize::sanitize(&self.name);
        let fail = |why: &str| Err(format!("cannot attach {name:?}: {why}"));
        let is_token = |part: &str| {
            let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&byte);
            !part.is_empty() && part.bytes().all(is_plain)
        };
        match self.mime.split_once('/') {
            Some((kind, subtype)) if is_token(kind) && is_token(subtype) => {}
            _ => return fail("its MIME type is not of the form image/png"),
        }
        if self.name.is_empty() {
            return fail("it has no name");
        }
        if self.bytes.is_empty() {
            return fail("it is empty");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_type_follows_from_the_name() {
        let path = std::env::temp_dir().join(format!("h2ogpt-{}.PNG", uuid::Uuid::new_v4()));
        fs::write(&path, b"bytes").unwrap();
        let attachment = Attachment::from_path(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert_eq!(
            (attachment.mime.as_str(), attachment.bytes.as_slice()),
            ("image/png", &b"bytes"[..])
        );
        for path in ["/nonexistent/x.png", "/nonexistent/x", "/nonexistent/x.exe"] {
            let error = Attachment::from_path(path).unwrap_err();
            assert!(error.to_string().contains(path), "{error}");
        }
    }

    #[test]
    fn what_would_break_a_request_is_rejected() {
        for (name, mime, bytes) in [
            ("", "image/png", &b"x"[..]),
            ("a", "image", b"x"),
            ("a", "image/png\r\nX: y", b"x"),
            ("a", "image/png", b""),
        ] {
            assert!(
                Attachment::new(name, mime, bytes).check().is_err(),
                "{name} {mime}"
            );
        }
        assert!(
            Attachment::new("ä;\"\n", "image/svg+xml", *b"x")
                .check()
                .is_ok()
        );
    }
}
