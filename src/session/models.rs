//! The models of a server, wherever it lists them.

use std::sync::Arc;

use super::{BASE_PATH_HINT, Session};
use crate::error::{Error, Result, Step};
use crate::http::base_url::DEFAULT_URL;
use crate::http::response::Response;
use crate::http::watchdog::Watch;
use crate::http::{Connection, Request};
use crate::model::{DEFAULT_MODEL, ModelList, NAMED, first_ids};
use crate::protocol::dialect::{Dialect, V0_9_2, V0_9_6, V0_10};

impl Session {
    /// All models that the server lists: in its API from v0.8 on, in the data of its page before
    /// that, and where the API is hidden.
    pub(crate) fn models(
        &self,
        connection: &mut Connection,
        watch: &Arc<Watch>,
    ) -> Result<ModelList> {
        let response = connection.call(&Request::get(Step::Models, "/api/models"), watch)?;
        if !matches!(response.status, 403 | 404) {
            return self.models_of_api(&response);
        }
        let page = connection.call(&Request::get(Step::Models, "/__data.json"), watch)?;
        if !page.is_success() {
            let mut error = page.error();
            error.add_hint(&[404], BASE_PATH_HINT);
            return Err(error);
        }
        let list = found(page.json().and_then(ModelList::of_page), &page)?;
        self.learn_from_page(response.status == 403, &list);
        Ok(list)
    }

    fn models_of_api(&self, response: &Response) -> Result<ModelList> {
        if !response.is_success() {
            return Err(response.error());
        }
        let json = response.json();
        let list = found(json.and_then(ModelList::of_api), response)?;
        // Versions that take settings as a form have no API.
        self.state().rejects_forms = true;
        let first = json.and_then(|json| json.items().next());
        let has = |name| first.is_some_and(|model| model.get(name).is_some());
        if has("supportsReasoning") {
            self.set_dialect(&V0_10);
        } else if response.allows_any_origin {
            self.set_dialect(&V0_9_6);
        } else if has("tools") {
            self.set_dialect(&V0_9_2);
        }
        Ok(list)
    }

    /// What the settings in a page's data tell of the version.
    fn learn_from_page(&self, is_hidden: bool, list: &ModelList) {
        if is_hidden {
            self.set_api_hidden();
            self.set_dialect(Dialect::of_settings(list.has_disable_stream));
        }
        // Since v0.7, this is not only a date.
        if list.has_ethics_modal_accepted {
            self.state().rejects_forms = true;
        }
    }

    /// The model that the caller named, or the server's default.
    pub(super) fn choose_model(
        &self,
        connection: &mut Connection,
        watch: &Arc<Watch>,
    ) -> Result<String> {
        if let Some(model) = &self.options.model {
            return Ok(model.clone());
        }
        if self.http.base_url.url("") == DEFAULT_URL {
            return Ok(DEFAULT_MODEL.to_owned());
        }
        let list = match self.models(connection, watch) {
            Ok(list) => list,
            // No list at all. Whether the model exists is for the next request to show.
            Err(Error::Protocol { .. }) => ModelList::default(),
            Err(Error::Http {
                status: 400..=428 | 500 | 501,
                ..
            }) => ModelList::default(),
            Err(error) => return Err(error),
        };
        Ok(list.default.unwrap_or_else(|| DEFAULT_MODEL.to_owned()))
    }

    /// Adds to the refusal of a conversation whether the server has the model: it reports an
    /// unknown one as a generic 400 or 500.
    pub(crate) fn explain_model(
        &self,
        error: &mut Error,
        model: &str,
        connection: &mut Connection,
        watch: &Arc<Watch>,
    ) {
        if !matches!(
            error,
            Error::Http {
                status: 400 | 500,
                ..
            }
        ) {
            return;
        }
        let models = self.models(connection, watch).unwrap_or_default().models;
        if models.is_empty() {
            let hint = format!(" (does the server have the model {model:?}?)");
            error.add_hint(&[400, 500], &hint);
        } else if models.iter().all(|known| known.id != model) {
            let more = if models.len() > NAMED { ", ..." } else { "" };
            let named = first_ids(models.iter());
            let hint =
                format!(" (the server does not have the model {model:?}; it has {named}{more})");
            error.add_hint(&[400, 500], &hint);
        }
    }
}

fn found(list: Option<ModelList>, response: &Response) -> Result<ModelList> {
    list.ok_or_else(|| response.unexpected("a list of models"))
}
