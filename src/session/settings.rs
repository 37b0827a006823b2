//! The settings of a session.

use std::sync::Arc;

use super::Session;
use crate::error::{Result, Step};
use crate::http::response::Response;
use crate::http::watchdog::Watch;
use crate::http::{Body, Connection, Request};
use crate::protocol::dialect::{SettingsEncoding, V0_3};
use crate::protocol::request::Settings;

impl Session {
    /// Posts the settings of a new session where the server takes them as a form: they hold the
    /// system prompt there. Otherwise settings are posted only if an option has no other place,
    /// or if the server asks for the terms later. Returns whether they were posted as a form.
    pub(super) fn begin_settings(
        &self,
        model: &str,
        connection: &mut Connection,
        watch: &Arc<Watch>,
    ) -> Result<bool> {
        let shares = self.options.share_with_model_authors;
        if self.is_borrowed && !shares {
            return Ok(false);
        }
        if self.settings_encoding() != Some(SettingsEncoding::Json) {
            let response = self.post_settings_form(model, connection, watch)?;
            if is_accepted(&response) {
                return Ok(true);
            }
            if !may_want_another_encoding(&response) {
                return Err(response.error());
            }
        }
        if shares {
            self.post_settings_json(model, connection, watch)?;
        }
        Ok(false)
    }

    /// Posts the settings, as the server asks for the terms to be accepted. Returns whether they
    /// were posted as a form.
    pub(crate) fn accept_terms(
        &self,
        model: &str,
        connection: &mut Connection,
        watch: &Arc<Watch>,
    ) -> Result<bool> {
        let encoding = self.settings_encoding();
        if encoding != Some(SettingsEncoding::Json) {
            let response = self.post_settings_form(model, connection, watch)?;
            if is_accepted(&response) {
                return Ok(true);
            }
            if encoding.is_some() || !may_want_another_encoding(&response) {
                return Err(response.error());
            }
        }
        self.post_settings_json(model, connection, watch)?;
        Ok(false)
    }

    /// How the server takes settings, as far as that is known.
    fn settings_encoding(&self) -> Option<SettingsEncoding> {
        if let Some(dialect) = self.dialect() {
            return Some(dialect.settings);
        }
        // The cookies of versions that take a form live longer.
        let is_later = self.state().rejects_forms || self.http.cookie_lifetime().is_some();
        is_later.then_some(SettingsEncoding::Json)
    }

    /// Posts the settings as a form, which later versions do not take.
    fn post_settings_form(
        &self,
        model: &str,
        connection: &mut Connection,
        watch: &Arc<Watch>,
    ) -> Result<Response> {
        let body = Body::form(self.settings(model).form());
        let request = Request::post(Step::Settings, "/settings", &body);
        let response = connection.call_in_either_scheme(&request, watch)?;
        // Later versions reject forms. If this is one all the same, its stream will tell.
        if is_accepted(&response) && self.dialect().is_none() {
            self.set_dialect(&V0_3);
        }
        Ok(response)
    }

    fn post_settings_json(
        &self,
        model: &str,
        connection: &mut Connection,
        watch: &Arc<Watch>,
    ) -> Result<()> {
        let body = Body::json(self.settings(model).json());
        let request = Request::post(Step::Settings, "/settings", &body);
        let response = connection.call(&request, watch)?;
        if is_accepted(&response) {
            Ok(())
        } else {
            Err(response.error())
        }
    }

    fn settings<'a>(&'a self, model: &'a str) -> Settings<'a> {
        Settings {
            model,
            system_prompt: self.options.system_prompt.as_deref(),
            search_enabled: self.options.search_enabled,
            share_with_model_authors: self.options.share_with_model_authors,
        }
    }
}

fn is_accepted(response: &Response) -> bool {
    response.is_success() || response.is_see_other()
}

/// Whether the server may have rejected the encoding, and not the settings.
fn may_want_another_encoding(response: &Response) -> bool {
    matches!(response.status, 400 | 403 | 404 | 405 | 415 | 422 | 500)
}
