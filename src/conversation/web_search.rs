//! The web search that is a request of its own, before the message.

use std::sync::Arc;

use super::Conversation;
use crate::error::{Error, Result, Step};
use crate::http::watchdog::Watch;
use crate::http::{Opened, Request};
use crate::linked::Linked;
use crate::protocol::dialect::{Dialect, WebSearchRequest};
use crate::protocol::encoding::percent_encode;
use crate::protocol::message::OutgoingMessage;
use crate::protocol::request::JsonObject;
use crate::protocol::search::SearchReader;

/// Searches the web for a prompt that asks for it, and returns the progress of the search, as events
/// in JSON.
pub(crate) type WebSearcher =
    Linked<fn(&mut Conversation, &mut OutgoingMessage, &Arc<Watch>) -> Result<Vec<String>>>;

/// What a prompt that asks for a web search holds.
pub(crate) const WEB_SEARCHER: WebSearcher = Linked(Conversation::search_before);

impl Conversation {
    /// Requests the web search that comes before the message, where it is a request of its own,
    /// and waits for its result. If it fails, the reply comes without it.
    fn search_before(
        &mut self,
        message: &mut OutgoingMessage,
        watch: &Arc<Watch>,
    ) -> Result<Vec<String>> {
        let mut events = Vec::new();
        let dialect = self.session.dialect();
        let is_before = |dialect: &Dialect| dialect.web_search == WebSearchRequest::Before;
        if !message.web_search || message.is_retry || !dialect.is_some_and(is_before) {
            return Ok(events);
        }
        watch.begin_wait();
        let searched = self.search(message, watch, &mut events);
        watch.end_wait();
        match searched {
            Ok(id) => message.web_search_id = id,
            Err(error @ (Error::Cancelled { .. } | Error::Timeout { .. })) => return Err(error),
            Err(error) => {
                let event = JsonObject::new()
                    .string("type", "webSearch")
                    .string("message", &error.to_string())
                    .end();
                events.push(event);
            }
        }
        Ok(events)
    }

    fn search(
        &mut self,
        message: &OutgoingMessage,
        watch: &Arc<Watch>,
        events: &mut Vec<String>,
    ) -> Result<String> {
        let prompt = percent_encode(message.inputs.trim());
        let path = format!("{}/web-search?prompt={prompt}", self.path);
        let request = Request::get(Step::WebSearch, &path);
        let stream = match self.connection.open(&request, watch)? {
            Opened::Stream(stream) => stream,
            Opened::Refused(response) => return Err(response.error()),
        };
        let mut search = SearchReader::new(stream);
        while let Some(event) = search.next_event()? {
            events.push(event);
        }
        // The response never ends, so its connection is given up.
        Ok(search.result().unwrap_or_default().to_owned())
    }
}
