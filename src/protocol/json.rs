//! JSON as it is written: `serde_json` checks a document and finds its values, which are decoded
//! when they are asked for. A tree of values would take several times the memory of a long history,
//! and code of some 30 kB.

use serde_json::value::RawValue;
use serde_json::{Deserializer, Value};

use super::page_data::Node;
use super::surrogates;

/// A value of a JSON document.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Json<'a> {
    json: &'a str,
    /// In a page's data, what the numbers in objects and lists are indexes into.
    node: Option<&'a Node<'a>>,
}

/// Why a text is not JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotJson {
    /// It ends before the value does.
    Unfinished,
    Invalid,
}

impl<'a> Json<'a> {
    /// Checks a document, which may begin with a byte order mark.
    pub(crate) fn read(document: &'a str) -> Result<Self, NotJson> {
        let document = document.trim_start_matches('\u{feff}');
        let read = serde_json::from_str::<&RawValue>(document);
        let read = read.map(|value| Json::new(value.get()));
        read.map_err(|error| {
            // A number that is cut counts as invalid, which one more digit changes.
            let is_cut = || {
                let longer = format!("{document}0");
                let longer = serde_json::from_str::<&RawValue>(&longer);
                longer.is_err_and(|error| error.is_eof())
            };
            if error.is_eof() || is_cut() {
                NotJson::Unfinished
            } else {
                NotJson::Invalid
            }
        })
    }

    /// Checks a document that must be an object.
    pub(crate) fn read_object(document: &'a str) -> Result<Self, NotJson> {
        let value = Json::read(document)?;
        let is_object = value.json.starts_with('{');
        is_object.then_some(value).ok_or(NotJson::Invalid)
    }

    fn new(json: &'a str) -> Self {
        Json { json, node: None }
    }

    /// A value of a page's data.
    pub(super) fn in_node(json: &'a str, node: &'a Node<'a>) -> Self {
        let node = Some(node);
        Json { json, node }
    }

    /// Splits the first value off a sequence of values.
    pub(super) fn split_first(json: &str) -> Option<(Json<'_>, &str)> {
        let mut values = Deserializer::from_str(json).into_iter::<&RawValue>();
        let value = values.next()?.ok()?.get();
        Some((Json::new(value), json.get(values.byte_offset()..)?))
    }

    /// The value as it is written.
    pub(crate) fn as_json(self) -> &'a str {
        self.json
    }

    /// The value of a number in objects and lists of a page's data.
    fn resolve(self, value: Json<'a>) -> Option<Json<'a>> {
        match self.node {
            Some(node) => node.value(value.json.parse().ok()?),
            None => Some(value),
        }
    }

    /// Splits the first member off the rest of an object: its name, its value as it is written,
    /// and the rest.
    fn split_member(rest: &'a str) -> Option<(String, Json<'a>, Option<&'a str>)> {
        let (name, after) = Json::split_first(rest)?;
        let (value, after) = Json::split_first(after.trim_ascii_start().strip_prefix(':')?)?;
        let rest = after.trim_ascii_start().strip_prefix(',');
        Some((name.as_str()?, value, rest))
    }

    /// A member of an object.
    pub(crate) fn get(self, name: &str) -> Option<Json<'a>> {
        let mut rest = self.json.strip_prefix('{');
        let mut found = None;
        while let Some((known, value, after)) = rest.and_then(Json::split_member) {
            if known == name {
                found = Some(value);
            }
            rest = after;
        }
        self.resolve(found?)
    }

    /// A member of an object that is not `null`.
    pub(crate) fn get_some(self, name: &str) -> Option<Json<'a>> {
        self.get(name).filter(|value| value.json != "null")
    }

    /// The items of a list, in any other value none.
    pub(crate) fn items(self) -> Items<'a> {
        Items {
            list: self,
            rest: self.json.strip_prefix('['),
        }
    }

    pub(crate) fn is_list(self) -> bool {
        self.json.starts_with('[')
    }

    /// What stands between the quotation marks of a string.
    pub(crate) fn content(self) -> Option<&'a str> {
        self.json.strip_prefix('"')?.strip_suffix('"')
    }

    /// A string. A lone surrogate in it becomes U+FFFD.
    pub(crate) fn as_str(self) -> Option<String> {
        surrogates::decode(self.content()?)
    }

    /// A member that is a string.
    pub(crate) fn str(self, name: &str) -> Option<String> {
        self.get(name)?.as_str()
    }

    /// A member that is a string, empty if there is none.
    pub(crate) fn text(self, name: &str) -> String {
        self.str(name).unwrap_or_default()
    }

    /// A date: a string, or in a page's data the list of the word `Date` and that string.
    pub(crate) fn as_date(self) -> Option<String> {
        let mut items = self.items();
        let kind = items.next_written().and_then(|(kind, _)| kind.as_str());
        match kind.as_deref() {
            Some("Date") => items.next_written()?.0.as_str(),
            _ => self.as_str(),
        }
    }

    pub(crate) fn as_bool(self) -> Option<bool> {
        match self.json {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }

    /// A whole number.
    pub(crate) fn as_u64(self) -> Option<u64> {
        self.json.parse().ok()
    }

    /// The value as a tree. A lone surrogate in one of its strings becomes U+FFFD.
    pub(crate) fn to_value(self) -> Value {
        serde_json::from_str(&surrogates::replace_lone(self.json)).unwrap_or_default()
    }
}

