//! The data of a page, as SvelteKit serves it at `__data.json`: `{"type":"data","nodes":[...]}`.
//!
//! In the `data` of a node, numbers inside objects and lists are indexes into that same list,
//! whose first element is the root; -1 stands for undefined.

use serde_json::Value;

/// One value of a page's data.
#[derive(Clone, Copy)]
pub(crate) struct PageValue<'a> {
    data: &'a [Value],
    value: &'a Value,
}

/// The roots of the page's nodes: the layout's first, then the page's own. Nodes that were
/// skipped are left out.
pub(crate) fn roots(page: &Value) -> impl Iterator<Item = PageValue<'_>> {
    let nodes = page.get("nodes").and_then(Value::as_array);
    nodes.into_iter().flatten().filter_map(|node| {
        let data = node.get("data")?.as_array()?;
        let value = data.first()?;
        Some(PageValue { data, value })
    })
}

/// The status and the message of a page that the server does not have: the response is a success
/// all the same.
pub(crate) fn error(page: &Value) -> Option<(u16, &str)> {
    page.get("nodes")?.as_array()?.iter().find_map(|node| {
        let is_error = node.get("type")?.as_str()? == "error";
        let status = node.get("status").filter(|_| is_error)?.as_u64()?;
        let message = node.pointer("/error/message").and_then(Value::as_str);
        Some((u16::try_from(status).ok()?, message.unwrap_or_default()))
    })
}

impl<'a> PageValue<'a> {
    fn resolve(self, index: &Value) -> Option<PageValue<'a>> {
        let index = usize::try_from(index.as_i64()?).ok()?;
        let value = self.data.get(index)?;
        Some(PageValue { value, ..self })
    }

    /// A member of an object.
    pub(crate) fn get(self, name: &str) -> Option<PageValue<'a>> {
        self.resolve(self.value.get(name)?)
    }

    /// The items of a list.
    pub(crate) fn items(self) -> impl DoubleEndedIterator<Item = PageValue<'a>> {
        let items = self.value.as_array().map(Vec::as_slice);
        let items = items.unwrap_or_default().iter();
        items.filter_map(move |index| self.resolve(index))
    }

    pub(crate) fn as_str(self) -> Option<&'a str> {
        self.value.as_str()
    }

    /// The names of an object's members.
    pub(crate) fn names(self) -> Vec<String> {
        let members = self.value.as_object().into_iter().flatten();
        members.map(|(name, _)| name.clone()).collect()
    }

    pub(crate) fn as_bool(self) -> Option<bool> {
        self.value.as_bool()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn indexes_are_resolved_within_their_node() {
        let page = json!({"type": "data", "nodes": [
            {"type": "skip"},
            null,
            {"type": "data", "data": [
                {"models": 1, "user": -1}, [2, 4], {"id": 3}, "a/b", {"id": 5}, "c",
            ]},
        ]});
        let root = roots(&page).next().unwrap();
        let ids: Vec<&str> = root
            .get("models")
            .unwrap()
            .items()
            .filter_map(|model| model.get("id")?.as_str())
            .collect();
        assert_eq!(ids, ["a/b", "c"]);
        assert!(root.get("user").is_none());
    }

    #[test]
    fn other_json_has_no_roots() {
        for page in [
            json!(null),
            json!([]),
            json!({"nodes": [{}]}),
            json!({"nodes": [{"data": [] }]}),
        ] {
            assert_eq!(roots(&page).count(), 0, "{page}");
        }
    }
}
