//! A session with a service: what was agreed at its beginning, and learned on the way.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::error::{Error, Fallible, Step};
use crate::http::{Connection, Content, Http, Request};
use crate::model::{DEFAULT_MODEL, Model};
use crate::parameters::Encoded;
use crate::protocol::dialect::{Dialect, Encoding};
use crate::protocol::json;
use crate::protocol::request::Settings;
use crate::response::Answer;

pub(crate) struct Session {
    pub(crate) http: Arc<Http>,
    /// The model that the caller has chosen.
    pub(crate) model: Option<String>,
    pub(crate) parameters: Encoded,
    pub(crate) system_prompt: Option<String>,
    pub(crate) search_enabled: bool,
    pub(crate) share_with_model_authors: bool,
    /// Held for as long as the service is asked: whoever begins meanwhile waits for the outcome.
    pub(crate) begun: Mutex<Begun>,
    /// Never held while anything is asked.
    pub(crate) known: Mutex<Known>,
}

/// How the session was begun.
#[derive(Default)]
pub(crate) struct Begun {
    /// The model in use, once the settings were posted.
    model: Option<String>,
    /// Why the service did not take the settings. Newer ones do without.
    refusal: Option<Box<Error>>,
}

/// What is known of the service by now.
#[derive(Default)]
pub(crate) struct Known {
    dialect: Option<Dialect>,
    refuses_details: bool,
}

impl Session {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begun(&self) -> MutexGuard<'_, Begun> {
        self.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn dialect(&self) -> Option<Dialect> {
        self.known().dialect
    }

    pub(crate) fn learn(&self, dialect: Dialect) {
        self.known().dialect = Some(dialect);
    }

    /// Begins the session, unless it has begun, and returns the model in use.
    pub(crate) fn begin(&self, connection: &mut Connection) -> Fallible<String> {
        // Held while asking: other threads wait for the outcome and then go on with it.
        let mut begun = self.begun();
        if let Some(model) = &begun.model {
            return Ok(model.clone());
        }
        let model = match &self.model {
            Some(model) => model.clone(),
            None => first_model(connection)?,
        };
        self.accept_terms(connection, &mut begun, &model)?;
        begun.model = Some(model.clone());
        Ok(model)
    }

    /// Accepts the terms once more, as the service has forgotten that.
    pub(crate) fn begin_again(&self, connection: &mut Connection) -> Fallible<()> {
        let mut begun = self.begun();
        let Some(model) = begun.model.clone() else {
            return Ok(());
        };
        self.accept_terms(connection, &mut begun, &model)?;
        match begun.refusal.take() {
            Some(refusal) => Err(refusal),
            None => Ok(()),
        }
    }

    /// Posts the settings as a form, or else as JSON. A service that takes neither may not need
    /// them, which the next step will show.
    fn accept_terms(
        &self,
        connection: &mut Connection,
        begun: &mut Begun,
        model: &str,
    ) -> Fallible<()> {
        begun.refusal = None;
        let settings = Settings {
            model,
            system_prompt: self.system_prompt.as_deref(),
            search_enabled: self.search_enabled,
            share_with_model_authors: self.share_with_model_authors,
        };
        if matches!(self.dialect(), None | Some(Dialect::Flat)) {
            let answer = post_settings(connection, Content::Form(&settings.form()))?;
            if answer.is_success() || answer.is_see_other() {
                self.learn(Dialect::Flat);
                return Ok(());
            }
            if !may_take_json(&answer) {
                return Err(answer.error());
            }
        }
        let answer = post_settings(connection, Content::Json(&settings.json()))?;
        if answer.is_success() || answer.is_see_other() {
            return Ok(());
        }
        if !may_take_json(&answer) {
            return Err(answer.error());
        }
        begun.refusal = Some(answer.error());
        Ok(())
    }

    /// Whether messages may ask why their replies end.
    pub(crate) fn takes_details(&self) -> bool {
        !self.known().refuses_details
    }

    pub(crate) fn learn_to_omit_details(&self) {
        self.known().refuses_details = true;
    }

    /// The dialect of a service that did not take the settings as a form, by whether its
    /// conversations turn out to be trees.
    pub(crate) fn learn_tree(&self, is_tree: bool) -> Dialect {
        *self.known().dialect.get_or_insert(match is_tree {
            true => Dialect::Tree(Encoding::Unknown),
            false => Dialect::FlatLines,
        })
    }
}

fn post_settings(connection: &mut Connection, content: Content<'_>) -> Fallible<Answer> {
    connection.call(&Request {
        step: Step::Settings,
        path: "/settings",
        content,
    })
}

/// Whether a refusal can be one of the encoding.
fn may_take_json(answer: &Answer) -> bool {
    matches!(answer.status, 400 | 403 | 404 | 405 | 415 | 422 | 500)
}

/// The model that the service lists first, or the one of 2023 if it has no list.
fn first_model(connection: &mut Connection) -> Fallible<String> {
    let answer = connection.call(&list_models())?;
    let first = || {
        let models = json::items(answer.content()).ok()?;
        models
            .iter()
            .find_map(|model| json::text_member(model, "id"))
    };
    Ok(first().unwrap_or_else(|| DEFAULT_MODEL.to_owned()))
}

fn list_models() -> Request<'static> {
    Request {
        step: Step::Models,
        path: "/api/models",
        content: Content::None,
    }
}

/// All models that the service lists.
pub(crate) fn models(connection: &mut Connection) -> Fallible<Vec<Model>> {
    let answer = connection.call(&list_models())?;
    read_models(&answer).ok_or_else(|| match answer.is_success() {
        true => answer.unexpected(Step::Models, "a list of models"),
        false => without_list(answer.error()),
    })
}

fn without_list(mut error: Box<Error>) -> Box<Error> {
    if let Error::Http {
        status: 404,
        message,
        ..
    } = &mut *error
    {
        "services before chat-ui v0.8 have no list".clone_into(message);
    }
    error
}

fn read_models(answer: &Answer) -> Option<Vec<Model>> {
    let models = json::items(answer.content()).ok()?;
    Some(models.into_iter().filter_map(read_model).collect())
}

fn read_model(model: &str) -> Option<Model> {
    let text = |name| json::text_member(model, name);
    let id = text("id")?;
    let name = text("displayName").or_else(|| text("name"));
    Some(Model {
        name: name.unwrap_or_else(|| id.clone()),
        description: text("description").unwrap_or_default(),
        id,
    })
}
