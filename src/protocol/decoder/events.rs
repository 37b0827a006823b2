//! What the events of a stream do to the reply.

use super::super::event::{Event, StreamItem};
use super::super::final_text::FinalText;
use super::super::finish_reason::FinishReason;
use super::super::generation_log::{GenerationLog, LogEnd};
use super::super::json;
use super::super::stream_event::StreamEvent;
use super::{Decoder, State};
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

    pub(super) fn apply(&mut self, event: StreamEvent) -> Result<Option<StreamItem>> {
        match event {
            StreamEvent::Token(token) => self.token(token),
            StreamEvent::Final {
                text,
                token,
                finish_reason,
                is_provisional,
            } => {
                let (streamed, used_tools) = (self.text.as_str(), self.text.used_tools());
                let ending = FinalText::compare(streamed, &token, text, used_tools);
                let added = self.text.conclude(token, ending)?;
                let ended = self.complete(added, finish_reason);
                if is_provisional {
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
            StreamEvent::Event(event) => Ok(self.other_event(event)),
            StreamEvent::Nothing | StreamEvent::Unknown => Ok(None),
        }
    }

    /// A final event whose text was split off as it is written in JSON; `None` if it is not one.
    pub(super) fn long_final(
        &mut self,
        event: &str,
        content: &str,
    ) -> Option<Result<Option<StreamItem>>> {
        let object = json::object(event).ok()?;
        match StreamEvent::decode(object, event, &mut self.joiner.clone()) {
            StreamEvent::Final {
                text,
                token,
                finish_reason,
                ..
            } if text.is_empty() => {
                let (streamed, used_tools) = (self.text.as_str(), self.text.used_tools());
                let ending = FinalText::compare_json(streamed, &token, content, used_tools)?;
                let added = self.text.conclude(token, ending);
                Some(added.map(|added| self.complete(added, finish_reason)))
            }
            _ => None,
        }
    }

    fn complete(&mut self, added: String, reason: Option<FinishReason>) -> Option<StreamItem> {
        self.finish_reason = reason;
        self.state = State::Complete;
        item(added)
    }

    fn other_event(&mut self, event: Event) -> Option<StreamItem> {
        match &event {
            Event::Tool(_) => self.text.tools_used(),
            Event::Question(_) => self.is_asking = true,
            event if event.is_question_resolved() => self.is_asking = false,
            _ => {}
        }
        let is_repeated = self.log.as_ref().is_some_and(GenerationLog::is_repeating);
        (!is_repeated).then_some(StreamItem::Event(event))
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
