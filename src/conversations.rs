//! The conversations that a session has on the server.

use std::collections::{HashSet, VecDeque};
use std::fmt;
use std::iter::FusedIterator;
use std::sync::Arc;

use crate::error::{Result, Step};
use crate::http::base_url::conversation_path;
use crate::http::watchdog::Watch;
use crate::http::{Body, Connection, Request};
use crate::protocol::page_data::PageData;
use crate::session::{Scope, Session, watch_alone};
use crate::stored::{ConversationInfo, ToolServer};

/// Most pages that are read, should a server never end its list.
const MAX_PAGES: usize = 10_000;

/// The conversations of a session, the latest first, page by page; from
/// [`Client::conversations`](crate::Client::conversations).
///
/// Each `next` that needs a page sends one request, which takes at most `timeout_token`. An error
/// is the last item.
pub struct Conversations {
    session: Arc<Session>,
    scope: Scope,
    page: usize,
    ready: VecDeque<ConversationInfo>,
    seen: HashSet<String>,
    has_ended: bool,
}

impl Conversations {
    pub(crate) fn new(session: &Arc<Session>, scope: &Scope) -> Self {
        Conversations {
            session: Arc::clone(session),
            scope: scope.clone(),
            page: 0,
            ready: VecDeque::new(),
            seen: HashSet::new(),
            has_ended: false,
        }
    }

    /// Reads the next page. A page that brings nothing new is the last one.
    fn read_page(&mut self) -> Result<()> {
        let watch = self.scope.watch_requests(&self.session.http);
        let mut connection = self.session.http.connection();
        let path = format!("/api/conversations?p={}", self.page);
        let response = connection.call(&Request::get(Step::Conversations, &path), &watch)?;
        self.page += 1;
        let list = match response.status {
            403 | 404 if self.page == 1 => {
                self.has_ended = true;
                list_of_page(&mut connection, &watch)?
            }
            _ if !response.is_success() => return Err(response.error()),
            _ => {
                let list = response.json().filter(|json| json.is_list());
                let list = list.ok_or_else(|| response.unexpected("a list of conversations"))?;
                list.items().filter_map(ConversationInfo::read).collect()
            }
        };
        for conversation in list {
            if self.seen.insert(conversation.id.clone()) {
                self.ready.push_back(conversation);
            }
        }
        self.has_ended |= self.ready.is_empty() || self.page >= MAX_PAGES;
        Ok(())
    }
}

/// The whole list, where there is no API: in the data of the server's page.
fn list_of_page(connection: &mut Connection, watch: &Arc<Watch>) -> Result<Vec<ConversationInfo>> {
    let request = Request::get(Step::Conversations, "/__data.json");
    let response = connection.call(&request, watch)?;
    if !response.is_success() {
        return Err(response.error());
    }
    let page = response.json().map(PageData::read);
    let list = page.as_ref().and_then(|page| page.get("conversations"));
    let list = list.map(|list| list.items().filter_map(ConversationInfo::read).collect());
    list.ok_or_else(|| response.unexpected("a list of conversations"))
}

impl Iterator for Conversations {
    type Item = Result<ConversationInfo>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ready.is_empty()
            && !self.has_ended
            && let Err(error) = self.read_page()
        {
            self.has_ended = true;
            return Some(Err(error));
        }
        self.ready.pop_front().map(Ok)
    }
}

impl FusedIterator for Conversations {}

/// Shows the number of the next page.
impl fmt::Debug for Conversations {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conversations")
            .field("page", &self.page)
            .finish_non_exhaustive()
    }
}

impl Session {
    /// Deletes a conversation by its id.
    pub(crate) fn delete(&self, connection: &mut Connection, id: &str) -> Result<()> {
        let path = conversation_path(id)?;
        let watch = watch_alone(connection.timeouts().delete);
        let response = connection.call(&Request::delete(Step::Delete, &path), &watch)?;
        if response.is_success() {
            Ok(())
        } else {
            Err(response.error())
        }
    }

    /// Deletes all conversations: from v0.9.5 on by the API, before by the form of the page.
    pub(crate) fn delete_all(&self, connection: &mut Connection) -> Result<()> {
        let watch = watch_alone(connection.timeouts().delete);
        let request = Request::delete(Step::Delete, "/api/conversations");
        let mut response = connection.call(&request, &watch)?;
        if matches!(response.status, 403..=405) {
            let body = Body::form(String::new());
            let request = Request::post(Step::Delete, "/conversations?/delete", &body);
            response = connection.call_in_either_scheme(&request, &watch)?;
        }
        if response.is_success() || response.is_see_other() {
            Ok(())
        } else {
            Err(response.error())
        }
    }

    /// The tool servers that the operator has configured, from v0.9.6 on.
    pub(crate) fn tool_servers(
        &self,
        connection: &mut Connection,
        watch: &Arc<Watch>,
    ) -> Result<Vec<ToolServer>> {
        let response = connection.call(&Request::get(Step::Tools, "/api/mcp/servers"), watch)?;
        if !response.is_success() {
            let hint = " (servers before chat-ui v0.9.6 have no tool servers)";
            let mut error = response.error();
            error.add_hint(&[403, 404, 405], hint);
            return Err(error);
        }
        let list = response.json().filter(|json| json.is_list());
        let list = list.ok_or_else(|| response.unexpected("a list of tool servers"))?;
        Ok(list.items().filter_map(ToolServer::read).collect())
    }
}
