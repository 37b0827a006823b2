//! What the server has stored of a conversation, for its owner.

use std::sync::Arc;

use super::history::check_page;
use super::{Conversation, Preparation};
use crate::error::{Result, Step};
use crate::http::response::Response;
use crate::http::watchdog::Watch;
use crate::http::{Body, Request};
use crate::protocol::encoding::percent_encode;
use crate::protocol::json::Json;
use crate::protocol::page_data::PageData;
use crate::protocol::request;
use crate::stored::{StoredFile, StoredMessage};

impl Conversation {
    /// The messages that the server has stored, the first one first: the system prompt, perhaps
    /// empty, from chat-ui v0.8 on, then prompts and replies.
    ///
    /// `GET /api/conversation/{id}`; where there is no API, or it is hidden, the data of the
    /// conversation's page. At most `timeout_token`.
    ///
    /// # Errors
    ///
    /// [`Error::Http`](crate::Error::Http) if the server does not have the conversation,
    /// [`Error::Network`](crate::Error::Network), [`Error::Timeout`](crate::Error::Timeout),
    /// [`Error::Cancelled`](crate::Error::Cancelled), [`Error::Protocol`](crate::Error::Protocol).
    pub fn messages(&mut self) -> Result<Vec<StoredMessage>> {
        self.operate(|conversation, watch| {
            conversation.wait_until_stored(watch)?;
            let path = format!("/api{}", conversation.path);
            let response = conversation.get(&path, watch)?;
            if !matches!(response.status, 403 | 404) {
                let conversation = response.json();
                let messages = conversation.and_then(|conversation| conversation.get("messages"));
                return read_messages(&response, messages);
            }
            if response.misses_conversation() {
                return Err(response.error());
            }
            let path = format!("{}/__data.json", conversation.path);
            let page = conversation.get(&path, watch)?;
            if !page.is_success() {
                return Err(response.error());
            }
            let json = page.json();
            json.map_or(Ok(()), check_page)?;
            let data = json.map(PageData::read);
            let messages = data.as_ref().and_then(|data| data.get("messages"));
            read_messages(&page, messages)
        })
    }

    /// Downloads a file of a message; at most 64 MiB.
    ///
    /// `GET /conversation/{id}/output/{hash}`, from chat-ui v0.7 on. At most `timeout_token`.
    ///
    /// ```no_run
    /// # let client = h2ogpt::Client::new("http://localhost:3000")?;
    /// let mut conversation = client.resume("6b010396646b822e419515f3")?;
    /// for message in conversation.messages()? {
    ///     for file in &message.files {
    ///         std::fs::write(&file.hash, conversation.download(file)?)?;
    ///     }
    /// }
    /// conversation.keep();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Http`](crate::Error::Http) if the server does not have the file,
    /// [`Error::Network`](crate::Error::Network), [`Error::Timeout`](crate::Error::Timeout),
    /// [`Error::Cancelled`](crate::Error::Cancelled).
    pub fn download(&mut self, file: &StoredFile) -> Result<Vec<u8>> {
        self.operate(|conversation, watch| {
            let path = format!(
                "{}/output/{}",
                conversation.path,
                percent_encode(&file.hash)
            );
            let request = Request::get(Step::Download, &path);
            conversation.connection.download(&request, watch)
        })
    }

    /// Gives the conversation a title of 1 to 100 characters, as UTF-16 counts them: an emoji is two.
    ///
    /// `PATCH /conversation/{id}`. At most `timeout_token`.
    ///
    /// # Errors
    ///
    /// [`Error::Configuration`](crate::Error::Configuration) if the title is blank or too long,
    /// [`Error::Http`](crate::Error::Http) if the server refuses,
    /// [`Error::Network`](crate::Error::Network), [`Error::Timeout`](crate::Error::Timeout),
    /// [`Error::Cancelled`](crate::Error::Cancelled).
    pub fn rename(&mut self, title: impl AsRef<str>) -> Result<()> {
        let title = title.as_ref().trim();
        request::check_title(title)?;
        self.operate(|conversation, watch| {
            let body = Body::json(request::title(title));
            let request = Request::patch(Step::Rename, &conversation.path, &body);
            let response = conversation.connection.call(&request, watch)?;
            if !response.is_success() {
                return Err(response.error());
            }
            if let Preparation::Pending { has_title, .. } = &mut conversation.preparation {
                *has_title = true;
            }
            Ok(())
        })
    }

    /// Shares a copy of the conversation as it is now, and returns the address of its page: whoever
    /// knows it can read the copy, which stays when the conversation is deleted.
    ///
    /// `POST /conversation/{id}/share`. At most `timeout_token`.
    ///
    /// ```no_run
    /// # let client = h2ogpt::Client::new("http://localhost:3000")?;
    /// let mut conversation = client.conversation()?;
    /// conversation.rename("Prime numbers")?;
    /// conversation.send("Name a prime number.")?.into_text()?;
    /// println!("{}", conversation.share()?);
    /// # Ok::<(), h2ogpt::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`Error::Http`](crate::Error::Http) if the server refuses,
    /// [`Error::Network`](crate::Error::Network), [`Error::Timeout`](crate::Error::Timeout),
    /// [`Error::Cancelled`](crate::Error::Cancelled), [`Error::Protocol`](crate::Error::Protocol).
    pub fn share(&mut self) -> Result<String> {
        self.operate(|conversation, watch| {
            conversation.wait_until_stored(watch)?;
            let path = format!("{}/share", conversation.path);
            let body = Body::json("{}".into());
            let request = Request::post(Step::Share, &path, &body);
            let response = conversation.connection.call(&request, watch)?;
            if !response.is_success() {
                return Err(response.error());
            }
            let base_url = &conversation.session.http.base_url;
            let member = |name| response.json()?.str(name);
            let page = |id: &str| base_url.url(&format!("/r/{}", percent_encode(id)));
            let url = match (member("url"), member("shareId")) {
                // A server that was not told its address names the wrong scheme.
                (Some(url), _) if !base_url.is_off_site(&url) => url.rsplit('/').next().map(page),
                (Some(url), _) => Some(url),
                (None, id) => id.as_deref().map(page),
            };
            url.ok_or_else(|| response.unexpected("the address of the shared page"))
        })
    }

    fn get(&mut self, path: &str, watch: &Arc<Watch>) -> Result<Response> {
        self.connection
            .call(&Request::get(Step::History, path), watch)
    }

    /// Does something of its own with the connection, after the last response has ended.
    fn operate<T>(&mut self, work: impl FnOnce(&mut Self, &Arc<Watch>) -> Result<T>) -> Result<T> {
        let watch = self.scope.watch_requests(&self.session.http);
        self.finish_response(watch.time_left() / 2);
        let done = work(self, &watch);
        self.connection.release();
        done
    }
}

fn read_messages(response: &Response, messages: Option<Json<'_>>) -> Result<Vec<StoredMessage>> {
    if !response.is_success() {
        return Err(response.error());
    }
    let messages = messages.filter(|messages| messages.is_list());
    let expected = "JSON with the conversation's messages";
    let messages = messages.ok_or_else(|| response.unexpected(expected))?;
    Ok(messages.items().filter_map(StoredMessage::read).collect())
}
