//! The data of a page, as SvelteKit serves it at `__data.json`: `{"type":"data","nodes":[...]}`.
//!
//! In the `data` of a node, numbers inside objects and lists are indexes into that same list,
//! whose first element is the root; -1 stands for undefined.

use super::json::Json;

/// The data of a page: of the layout first, then the page's own.
pub(crate) struct PageData<'a> {
    nodes: Vec<Node<'a>>,
}

/// The data of one node.
#[derive(Debug)]
pub(crate) struct Node<'a> {
    list: &'a str,
    /// Where each value of the list begins: its length is found when it is read, so that a page of
    /// many short values takes little memory.
    offsets: Vec<u32>,
}

impl<'a> PageData<'a> {
    /// Nodes that were skipped are left out.
    pub(crate) fn read(page: Json<'a>) -> Self {
        let nodes = page.get("nodes").map(Json::items).into_iter().flatten();
        PageData {
            nodes: nodes.filter_map(Node::read).collect(),
        }
    }

    /// A member of one of the roots.
    pub(crate) fn get(&self, name: &str) -> Option<Json<'_>> {
        self.nodes.iter().find_map(|node| node.value(0)?.get(name))
    }
}

/// The status and the message of a page that the server does not have: the response is a success
/// all the same.
pub(crate) fn error(page: Json<'_>) -> Option<(u16, String)> {
    page.get("nodes")?.items().find_map(|node| {
        let is_error = node.str("type")? == "error";
        let status = node.get("status").filter(|_| is_error)?.as_u64()?;
        let message = node.get("error").map(|error| error.text("message"));
        Some((u16::try_from(status).ok()?, message.unwrap_or_default()))
    })
}

impl<'a> Node<'a> {
    fn read(node: Json<'a>) -> Option<Self> {
        let list = node.get("data").filter(|data| data.is_list())?;
        let (list, mut items) = (list.as_json(), list.items());
        let mut offsets = Vec::new();
        while let Some((_, value)) = items.next_written() {
            offsets.push(u32::try_from(list.len() - value.len()).ok()?);
        }
        Some(Node { list, offsets })
    }

    pub(super) fn value(&self, index: usize) -> Option<Json<'_>> {
        let offset = usize::try_from(*self.offsets.get(index)?).ok()?;
        let (value, _) = Json::split_first(self.list.get(offset..)?)?;
        Some(Json::in_node(value.as_json(), self))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_are_resolved_within_their_node() {
        let page = r#"{"type":"data","nodes":[
            {"type":"skip"},
            null,
            {"type":"data","data":[
                {"models":1,"user":-1},[2,4],{"id":3},"a/b",{"id":5}, "c"
            ]}
        ]}"#;
        let page = PageData::read(Json::read(page).unwrap());
        let models = page.get("models").unwrap().items();
        let ids: Vec<String> = models.map(|model| model.text("id")).collect();
        assert_eq!(ids, ["a/b", "c"]);
        assert!(page.get("user").is_none());
    }

    #[test]
    fn other_json_has_no_roots() {
        for page in [
            "null",
            "[]",
            r#"{"nodes":[{}]}"#,
            r#"{"nodes":[{"data":[]}]}"#,
        ] {
            let page = PageData::read(Json::read(page).unwrap());
            assert!(page.get("models").is_none());
        }
    }
}
