//! What differs between the versions of the server, as one table.

use std::fmt;
use std::str::FromStr;

/// A version of the server, named after the oldest release that behaves like it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    V0_3,
    V0_5,
    V0_6,
    V0_7,
    V0_8,
    V0_9_0,
    V0_9_3,
    V0_9_6,
    Main,
}

/// How a message is encoded, what its `id` means and how the reply is framed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Messages {
    /// JSON with `parameters` and `options`; the id is the message's own; server-sent events.
    Options,
    /// JSON; the id is the message's own; JSON lines.
    Plain,
    /// JSON; the id is the parent's; JSON lines.
    TreeJson,
    /// A form whose `data` field is that JSON; JSON lines.
    TreeForm,
}

/// Which header of a form post has to name the server itself.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum SameOrigin {
    Referer,
    Origin,
}

/// How `/settings` is written, and when the share flag of it counts as true.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum SettingsBody {
    /// A form; any text is true, `false` included.
    FormAnyText,
    /// A form; only `true` and `on` are true.
    Form,
    /// JSON; a missing flag is true.
    Json,
}

/// How the text of a reply becomes tokens.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Cutting {
    Words,
    /// Every five UTF-16 units, through the middle of surrogate pairs.
    FiveUnits,
    /// Words filled up with NUL to sixteen UTF-16 units.
    PaddedWords,
}

/// The line that announces the title of a new conversation.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Title {
    Never,
    Status,
    Own,
}

/// What `stop-generating` does to a reply that is under way.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// Cut after the next token, without a last chunk; works once in a conversation.
    Cut,
    /// Nothing.
    Ignored,
    /// A final answer of what has been said so far.
    Final,
}

/// What `/__data.json`, the data behind the pages, holds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum PageData {
    /// Models, settings and messages. Which nodes are wanted is said as `_1`.
    UpToV0_6,
    /// The same with more members. Which nodes are wanted is said as `01`.
    Later,
    /// Nothing.
    Empty,
}

/// How the files of a message are encoded.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Files {
    None,
    /// Images only: a list of base64 strings.
    Strings,
    /// A list of objects with type, name, value and media type.
    Objects,
    /// Parts of a form.
    Parts,
}

/// Which of the model's abilities `/api/models` tells, and as which members.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Abilities {
    /// `multimodal` alone.
    Multimodal,
    /// `tools` as well.
    Tools,
    /// `supportsTools` as well.
    SupportsTools,
    /// `supportsReasoning` as well.
    SupportsReasoning,
}

/// One row of the table.
pub(super) struct Rules {
    name: &'static str,
    pub messages: Messages,
    pub same_origin: SameOrigin,
    pub settings: SettingsBody,
    /// Where the operator asks for the terms, nothing but reading is allowed before they were
    /// accepted.
    pub welcome_modal: bool,
    /// The system prompt is the `customPrompts` of the settings.
    pub custom_prompts: bool,
    /// Later on it is the `preprompt` a conversation is created with.
    pub preprompt: bool,
    /// The create reply holds the conversation, and so the id of its root message.
    pub create_tells_root: bool,
    /// `{"message":"An error occurred","errorId":...}` instead of `Internal Error`.
    pub error_ids: bool,
    pub unknown_model: u16,
    /// `/api/...` exists.
    pub api: bool,
    pub content_type: Option<&'static str>,
    pub cutting: Cutting,
    pub title: Title,
    /// `keepAlive` lines while nothing else is to be said.
    pub keep_alive: bool,
    /// The reply is stored when the response ends, not when its text is final.
    pub stores_late: bool,
    /// 4096 spaces after the final answer, to push it through buffering proxies.
    pub padding: bool,
    /// `status: finished` as the last line.
    pub finished: bool,
    /// The response stays open after the final answer.
    pub endless: bool,
    /// The final answer says whether it was interrupted.
    pub interrupted: bool,
    pub stop: Stop,
    /// Closing the connection ends the generation.
    pub closing_stops: bool,
    /// A failed generation is tried again, so that its tokens come twice.
    pub tries_twice: bool,
    /// The name of the kind of a `webSearch` line. Nothing where a message cannot ask for a search.
    pub web_search_kind: Option<&'static str>,
    /// An unknown user is sent to the login page, where older versions answer 401.
    pub login_redirects: bool,
    pub cookie_days: u64,
    /// `Vary: Accept-Encoding` on everything.
    pub vary: bool,
    /// What a conversation is called until it has a title of its own.
    pub untitled: &'static str,
    /// The model is asked for a title with the first message.
    pub asks_title: bool,
    pub page_data: PageData,
    /// The characters that the data of a page escapes beyond what JSON does.
    pub page_escapes: &'static str,
    /// The operator can hide `/api`.
    pub api_can_be_hidden: bool,
    /// The responses of `/api` may be read by other sites.
    pub api_for_all: bool,
    /// `/api/v2` exists.
    pub api_v2: bool,
    /// `/api` deletes messages, and all conversations at once.
    pub api_deletes: bool,
    /// A conversation as `/api` shows it has a member `modelTools`.
    pub model_tools: bool,
    /// Messages as `/api` shows them have their updates.
    pub shows_updates: bool,
    pub abilities: Abilities,
    /// The model is given the preprompt and the root message, which are the same.
    pub system_twice: bool,
    /// An error of the backend comes with its status.
    pub error_codes: bool,
    /// A reply that reached its length counts as interrupted.
    pub length_interrupts: bool,
    /// A stop that finds nothing to stop ends the next reply.
    pub stop_leaves_mark: bool,
    /// Replies are logged, and can be picked up by another connection.
    pub resumable: bool,
    /// `PATCH` changes the model.
    pub changes_model: bool,
    /// A share is told by its address, not by its id.
    pub share_is_url: bool,
    /// A conversation can be created as the copy of a share.
    pub copies_shares: bool,
    pub files: Files,
    /// The model is given text that was pasted.
    pub reads_clipboard: bool,
    /// The model is given files of plain text.
    pub reads_documents: bool,
    /// Whoever comes with the header of a trusted proxy is known by it.
    pub trusts_email_header: bool,
    /// The model can be given tools.
    pub tools: bool,
    /// The longest body, and the status of a longer one.
    pub body_limit: usize,
    pub body_too_large: u16,
}

