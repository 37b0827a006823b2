//! The models of the server.

use serde_json::Value;

use crate::protocol::page_data::{self, PageValue};

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
    /// The names of the session's settings, where the list came with them.
    pub(crate) settings: Vec<String>,
}

impl ModelList {
    /// Reads the response to `GET /api/models`.
    pub(crate) fn of_api(list: &Value) -> Option<ModelList> {
        let list = list.as_array()?;
        let is_listed = |model: &&Value| model.get("unlisted") != Some(&Value::Bool(true));
        let id = |model: &Value| Some(model.get("id")?.as_str()?.to_owned());
        Some(ModelList {
            models: list.iter().filter_map(Model::of_api).collect(),
            default: list.iter().filter(is_listed).find_map(id),
            settings: Vec::new(),
        })
    }

    /// Reads the response to `GET /__data.json`, where the list is part of a page.
    pub(crate) fn of_page(page: &Value) -> Option<ModelList> {
        let root = page_data::roots(page).find(|root| root.get("models").is_some())?;
        let models: Vec<Model> = root
            .get("models")?
            .items()
            .filter_map(Model::of_page)
            .collect();
        let settings = root.get("settings");
        let active = settings.and_then(|settings| settings.get("activeModel"));
        let active = active.and_then(PageValue::as_str).map(str::to_owned);
        let is_listed = |id: &String| models.iter().any(|model| model.id == *id);
        Some(ModelList {
            default: active
                .filter(is_listed)
                .or_else(|| Some(models.first()?.id.clone())),
            settings: settings.map(PageValue::names).unwrap_or_default(),
            models,
        })
    }
}

impl Model {
    fn of_api(model: &Value) -> Option<Model> {
        Model::new(
            |name: &str| Some(model.get(name)?.as_str()?.to_owned()),
            |name: &str| model.get(name)?.as_bool(),
        )
    }

    fn of_page(model: PageValue<'_>) -> Option<Model> {
        Model::new(
            |name: &str| Some(model.get(name)?.as_str()?.to_owned()),
            |name: &str| model.get(name)?.as_bool(),
        )
    }

    fn new(
        text: impl Fn(&str) -> Option<String>,
        flag: impl Fn(&str) -> Option<bool>,
    ) -> Option<Model> {
        let id = text("id")?;
        let name = text("displayName").or_else(|| text("name"));
        Some(Model {
            name: name.unwrap_or_else(|| id.clone()),
            description: text("description").unwrap_or_default(),
            multimodal: flag("multimodal"),
            tools: flag("supportsTools").or_else(|| flag("tools")),
            reasoning: flag("supportsReasoning"),
            id,
        })
    }
}
