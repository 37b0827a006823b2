//! The dialects, and all that differs between them once the stream is left aside.

use super::request::{Message, Parent, escape};

/// How a service wants its messages, learned from answers that are needed anyway.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// v0.3 to v0.6: the service of 2023. It takes the settings as a form.
    Flat,
    /// v0.7: flat too, but JSON lines, in a response that never ends.
    FlatLines,
    /// v0.8 to today: messages form a tree, and each names its parent.
    Tree(Encoding),
}

/// How a tree service takes messages: as JSON up to v0.9.1, as a form from v0.9.2 on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// To be tried as a form first.
    Unknown,
    Form,
    Json,
}

/// A message, encoded.
pub(crate) enum Body {
    Form(String),
    Json(Vec<u8>),
}

impl Dialect {
    /// Whether a message must name its parent.
    pub(crate) fn has_tree(self) -> bool {
        matches!(self, Dialect::Tree(_))
    }

    /// Whether a web search is a request of its own, before the message.
    pub(crate) fn searches_first(self) -> bool {
        self == Dialect::Flat
    }

    /// Whether the response ends after the reply. Services that store the answer late do so when
    /// it has ended.
    pub(crate) fn ends_its_response(self) -> bool {
        self != Dialect::FlatLines
    }

    /// Whether a failed backend looks like an answer that repeats the prompt.
    pub(crate) fn fails_by_repeating(self) -> bool {
        self == Dialect::FlatLines
    }

    /// The body of a message.
    pub(crate) fn body(self, message: &Message, parent: Option<&Parent>) -> Body {
        match (self, parent) {
            (Dialect::FlatLines, _) => Body::Json(message.flat_lines()),
            (Dialect::Flat, _) | (Dialect::Tree(_), None) => Body::Json(message.flat()),
            (Dialect::Tree(Encoding::Json), Some(parent)) => {
                Body::Json(message.tree(parent).into_bytes())
            }
            (Dialect::Tree(Encoding::Form | Encoding::Unknown), Some(parent)) => {
                Body::Form(format!("data={}", escape(&message.tree(parent))))
            }
        }
    }

    /// What is left to try when a message was refused without being read.
    pub(crate) fn alternative(self) -> Option<Dialect> {
        match self {
            Dialect::Tree(Encoding::Unknown) => Some(Dialect::Tree(Encoding::Json)),
            _ => None,
        }
    }

    /// The dialect after a message was taken in it.
    pub(crate) fn confirmed(self) -> Dialect {
        match self {
            Dialect::Tree(Encoding::Unknown) => Dialect::Tree(Encoding::Form),
            known => known,
        }
    }
}