const V0_3: Rules = Rules {
    name: "v0.3",
    messages: Messages::Options,
    same_origin: SameOrigin::Referer,
    settings: SettingsBody::FormAnyText,
    welcome_modal: true,
    custom_prompts: false,
    preprompt: false,
    create_tells_root: false,
    error_ids: false,
    unknown_model: 500,
    api: false,
    content_type: Some("text/event-stream"),
    cutting: Cutting::Words,
    title: Title::Never,
    keep_alive: false,
    stores_late: false,
    padding: false,
    finished: false,
    endless: false,
    interrupted: false,
    stop: Stop::Cut,
    closing_stops: false,
    tries_twice: false,
    web_search_kind: Some("messageType"),
    login_redirects: false,
    cookie_days: 365,
    vary: false,
    untitled: "Untitled 1",
    asks_title: false,
    page_data: PageData::UpToV0_6,
    page_escapes: "/<>",
    api_can_be_hidden: false,
    api_for_all: false,
    api_v2: false,
    api_deletes: false,
    model_tools: false,
    shows_updates: false,
    abilities: Abilities::Multimodal,
    system_twice: false,
    error_codes: false,
    length_interrupts: false,
    stop_leaves_mark: false,
    resumable: false,
    changes_model: false,
    share_is_url: true,
    copies_shares: false,
    files: Files::None,
    reads_clipboard: false,
    reads_documents: false,
    trusts_email_header: false,
    tools: false,
    body_limit: 512 * 1024,
    body_too_large: 413,
};

const V0_5: Rules = Rules {
    name: "v0.5",
    custom_prompts: true,
    ..V0_3
};

const V0_6: Rules = Rules {
    name: "v0.6",
    settings: SettingsBody::Form,
    ..V0_5
};

const V0_7: Rules = Rules {
    name: "v0.7",
    messages: Messages::Plain,
    settings: SettingsBody::Json,
    custom_prompts: false,
    preprompt: true,
    error_ids: true,
    content_type: None,
    endless: true,
    stop: Stop::Final,
    closing_stops: true,
    cookie_days: 14,
    untitled: "New Chat",
    asks_title: true,
    page_data: PageData::Later,
    page_escapes: "<",
    files: Files::Strings,
    ..V0_6
};

const V0_8: Rules = Rules {
    name: "v0.8",
    messages: Messages::TreeJson,
    same_origin: SameOrigin::Origin,
    unknown_model: 400,
    api: true,
    content_type: Some("text/event-stream"),
    cutting: Cutting::FiveUnits,
    title: Title::Status,
    padding: true,
    endless: false,
    stop: Stop::Ignored,
    api_can_be_hidden: true,
    copies_shares: true,
    ..V0_7
};

