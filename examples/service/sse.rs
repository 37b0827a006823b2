//! The reply of v0.3 to v0.6: the server-sent events of text-generation-inference 0.8.2.

use std::time::Duration;

use super::answer;
use super::exchange::{After, Exchange};
use super::fault::Fault;
use super::model;
use super::response::{Beat, Response, Stream};
use super::turn::{Step, Turn, step};
use super::value::{Value, object};

/// The end-of-text token.
const END: &str = "<|endoftext|>";
/// How often a comment is sent to keep proxies from giving up.
const COMMENT_EVERY: Duration = Duration::from_secs(15);

/// The generation parameters that show in an answer of words.
pub(super) struct Parameters {
    max_new_tokens: usize,
    stop: Vec<String>,
    details: bool,
    seed: Option<u64>,
}

impl Parameters {
    /// Reads and checks them; the error is the backend's.
    pub(super) fn read(json: Option<&serde_json::Value>) -> Result<Parameters, String> {
        let null = serde_json::Value::Null;
        let json = json.unwrap_or(&null);
        for name in ["temperature", "repetition_penalty", "top_k"] {
            if json[name].as_f64().is_some_and(|value| value <= 0.0) {
                return Err(format!("`{name}` must be strictly positive"));
            }
        }
        for name in ["top_p", "typical_p"] {
            let between = |value| value > 0.0 && value < 1.0;
            if json[name].as_f64().is_some_and(|value| !between(value)) {
                return Err(format!("`{name}` must be > 0.0 and < 1.0"));
            }
        }
        // Without the parameter, the backend says no more than twenty tokens.
        let max_new_tokens = match &json["max_new_tokens"] {
            serde_json::Value::Null => 20,
            value => value
                .as_u64()
                .and_then(|value| usize::try_from(value).ok())
                .filter(|value| *value > 0)
                .ok_or("`max_new_tokens` must be strictly positive")?,
        };
        let stop = match json["stop"].as_array() {
            Some(stop) => stop.iter().filter_map(serde_json::Value::as_str).collect(),
            None => Vec::new(),
        };
        Ok(Parameters {
            max_new_tokens,
            stop: stop
                .into_iter()
                .filter(|text| !text.is_empty())
                .map(str::to_owned)
                .collect(),
            details: json["details"] == serde_json::Value::Bool(true),
            seed: json["seed"].as_u64(),
        })
    }
}

/// What the backend makes of the answer.
struct Generation {
    /// The tokens to send; the last comes with the whole text.
    tokens: Vec<String>,
    text: String,
    reason: &'static str,
}

impl Generation {
    fn new(answer: &str, parameters: &Parameters) -> Generation {
        let mut text = answer.to_owned();
        let mut reason = "eos_token";
        // The text ends with the stop sequence that is complete first.
        let stop = parameters
            .stop
            .iter()
            .filter_map(|stop| Some(text.find(stop)? + stop.len()))
            .min();
        if let Some(end) = stop {
            text.truncate(end);
            reason = "stop_sequence";
        }
        let mut tokens: Vec<String> = answer::words(&text)
            .into_iter()
            .map(str::to_owned)
            .collect();
        let is_longer = tokens.len() > parameters.max_new_tokens;
        if reason == "eos_token" {
            tokens.push(END.to_owned());
        }
        let mut generation = Generation {
            tokens,
            text,
            reason,
        };
        if is_longer {
            generation.cut(parameters.max_new_tokens);
        }
        generation
    }

    /// Ends it after so many tokens, as the longest it may be.
    fn cut(&mut self, tokens: usize) {
        if tokens < self.tokens.len() {
            self.tokens.truncate(tokens.max(1));
            self.text = self.tokens.concat();
            self.reason = "length";
        }
    }

    fn event(&self, index: usize, parameters: &Parameters) -> String {
        let token = &self.tokens[index];
        let last = index + 1 == self.tokens.len();
        let special = last && self.reason == "eos_token";
        let (id, logprob) = if special {
            (11, -0.05)
        } else {
            (100 + index, -0.1)
        };
        let (generated, details) = match last {
            false => ("null".to_owned(), "null".to_owned()),
            true => (answer::string(&self.text), self.details(parameters)),
        };
        format!(
            "data:{{\"token\":{{\"id\":{id},\"text\":{},\"logprob\":{logprob},\
             \"special\":{special}}},\"generated_text\":{generated},\"details\":{details}}}\n\n",
            answer::string(token)
        )
    }

