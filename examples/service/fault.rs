//! What can go wrong on purpose, and the record of what was asked.

use std::time::Duration;

use super::http;

/// Something to go wrong with one request. Those that count tokens only concern messages, and
/// happen before the final event at the latest, however short the reply is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// This status instead of a response, and its `Retry-After` in seconds.
    Status(u16, Option<u32>),
    /// A complete response of a proxy in between.
    Answer {
        status: u16,
        content_type: &'static str,
        body: String,
    },
    /// The connection is reset instead of a response, and nothing is done.
    Reset,
    /// The connection is closed instead of a response, and nothing is done.
    Hangup,
    /// The response comes, but so late.
    Delay(Duration),
    /// After so many tokens the connection is closed, without a last chunk.
    Cut(usize),
    /// The same in the middle of the next event.
    CutMidEvent(usize),
    /// After so many tokens there is silence (but for signs of life, where the version sends
    /// them) until the other side closes, a stop ends the reply, or the service stops.
    Stall(usize),
    /// After so many tokens an error as the version reports it. Versions that try a failed
    /// generation again send the tokens twice before; v0.7 has no word for an error and repeats
    /// the prompt as its final answer.
    ErrorEvent(usize),
    /// After so many tokens an orderly end without a final event.
    NoFinal(usize),
    /// After so many tokens the connection is lost; versions that go on without a reader go on.
    Disconnect(usize),
    /// After so many tokens the model waits for [`Service::release_replies`], or for what else
    /// ends a reply.
    ///
    /// [`Service::release_replies`]: super::Service::release_replies
    Hold(usize),
    /// The model says so many tokens, and then has reached its length.
    Length(usize),
    /// The backend refuses the request with this status and message, before the first token.
    Backend(u16, &'static str),
    /// A normal response, after which the connection is closed although it said `keep-alive`.
    CloseAfter,
}

impl Fault {
    /// The number of tokens after which it happens.
    pub(super) fn after(&self) -> Option<usize> {
        match self {
            Fault::Cut(tokens)
            | Fault::CutMidEvent(tokens)
            | Fault::Stall(tokens)
            | Fault::ErrorEvent(tokens)
            | Fault::NoFinal(tokens)
            | Fault::Disconnect(tokens)
            | Fault::Hold(tokens) => Some(*tokens),
            Fault::Backend(..) => Some(0),
            _ => None,
        }
    }
}

/// One request the service has seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The connection it came over, counted from 1.
    pub connection: usize,
    pub method: String,
    /// As it was sent: with the base path and the query.
    pub path: String,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// The status it was answered with; 0 as long as it was not.
    pub status: u16,
}

impl Seen {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        http::header(&self.headers, name)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Whether it is a message to a conversation, the request that is answered by a stream.
    pub fn is_message(&self) -> bool {
        let path = self.path.split('?').next().unwrap_or_default();
        let mut segments = path.rsplit('/');
        let (_id, parent) = (segments.next(), segments.next());
        self.method == "POST" && parent == Some("conversation")
    }
}