const V0_9_0: Rules = Rules {
    name: "v0.9",
    cutting: Cutting::PaddedWords,
    interrupted: true,
    web_search_kind: Some("subtype"),
    files: Files::Objects,
    body_limit: 15 * 1024 * 1024,
    ..V0_8
};

const V0_9_3: Rules = Rules {
    name: "v0.9.3",
    messages: Messages::TreeForm,
    content_type: Some("application/jsonl"),
    title: Title::Own,
    keep_alive: true,
    stores_late: true,
    closing_stops: false,
    model_tools: true,
    shows_updates: true,
    abilities: Abilities::Tools,
    length_interrupts: true,
    changes_model: true,
    files: Files::Parts,
    trusts_email_header: true,
    body_too_large: 500,
    ..V0_9_0
};

const V0_9_6: Rules = Rules {
    name: "v0.9.6",
    welcome_modal: false,
    stop: Stop::Final,
    tries_twice: true,
    web_search_kind: None,
    login_redirects: true,
    page_data: PageData::Empty,
    api_can_be_hidden: false,
    api_for_all: true,
    api_v2: true,
    api_deletes: true,
    model_tools: false,
    abilities: Abilities::SupportsTools,
    system_twice: true,
    error_codes: true,
    length_interrupts: false,
    share_is_url: false,
    reads_clipboard: true,
    tools: true,
    ..V0_9_3
};

const MAIN: Rules = Rules {
    name: "main",
    create_tells_root: true,
    finished: true,
    vary: true,
    abilities: Abilities::SupportsReasoning,
    stop_leaves_mark: true,
    resumable: true,
    reads_documents: true,
    body_too_large: 413,
    ..V0_9_6
};

impl Dialect {
    /// Every dialect, oldest first.
    pub const ALL: [Dialect; 9] = [
        Dialect::V0_3,
        Dialect::V0_5,
        Dialect::V0_6,
        Dialect::V0_7,
        Dialect::V0_8,
        Dialect::V0_9_0,
        Dialect::V0_9_3,
        Dialect::V0_9_6,
        Dialect::Main,
    ];

    pub(super) fn rules(self) -> &'static Rules {
        match self {
            Dialect::V0_3 => &V0_3,
            Dialect::V0_5 => &V0_5,
            Dialect::V0_6 => &V0_6,
            Dialect::V0_7 => &V0_7,
            Dialect::V0_8 => &V0_8,
            Dialect::V0_9_0 => &V0_9_0,
            Dialect::V0_9_3 => &V0_9_3,
            Dialect::V0_9_6 => &V0_9_6,
            Dialect::Main => &MAIN,
        }
    }

    /// Whether messages form a tree, so that a new one names its parent.
    pub fn is_tree(self) -> bool {
        matches!(
            self.rules().messages,
            Messages::TreeJson | Messages::TreeForm
        )
    }
}

impl fmt::Display for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.rules().name)
    }
}

impl FromStr for Dialect {
    type Err = UnknownDialect;

    /// Takes the name of any release: the dialect is that of its group, or nearest to it.
    fn from_str(name: &str) -> Result<Dialect, UnknownDialect> {
        if name == "main" {
            return Ok(Dialect::Main);
        }
        let numbers = name.strip_prefix("v0.").ok_or(UnknownDialect)?;
        let (minor, patch) = numbers.split_once('.').unwrap_or((numbers, "0"));
        let number = |text: &str| text.parse::<u16>().map_err(|_| UnknownDialect);
        Ok(match (number(minor)?, number(patch)?) {
            (3 | 4, _) => Dialect::V0_3,
            (5, _) => Dialect::V0_5,
            (6, _) => Dialect::V0_6,
            (7, _) => Dialect::V0_7,
            (8, _) => Dialect::V0_8,
            (9, 0 | 1) => Dialect::V0_9_0,
            (9, 2..=5) => Dialect::V0_9_3,
            (9, 6) => Dialect::V0_9_6,
            (10.., _) => Dialect::Main,
            _ => return Err(UnknownDialect),
        })
    }
}

/// The name is of no version this service can play.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownDialect;

impl fmt::Display for UnknownDialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(
            "the dialects are v0.3, v0.4, v0.5, v0.6, v0.7, v0.8, v0.9, v0.9.1 to v0.9.6, \
             v0.10 and later, and main",
        )
    }
}

impl std::error::Error for UnknownDialect {}
