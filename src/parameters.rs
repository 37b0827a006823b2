//! The generation parameters and their bounds.

mod bound;

use serde_json::{Number, Value};

use bound::Bound;

use crate::error::{Error, Fallible};

/// Those of the 2023 service, in one text, which is smaller than a table.
const DEFAULTS: &str = "temperature=0.4 truncate=2048 max_new_tokens=1024 do_sample=true \
                        repetition_penalty=1.2 return_full_text=false";

/// How the model is to generate: what is set here replaces or joins the defaults.
///
/// The defaults are those of the 2023 service: `temperature` 0.4, `truncate` 2048,
/// `max_new_tokens` 1024, `do_sample` true, `repetition_penalty` 1.2, `return_full_text` false.
/// Parameters of one message win over those of the client.
///
/// They are a matter of the 2023 dialect (chat-ui v0.3 to v0.6, in front of
/// text-generation-inference). Later servers decide them themselves and take none.
///
/// A value out of bounds is refused before anything is sent: by
/// [`ClientBuilder::build`](crate::ClientBuilder::build) or by the message that carries it.
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
    values: Vec<(String, Value)>,
}

impl Parameters {
    /// No parameter set: the defaults apply.
    pub fn new() -> Self {
        Self::default()
    }

    /// Randomness of the choice of tokens, above 0; default 0.4.
    pub fn temperature(self, value: f64) -> Self {
        self.number("temperature", value)
    }

    /// How much repetition is punished, above 0, where 1 is not at all; default 1.2.
    pub fn repetition_penalty(self, value: f64) -> Self {
        self.number("repetition_penalty", value)
    }

    /// Choose among this many most probable tokens, at least 1; not limited by default.
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

    /// Longest reply in tokens, at least 1; default 1024.
    pub fn max_new_tokens(self, value: u32) -> Self {
        self.set("max_new_tokens", value)
    }

    /// How many tokens of the prompt are used, counted from its end, at least 1; default 2048.
    pub fn truncate(self, value: u32) -> Self {
        self.set("truncate", value)
    }

    /// Texts that end the reply when the model writes one of them; none by default.
    pub fn stop<S: Into<String>>(self, texts: impl IntoIterator<Item = S>) -> Self {
        let texts = texts.into_iter().map(|text| Value::String(text.into()));
        self.set("stop", Value::Array(texts.collect()))
    }

    /// Seed of the random choice, for a reply that can be repeated; random by default.
    pub fn seed(self, value: u64) -> Self {
        self.set("seed", value)
    }

    /// Whether tokens are sampled, or else always the most probable one is taken; default true.
    pub fn do_sample(self, value: bool) -> Self {
        self.set("do_sample", value)
    }

    /// Whether the prompt is repeated in front of the reply; default false.
    pub fn return_full_text(self, value: bool) -> Self {
        self.set("return_full_text", value)
    }

    /// Any other parameter, or a known one as JSON. The server ignores names that it does not
    /// know. `null` takes a default out, so that the server's own applies.
    pub fn set(mut self, name: impl Into<String>, value: impl Into<Value>) -> Self {
        self.put(name.into(), value.into());
        self
    }

    fn put(&mut self, name: String, value: Value) {
        match self.values.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) => *known = value,
            None => self.values.push((name, value)),
        }
    }

    fn number(self, name: &str, value: f64) -> Self {
        match Number::from_f64(value) {
            Some(number) => self.set(name, number),
            // JSON has no such number. Its name is kept, for `encode` to refuse.
            None => self.set(name, value.to_string()),
        }
    }

    /// As they are sent. Refuses values that the server would refuse, while nothing is sent yet.
    pub(crate) fn encode(&self) -> Fallible<Encoded> {
        let mut encoded = Encoded::default();
        for (name, value) in &self.values {
            let bound = Bound::of(name);
            if !value.is_null() && !bound.admits(value) {
                return Err(Error::configuration(&format!(
                    "parameter {name} must be {bound}, not {value}"
                )));
            }
            encoded.put(name, &value.to_string());
        }
        Ok(encoded)
    }
}

/// Names and values in JSON, so that programs that set none do without the code that writes any
/// value.
#[derive(Clone, Debug, Default)]
pub(crate) struct Encoded {
    values: Vec<(String, String)>,
}

impl Encoded {
    /// The defaults, overlaid by these parameters.
    pub(crate) fn over_defaults(&self) -> Encoded {
        let mut all = Encoded::default();
        for (name, json) in DEFAULTS.split(' ').filter_map(|set| set.split_once('=')) {
            all.put(name, json);
        }
        all.overlay(self);
        all
    }

    /// Sets all of `later`.
    pub(crate) fn overlay(&mut self, later: &Encoded) {
        for (name, json) in &later.values {
            self.put(name, json);
        }
    }

    fn put(&mut self, name: &str, json: &str) {
        match self.values.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => json.clone_into(known),
            None => self.values.push((name.to_owned(), json.to_owned())),
        }
    }

    /// The names and values to be sent.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let set = self.values.iter().filter(|(_, json)| json != "null");
        set.map(|(name, json)| (name.as_str(), json.as_str()))
    }

    /// Whether something is said about a parameter, be it that it is not to be sent.
    pub(crate) fn names(&self, name: &str) -> bool {
        self.values.iter().any(|(known, _)| known == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refused(parameters: Parameters) -> String {
        parameters.encode().unwrap_err().to_string()
    }

    fn sent(parameters: &Encoded) -> Value {
        let read = |json| serde_json::from_str::<Value>(json).unwrap();
        parameters
            .iter()
            .map(|(name, json)| (name.to_owned(), read(json)))
            .collect()
    }

    #[test]
    fn the_defaults_are_those_of_the_2023_service() {
        assert_eq!(
            sent(&Encoded::default().over_defaults()),
            json!({"temperature": 0.4, "truncate": 2048, "max_new_tokens": 1024,
                "do_sample": true, "repetition_penalty": 1.2, "return_full_text": false})
        );
    }

    #[test]
    fn what_is_set_later_wins_and_null_takes_out() {
        let client = Parameters::new()
            .temperature(0.9)
            .seed(u64::MAX)
            .set("x", json!([1]));
        let message = Parameters::new()
            .temperature(1.5)
            .set("truncate", Value::Null);
        let mut merged = client.encode().unwrap().over_defaults();
        merged.overlay(&message.encode().unwrap());
        let merged = sent(&merged);
        assert_eq!(merged["temperature"], 1.5);
        assert_eq!(merged["seed"], u64::MAX);
        assert_eq!(merged["x"], json!([1]));
        assert_eq!(merged.get("truncate"), None);
    }

    #[test]
    fn values_out_of_bounds_are_refused_by_name() {
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
            let message = refused(parameters);
            assert!(message.contains(&name), "{message}");
        }
        assert_eq!(
            refused(new().top_p(1.0)),
            "parameter top_p must be a number between 0 and 1, both exclusive, not 1.0"
        );
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
        parameters.encode().unwrap();
    }
}
