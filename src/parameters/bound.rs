//! The valid values of the known parameters.

use std::fmt;

use serde_json::Value;

/// What text-generation-inference accepts for a known parameter.
pub(super) enum Bound {
    Positive,
    Fraction,
    PositiveInteger(u64),
    Unsigned,
    StringList,
    Boolean,
    Any,
}

impl Bound {
    pub(super) fn of(name: &str) -> Bound {
        match name {
            "temperature" | "repetition_penalty" => Bound::Positive,
            "top_p" | "typical_p" => Bound::Fraction,
            "top_k" | "max_new_tokens" | "truncate" => Bound::PositiveInteger(u32::MAX.into()),
            "seed" => Bound::Unsigned,
            "stop" => Bound::StringList,
            "do_sample" | "return_full_text" | "details" | "watermark" => Bound::Boolean,
            _ => Bound::Any,
        }
    }

    pub(super) fn accepts(&self, value: &Value) -> bool {
        match self {
            Bound::Positive => value.as_f64().is_some_and(|n| n > 0.0),
            Bound::Fraction => value.as_f64().is_some_and(|n| n > 0.0 && n < 1.0),
            Bound::PositiveInteger(max) => value.as_u64().is_some_and(|n| (1..=*max).contains(&n)),
            Bound::Unsigned => value.is_u64(),
            Bound::StringList => value
                .as_array()
                .is_some_and(|strings| strings.iter().all(Value::is_string)),
            Bound::Boolean => value.is_boolean(),
            Bound::Any => true,
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Bound::Positive => "a number above 0",
            Bound::Fraction => "a number between 0 and 1, both exclusive",
            Bound::PositiveInteger(_) => "a whole number of at least 1",
            Bound::Unsigned => "a whole number that is not negative",
            Bound::StringList => "a list of strings",
            Bound::Boolean => "true or false",
            Bound::Any => "anything",
        })
    }
}
