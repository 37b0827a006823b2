//! Tools: servers that the operator configured, and what calling one says.

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
    /// The tool asks the user something, and gets no answer.
    Elicitation,
}
