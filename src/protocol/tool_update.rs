//! What a server reports of the tools that the model uses.

use serde_json::Value;

use super::json::Json;

/// A step in the use of a tool. All steps of one call have the same `uuid`.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ToolUpdate {
    /// The model calls a tool.
    #[non_exhaustive]
    Call {
        /// The id of the call.
        uuid: String,
        /// The tool's name.
        name: String,
        /// The arguments, an object.
        arguments: Value,
    },
    /// The tool is at work.
    #[non_exhaustive]
    Progress {
        /// The id of the call.
        uuid: String,
        /// How far it has come.
        progress: f64,
        /// What `progress` will be at the end, if that is known.
        total: Option<f64>,
        /// What the tool is doing; empty if it does not say.
        message: String,
    },
    /// The tool is expected to take so long.
    #[non_exhaustive]
    Eta {
        /// The id of the call.
        uuid: String,
        /// The estimate in seconds.
        seconds: f64,
    },
    /// The tool has succeeded.
    #[non_exhaustive]
    Result {
        /// The id of the call.
        uuid: String,
        /// What it has returned, in general a list of objects.
        outputs: Value,
    },
    /// The tool has failed. The model is told so, and goes on.
    #[non_exhaustive]
    Error {
        /// The id of the call.
        uuid: String,
        /// The reason, in the words of the tool or the server.
        message: String,
    },
}

impl ToolUpdate {
    /// Reads an event of type `tool`; `None` if it is of an unknown subtype.
    pub(super) fn read(event: Json<'_>) -> Option<ToolUpdate> {
        let uuid = event.text("uuid");
        let number = |name| event.get(name)?.to_value().as_f64();
        let part = |object: &str, name: &str| event.get(object)?.get(name);
        let text = |object: &str, name: &str| part(object, name)?.as_str();
        let value = |object: &str, name: &str| part(object, name).map(Json::to_value);
        Some(match event.str("subtype")?.as_str() {
            "call" => ToolUpdate::Call {
                uuid,
                name: text("call", "name").unwrap_or_default(),
                arguments: value("call", "parameters").unwrap_or_default(),
            },
            "progress" => ToolUpdate::Progress {
                uuid,
                progress: number("progress")?,
                total: number("total"),
                message: event.text("message"),
            },
            "eta" => ToolUpdate::Eta {
                uuid,
                seconds: number("eta")?,
            },
            "result" if text("result", "status").as_deref() == Some("error") => ToolUpdate::Error {
                uuid,
                message: text("result", "message").unwrap_or_default(),
            },
            "result" => ToolUpdate::Result {
                uuid,
                outputs: value("result", "outputs").unwrap_or_default(),
            },
            "error" => ToolUpdate::Error {
                uuid,
                message: event.text("message"),
            },
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(subtype: &str, members: Value) -> Option<ToolUpdate> {
        let mut event = members.as_object().unwrap().clone();
        event.insert("type".into(), "tool".into());
        event.insert("subtype".into(), subtype.into());
        event.insert("uuid".into(), "u".into());
        ToolUpdate::read(Json::read(&Value::from(event).to_string()).unwrap())
    }

    #[test]
    fn every_step_of_a_call_is_read() {
        let uuid = || "u".to_owned();
        let call = json!({"name": "add", "parameters": {"a": 1, "b": "2"}});
        assert_eq!(
            read("call", json!({"call": call, "originalId": "x"})),
            Some(ToolUpdate::Call {
                uuid: uuid(),
                name: "add".into(),
                arguments: json!({"a": 1, "b": "2"}),
            })
        );
        assert_eq!(
            read(
                "progress",
                json!({"progress": 1, "total": 4, "message": "m"})
            ),
            Some(ToolUpdate::Progress {
                uuid: uuid(),
                progress: 1.0,
                total: Some(4.0),
                message: "m".into(),
            })
        );
        assert_eq!(
            read("eta", json!({"eta": 2.5})),
            Some(ToolUpdate::Eta {
                uuid: uuid(),
                seconds: 2.5,
            })
        );
        let outputs = json!([{"text": "3"}]);
        assert_eq!(
            read(
                "result",
                json!({"result": {"status": "success", "call": call, "outputs": outputs}})
            ),
            Some(ToolUpdate::Result {
                uuid: uuid(),
                outputs,
            })
        );
    }

    #[test]
    fn failures_of_both_kinds_are_errors() {
        let result = json!({"result": {"status": "error", "message": "no"}});
        for (subtype, event) in [("error", json!({"message": "no"})), ("result", result)] {
            let (uuid, message) = ("u".into(), "no".into());
            assert_eq!(
                read(subtype, event),
                Some(ToolUpdate::Error { uuid, message })
            );
        }
    }

    #[test]
    fn what_is_no_step_is_left_alone() {
        for subtype in ["novelty", "progress", "eta"] {
            assert_eq!(read(subtype, json!({})), None);
        }
    }
}
