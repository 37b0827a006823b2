//! From the lines of a reply to its text: tokens, other events, the end.

mod events;

use std::mem;

use super::event::StreamItem;
use super::finish_reason::FinishReason;
use super::generation_log::GenerationLog;
use super::json::{Json, NotJson};
use super::reply_text::ReplyText;
use super::stream_event::StreamEvent;
use super::surrogates::SurrogateJoiner;
use super::token_line::TokenLine;
use crate::error::{Error, Result, Step};
use crate::sanitize::sanitize;

/// The longest line where nothing was streamed: room for any event. A final event may be longer,
/// in proportion to what was streamed.
const MAX_LINE: usize = 4 << 20;
/// A line that is long enough to make room for it.
const MIN_LONG: usize = 64 << 10;
/// Bounds of an event that is spread over several lines, as each line costs one more try.
const MAX_JOINED: usize = 1 << 20;
const MAX_JOINED_LINES: usize = 1024;
/// How much of an unexpected line is looked at for an error.
const EXCERPT: usize = 1024;

/// Decodes the lines of one reply.
#[derive(Debug)]
pub(super) struct Decoder {
    text: ReplyText,
    joiner: SurrogateJoiner,
    /// JSON of an event whose object was still open at the end of the last line.
    open: String,
    open_lines: usize,
    finish_reason: Option<FinishReason>,
    /// A question to the user is open.
    is_asking: bool,
    /// The first line that is not part of the protocol, for the case that nothing else comes.
    stray: Option<String>,
    log: Option<GenerationLog>,
    /// The server has said that there is no more.
    has_finished: bool,
    /// The rest of a final text that was not streamed.
    rest: Option<String>,
    /// The response goes on after the reply, so that nothing explains an empty final text.
    is_open_ended: bool,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing of the protocol has come yet.
    Waiting,
    Streaming,
    /// The final answer has come, but it is empty: the error that explains it may follow.
    Ending,
    Complete,
    Failed,
}

impl Decoder {
    pub(super) fn new() -> Self {
        Decoder::after(String::new())
    }

    /// A reply that begins with `text`.
    fn after(text: String) -> Self {
        Decoder {
            text: ReplyText::new(text),
            joiner: SurrogateJoiner::default(),
            open: String::new(),
            open_lines: 0,
            finish_reason: None,
            is_asking: false,
            stray: None,
            log: None,
            has_finished: false,
            rest: None,
            is_open_ended: false,
            state: State::Waiting,
        }
    }

    /// Decodes the server's log of a reply that begins with `text`.
    pub(super) fn resumed(text: String) -> Self {
        Decoder {
            log: Some(GenerationLog::new(text.len())),
            state: State::Streaming,
            ..Decoder::after(text)
        }
    }

    /// Goes on with the log of the reply, or with its rest after its response was cut.
    pub(super) fn reconnect(&mut self) {
        self.open.clear();
        if self.state == State::Failed {
            self.state = State::Streaming;
        }
        match &mut self.log {
            Some(log) => log.reconnect(),
            None => {
                self.log = Some(GenerationLog::new(self.text.as_str().len()));
                self.state = State::Streaming;
                self.joiner = SurrogateJoiner::default();
            }
        }
    }

    pub(super) fn has_finished(&self) -> bool {
        self.has_finished
    }

    pub(super) fn is_log(&self) -> bool {
        self.log.is_some()
    }

    /// Completes the reply with its final text, which begins with what was received.
    pub(super) fn complete_with(&mut self, text: String) -> Result<()> {
        let received = self.text.as_str().len();
        let rest = text.get(received..).map(str::to_owned);
        self.text.complete_with(text)?;
        self.rest = rest;
        self.state = State::Complete;
        Ok(())
    }

    /// The rest of a final text that was not streamed, once.
    pub(super) fn take_rest(&mut self) -> Option<StreamItem> {
        let rest = self.rest.take().filter(|rest| !rest.is_empty());
        rest.map(StreamItem::Token)
    }

    pub(super) fn text(&self) -> &ReplyText {
        &self.text
    }

    pub(super) fn text_mut(&mut self) -> &mut ReplyText {
        &mut self.text
    }

    pub(super) fn into_text(self) -> ReplyText {
        self.text
    }

    pub(super) fn set_open_ended(&mut self, is_open_ended: bool) {
        self.is_open_ended = is_open_ended;
    }

    pub(super) fn finish_reason(&self) -> Option<FinishReason> {
        self.finish_reason
    }

    pub(super) fn last_event_id(&self) -> Option<u64> {
        self.log.as_ref()?.last_id()
    }

    pub(super) fn is_complete(&self) -> bool {
        self.state == State::Complete
    }

    /// Whether more lines are expected.
    pub(super) fn is_open(&self) -> bool {
        !matches!(self.state, State::Complete | State::Failed)
    }

    /// Ends the reply with an error.
    pub(super) fn fail(&mut self, error: &mut Error) {
        self.state = State::Failed;
        error.set_partial(self.text.as_str());
    }

    /// Checks the length of a line whose end has not come yet. Returns how long it is likely to
    /// be: a line that is long beside the text is likely to be the final event, which repeats it.
    pub(super) fn check_length(&mut self, line: &[u8]) -> Result<usize> {
        let length = self.text.as_str().len();
        if line.len() > MAX_LINE.saturating_add(length.saturating_mul(6)) {
            return Err(unexpected("a line within the size limit", line));
        }
        if line.len() < MIN_LONG.max(length / 8) {
            return Ok(0);
        }
        self.text.shrink();
        Ok(length + length / 16)
    }

