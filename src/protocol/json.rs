//! JSON, read without building anything of it: what is asked for is found in one pass, which
//! checks all the rest.
//!
//! Of its own, as a tree of values takes some 20 kB of code and an allocation for every name and
//! text, and refuses the half characters that some services send (see [`halves`](super::halves)).

mod reader;

use super::halves::Halves;

pub(crate) use reader::Reader;

/// Why something could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NotJson {
    /// It has no end in this text.
    Unfinished,
    Invalid,
}

pub(crate) type Read<T> = Result<T, NotJson>;

/// The members of an object that have these names, in JSON; `None` for one that is missing or
/// `null`. All of the text must be that object.
pub(crate) fn members<'a, const N: usize>(
    object: &'a str,
    names: [&str; N],
) -> Read<[Option<&'a str>; N]> {
    let mut members = [None; N];
    find(object, &names, &mut members)?;
    Ok(members)
}

/// The same for any number of names.
fn find<'a>(object: &'a str, names: &[&str], members: &mut [Option<&'a str>]) -> Read<()> {
    let mut reader = Reader::new(object);
    reader.object(&mut |name, value| {
        let mut named = names.iter().zip(&mut *members);
        if let Some((_, member)) = named.find(|(known, _)| **known == name) {
            *member = Some(value).filter(|&value| value != "null");
        }
    })?;
    reader.end()
}

/// One member of an object; `None` also if this is no object.
pub(crate) fn member<'a>(object: &'a str, name: &str) -> Option<&'a str> {
    let [member] = members(object, [name]).ok()?;
    member
}

/// The items of a list, in JSON. All of the text must be that list.
pub(crate) fn items(list: &str) -> Read<Vec<&str>> {
    let mut items = Vec::new();
    let mut reader = Reader::new(list);
    reader.list(&mut |item| items.push(item))?;
    reader.end()?;
    Ok(items)
}

/// The first value of several in a row, and what comes after it.
pub(crate) fn first(json: &str) -> Read<(&str, &str)> {
    let mut reader = Reader::new(json);
    let value = reader.value()?;
    Ok((value, reader.rest()))
}

/// A text, in which half a character becomes U+FFFD.
pub(crate) fn text(json: &str) -> Option<String> {
    let mut halves = Halves::default();
    let mut text = halves.read(content(json)?)?;
    halves.give_up(&mut text);
    Some(text)
}

/// What stands between the quotation marks of a text.
pub(crate) fn content(json: &str) -> Option<&str> {
    json.strip_prefix('"')?.strip_suffix('"')
}

/// A member of an object that is a text.
pub(crate) fn text_member(object: &str, name: &str) -> Option<String> {
    text(member(object, name)?)
}

#[cfg(test)]
pub(crate) mod tests {
    use std::fs;
    use std::path::Path;

    use serde_json::Value;

    use super::*;

    #[test]
    fn every_recorded_line_is_read_as_serde_json_reads_it() {
        let recordings = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings");
        let mut lines = 0;
        for version in ["v0.5", "v0.8.4", "main"] {
            for file in fs::read_dir(recordings.join(version)).unwrap() {
                let bytes = fs::read(file.unwrap().path()).unwrap();
                for line in String::from_utf8_lossy(&bytes).lines() {
                    let json = line.trim_start_matches("data:");
                    if let Ok(value) = serde_json::from_str(json) {
                        assert_same(json, &value);
                        assert_unfinished(json.trim());
                        lines += 1;
                    }
                }
            }
        }
        assert!(lines > 300, "{lines}");
    }

    /// Reads all of `json` level by level.
    pub(crate) fn assert_same(json: &str, value: &Value) {
        match value {
            Value::Object(object) => {
                for (name, value) in object {
                    match member(json, name) {
                        Some(json) => assert_same(json, value),
                        None => assert!(value.is_null(), "{name} of {json}"),
                    }
                }
            }
            Value::Array(list) => {
                let items = items(json).unwrap();
                assert_eq!(items.len(), list.len(), "{json}");
                for (json, value) in items.into_iter().zip(list) {
                    assert_same(json, value);
                }
            }
            Value::String(expected) => assert_eq!(text(json).as_ref(), Some(expected), "{json}"),
            other => assert_eq!(serde_json::from_str::<Value>(json).unwrap(), *other),
        }
    }

    /// Wherever an object is cut, its end is what is missing.
    fn assert_unfinished(json: &str) {
        if json.starts_with('{') && json.len() < 500 {
            for (end, _) in json.char_indices() {
                let cut = json.get(..end).unwrap();
                assert_eq!(members(cut, [""]), Err(NotJson::Unfinished), "{cut}");
            }
        }
    }

    #[test]
    fn the_last_of_several_members_counts_and_null_is_none() {
        let json = r#" { "a" : 1 , "b" : null, "a" : [ 2 ] } "#;
        assert_eq!(
            members(json, ["a", "b", "c"]),
            Ok([Some("[ 2 ]"), None, None])
        );
    }

    #[test]
    fn values_in_a_row_are_taken_one_by_one() {
        assert_eq!(first(r#"{"a":"}"}{"b""#), Ok((r#"{"a":"}"}"#, r#"{"b""#)));
        assert_eq!(first(r#"{"b""#), Err(NotJson::Unfinished));
    }

    #[test]
    fn nesting_has_a_bound() {
        assert!(items(&("[".repeat(128) + &"]".repeat(128))).is_ok());
        assert_eq!(items(&"[".repeat(100_000)), Err(NotJson::Invalid));
    }
}