    fn details(&self, parameters: &Parameters) -> String {
        if !parameters.details {
            return "null".to_owned();
        }
        let (reason, count) = (self.reason, self.tokens.len());
        let seed = parameters
            .seed
            .map_or("null".to_owned(), |seed| seed.to_string());
        format!("{{\"finish_reason\":\"{reason}\",\"generated_tokens\":{count},\"seed\":{seed}}}")
    }
}

/// Without `stream`: all at once, and nothing is stored.
pub(super) fn whole(exchange: &Exchange<'_>, turn: &Turn, parameters: &Parameters) -> After {
    turn.call_for_reply(exchange.shared);
    let generation = Generation::new(&turn.text, parameters);
    let text = answer::string(&generation.text);
    let body = format!("[{{\"generated_text\":{text}}}]");
    let response = Response::sized(200, "application/json", body)
        .header("access-control-allow-origin", "*")
        .header("x-compute-type", "gpu+optimized");
    exchange.reply(response)
}

pub(super) fn stream(exchange: &Exchange<'_>, turn: Turn, parameters: &Parameters) -> After {
    if let Some(Fault::Backend(status, message)) = exchange.fault {
        return refused(exchange, status, message);
    }
    let head = Response::empty(200)
        .header("access-control-allow-origin", "*")
        .header("cache-control", "no-cache")
        .header("content-type", "text/event-stream")
        .header("x-accel-buffering", "no")
        .header(
            "x-compute-characters",
            turn.prompt.chars().count().to_string(),
        )
        .header("x-compute-type", "gpu+optimized");
    let mut stream = exchange.stream(head);
    stream.beat(Beat {
        every: COMMENT_EVERY,
        line: ":\n\n",
    });
    let mut generation = Generation::new(&turn.text, parameters);
    if let Some(Fault::Length(tokens)) = exchange.fault {
        generation.cut(tokens);
    }
    let shared = exchange.shared;
    let Some(_engaged) = model::engage(shared, &mut stream, &|| false) else {
        return After::Close;
    };
    turn.call_for_reply(shared);
    generate(exchange, turn, &mut stream, &generation, parameters)
}

/// The status, the type and the body of the backend, passed on.
fn refused(exchange: &Exchange<'_>, status: u16, message: &str) -> After {
    let kind = match status {
        422 => "validation",
        429 | 503 => "overloaded",
        _ => "generation",
    };
    let body = object! { "error": message, "error_type": kind };
    exchange.reply(Response::sized(status, "application/json", body.json()))
}

fn generate(
    exchange: &Exchange<'_>,
    mut turn: Turn,
    stream: &mut Stream<'_>,
    generation: &Generation,
    parameters: &Parameters,
) -> After {
    let shared = exchange.shared;
    let late = shared.config.late_history;
    let before_last = generation.tokens.len().saturating_sub(1);
    for index in 0..generation.tokens.len() {
        let fault = exchange.fault.as_ref();
        match step(shared, &turn, stream, fault, index, before_last) {
            Step::Token => {}
            Step::Fault(fault) => return fail(stream, fault),
            Step::Stopped | Step::Gone | Step::End => return After::Close,
        }
        // Stored first, so that whoever has read the end finds it in the history.
        if index == before_last && late.is_none() {
            turn.store(shared, &generation.text);
        }
        stream.chunk(&generation.event(index, parameters));
        if index < before_last && turn.is_stopped(shared) {
            let said = generation.tokens[..=index].concat();
            match late {
                Some(late) => turn.store_late(shared, &said, late),
                None => turn.store(shared, &said),
            }
            return After::Close;
        }
    }
    if let Some(late) = late {
        turn.store_late(shared, &generation.text, late);
    }
    stream.end();
    After::KeepAlive
}

/// An answer that did not come to its end is not stored, nor is its prompt.
fn fail(stream: &mut Stream<'_>, fault: &Fault) -> After {
    match fault {
        Fault::CutMidEvent(_) => {
            stream.chunk("data:{\"token\":{\"id\":5,\"text\":\" ha");
            After::Close
        }
        Fault::Stall(_) => {
            stream.wait(None, true);
            After::Close
        }
        Fault::ErrorEvent(_) => {
            stream.chunk(
                "data:{\"error\":\"Model is overloaded\",\"error_type\":\"overloaded\"}\n\n",
            );
            stream.end();
            After::KeepAlive
        }
        Fault::NoFinal(_) => {
            stream.end();
            After::KeepAlive
        }
        _ => After::Close,
    }
}
