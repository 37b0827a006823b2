//! What the bytes mean: the wire protocol, without I/O of its own.
//!
//! H2O.ai's server of 2023 was a fork of chat-ui in front of text-generation-inference (TGI).
//! Its protocol is that of chat-ui, observed on the wire from v0.3 (June 2023) to the main branch
//! of August 2026. Paths never changed. What changed is how a message is encoded, what its `id`
//! means, what a line of the stream looks like and how the stream ends.
//!
//! # Lifecycle
//!
//! | step | request | response |
//! |---|---|---|
//! | settings | `POST /settings`, a form up to v0.6, JSON later; only where the terms must be accepted, or for a system prompt of v0.5 and v0.6 | 200 or 303, and the session's cookie |
//! | create | `POST /conversation`, JSON `{"model"}`, from v0.7 on with `preprompt` | `{"conversationId"}`; main adds the conversation as JSON in a string |
//! | message | `POST /conversation/{id}` | the stream |
//! | stop | `POST /conversation/{id}/stop-generating` | 200 |
//! | delete | `DELETE /conversation/{id}` | 200; 404 the second time |
//!
//! - Every cookie that is set must be sent back, even a `Secure` one over plain http.
//! - Form posts need a `Referer` of the same origin up to v0.8.3, an `Origin` from v0.8.4 on. A
//!   server of v0.3 to v0.6 that was started without its own `ORIGIN` takes itself for
//!   `https://HOST`, and rejects the other scheme with 403.
//! - `Accept: */*`: with `text/html` first, a message is taken for a page request; with
//!   `text/event-stream` alone, errors come as HTML. No compression: some servers label bodies as
//!   gzip that they have decoded.
//! - Redirects are never followed. One that leaves the origin asks for a login.
//! - 405 "welcome modal": the terms were not accepted. The settings are posted, and the request
//!   is repeated.
//! - Idle connections are closed after 5 to 6 seconds.
//! - In a form, leaving a field out means no: some versions take the text `false` for yes. In
//!   JSON, leaving a member out means its default, which for sharing is yes.
//!
//! # Messages
//!
//! | | v0.3 to v0.6 | v0.7 | v0.8 to v0.9.1 | v0.9.2 to main |
//! |---|---|---|---|---|
//! | body | JSON with `options` | JSON | JSON | form, `data=` the JSON |
//! | `id` | our own | our own | the parent's | the parent's |
//! | stream | server-sent events | JSON lines | JSON lines | JSON lines |
//! | end of the response | with the reply | never | with the reply | later; only then is the reply stored |
//! | system prompt | settings, from v0.5 on | create | create | create |
//! | web search | a request of its own, before | a flag | a flag | a flag up to v0.9.5, then none |
//!
//! - The parent is the last message of `GET /api/conversation/{id}`: 404 on v0.7 and before, 403
//!   where the API is hidden.
//! - A message in the wrong encoding is rejected with 500 or 403. It is not stored, but counts
//!   against the rate limit.
//! - A retry names the user's message on flat servers; on trees it names that of the assistant
//!   and has no `inputs`. On trees it must not name anything older than the message: one that was
//!   rejected is not part of the history.
//! - Ids must be UUIDs. Blank inputs are 500, bodies over 512 KiB are 413.
//!
//! # What tells the version
//!
//! | in | is | version |
//! |---|---|---|
//! | the session's cookie | valid for a year, not for two weeks | v0.3 to v0.6 |
//! | the response to create | a member `conversation` | main |
//! | `GET /api/models` | 404 | v0.7 and before |
//! | `GET /api/conversation/{id}` | a member `modelTools` | v0.9.2 to v0.9.5 |
//! | the same | a header `access-control-allow-origin` | v0.9.6 to main |
//! | the same | neither | v0.8 to v0.9.1 |
//! | a page's settings, where the API is hidden | a member `disableStream` | v0.9.2 to v0.9.4 |
//! | the stream, without a tree of messages | `text/event-stream`, or no type | v0.3 to v0.6, or v0.7 |
//!
//! # What servers do by themselves
//!
//! - From v0.7 on they ask the model for a title before or beside the first reply, unless the
//!   conversation was given one by `PATCH /conversation/{id}`.
//! - From v0.9.5 on the system prompt reaches the model twice, unless the root of the tree is
//!   deleted by `DELETE /api/conversation/{id}/message/{root}`; the first message then has no `id`.
//! - v0.3 to v0.6 store a message and its reply only after the response has ended, and overwrite
//!   what was sent meanwhile. `GET /conversation/{id}/__data.json` shows what is stored.
//! - From v0.9.6 on a stop that finds nothing to stop ends the next reply. From v0.9.2 on a reply is
//!   generated to its end when its connection breaks, as it may be up to v0.6. v0.9.6, too, then
//!   overwrites what was sent meanwhile, unless the reply is stopped. Later versions do not, and
//!   keep a log, from which the rest can be read if it is not stopped.
//!
//! # Stream
//!
//! Lines end in LF, CRLF or CR, and at nothing else: U+2028 and the like occur within the JSON. A
//! byte order mark may come first, and a leading `data:` is dropped. A line that does not begin
//! with `{` is not an event: comments, other fields, `[DONE]`, 4096 spaces of padding. The JSON of
//! one event may be spread over several `data:` lines, to be joined by LF. Bytes that are not
//! UTF-8 become U+FFFD. The content type says nothing.
//!
//! - Without a `type`, an event is TGI's: `{"token":{"text","special"},"generated_text",
//!   "details"}`, with an `index` first in newer versions. Special tokens are not text. The last
//!   event has the whole text, and its token may be special or not.
//! - With a `type`: `stream`, `finalAnswer`, `status`, and others that are not text (see below).
//!   From v0.9.0 on, tokens are filled up with NULs. v0.8 cuts them every five UTF-16 units, so
//!   that one half of an emoji is in one token and the other in the next, both as lone surrogates.
//! - `keepAlive`, every 100 ms from v0.9.3 on, and comments are signs of life, not progress.
//! - The last token may be missing from the stream, and stand in the final text only.
//!
//! # End
//!
//! - Without a final event the reply is not complete, not even after `status: finished`: the model's
//!   server gave no reason for its end then.
//! - An error wins over a final answer that comes after it, as in v0.8.4. From v0.9.0 on, the error
//!   "No output was generated" comes after a final answer that is empty. v0.7 cannot report an
//!   error: it ends with the prompt as the answer.
//! - v0.9.6 and main retry by themselves after a failure, so tokens may have come twice before an
//!   error.
//! - A reply that was stopped ends with `finalAnswer` and `interrupted: true` from v0.9.6 on. Flat
//!   servers just end the stream.
//!
//! # Tools, from v0.9.0 on
//!
//! Updates are `{"type":"tool","subtype":"call"|"result"|"error"|"eta"|"progress","uuid",...}`. With
//! the tools of v0.9.6 and later (MCP), text may come before, between and after calls, and the final
//! answer is the text after the last call only. The server stores the text before it as well: as it
//! was streamed, or with a blank line between the two where the final answer was not streamed.
//!
//! `{"type":"elicitation","subtype":"request"}` asks the user something. If the server waits for the
//! answer, `subtype: resolved` follows. If it does not, the reply ends with `status: finished`,
//! without a final answer and perhaps without a text. This is not an error.
//!
//! Other types: `title`, `webSearch` (up to v0.9.5), `reasoning` with `subtype: stream` or `status`
//! (from v0.9.5 on), `file`, `routerMetadata`, and `agent` (v0.7 and v0.8).
//!
//! # The log of a reply, main only
//!
//! Main goes on generating when the connection breaks. `GET /conversation/{id}/stream` with
//! `?generationId=` and `fromSeq=` or the header `Last-Event-ID` sends the updates after that one
//! again, and then the new ones, as server-sent events: `id: SEQ`, `event: update`, `data:` the
//! update without padding. Consecutive tokens may have been merged, so what was received before is
//! told by the length of its text. Comments are heartbeats. `event: end` with `{"status"}` is the
//! last event: `completed`, `interrupted`, `error`, or `gone` if there is no such reply. A response
//! that ends without it, after five minutes at the latest, is to be continued from the last id.
//!
//! # Errors
//!
//! The text of an error is `message`, `error` or `error.message` of a JSON object, or else the body.
//! Up to v0.6 the status and body of the model's server are passed on; later its errors come in the
//! stream. An unknown model is 500 or 400, an unknown conversation or a lost session 404, a rate
//! limit 429.

mod decoder;
pub(crate) mod dialect;
pub(crate) mod encoding;
pub(crate) mod error_body;
pub(crate) mod event;
pub(crate) mod files;
mod final_text;
pub(crate) mod finish_reason;
mod generation_log;
pub(crate) mod history;
pub(crate) mod json;
pub(crate) mod line;
pub(crate) mod message;
pub(crate) mod page_data;
mod reply_text;
pub(crate) mod request;
pub(crate) mod search;
mod stream_event;
mod surrogates;
mod token_line;
pub(crate) mod tokens;
pub(crate) mod tool_update;
pub(crate) mod web_search;

use std::io;

use crate::error::Error;

/// A reader has failed: an error of this crate's own reader as it is, any other as a reply that
/// was cut short.
fn reader_error(error: io::Error) -> Error {
    match error.downcast::<Error>() {
        Ok(own) => own,
        Err(error) => Error::incomplete(Some(Box::new(error))),
    }
}
