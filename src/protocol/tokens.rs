//! From the bytes of a reply to its text: lines, events, tokens.

use std::borrow::Cow;
use std::io::BufRead;
use std::iter::FusedIterator;

use super::common;
use super::event::{Piece, next_token};
use super::finish_reason::FinishReason;
use super::halves::Halves;
use super::json::NotJson;
use super::line::{Line, Lines};
use super::update::{self, Update};
use crate::error::{Error, Fallible, Result, Step};
use crate::plain::plain;

/// Longest line without text: room for any event but that of the final text, which is granted
/// in proportion to what was streamed.
const MAX_LINE: usize = 4 << 20;
/// Bounds of an event that is spread over several lines, as each line costs one more try.
const MAX_JOINED: usize = 1 << 20;
const MAX_JOINED_LINES: usize = 1024;

/// The tokens of one reply, decoded from any [`BufRead`]: a recording, a test, a
/// text-generation-inference server's own stream. [`Reply`](crate::Reply) is built on it.
///
/// Implements the stream of the protocol: lines that end in LF, CRLF or CR; events as
/// `data:` lines or as JSON lines; special tokens left out; complete only with the final event.
///
/// The tokens joined are the final text wherever the final text begins with what was streamed:
/// what is missing at its end comes as one more token. Where it differs otherwise,
/// [`text`](Tokens::text) is the final text. After the end or an error the iterator stays at
/// its end.
///
/// Reads when asked for the next token, for as long as the reader blocks; buffers nothing but
/// one line and the text so far.
///
/// # Errors
///
/// Its last item is [`Error::Incomplete`] if the reader fails or ends before the final event,
/// [`Error::Server`] if the service says that it failed, and [`Error::Protocol`] for what is no
/// stream of events.
#[derive(Debug)]
pub struct Tokens<R> {
    lines: Lines<R>,
    line: Vec<u8>,
    /// JSON of an event whose object was still open at the end of the last line.
    open: String,
    open_lines: usize,
    text: String,
    /// What was streamed, if the final text is another one.
    replaced: Option<String>,
    halves: Halves,
    finish_reason: Option<FinishReason>,
    /// The first thing that came and is no event, for the case that nothing else comes.
    stray: Option<String>,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing of the protocol has come yet.
    Waiting,
    /// Events come.
    Streaming,
    /// The final event has come.
    Complete,
    /// An error was given out.
    Failed,
}

/// Decodes the tokens of one reply from `reader`; see [`Tokens`].
///
/// ```
/// let stream = "data:{\"token\":{\"text\":\"Hello\",\"special\":false},\"generated_text\":null}\n\n\
///               data:{\"token\":{\"text\":\"</s>\",\"special\":true},\"generated_text\":\"Hello\"}\n\n";
/// let reply: h2ogpt::Result<String> = h2ogpt::tokens(stream.as_bytes()).collect();
/// assert_eq!(reply?, "Hello");
/// # Ok::<(), h2ogpt::Error>(())
/// ```
pub fn tokens<R: BufRead>(reader: R) -> Tokens<R> {
    Tokens {
        lines: Lines::new(reader),
        line: Vec::new(),
        open: String::new(),
        open_lines: 0,
        text: String::new(),
        replaced: None,
        halves: Halves::default(),
        finish_reason: None,
        stray: None,
        state: State::Waiting,
    }
}

impl<R> Tokens<R> {
    /// What has been said so far; the final text once the reply is complete.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Why the reply ended; `None` before its end, and where the service does not say.
    pub fn finish_reason(&self) -> Option<FinishReason> {
        self.finish_reason
    }

    /// Whether the final event has come: [`text`](Tokens::text) is all that was said.
    pub fn is_complete(&self) -> bool {
        self.state == State::Complete
    }
}

impl<R: BufRead> Tokens<R> {
    /// What was streamed, if the final text is another one.
    pub(crate) fn replaced(&self) -> Option<&str> {
        self.replaced.as_deref()
    }

    /// The reader, and the text.
    pub(crate) fn into_parts(self) -> (R, String) {
        (self.lines.into_inner(), self.text)
    }

    /// Reads up to the next piece.
    fn advance(&mut self) -> Fallible<Option<Piece>> {
        while !matches!(self.state, State::Complete | State::Failed) {
            let limit = MAX_LINE.saturating_add(self.text.len().saturating_mul(6));
            let mut line = std::mem::take(&mut self.line);
            let piece = match self.lines.read(&mut line, limit) {
                Ok(Line::Complete) => self.take_line(&line),
                Ok(Line::TooLong) => Err(self.unexpected("a line of bearable length", &line)),
                Ok(Line::End) => Err(self.ended()),
                Err(error) => Err(match *super::broken(error) {
                    // What broke off is the reply, however it came here.
                    Error::Network { source, .. } => Error::incomplete(Some(source)),
                    error => Box::new(error),
                }),
            };
            self.line = line;
            if !matches!(piece, Ok(None)) {
                return piece;
            }
        }
        Ok(None)
    }

    /// What one line brings.
    fn take_line(&mut self, line: &[u8]) -> Fallible<Option<Piece>> {
        let line = line.trim_ascii();
        match str::from_utf8(line) {
            Ok(line) => self.take_text(line),
            Err(_) => self.take_text(&String::from_utf8_lossy(line)),
        }
    }