    /// Decodes a token line at the start of `chunk`, up to its end in LF: the way of nearly all
    /// tokens. Returns how many bytes it has, or `None` for anything else.
    pub(super) fn token_line(
        &mut self,
        chunk: &[u8],
    ) -> Option<(Result<Option<StreamItem>>, usize)> {
        let line = TokenLine::find(chunk)?;
        let rest = line.rest.strip_prefix(b"\n")?;
        // The empty line after a server-sent event.
        let rest = rest.strip_prefix(b"\n").unwrap_or(rest);
        let used = chunk.len() - rest.len();
        Some((self.found_token(&line)?, used))
    }

    /// Decodes one line.
    pub(super) fn line(&mut self, line: &[u8]) -> Result<Option<StreamItem>> {
        let line = line.trim_ascii();
        let token = TokenLine::find(line).filter(|line| line.rest.is_empty());
        match token.and_then(|line| self.found_token(&line)) {
            Some(item) => item,
            None => match str::from_utf8(line) {
                Ok(line) => self.other_line(line),
                Err(_) => self.other_line(&String::from_utf8_lossy(line)),
            },
        }
    }

    /// `None`, and no change, if this is not a token after all.
    fn found_token(&mut self, line: &TokenLine<'_>) -> Option<Result<Option<StreamItem>>> {
        if !self.open.is_empty() {
            return None;
        }
        let token = if line.has_escapes || self.joiner.is_waiting() {
            self.joiner.decode(line.content)?
        } else {
            line.content.to_owned()
        };
        self.event_read();
        Some(self.token(token))
    }

    /// The lines have ended, or `error` kept them from being read.
    pub(super) fn end(&mut self, error: Option<Error>) -> Result<Option<StreamItem>> {
        match error {
            None | Some(Error::Network { .. } | Error::Incomplete { .. })
                if self.state == State::Ending =>
            {
                self.finished()
            }
            // A failure of the network means here that the reply was cut short.
            Some(Error::Network { source, .. }) => Err(Error::incomplete(Some(source))),
            Some(error) => Err(error),
            None => Err(match self.stray.take() {
                Some(stray) if self.state == State::Waiting => {
                    Error::protocol(Step::Message, "a stream of events", &stray)
                }
                _ => Error::incomplete(None),
            }),
        }
    }

    /// Any line but those that nearly all are.
    fn other_line(&mut self, line: &str) -> Result<Option<StreamItem>> {
        let payload = line
            .strip_prefix("data:")
            .map_or(line, str::trim_ascii_start);
        if !self.open.is_empty() {
            return self.continuation(line, payload);
        }
        if !payload.starts_with('{') {
            self.note_stray(line, payload);
            return Ok(None);
        }
        self.open_lines = 0;
        self.event(payload)
    }

    /// One more line of an event whose object is still open.
    fn continuation(&mut self, line: &str, payload: &str) -> Result<Option<StreamItem>> {
        if line.is_empty() {
            let open = mem::take(&mut self.open);
            return Err(unexpected("the rest of an event", open.as_bytes()));
        }
        if is_comment_or_field(line) {
            return Ok(None);
        }
        self.open_lines += 1;
        if self.open.len() + payload.len() > MAX_JOINED || self.open_lines > MAX_JOINED_LINES {
            let open = mem::take(&mut self.open);
            return Err(unexpected(
                "an event within the size limit",
                open.as_bytes(),
            ));
        }
        let mut joined = mem::take(&mut self.open);
        joined.push('\n');
        joined.push_str(payload);
        self.event(&joined)
    }

    fn event(&mut self, json: &str) -> Result<Option<StreamItem>> {
        if let Some(end) = self.log.as_ref().and_then(|log| log.end(json)) {
            return self.log_end(end);
        }
        let event = match Json::read_object(json) {
            Ok(event) => StreamEvent::decode(event, &mut self.joiner),
            Err(NotJson::Unfinished) => {
                self.open = json.to_owned();
                return Ok(None);
            }
            Err(NotJson::Invalid) => return Err(unexpected("an event in JSON", json.as_bytes())),
        };
        if event == StreamEvent::Unknown {
            self.stray.get_or_insert_with(|| excerpt(json.as_bytes()));
            return Ok(None);
        }
        self.event_read();
        self.apply(event, json)
    }

    fn event_read(&mut self) {
        if self.state == State::Waiting {
            self.state = State::Streaming;
        }
        if let Some(log) = &mut self.log {
            log.event_read();
        }
    }

    /// A line that is not an event.
    fn note_stray(&mut self, line: &str, payload: &str) {
        if let Some(log) = &mut self.log {
            log.field(line);
        }
        let is_harmless = payload.is_empty() || payload == "[DONE]" || is_comment_or_field(line);
        if self.state == State::Waiting && self.stray.is_none() && !is_harmless {
            self.stray = Some(excerpt(line.as_bytes())).filter(|text| !text.is_empty());
        }
    }
}

/// Lines of the event-stream standard that carry no data.
fn is_comment_or_field(line: &str) -> bool {
    ["event:", "id:", "retry:", ":"]
        .iter()
        .any(|field| line.starts_with(field))
}

fn unexpected(expected: &'static str, line: &[u8]) -> Error {
    Error::protocol(Step::Message, expected, &excerpt(line))
}

/// The beginning of a line, for an error.
fn excerpt(line: &[u8]) -> String {
    let start = line.get(..EXCERPT).unwrap_or(line);
    sanitize(&String::from_utf8_lossy(start))
}
