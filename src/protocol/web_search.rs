//! What a server reports of its web searches.

use super::json::Json;

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
    /// Reads a step of any version, all of which have the same members.
    pub(super) fn read(step: Json<'_>) -> WebSearch {
        let list = |name| step.get(name).map(Json::items).into_iter().flatten();
        let mut message = step.text("message");
        for detail in list("args") {
            message.push_str(": ");
            message.push_str(&detail.as_str().unwrap_or_default());
        }
        let sources = list("sources").map(|source| Source {
            title: source.text("title"),
            link: source.text("link"),
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

    #[test]
    fn steps_of_all_versions_are_read() {
        let source = |title: &str, link: &str| Source {
            title: title.into(),
            link: link.into(),
        };
        let read = |step| WebSearch::read(Json::read(step).unwrap());
        let step = r#"{
            "type": "update", "message": "A", "args": ["b", "c"],
            "sources": [{"title": "T", "link": "L", "hostname": "h"}, {}]
        }"#;
        let expected = WebSearch {
            message: "A: b: c".into(),
            sources: vec![source("T", "L"), source("", "")],
        };
        assert_eq!(read(step), expected);
        let step = r#"{"type": "webSearch", "subtype": "finished", "sources": 1}"#;
        assert_eq!(read(step), WebSearch::default());
    }
}
