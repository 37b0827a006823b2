//! What the events of a stream do to the reply.

use super::super::event::StreamItem;
use super::super::final_text::FinalText;
use super::super::finish_reason::FinishReason;
use super::super::generation_log::{GenerationLog, LogEnd};
use super::super::stream_event::{OtherEvent, StreamEvent};
use super::{Decoder, MAX_LINE, State, unexpected};
use crate::error::{Error, Result};

impl Decoder {
    pub(super) fn token(&mut self, token: String) -> Result<Option<StreamItem>> {
        let token = match &mut self.log {
            Some(log) => {
                let part = log.new_part(token, self.text.as_str());
                // More of another reply's log is of no use.
                self.has_finished |= part.is_err();
                part?
            }
            None => token,
        };
        self.text.push(&token)?;
        Ok(item(token))
    }

    /// `json` is the event as it was sent.
    pub(super) fn apply(
        &mut self,
        event: StreamEvent<'_>,
        json: &str,
    ) -> Result<Option<StreamItem>> {
        match event {
            StreamEvent::Token(token) => self.token(token),
            StreamEvent::Final {
                content,
                token,
                finish_reason,
                is_provisional,
            } => {
                let (streamed, used_tools) = (self.text.as_str(), self.text.used_tools());
                let ending = FinalText::compare(streamed, &token, content, used_tools);
                let ending =
                    ending.ok_or_else(|| unexpected("a final text in JSON", json.as_bytes()))?;
                let added = self.text.conclude(token, ending)?;
                let ended = self.complete(added, finish_reason);
                if is_provisional && !self.is_open_ended {
                    self.state = State::Ending;
                }
                Ok(ended)
            }
            StreamEvent::Finished => self.finished(),
            StreamEvent::Error {
                message,
                error_type,
                status,
            } => Err(Error::server(&message, error_type.as_deref(), status)),
            StreamEvent::Other(event) => self.other_event(event, json),
            StreamEvent::Nothing | StreamEvent::Unknown => Ok(None),
        }
    }

    fn complete(&mut self, added: String, reason: Option<FinishReason>) -> Option<StreamItem> {
        self.finish_reason = reason;
        self.state = State::Complete;
        item(added)
    }

    fn other_event(&mut self, event: OtherEvent, json: &str) -> Result<Option<StreamItem>> {
        if json.len() > MAX_LINE {
            // Only final events are so long, and as a tree of values it would take much more.
            return Err(unexpected("a line within the size limit", json.as_bytes()));
        }
        match event {
            OtherEvent::Tool => self.text.tools_used(),
            OtherEvent::Question => self.is_asking = true,
            OtherEvent::QuestionResolved => self.is_asking = false,
            OtherEvent::Any => {}
        }
        let is_repeated = self.log.as_ref().is_some_and(GenerationLog::is_repeating);
        Ok((!is_repeated).then(|| StreamItem::Event(json.to_owned())))
    }

    /// The server has finished. Without a final answer nobody knows whether the text is complete,
    /// as the model's server gave no reason for its end.
    pub(super) fn finished(&mut self) -> Result<Option<StreamItem>> {
        self.has_finished = true;
        if self.is_asking {
            self.finish_reason = Some(FinishReason::Question);
        } else if self.state != State::Ending {
            return Err(Error::incomplete(None));
        }
        self.state = State::Complete;
        Ok(None)
    }

    pub(super) fn log_end(&mut self, end: LogEnd) -> Result<Option<StreamItem>> {
        self.has_finished = end != LogEnd::Unknown;
        match end {
            LogEnd::Completed => self.finished(),
            LogEnd::Interrupted => {
                self.finish_reason = Some(FinishReason::Interrupted);
                self.state = State::Complete;
                Ok(None)
            }
            LogEnd::Error => Err(Error::server("", None, None)),
            LogEnd::Gone => {
                let source = "the server no longer has the reply";
                Err(Error::incomplete(Some(source.into())))
            }
            LogEnd::Unknown => Err(Error::incomplete(None)),
        }
    }
}

fn item(token: String) -> Option<StreamItem> {
    (!token.is_empty()).then_some(StreamItem::Token(token))
}
