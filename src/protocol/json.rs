//! JSON, read by `serde_json`, and the strings that it cannot read.

use std::ops::Range;

use serde_json::{Map, Value};

use super::surrogates::{self, is_plain};

pub(super) type Object = Map<String, Value>;

/// Why a text is not JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotJson {
    /// It ends before the value does.
    Unfinished,
    Invalid,
}

/// Reads any value. A lone surrogate in one of its strings becomes U+FFFD.
pub(crate) fn value(json: &str) -> Result<Value, NotJson> {
    let mut value = serde_json::from_str(json);
    if value.as_ref().is_err_and(|error| error.is_syntax()) && json.contains("\\u") {
        value = serde_json::from_str(&surrogates::replace_lone(json));
    }
    value.map_err(|error| {
        if error.is_eof() {
            NotJson::Unfinished
        } else {
            NotJson::Invalid
        }
    })
}

/// Reads an object like any value.
pub(super) fn object(json: &str) -> Result<Object, NotJson> {
    match value(json)? {
        Value::Object(object) => Ok(object),
        _ => Err(NotJson::Invalid),
    }
}

/// A member that is a string.
pub(super) fn str<'a>(object: &'a Object, name: &str) -> Option<&'a str> {
    object.get(name)?.as_str()
}

/// A member that is a string, taken out of the object; empty if there is none.
pub(super) fn take_string(object: &mut Object, name: &str) -> String {
    match object.get_mut(name).map(Value::take) {
        Some(Value::String(string)) => string,
        _ => String::new(),
    }
}

/// A string, or an empty one for anything else.
pub(super) fn to_string(value: Option<&Value>) -> String {
    let string = value.and_then(Value::as_str);
    string.unwrap_or_default().to_owned()
}

/// A member that is not `null`.
pub(super) fn member<'a>(object: &'a Object, name: &str) -> Option<&'a Value> {
    object.get(name).filter(|value| !value.is_null())
}

/// Where the first string member of this name stands in a JSON object, without the quotation
/// marks: for strings that are to be read as they are written.
pub(super) fn string_member(json: &str, name: &str) -> Option<Range<usize>> {
    // Within a string, a quotation mark has a backslash before it.
    json.match_indices(name).find_map(|(at, _)| {
        let before = json.get(..at)?.strip_suffix('"')?;
        let after = json.get(at + name.len()..)?.strip_prefix('"')?;
        let value = after.trim_ascii_start().strip_prefix(':')?;
        let content = value.trim_ascii_start().strip_prefix('"')?;
        let length = string_length(content.as_bytes()).filter(|_| !before.ends_with('\\'))?;
        let start = json.len() - content.len();
        Some(start..start + length)
    })
}

/// The length of a string up to its closing quotation mark.
fn string_length(json: &[u8]) -> Option<usize> {
    let mut length = 0;
    loop {
        let rest = json.get(length..)?;
        length += rest.iter().position(|&byte| !is_plain(byte))?;
        match json.get(length)? {
            b'"' => return Some(length),
            b'\\' => length += 2,
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lone_surrogates_are_read() {
        let read = |json| object(json).unwrap().remove("a").unwrap();
        assert_eq!(read(r#"{"a":"x\ud83d"}"#), "x\u{fffd}");
        assert_eq!(read(r#"{"a":"\ude00\ud83d\ude00"}"#), "\u{fffd}😀");
        assert_eq!(object(r#"{"a":"\ud83d","b"#), Err(NotJson::Unfinished));
        assert_eq!(object(r#"{"a":"\ud83d" x}"#), Err(NotJson::Invalid));
    }

    #[test]
    fn wherever_an_object_is_cut_its_end_is_missing() {
        let json = r#"{"a":[true,false,null,-1.5e+3,{}],"é":"\n\u00e9\ud83d\ude00😀"}"#;
        for (end, _) in json.char_indices() {
            assert_eq!(object(&json[..end]), Err(NotJson::Unfinished), "{end}");
        }
        assert!(object(json).is_ok());
        for wrong in ["{]", "{\"a\":tru}", "{} x", "[]", "{\"a\":01}"] {
            assert_eq!(object(wrong), Err(NotJson::Invalid), "{wrong}");
        }
    }

    #[test]
    fn nesting_has_a_bound() {
        let nested = |depth| format!("{{\"a\":{}{}}}", "[".repeat(depth), "]".repeat(depth));
        assert!(object(&nested(100)).is_ok());
        assert_eq!(object(&nested(100_000)), Err(NotJson::Invalid));
    }

    #[test]
    fn a_string_is_found_as_it_is_written() {
        let find = |json: &'static str| string_member(json, "text").map(|range| &json[range]);
        assert_eq!(find(r#"{"text":"a\n\"b"}"#), Some(r#"a\n\"b"#));
        assert_eq!(find(r#"{"x":"text","text" : "","y":1}"#), Some(""));
        assert_eq!(find(r#"{"x":"\"text\":\"no\"","text":"yes"}"#), Some("yes"));
        assert_eq!(find(r#"{"\"text":"no","text":"yes"}"#), Some("yes"));
        assert_eq!(find(r#"{"a text":"no","text":"yes"}"#), Some("yes"));
        for json in [r#"{"text":null}"#, r#"{"text":"a"#, r#"{"text""#, "{}"] {
            assert_eq!(find(json), None, "{json}");
        }
    }
}
