//! What `--json` prints: one object a line.

use std::io::{self, Write};

use h2ogpt::{
    ConversationInfo, Error, Event, FinishReason, Model, Reasoning, Step, ToolUpdate, WebSearch,
};
use serde_json::{Map, Value, json};

use crate::failure::Failure;

/// What came of one prompt.
pub struct Outcome<'a> {
    pub failure: Option<&'a Failure>,
    pub finish_reason: Option<FinishReason>,
    pub text: &'a str,
    pub model: Option<&'a str>,
    pub conversation: Option<&'a str>,
}

/// Writes one object at once.
pub fn print(object: &Value) -> io::Result<()> {
    // Formatted before: in debug builds, serde_json panics if it is formatted to what fails.
    let line = format!("{object}\n");
    let mut stdout = io::stdout().lock();
    stdout.write_all(line.as_bytes())?;
    stdout.flush()
}

pub fn token(text: &str) -> Value {
    json!({ "type": "token", "text": text })
}

/// Every event but a token.
pub fn event(event: &Event) -> Value {
    match event {
        Event::Token(text) => token(text),
        Event::Title(title) => json!({ "type": "title", "title": title }),
        Event::Reasoning(Reasoning::Token(text)) => json!({ "type": "reasoning", "text": text }),
        Event::Reasoning(Reasoning::Status(status)) => {
            json!({ "type": "reasoning", "status": status })
        }
        Event::Tool(update) => tool(update),
        Event::WebSearch(search) => web_search(search),
        Event::File(file) => json!({
            "type": "file", "name": file.name, "mime": file.mime, "hash": file.hash
        }),
        Event::Question(question) => json!({ "type": "question", "message": question.message }),
        Event::Other(value) => json!({ "type": "other", "event": value }),
        _ => json!({ "type": "other" }),
    }
}

fn web_search(search: &WebSearch) -> Value {
    let sources = search.sources.iter();
    let sources: Vec<Value> = sources
        .map(|source| json!({ "title": source.title, "link": source.link }))
        .collect();
    json!({ "type": "web_search", "message": search.message, "sources": sources })
}

fn tool(update: &ToolUpdate) -> Value {
    match update {
        ToolUpdate::Call {
            uuid,
            name,
            arguments,
            ..
        } => json!({
            "type": "tool", "status": "call", "id": uuid, "name": name, "arguments": arguments
        }),
        ToolUpdate::Progress {
            uuid,
            progress,
            total,
            message,
            ..
        } => without_nulls(json!({
            "type": "tool", "status": "progress", "id": uuid, "progress": progress,
            "total": total, "message": message
        })),
        ToolUpdate::Eta { uuid, seconds, .. } => {
            json!({ "type": "tool", "status": "eta", "id": uuid, "seconds": seconds })
        }
        ToolUpdate::Result { uuid, outputs, .. } => {
            json!({ "type": "tool", "status": "result", "id": uuid, "outputs": outputs })
        }
        ToolUpdate::Error { uuid, message, .. } => {
            json!({ "type": "tool", "status": "error", "id": uuid, "message": message })
        }
        _ => json!({ "type": "tool" }),
    }
}

/// A line of `--list`.
pub fn conversation(conversation: &ConversationInfo) -> Value {
    without_nulls(json!({
        "type": "conversation",
        "id": conversation.id,
        "updated_at": conversation.updated_at,
        "model": Some(&conversation.model).filter(|model| !model.is_empty()),
        "title": conversation.title,
    }))
}

/// A line of `--list-models`.
pub fn model(model: &Model) -> Value {
    without_nulls(json!({
        "type": "model",
        "id": model.id,
        "name": model.name,
        "description": model.description,
        "multimodal": model.multimodal,
        "tools": model.tools,
        "reasoning": model.reasoning,
    }))
}

/// The last line.
pub fn outcome(outcome: &Outcome<'_>) -> Value {
    let status = match outcome.failure {
        None => "complete",
        Some(Failure::Signal(_)) => "cancelled",
        Some(failure) => match failure.error() {
            Some(Error::Cancelled { .. }) => "cancelled",
            _ if failure.exit_status() == 6 => "incomplete",
            _ => "error",
        },
    };
    let error = match outcome.failure {
        None | Some(Failure::Signal(_)) => None,
        Some(failure) => Some(error(failure)),
    };
    without_nulls(json!({
        "type": "outcome",
        "status": status,
        "finish_reason": outcome.finish_reason.and_then(finish_reason),
        "text": outcome.text,
        "model": outcome.model,
        "conversation": outcome.conversation,
        "error": error,
    }))
}

fn error(failure: &Failure) -> Value {
    let Some(error) = failure.error() else {
        return json!({ "kind": "other", "message": failure.message() });
    };
    let (kind, status) = match error {
        Error::Configuration { .. } => ("configuration", None),
        Error::Network { .. } => ("network", None),
        Error::Timeout { .. } => ("timeout", None),
        Error::Http { status, .. } => ("http", Some(*status)),
        Error::LoginRequired { .. } => ("login_required", None),
        Error::Server { status, .. } => ("server", *status),
        Error::Incomplete { .. } => ("incomplete", None),
        Error::Protocol { .. } => ("protocol", None),
        Error::Cancelled { .. } => ("cancelled", None),
        _ => ("other", None),
    };
    without_nulls(json!({
        "kind": kind,
        "step": error.step().map(step),
        "status": status,
        "message": failure.message(),
        "retry_after": error.retry_after().map(|wait| wait.as_secs()),
    }))
}

fn step(step: Step) -> &'static str {
    match step {
        Step::Settings => "settings",
        Step::Models => "models",
        Step::Create | Step::Created => "create",
        Step::Prepare => "prepare",
        Step::History => "history",
        Step::WebSearch => "web_search",
        Step::Message => "message",
        Step::Stop => "stop",
        Step::Delete => "delete",
        Step::Conversations => "conversations",
        _ => "other",
    }
}

fn finish_reason(reason: FinishReason) -> Option<&'static str> {
    Some(match reason {
        FinishReason::EndOfText => "end_of_text",
        FinishReason::Length => "length",
        FinishReason::StopSequence => "stop_sequence",
        FinishReason::Interrupted => "interrupted",
        FinishReason::Question => "question",
        _ => return None,
    })
}

/// Leaves out the members that do not apply.
fn without_nulls(object: Value) -> Value {
    match object {
        Value::Object(members) => {
            let members = members.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(members.collect::<Map<_, _>>())
        }
        other => other,
    }
}
