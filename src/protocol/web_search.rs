//! What a service tells of its web searches.

use super::json;

/// A step of a web search.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WebSearch {
    /// What is being done, in the service's words; also why it failed, in which case the reply
    /// comes without search results.
    pub message: String,
    /// The pages found, in the step that names them.
    pub sources: Vec<Source>,
}

/// A page that a web search found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Source {
    /// Its title; empty if the service does not say.
    pub title: String,
    /// Its address.
    pub link: String,
}

impl WebSearch {
    /// Reads a step of any version: what matters is the same in all of them.
    pub(crate) fn read(step: &str) -> WebSearch {
        let list = |name| {
            let items = json::member(step, name).map(json::items);
            items.and_then(Result::ok).unwrap_or_default()
        };
        let mut message = json::text_member(step, "message").unwrap_or_default();
        for detail in list("args") {
            message.push_str(": ");
            message.push_str(&json::text(detail).unwrap_or_default());
        }
        let text = |source, name| json::text_member(source, name).unwrap_or_default();
        let sources = list("sources").into_iter().map(|source| Source {
            title: text(source, "title"),
            link: text(source, "link"),
        });
        WebSearch {
            message,
            sources: sources.collect(),
        }
    }
}
