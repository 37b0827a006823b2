//! Generation parameters on the command line.

use h2ogpt::Parameters;

use crate::failure::Failure;
use crate::suggestion::nearest;

/// Those of text-generation-inference.
const KNOWN: [&str; 20] = [
    "adapter_id",
    "best_of",
    "decoder_input_details",
    "details",
    "do_sample",
    "frequency_penalty",
    "grammar",
    "max_new_tokens",
    "repetition_penalty",
    "return_full_text",
    "seed",
    "stop",
    "stop_sequences",
    "temperature",
    "top_k",
    "top_n_tokens",
    "top_p",
    "truncate",
    "typical_p",
    "watermark",
];

/// Adds what `NAME=VALUE` says. The value is JSON, or else a string.
pub fn add(parameters: Parameters, option: &str) -> Result<Parameters, Failure> {
    match option.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok(match serde_json::from_str(value) {
            Ok::<serde_json::Value, _>(json) => parameters.set(name, json),
            Err(_) => parameters.set(name, value),
        }),
        _ => Err(Failure::usage(format!(
            "{option:?} is not of the form NAME=VALUE"
        ))),
    }
}

/// What is to be said of an option whose name text-generation-inference does not know, as it may be
/// mistyped.
pub fn doubt(option: &str) -> Option<String> {
    let (name, _) = option.split_once('=')?;
    if KNOWN.contains(&name) {
        return None;
    }
    let suggestion = match nearest(name, KNOWN) {
        Some(known) => format!(", did you mean {known}?"),
        None => String::new(),
    };
    Some(format!(
        "text-generation-inference has no parameter {name:?}{suggestion}"
    ))
}
