//! The models of the server.

use crate::protocol::json::Json;
use crate::protocol::page_data::PageData;
use crate::sanitize::sanitize;

/// The default model of the public server of 2023.
pub const DEFAULT_MODEL: &str = "h2oai/h2ogpt-gm-oasst1-en-2048-falcon-40b-v1";

/// A model that the server offers; from [`Client::models`](crate::Client::models).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Model {
    /// The name for [`ClientBuilder::model`](crate::ClientBuilder::model).
    pub id: String,
    /// Its name for people; the id if it has no other.
    pub name: String,
    /// The server's description; often empty.
    pub description: String,
    /// Whether it takes images; `None` if the server does not say.
    pub multimodal: Option<bool>,
    /// Whether it can use tools; `None` if the server does not say.
    pub tools: Option<bool>,
    /// Whether it reports its reasoning apart from the reply; `None` if the server does not say.
    pub reasoning: Option<bool>,
}

/// The models that a server lists.
#[derive(Default)]
pub(crate) struct ModelList {
    pub(crate) models: Vec<Model>,
    /// The one that replies if none is named.
    pub(crate) default: Option<String>,
    /// Whether the session's settings, where the list came with them, have a member of this name.
    pub(crate) has_disable_stream: bool,
    pub(crate) has_ethics_modal_accepted: bool,
}

impl ModelList {
    /// Reads the response to `GET /api/models`.
    pub(crate) fn of_api(list: Json<'_>) -> Option<ModelList> {
        let is_listed = |model: &Json<'_>| {
            let is_unlisted = model.get("unlisted").and_then(Json::as_bool);
            is_unlisted != Some(true)
        };
        let mut listed = list.items().filter(is_listed);
        list.is_list().then(|| ModelList {
            models: list.items().filter_map(Model::read).collect(),
            default: listed.find_map(|model| model.str("id")),
            ..ModelList::default()
        })
    }

    /// Reads the response to `GET /__data.json`, where the list is part of a page.
    pub(crate) fn of_page(page: Json<'_>) -> Option<ModelList> {
        let page = PageData::read(page);
        let models = page.get("models")?.items();
        let models: Vec<Model> = models.filter_map(Model::read).collect();
        let settings = page.get("settings");
        let active = settings.map(|settings| settings.text("activeModel"));
        let is_listed = |id: &String| models.iter().any(|model| model.id == *id);
        let first = || Some(models.first()?.id.clone());
        let has = |name| settings.is_some_and(|settings| settings.get(name).is_some());
        Some(ModelList {
            default: active.filter(is_listed).or_else(first),
            has_disable_stream: has("disableStream"),
            has_ethics_modal_accepted: has("ethicsModalAccepted"),
            models,
        })
    }
}

/// How many models an error names.
pub(crate) const NAMED: usize = 3;

/// The ids of the first models, for an error.
pub(crate) fn first_ids<'a>(models: impl Iterator<Item = &'a Model>) -> String {
    let ids: Vec<String> = models
        .take(NAMED)
        .map(|model| sanitize(&model.id))
        .collect();
    ids.join(", ")
}

impl Model {
    fn read(model: Json<'_>) -> Option<Model> {
        let id = model.str("id")?;
        let name = model.str("displayName").or_else(|| model.str("name"));
        let flag = |name| model.get(name).and_then(Json::as_bool);
        Some(Model {
            name: name.unwrap_or_else(|| id.clone()),
            description: model.text("description"),
            multimodal: flag("multimodal"),
            tools: flag("supportsTools").or_else(|| flag("tools")),
            reasoning: flag("supportsReasoning"),
            id,
        })
    }
}
