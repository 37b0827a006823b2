//! JSON whose members keep their order, and the three ways the server writes it.

use std::collections::HashMap;
use std::time::SystemTime;

use super::answer;
use super::date;

/// A value as JavaScript has it: JSON, and what JSON lacks.
#[derive(Clone)]
pub(super) enum Value {
    Undefined,
    Null,
    Bool(bool),
    Number(f64),
    String(String),
    Date(SystemTime),
    List(Vec<Value>),
    Object(Vec<(String, Value)>),
    /// JSON that was written before.
    Raw(String),
}

/// An object with these members; `Value` has to be in scope.
macro_rules! object {
    ($($name:literal: $value:expr),* $(,)?) => {
        Value::Object(vec![
            $(($name.to_owned(), Value::from($value))),*
        ])
    };
}
pub(super) use object;

impl From<bool> for Value {
    fn from(flag: bool) -> Value {
        Value::Bool(flag)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Value {
        Value::Number(number)
    }
}

impl From<&str> for Value {
    fn from(string: &str) -> Value {
        Value::String(string.to_owned())
    }
}

impl From<&String> for Value {
    fn from(string: &String) -> Value {
        Value::String(string.clone())
    }
}

impl From<SystemTime> for Value {
    fn from(time: SystemTime) -> Value {
        Value::Date(time)
    }
}

impl From<Vec<Value>> for Value {
    fn from(list: Vec<Value>) -> Value {
        Value::List(list)
    }
}

impl Value {
    /// `null` instead of nothing.
    pub(super) fn or_null(value: Option<impl Into<Value>>) -> Value {
        value.map_or(Value::Null, Into::into)
    }

    /// Adds a member to an object.
    pub(super) fn with(mut self, name: &str, value: impl Into<Value>) -> Value {
        if let Value::Object(members) = &mut self {
            members.push((name.to_owned(), value.into()));
        }
        self
    }

    /// Plain JSON: dates are strings, undefined members are left out.
    pub(super) fn json(&self) -> String {
        match self {
            Value::Undefined | Value::Null => "null".to_owned(),
            Value::Bool(flag) => flag.to_string(),
            Value::Number(number) => number.to_string(),
            Value::String(string) => answer::string(string),
            Value::Date(time) => answer::string(&date::iso(*time)),
            Value::List(list) => {
                let items: Vec<String> = list.iter().map(Value::json).collect();
                format!("[{}]", items.join(","))
            }
            Value::Object(members) => {
                let members: Vec<String> = members
                    .iter()
                    .filter(|(_, value)| !matches!(value, Value::Undefined))
                    .map(|(name, value)| format!("{}:{}", answer::string(name), value.json()))
                    .collect();
                format!("{{{}}}", members.join(","))
            }
            Value::Raw(json) => json.clone(),
        }
    }

    /// `{"json":...,"meta":...}`, where `meta` names the types that JSON lacks.
    pub(super) fn with_types(&self) -> String {
        let mut types = Vec::new();
        let json = self.typed("", &mut types);
        if types.is_empty() {
            return format!("{{\"json\":{json}}}");
        }
        format!(
            "{{\"json\":{json},\"meta\":{{\"values\":{{{}}},\"v\":1}}}}",
            types.join(",")
        )
    }

    fn typed(&self, path: &str, types: &mut Vec<String>) -> String {
        let below = |name: &str| match path {
            "" => name.to_owned(),
            path => format!("{path}.{name}"),
        };
        let mut note = |name| types.push(format!("{}:[\"{name}\"]", answer::string(path)));
        match self {
            Value::Undefined => note("undefined"),
            Value::Date(_) => note("Date"),
            _ => {}
        }
        match self {
            Value::List(list) => {
                let items: Vec<String> = (0..)
                    .zip(list)
                    .map(|(index, item): (usize, _)| item.typed(&below(&index.to_string()), types))
                    .collect();
                format!("[{}]", items.join(","))
            }
            Value::Object(members) => {
                let members: Vec<String> = members
                    .iter()
                    .map(|(name, value)| {
                        format!(
                            "{}:{}",
                            answer::string(name),
                            value.typed(&below(name), types)
                        )
                    })
                    .collect();
                format!("{{{}}}", members.join(","))
            }
            other => other.json(),
        }
    }

    /// The form of a page's data: a list in which everything stands once, and numbers are places
    /// in that list. Versions differ in the characters they escape.
    pub(super) fn flattened(&self, escaped: &str) -> String {
        let mut flat = Flat {
            escaped,
            items: Vec::new(),
            places: HashMap::new(),
        };
        flat.place(self);
        format!("[{}]", flat.items.join(","))
    }
}

struct Flat<'a> {
    escaped: &'a str,
    items: Vec<String>,
    /// Where each string, number and so on already stands.
    places: HashMap<String, usize>,
}

impl Flat<'_> {
    /// Writes the value and what it holds, and says where it stands.
    fn place(&mut self, value: &Value) -> String {
        if let Value::Undefined = value {
            return "-1".to_owned();
        }
        let plain = self.plain(value);
        if let Some(place) = plain.as_ref().and_then(|plain| self.places.get(plain)) {
            return place.to_string();
        }
        let place = self.items.len();
        self.items.push(String::new());
        self.items[place] = match (plain, value) {
            (Some(plain), _) => {
                self.places.insert(plain.clone(), place);
                plain
            }
            (None, Value::Date(time)) => format!("[\"Date\",\"{}\"]", date::iso(*time)),
            (None, Value::List(list)) => {
                let places: Vec<String> = list.iter().map(|item| self.place(item)).collect();
                format!("[{}]", places.join(","))
            }
            (None, Value::Object(members)) => {
                let places: Vec<String> = members
                    .iter()
                    .map(|(name, value)| format!("{}:{}", self.string(name), self.place(value)))
                    .collect();
                format!("{{{}}}", places.join(","))
            }
            (None, _) => String::new(),
        };
        place.to_string()
    }

    /// What stands for itself, and so only once.
    fn plain(&self, value: &Value) -> Option<String> {
        match value {
            Value::String(string) => Some(self.string(string)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Raw(_) => Some(value.json()),
            _ => None,
        }
    }

    fn string(&self, string: &str) -> String {
        let mut json = answer::string(string);
        for character in self.escaped.chars() {
            let code = format!("\\u{:04X}", u32::from(character));
            json = json.replace(character, &code);
        }
        json
    }
}
