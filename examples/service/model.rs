//! The models: what they can do, what they were given, and whether they are busy.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::response::Stream;
use super::server::{Shared, lock};

/// A model as the operator configured it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Model {
    pub id: String,
    pub description: String,
    /// Whether it is given images; others never see them.
    pub multimodal: bool,
    /// Whether it is given tools.
    pub tools: bool,
    pub reasoning: bool,
}

impl Model {
    pub fn new(id: &str) -> Model {
        Model {
            id: id.to_owned(),
            ..Model::default()
        }
    }
}

/// What a model was called for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    Reply,
    /// The title of a conversation, which versions from v0.7 on ask for on their own.
    Title,
}

/// One call of a model, and all that it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelCall {
    pub purpose: Purpose,
    pub conversation: String,
    pub model: String,
    /// The system prompt; from v0.9.5 on it may hold the same text twice.
    pub system: Option<String>,
    /// Who (`user` or `assistant`) said what, oldest first; the prompt is the last.
    pub messages: Vec<(String, String)>,
    /// The images of all messages.
    pub images: Vec<GivenFile>,
    /// The names of the files whose text is part of the messages.
    pub documents: Vec<String>,
    /// The names of the tool servers it could use.
    pub tools: Vec<String>,
}

impl ModelCall {
    /// The names of all files.
    pub(super) fn files(&self) -> Vec<&str> {
        let images = self.images.iter().map(|image| image.name.as_str());
        let documents = self.documents.iter().map(String::as_str);
        images.chain(documents).collect()
    }
}

/// A file that reached the model as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GivenFile {
    pub name: String,
    pub mime: String,
    pub bytes: Vec<u8>,
}

/// The calls so far, and who is being served.
#[derive(Default)]
pub(super) struct Calls {
    log: Mutex<Vec<ModelCall>>,
    busy: AtomicBool,
}

impl Calls {
    pub(super) fn add(&self, call: ModelCall) {
        lock(&self.log).push(call);
    }

    pub(super) fn all(&self) -> Vec<ModelCall> {
        lock(&self.log).clone()
    }
}

/// The model works for one request as long as this lives.
pub(super) struct Engaged<'a> {
    busy: Option<&'a AtomicBool>,
}

impl Drop for Engaged<'_> {
    fn drop(&mut self) {
        if let Some(busy) = self.busy {
            busy.store(false, Ordering::SeqCst);
        }
    }
}

/// How often a busy model is asked again.
const AGAIN: Duration = Duration::from_millis(5);

/// Waits for the model, if it answers one request at a time. Nothing if the wait became pointless:
/// the server stops, the client is gone and that matters, or `given_up` says so.
pub(super) fn engage<'a>(
    shared: &'a Shared,
    stream: &mut Stream<'_>,
    given_up: &dyn Fn() -> bool,
) -> Option<Engaged<'a>> {
    if !shared.config.one_at_a_time {
        return Some(Engaged { busy: None });
    }
    let busy = &shared.calls.busy;
    let watched = shared.config.rules.closing_stops;
    while busy.swap(true, Ordering::SeqCst) {
        stream.wait_until(AGAIN, watched, given_up);
        if stream.is_stopping() || given_up() || (watched && stream.is_gone()) {
            return None;
        }
    }
    Some(Engaged { busy: Some(busy) })
}
