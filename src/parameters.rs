//! The generation parameters.

mod bound;

use serde_json::{Number, Value};

use bound::Bound;

use crate::error::{Error, Result};

/// Those of the server of 2023, in JSON.
const DEFAULTS: [(&str, &str); 6] = [
    ("temperature", "0.4"),
    ("truncate", "2048"),
    ("max_new_tokens", "1024"),
    ("do_sample", "true"),
    ("repetition_penalty", "1.2"),
    ("return_full_text", "false"),
];

/// How the model generates the reply: what is set here replaces or joins the defaults.
///
/// The defaults are those of the server of 2023: `temperature` 0.4, `truncate` 2048,
/// `max_new_tokens` 1024, `do_sample` true, `repetition_penalty` 1.2, `return_full_text` false.
/// The parameters of one message win over those of the client.
///
/// Only chat-ui v0.3 to v0.6, in front of text-generation-inference, uses them. Later servers
/// ignore them, which [`Reply::ignored`](crate::Reply::ignored) reports.
///
/// A value out of bounds is rejected before anything is sent: by
/// [`ClientBuilder::build`](crate::ClientBuilder::build), or by sending the message that has it.
///
/// ```
/// use h2ogpt::Parameters;
///
/// let parameters = Parameters::new()
///     .temperature(0.9)
///     .stop(["\nUser:"])
///     .set("decoder_input_details", true);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Parameters {
    /// Each name once, in the order in which they were first set.
    values: Vec<(String, Encoded)>,
}

/// A value in JSON, or why it is invalid. Programs that set no parameter do without the code that
/// writes any value, which is 10 kB.
type Encoded = std::result::Result<String, String>;

impl Parameters {
    /// No parameter set: the defaults apply.
    pub fn new() -> Self {
        Self::default()
    }

    /// Randomness of the choice of tokens, above 0; 0.4 by default.
    pub fn temperature(self, value: f64) -> Self {
        self.number("temperature", value)
    }

    /// How much repetition is penalized, above 0, where 1 is not at all; 1.2 by default.
    pub fn repetition_penalty(self, value: f64) -> Self {
        self.number("repetition_penalty", value)
    }

    /// Choose among this many most probable tokens, at least 1; unlimited by default.
    pub fn top_k(self, value: u32) -> Self {
        self.set("top_k", value)
    }

    /// Choose among the most probable tokens that together reach this probability, between 0
    /// and 1, both exclusive; off by default.
    pub fn top_p(self, value: f64) -> Self {
        self.number("top_p", value)
    }

    /// Typical decoding mass, between 0 and 1, both exclusive; off by default.
    pub fn typical_p(self, value: f64) -> Self {
        self.number("typical_p", value)
    }

    /// Longest reply in tokens, at least 1; 1024 by default.
    pub fn max_new_tokens(self, value: u32) -> Self {
        self.set("max_new_tokens", value)
    }

    /// How many tokens of the prompt are used, counted from its end, at least 1; 2048 by default.
    pub fn truncate(self, value: u32) -> Self {
        self.set("truncate", value)
    }

    /// Strings that end the reply when the model writes one of them; none by default.
    pub fn stop<S: Into<String>>(self, texts: impl IntoIterator<Item = S>) -> Self {
        let texts = texts.into_iter().map(|text| Value::String(text.into()));
        self.set("stop", Value::Array(texts.collect()))
    }

    /// Seed of the random choice, for a reply that can be repeated; random by default.
    pub fn seed(self, value: u64) -> Self {
        self.set("seed", value)
    }

    /// Whether tokens are sampled, instead of always choosing the most probable one; true by default.
    pub fn do_sample(self, value: bool) -> Self {
        self.set("do_sample", value)
    }

    /// Whether the prompt is repeated in front of the reply; false by default.
    pub fn return_full_text(self, value: bool) -> Self {
        self.set("return_full_text", value)
    }

    /// Any other parameter, or a known one as JSON. The server ignores names that it does not
    /// know. `null` removes a default, so that the server's own applies.
    pub fn set(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        let (name, value) = (name.into(), value.into());
        let bound = Bound::of(&name);
        let encoded = if value.is_null() || bound.accepts(&value) {
            Ok(value.to_string())
        } else {
            Err(format!("parameter {name} must be {bound}, not {value}"))
        };
        self.put(name, encoded);
        self
    }

