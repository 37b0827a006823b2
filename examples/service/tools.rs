//! Tools: servers that the operator configured, and what calling one says.

use serde_json::Value as Json;
use uuid::Uuid;

use super::exchange::{After, Exchange};
use super::response::Response;
use super::value::{Value, object};

/// What a model says before it calls a tool.
pub(super) const BEFORE: &str = "Let me see.";

/// What there is to call, and how a call goes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tools {
    /// Name and address of each server.
    pub servers: Vec<(String, String)>,
    pub outcome: ToolOutcome,
}

/// How the call of a tool goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ToolOutcome {
    #[default]
    Result,
    Error,
    /// The tool asks the user something, and gets no answer: the reply ends without a text.
    Elicitation,
}

/// The list of servers.
pub(super) fn list(exchange: &Exchange<'_>) -> After {
    let servers = exchange.shared.config.tools.servers.iter();
    let shown: Vec<Value> = servers
        .map(|(name, url)| {
            object! {
                "id": &format!("base-{name}"),
                "name": name,
                "url": url,
                "type": "base",
                "isLocked": false,
            }
        })
        .collect();
    exchange.reply_bare(Response::chunked(
        200,
        "application/json",
        Value::List(shown).json(),
    ))
}

/// The servers that a message lets the model use: all that are configured, or those it selects,
/// its own included.
pub(super) fn selected(exchange: &Exchange<'_>, model: &str, message: &Json) -> Vec<String> {
    let config = &exchange.shared.config;
    let overridden = {
        let store = exchange.shared.store();
        let settings = store.settings(&exchange.session);
        settings.and_then(|settings| settings.tools_overrides.get(model).copied())
    };
    let supported = config.model(model).is_some_and(|model| model.tools);
    if !config.rules.tools || !overridden.unwrap_or(supported) {
        return Vec::new();
    }
    let names = message["selectedMcpServerNames"].as_array();
    let own = message["selectedMcpServers"].as_array();
    let own = own
        .into_iter()
        .flatten()
        .filter_map(|own| own["name"].as_str());
    let known = config.tools.servers.iter().map(|(name, _)| name.as_str());
    known
        .filter(|name| names.is_none_or(|names| names.iter().any(|one| one == name)))
        .chain(own)
        .map(str::to_owned)
        .collect()
}

/// The updates about the call of a tool.
pub(super) fn updates(outcome: ToolOutcome) -> Vec<Value> {
    let uuid = Uuid::new_v4().to_string();
    let call = || object! { "name": "lookup", "parameters": object! { "q": "x" } };
    let update = |subtype: &str| object! { "type": "tool", "subtype": subtype, "uuid": &uuid };
    let last = match outcome {
        ToolOutcome::Result => {
            let text = object! { "type": "text", "text": "the answer is 42" };
            let output = object! { "text": "the answer is 42", "content": vec![text] };
            let result = object! {
                "status": "success",
                "call": call(),
                "outputs": vec![output],
                "display": true,
            };
            update("result").with("result", result)
        }
        ToolOutcome::Error => update("error").with("message", "the tool is out of order"),
        ToolOutcome::Elicitation => object! {
            "type": "elicitation",
            "subtype": "request",
            "uuid": &uuid,
            "message": "Which one do you mean?",
        },
    };
    vec![
        update("call").with("call", call()),
        update("eta").with("eta", 10.0),
        last,
    ]
}

/// What the model makes of it: what it says before, and after what it says of itself.
pub(super) fn told(outcome: ToolOutcome, text: &str) -> String {
    match outcome {
        ToolOutcome::Result => format!("{BEFORE} {text} The tool said: \"the answer is 42\"."),
        ToolOutcome::Error => format!("{BEFORE} {text} The tool failed."),
        ToolOutcome::Elicitation => String::new(),
    }
}
