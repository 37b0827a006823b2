//! What a server reports of its web searches.

use serde_json::Value;

use super::json::{self, Object};
use crate::error::Error;

/// A step of a web search.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WebSearch {
    /// What is being done, in the server's words. If the search failed, the reason, and the reply
    /// comes without search results. Empty if the server says nothing.
    pub message: String,
    /// The pages found, in the step that names them.
    pub sources: Vec<Source>,
}

/// A page that a web search found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Source {
    /// Its title; empty if the server does not say.
    pub title: String,
    /// Its address.
    pub link: String,
}

impl WebSearch {
    /// The last step of a search that failed.
    pub(crate) fn failed(error: &Error) -> WebSearch {
        WebSearch {
            message: error.to_string(),
            sources: Vec::new(),
        }
    }

    /// Reads a step of any version, all of which have the same members.
    pub(super) fn read(step: &Object) -> WebSearch {
        let list = |name| {
            step.get(name)
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
        };
        let mut message = json::to_string(step.get("message"));
        for detail in list("args") {
            message.push_str(": ");
            message.push_str(&json::to_string(Some(detail)));
        }
        let sources = list("sources").map(|source| Source {
            title: json::to_string(source.get("title")),
            link: json::to_string(source.get("link")),
        });
        WebSearch {
            message,
            sources: sources.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn steps_of_all_versions_are_read() {
        let source = |title: &str, link: &str| Source {
            title: title.into(),
            link: link.into(),
        };
        let step = json!({
            "type": "update", "message": "A", "args": ["b", "c"],
            "sources": [{"title": "T", "link": "L", "hostname": "h"}, {}],
        });
        let expected = WebSearch {
            message: "A: b: c".into(),
            sources: vec![source("T", "L"), source("", "")],
        };
        assert_eq!(WebSearch::read(step.as_object().unwrap()), expected);
        let step = json!({"type": "webSearch", "subtype": "finished", "sources": 1});
        let nothing = WebSearch::default();
        assert_eq!(WebSearch::read(step.as_object().unwrap()), nothing);
    }
}