/// The items of a list.
pub(crate) struct Items<'a> {
    list: Json<'a>,
    rest: Option<&'a str>,
}

impl<'a> Items<'a> {
    /// The next item as it is written, and what begins with it.
    pub(super) fn next_written(&mut self) -> Option<(Json<'a>, &'a str)> {
        let start = self.rest?;
        let (item, after) = Json::split_first(start)?;
        self.rest = after.trim_ascii_start().strip_prefix(',');
        Some((item, start))
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = Json<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (item, _) = self.next_written()?;
            if let Some(item) = self.list.resolve(item) {
                return Some(item);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_and_items_are_found() {
        let json =
            " { \"a\" : [ 1 , {\"b\":\"x, ]}\"} ] , \"\\u0061b\":true,\"a b\" :null,\"n\":7} ";
        let object = Json::read(json).unwrap();
        let items: Vec<_> = object
            .get("a")
            .unwrap()
            .items()
            .map(Json::as_json)
            .collect();
        assert_eq!(items, ["1", r#"{"b":"x, ]}"}"#]);
        assert_eq!(object.get("ab").unwrap().as_bool(), Some(true));
        assert_eq!(object.get("n").unwrap().as_u64(), Some(7));
        assert!(object.get("a b").is_some() && object.get_some("a b").is_none());
        assert!(object.get("b").is_none() && object.get("a").unwrap().get("b").is_none());
        assert_eq!(object.items().count(), 0);
        // As in JavaScript.
        assert_eq!(Json::read(r#"{"a":"1","a":"2"}"#).unwrap().text("a"), "2");
    }

    #[test]
    fn lone_surrogates_are_read() {
        let read = |json| Json::read_object(json).unwrap().text("a");
        assert_eq!(read(r#"{"a":"x\ud83d"}"#), "x\u{fffd}");
        assert_eq!(read(r#"{"a":"\ude00\ud83d\ude00"}"#), "\u{fffd}😀");
        let value = Json::read(r#"["\ud83d\n"]"#).unwrap().to_value();
        assert_eq!(value[0], "\u{fffd}\n");
    }

    #[test]
    fn wherever_an_object_is_cut_its_end_is_missing() {
        let read = |json| Json::read_object(json).map(Json::as_json);
        let json = r#"{"a":[true,false,null,-1.5e+3,{}],"é":"\n\u00e9\ud83d\ude00😀\ud83d"}"#;
        for (end, _) in json.char_indices() {
            assert_eq!(read(&json[..end]), Err(NotJson::Unfinished), "{end}");
        }
        assert_eq!(read(json), Ok(json));
        for wrong in ["{]", "{\"a\":tru}", "{} x", "[]", "{\"a\":01}", "{\"a\":-}"] {
            assert_eq!(read(wrong), Err(NotJson::Invalid), "{wrong}");
        }
    }

    #[test]
    fn nesting_has_no_bound() {
        let depth = 100_000;
        let nested = format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        let value = Json::read_object(&nested).unwrap().get("a").unwrap();
        assert_eq!(value.items().count(), 1);
        // A tree of values has one.
        assert!(value.to_value().is_null());
    }
}
