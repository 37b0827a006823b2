//! The web search of v0.3 to v0.6: a response of JSON objects with nothing between them, each
//! holding all messages so far, that never ends. It is over when there is a result.

use std::collections::VecDeque;
use std::io::BufRead;

use super::event::Piece;
use super::json::{self, NotJson};
use crate::error::{Error, Fallible, Step};
use crate::plain::plain;

/// Longest single object, many times what one is.
const MAX_OBJECT: usize = 1 << 20;

/// The progress of a search, and its result.
pub(crate) trait Search: Send + Sync {
    /// The next step; `None` when the search is over.
    fn advance(&mut self) -> Fallible<Option<Piece>>;

    /// The id that the search is known by, once it is over.
    fn result(&mut self) -> Option<String>;
}

/// Reads a search as it comes.
#[derive(Debug)]
pub(crate) struct SearchReader<R> {
    reader: R,
    /// What was read and is no whole object yet.
    buffer: Vec<u8>,
    /// How many messages were taken, of those that each object repeats.
    taken: usize,
    steps: VecDeque<Piece>,
    result: Option<String>,
}

impl<R: BufRead> SearchReader<R> {
    pub(crate) fn new(reader: R) -> Self {
        SearchReader {
            reader,
            buffer: Vec::new(),
            taken: 0,
            steps: VecDeque::new(),
            result: None,
        }
    }

    fn take_objects(&mut self) -> Fallible<()> {
        let buffer = std::mem::take(&mut self.buffer);
        // The end may be within a character.
        let text = buffer.utf8_chunks().next().map(|chunk| chunk.valid());
        let mut rest = text.unwrap_or_default();
        let mut used = 0;
        let refusal = loop {
            match json::first(rest) {
                Ok((object, after)) => {
                    self.take_messages(object);
                    used += rest.len() - after.len();
                    rest = after;
                }
                Err(refusal) => break refusal,
            }
        };
        self.buffer = buffer.get(used..).unwrap_or_default().to_vec();
        match refusal {
            NotJson::Unfinished => Ok(()),
            NotJson::Invalid => Err(self.unexpected()),
        }
    }

    fn take_messages(&mut self, object: &str) {
        let messages = json::member(object, "messages").map(json::items);
        let messages = messages.and_then(Result::ok).unwrap_or_default();
        for message in messages.into_iter().skip(self.taken) {
            self.taken += 1;
            match json::text_member(message, "type").as_deref() {
                Some("result") => {
                    let id = json::text_member(message, "id");
                    self.result = Some(id.unwrap_or_default());
                }
                _ => self.steps.push_back(Piece::Step(message.to_owned())),
            }
        }
    }

    fn unexpected(&self) -> Box<Error> {
        let start = self.buffer.get(..1024).unwrap_or(&self.buffer);
        let found = plain(&String::from_utf8_lossy(start));
        Error::protocol(Step::WebSearch, "the result of a web search", found)
    }
}

impl<R: BufRead + Send + Sync> Search for SearchReader<R> {
    fn advance(&mut self) -> Fallible<Option<Piece>> {
        loop {
            if let Some(step) = self.steps.pop_front() {
                return Ok(Some(step));
            }
            if self.result.is_some() {
                return Ok(None);
            }
            let chunk = self.reader.fill_buf().map_err(super::broken)?;
            let length = chunk.len();
            // All of the buffer is read again then, so only if that can bring anything new.
            let is_worth_it = self.buffer.is_empty() || chunk.contains(&b'}');
            self.buffer.extend_from_slice(chunk);
            self.reader.consume(length);
            if length == 0 || self.buffer.len() > MAX_OBJECT {
                return Err(self.unexpected());
            }
            if is_worth_it {
                self.take_objects()?;
            }
        }
    }

    fn result(&mut self) -> Option<String> {
        self.result.take()
    }
}

#[cfg(test)]
mod tests {
    use super::super::event::Event;
    use super::*;
    use std::io::BufReader;

    const RESPONSE: &str = concat!(
        r#"{"messages":[{"type":"update","message":"A"}]}"#,
        r#"{"messages":[{"type":"update","message":"A"},{"type":"error","message":"B","args":["é"]}]}"#,
        r#"{"messages":[{"type":"update","message":"A"},{"type":"error","message":"B","args":["é"]},{"type":"result","id":"42"}]}"#,
    );

    #[test]
    fn each_step_is_reported_once_wherever_the_response_is_cut() {
        for chunk in 1..RESPONSE.len() {
            let mut search =
                SearchReader::new(BufReader::with_capacity(chunk, RESPONSE.as_bytes()));
            let mut steps = Vec::new();
            while let Some(piece) = search.advance().unwrap() {
                match Event::read(piece) {
                    Event::WebSearch(step) => steps.push(step.message),
                    other => panic!("{other:?}"),
                }
            }
            assert_eq!(steps, ["A", "B: é"]);
            assert_eq!(search.result().as_deref(), Some("42"));
        }
    }

    #[test]
    fn a_search_without_a_result_is_an_error() {
        for response in [
            "",
            "<html>",
            r#"{"messages":[{"type":"update"}]}"#,
            r#"{"messages":["#,
        ] {
            let mut search = SearchReader::new(response.as_bytes());
            let error = loop {
                match search.advance() {
                    Ok(step) => assert!(step.is_some()),
                    Err(error) => break error,
                }
            };
            assert!(matches!(*error, Error::Protocol { .. }), "{response}");
        }
    }
}