    fn take_text(&mut self, line: &str) -> Fallible<Option<Piece>> {
        let payload = line
            .strip_prefix("data:")
            .map_or(line, str::trim_ascii_start);
        if !self.open.is_empty() {
            return self.take_continuation(line, payload);
        }
        if let Some(piece) = common::token(payload, &mut self.halves) {
            self.state = State::Streaming;
            self.text.push_str(&piece);
            return Ok(token(piece));
        }
        if !payload.starts_with('{') {
            self.note_stray(line, payload);
            return Ok(None);
        }
        self.open_lines = 0;
        self.take_event(payload)
    }

    /// One more line of an event whose object is still open.
    fn take_continuation(&mut self, line: &str, payload: &str) -> Fallible<Option<Piece>> {
        if line.is_empty() {
            let open = std::mem::take(&mut self.open);
            return Err(self.unexpected("the rest of an event", open.as_bytes()));
        }
        if is_comment_or_field(line) {
            return Ok(None);
        }
        self.open_lines += 1;
        if self.open.len() + payload.len() > MAX_JOINED || self.open_lines > MAX_JOINED_LINES {
            let open = std::mem::take(&mut self.open);
            return Err(self.unexpected("an event of bearable length", open.as_bytes()));
        }
        let mut joined = std::mem::take(&mut self.open);
        joined.push('\n');
        joined.push_str(payload);
        self.take_event(&joined)
    }

    fn take_event(&mut self, json: &str) -> Fallible<Option<Piece>> {
        match update::decode(json, &mut self.halves) {
            Ok(Update::Unknown) => {
                self.stray.get_or_insert_with(|| plain(json));
                Ok(None)
            }
            Ok(update) => {
                self.state = State::Streaming;
                self.apply(update, json)
            }
            Err(NotJson::Unfinished) => {
                self.open = json.to_owned();
                Ok(None)
            }
            Err(NotJson::Invalid) => Err(self.unexpected("an event in JSON", json.as_bytes())),
        }
    }

    fn apply(&mut self, update: Update, event: &str) -> Fallible<Option<Piece>> {
        match update {
            Update::Token(piece) => {
                self.text.push_str(&piece);
                Ok(token(piece))
            }
            Update::Final {
                text,
                token: piece,
                finish_reason,
            } => {
                self.state = State::Complete;
                self.finish_reason = finish_reason;
                Ok(token(self.conclude(text, piece)))
            }
            Update::Error {
                message,
                error_type,
                status,
            } => Err(Error::server(message, error_type, status)),
            // Its backend gave no reason for the end, so nobody knows whether it is one.
            Update::Finished => Err(Error::incomplete(None)),
            Update::Event => Ok(Some(Piece::Event(event.to_owned()))),
            Update::Nothing | Update::Unknown => Ok(None),
        }
    }

    /// Takes the final text, and returns what it adds to the tokens.
    fn conclude(&mut self, text: String, token: String) -> String {
        let said = std::mem::replace(&mut self.text, text);
        match self.text.strip_prefix(said.as_str()) {
            Some(addition) if addition.starts_with(token.as_str()) => addition.to_owned(),
            _ => {
                self.replaced = Some(said + &token);
                token
            }
        }
    }

    /// What it means that nothing more comes, while the final event has not come.
    fn ended(&mut self) -> Box<Error> {
        match self.stray.take() {
            Some(stray) if self.state == State::Waiting => {
                Error::protocol(Step::Message, "a stream of events", stray)
            }
            _ => Error::incomplete(None),
        }
    }

    fn note_stray(&mut self, line: &str, payload: &str) {
        let harmless = payload.is_empty() || payload == "[DONE]" || is_comment_or_field(line);
        if self.state == State::Waiting && self.stray.is_none() && !harmless {
            self.stray = Some(plain(line)).filter(|text| !text.is_empty());
        }
    }

    fn unexpected(&self, expected: &'static str, found: &[u8]) -> Box<Error> {
        // A long line is cut before it is looked at, as an excerpt is all that is kept.
        let start: Cow<str> = String::from_utf8_lossy(found.get(..1024).unwrap_or(found));
        Error::protocol(Step::Message, expected, plain(&start))
    }
}

/// Lines of the event-stream standard that carry no data.
fn is_comment_or_field(line: &str) -> bool {
    ["event:", "id:", "retry:", ":"]
        .iter()
        .any(|field| line.starts_with(field))
}

fn token(piece: String) -> Option<Piece> {
    Some(piece)
        .filter(|piece| !piece.is_empty())
        .map(Piece::Token)
}

impl<R: BufRead> Tokens<R> {
    /// The next piece, text or not; `None` when the reply is complete, and after an error.
    pub(crate) fn next_piece(&mut self) -> Fallible<Option<Piece>> {
        self.advance().map_err(|error| {
            self.state = State::Failed;
            error.with_partial(&self.text)
        })
    }
}

impl<R: BufRead> Iterator for Tokens<R> {
    type Item = Result<String>;

    fn next(&mut self) -> Option<Self::Item> {
        next_token(|| self.next_piece())
    }
}

impl<R: BufRead> FusedIterator for Tokens<R> {}
