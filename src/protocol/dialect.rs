//! What differs from version to version, as data: one row of rules for each group of versions.

use std::time::Duration;

use super::json::Json;

/// How a group of server versions speaks the protocol.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Dialect {
    /// The versions of chat-ui that speak it, for people.
    pub(crate) versions: &'static str,
    /// How the settings are encoded.
    pub(crate) settings: SettingsEncoding,
    /// How a message is encoded.
    pub(crate) message: MessageEncoding,
    /// How a web search is requested.
    pub(crate) web_search: WebSearchRequest,
    /// How a system prompt reaches the model.
    pub(crate) system_prompt: SystemPrompt,
    /// Whether the generation parameters of a message are used.
    pub(crate) takes_parameters: bool,
    /// Whether the server asks the model for the title of a conversation that has none.
    pub(crate) generates_titles: bool,
    /// Whether the reply is stored only some time after its response has ended.
    pub(crate) stores_late: bool,
    /// Whether the response ends after the reply.
    pub(crate) ends_its_response: bool,
    /// Whether a failed model looks like a reply that repeats the prompt.
    pub(crate) fails_by_repeating: bool,
    /// Whether a reply that was cut at its length is called interrupted.
    pub(crate) calls_cut_replies_interrupted: bool,
    /// What `x-sveltekit-invalidated` says to get the page's own data without its layout's.
    pub(crate) page_data_only: &'static str,
    /// Whether a stop that is sent at once hits the next reply, too.
    pub(crate) stops_linger: bool,
    /// Whether a reply is generated to its end after a disconnect, and stored.
    pub(crate) finishes_replies: bool,
    /// Whether a reply has an id, and may have a log by which it can be picked up.
    pub(crate) keeps_generating: bool,
    /// Whether it certainly has one, from which the rest can be read after its connection broke.
    pub(crate) logs_replies: bool,
    /// Whether a message may choose among the tool servers.
    pub(crate) takes_tools: bool,
    /// The kinds of files that can reach the model.
    pub(crate) files: Files,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SettingsEncoding {
    Form,
    Json,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MessageEncoding {
    /// One JSON object for all versions without a tree of messages.
    Flat,
    /// JSON that names its parent in the tree of messages.
    TreeJson,
    /// A form with that JSON in its field `data`.
    TreeForm,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WebSearchRequest {
    /// A request of its own, before the message.
    Before,
    /// A member of the message.
    Member,
    /// The server has no web search that can be asked for.
    Unavailable,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Files {
    /// None at all.
    None,
    /// Images of up to 2 MB.
    SmallImages,
    /// Images of up to 10 MiB.
    Images,
    /// The same, and texts.
    ImagesAndText,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SystemPrompt {
    /// In the settings, for all conversations of the session; v0.3 and v0.4 ignore it there.
    Settings,
    /// In the request that creates the conversation.
    Create,
    /// The same, and the server adds it a second time, as the root of the tree of messages.
    CreateAndRoot,
}

/// The server of 2023 and its relatives.
pub(crate) const V0_3: Dialect = Dialect {
    versions: "v0.3 to v0.6",
    settings: SettingsEncoding::Form,
    message: MessageEncoding::Flat,
    web_search: WebSearchRequest::Before,
    system_prompt: SystemPrompt::Settings,
    takes_parameters: true,
    generates_titles: false,
    stores_late: true,
    ends_its_response: true,
    fails_by_repeating: false,
    calls_cut_replies_interrupted: false,
    page_data_only: "_1",
    stops_linger: false,
    finishes_replies: false,
    keeps_generating: false,
    logs_replies: false,
    takes_tools: false,
    files: Files::None,
};

/// JSON lines instead of server-sent events, in a response that never ends.
pub(crate) const V0_7: Dialect = Dialect {
    versions: "v0.7",
    settings: SettingsEncoding::Json,
    web_search: WebSearchRequest::Member,
    system_prompt: SystemPrompt::Create,
    takes_parameters: false,
    generates_titles: true,
    stores_late: false,
    ends_its_response: false,
    fails_by_repeating: true,
    page_data_only: "01",
    files: Files::SmallImages,
    ..V0_3
};

/// Messages form a tree, and each names its parent.
pub(crate) const V0_8: Dialect = Dialect {
    versions: "v0.8 to v0.9.1",
    message: MessageEncoding::TreeJson,
    ends_its_response: true,
    fails_by_repeating: false,
    ..V0_7
};

/// Messages are forms.
pub(crate) const V0_9_2: Dialect = Dialect {
    versions: "v0.9.2 to v0.9.5",
    message: MessageEncoding::TreeForm,
    // Of these, only v0.9.5 adds the system prompt twice, and only it lets one be deleted.
    system_prompt: SystemPrompt::CreateAndRoot,
    calls_cut_replies_interrupted: true,
    finishes_replies: true,
    files: Files::Images,
    ..V0_8
};

/// No web search, and a reply goes on without its reader.
pub(crate) const V0_9_6: Dialect = Dialect {
    versions: "v0.9.6",
    web_search: WebSearchRequest::Unavailable,
    calls_cut_replies_interrupted: false,
    stops_linger: true,
    keeps_generating: true,
    takes_tools: true,
    ..V0_9_2
};

/// Texts reach the model, and a log of each reply lets it be picked up.
pub(crate) const V0_10: Dialect = Dialect {
    versions: "v0.10 and later",
    logs_replies: true,
    files: Files::ImagesAndText,
    ..V0_9_6
};

/// What a session cookie is valid for from v0.7 on is two weeks, up to v0.6 a year.
const LONG_LIVED: Duration = Duration::from_secs(100 * 24 * 60 * 60);

impl Dialect {
    /// Whether each message names its parent.
    pub(crate) fn has_tree(&self) -> bool {
        self.message != MessageEncoding::Flat
    }

    /// What the lifetime of the session's cookie tells: v0.3 to v0.6, or `None` for a later
    /// version.
    pub(crate) fn of_cookie(lifetime: Duration) -> Option<&'static Dialect> {
        (lifetime > LONG_LIVED).then_some(&V0_3)
    }

    /// What the response to creating a conversation tells: later versions return the conversation.
    pub(crate) fn of_created(created: Json<'_>) -> Option<&'static Dialect> {
        created.get("conversation").map(|_| &V0_10)
    }

    /// What the response to `GET /api/conversation/{id}` tells.
    pub(crate) fn of_history(has_model_tools: bool, allows_any_origin: bool) -> &'static Dialect {
        match (has_model_tools, allows_any_origin) {
            (true, _) => &V0_9_2,
            (false, true) => &V0_9_6,
            (false, false) => &V0_8,
        }
    }

    /// What the page's data tells where the API is hidden (v0.8 to v0.9.4): from v0.9.2 on the
    /// settings say whether replies are to be streamed.
    pub(crate) fn of_settings(has_disable_stream: bool) -> &'static Dialect {
        if has_disable_stream { &V0_9_2 } else { &V0_8 }
    }

    /// What the stream of a version without a tree of messages tells.
    pub(crate) fn of_stream(content_type: Option<&str>) -> &'static Dialect {
        match content_type {
            Some(content_type) if content_type.contains("event-stream") => &V0_3,
            _ => &V0_7,
        }
    }
}