    fn put(&mut self, name: String, value: Encoded) {
        match self.values.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = value,
            None => self.values.push((name, value)),
        }
    }

    fn number(self, name: &str, value: f64) -> Self {
        match Number::from_f64(value) {
            Some(number) => self.set(name, number),
            // JSON has no such number. Its name is kept, to be rejected.
            None => self.set(name, value.to_string()),
        }
    }

    /// Rejects values that the server would reject.
    pub(crate) fn check(&self) -> Result<()> {
        match self
            .values
            .iter()
            .find_map(|(_, value)| value.as_ref().err())
        {
            Some(why) => Err(Error::configuration(why.as_str())),
            None => Ok(()),
        }
    }

    /// The defaults of the server of 2023.
    pub(crate) fn of_2023() -> Self {
        let encoded = |(name, json): (&str, &str)| (name.to_owned(), Ok(json.to_owned()));
        Parameters {
            values: DEFAULTS.map(encoded).into(),
        }
    }

    /// Sets all of `later`.
    pub(crate) fn overlay(&mut self, later: &Parameters) {
        for (name, value) in &later.values {
            self.put(name.clone(), value.clone());
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The names and values in JSON that are to be sent.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().filter_map(|(name, value)| match value {
            Ok(json) if json != "null" => Some((name.as_str(), json.as_str())),
            _ => None,
        })
    }

    /// Whether `name` was set, even to `null`.
    pub(crate) fn is_set(&self, name: &str) -> bool {
        self.values.iter().any(|(known, _)| known == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn rejected(parameters: &Parameters) -> String {
        parameters.check().unwrap_err().to_string()
    }

    fn sent(parameters: &Parameters) -> Value {
        let read = |json| serde_json::from_str::<Value>(json).unwrap();
        parameters
            .iter()
            .map(|(name, json)| (name.to_owned(), read(json)))
            .collect()
    }

    #[test]
    fn the_defaults_are_those_of_the_2023_server() {
        assert_eq!(
            sent(&Parameters::of_2023()),
            json!({"temperature": 0.4, "truncate": 2048, "max_new_tokens": 1024,
                "do_sample": true, "repetition_penalty": 1.2, "return_full_text": false})
        );
    }

    #[test]
    fn what_is_set_later_wins_and_null_removes() {
        let client = Parameters::new()
            .temperature(0.9)
            .seed(u64::MAX)
            .set("x", json!([1]));
        let message = Parameters::new()
            .temperature(1.5)
            .set("truncate", Value::Null);
        let mut merged = Parameters::of_2023();
        merged.overlay(&client);
        merged.overlay(&message);
        let merged = sent(&merged);
        assert_eq!(merged["temperature"], 1.5);
        assert_eq!(merged["seed"], u64::MAX);
        assert_eq!(merged["x"], json!([1]));
        assert_eq!(merged.get("truncate"), None);
    }

    #[test]
    fn values_out_of_bounds_are_rejected_by_name() {
        let new = Parameters::new;
        for parameters in [
            new().temperature(0.0),
            new().temperature(f64::NAN),
            new().repetition_penalty(-1.0),
            new().repetition_penalty(f64::INFINITY),
            new().top_k(0),
            new().top_p(0.0),
            new().top_p(1.0),
            new().typical_p(1.5),
            new().max_new_tokens(0),
            new().truncate(0),
            new().set("seed", -1),
            new().set("stop", "x"),
            new().set("stop", json!([1])),
            new().set("do_sample", "true"),
            new().set("max_new_tokens", 1.5),
        ] {
            let name = parameters.values[0].0.clone();
            let message = rejected(&parameters);
            assert!(message.contains(&name), "{message}");
        }
        assert_eq!(
            rejected(&new().top_p(1.0)),
            "parameter top_p must be a number between 0 and 1, both exclusive, not 1.0"
        );
    }

    #[test]
    fn a_later_value_replaces_an_invalid_one() {
        let parameters = Parameters::new().top_p(2.0).top_p(0.5);
        parameters.check().unwrap();
    }

    #[test]
    fn values_within_bounds_and_unknown_names_pass() {
        let parameters = Parameters::new()
            .temperature(0.01)
            .repetition_penalty(1.0)
            .top_k(1)
            .top_p(0.5)
            .typical_p(0.99)
            .max_new_tokens(1)
            .truncate(1)
            .stop(["a", "b"])
            .seed(0)
            .do_sample(false)
            .return_full_text(true)
            .set("temperature", 1)
            .set("whatever", -1);
        parameters.check().unwrap();
    }
}
