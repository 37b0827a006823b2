//! The files that were uploaded, by conversation and hash.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::store::StoredFile;

#[derive(Default)]
pub(super) struct Uploads(HashMap<(String, String), Vec<u8>>);

impl Uploads {
    /// Keeps a file, and says how a message names it.
    pub(super) fn add(
        &mut self,
        conversation: &str,
        name: &str,
        mime: &str,
        bytes: Vec<u8>,
    ) -> StoredFile {
        let hash = hash(&bytes);
        self.0
            .insert((conversation.to_owned(), hash.clone()), bytes);
        StoredFile {
            hash,
            name: name.to_owned(),
            mime: mime.to_owned(),
        }
    }

    /// Gives a copy of a conversation the files of the original.
    pub(super) fn copy(&mut self, from: &str, to: &str) {
        let copies: Vec<_> = self
            .0
            .iter()
            .filter(|((conversation, _), _)| conversation == from)
            .map(|((_, hash), bytes)| ((to.to_owned(), hash.clone()), bytes.clone()))
            .collect();
        self.0.extend(copies);
    }

    pub(super) fn get(&self, conversation: &str, hash: &str) -> Option<&[u8]> {
        let key = (conversation.to_owned(), hash.to_owned());
        self.0.get(&key).map(Vec::as_slice)
    }
}

/// As long as the SHA-256 of the original, which no client can know beforehand either: it is made
/// of the bytes as a string, in which those that are not UTF-8 are replaced.
fn hash(bytes: &[u8]) -> String {
    (0_u8..4)
        .map(|part| {
            let mut hasher = DefaultHasher::new();
            (part, bytes).hash(&mut hasher);
            format!("{:016x}", hasher.finish())
        })
        .collect()
}
