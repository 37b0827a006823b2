//! The web search of v0.3 to v0.6: a response of JSON objects with nothing between them, each
//! holding all steps so far, that never ends. It is over when there is a result.

use std::collections::VecDeque;
use std::io::{self, BufRead};

use super::json::{Json, NotJson};
use super::reader_error;
use super::request::JsonObject;
use crate::error::{Error, Result, Step};

/// The longest single object, many times what one is.
const MAX_OBJECT: usize = 1 << 20;

/// The steps of a web search, and its result.
#[derive(Debug)]
pub(crate) struct SearchReader<R> {
    reader: R,
    /// What was read and is not a whole object yet.
    buffer: Vec<u8>,
    /// How many steps were handed out, of those that each object repeats.
    known: usize,
    steps: VecDeque<String>,
    has_failed: bool,
    is_over: bool,
    result: Option<String>,
}

impl<R: BufRead> SearchReader<R> {
    pub(crate) fn new(reader: R) -> Self {
        SearchReader {
            reader,
            buffer: Vec::new(),
            known: 0,
            steps: VecDeque::new(),
            has_failed: false,
            is_over: false,
            result: None,
        }
    }

    /// The id by which the server knows the search; `None` before its end, and if it failed.
    pub(crate) fn result(&self) -> Option<&str> {
        self.result.as_deref()
    }

    /// Reads up to the next step, and returns it as the event of later versions, in JSON; `None`
    /// when the search is over.
    pub(crate) fn next_event(&mut self) -> Result<Option<String>> {
        loop {
            if let Some(step) = self.steps.pop_front() {
                return Ok(Some(step));
            }
            if self.is_over {
                return Ok(None);
            }
            self.read()?;
        }
    }

    fn read(&mut self) -> Result<()> {
        let chunk = match self.reader.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            chunk => chunk.map_err(reader_error)?,
        };
        let length = chunk.len();
        // The whole buffer is parsed again, so only if there may be the end of an object.
        let may_end = chunk.contains(&b'}') || self.buffer.is_empty();
        self.buffer.extend_from_slice(chunk);
        self.reader.consume(length);
        if length == 0 && self.has_failed {
            self.is_over = true;
            return Ok(());
        }
        if length == 0 || self.buffer.len() > MAX_OBJECT {
            return Err(self.unexpected());
        }
        if may_end { self.parse() } else { Ok(()) }
    }

    /// Takes all whole objects out of the buffer.
    fn parse(&mut self) -> Result<()> {
        // What is not UTF-8 at its end may be a character whose rest has not come yet.
        let last = self.buffer.utf8_chunks().last();
        let cut = last.map_or(Vec::new(), |chunk| chunk.invalid().to_vec());
        self.buffer.truncate(self.buffer.len() - cut.len());
        let text = String::from_utf8_lossy(&self.buffer).into_owned();
        let mut rest = text.as_str();
        while let Some((object, after)) = Json::split_first(rest) {
            self.take_steps(object);
            rest = after;
        }
        if let Err(NotJson::Invalid) = Json::read(rest) {
            return Err(self.unexpected());
        }
        self.buffer = [rest.as_bytes(), &cut].concat();
        Ok(())
    }

    fn take_steps(&mut self, object: Json<'_>) {
        let steps = object
            .get("messages")
            .map(Json::items)
            .into_iter()
            .flatten();
        for step in steps.skip(self.known) {
            self.known += 1;
            self.take_step(step);
        }
    }

    fn take_step(&mut self, step: Json<'_>) {
        match &*step.text("type") {
            "result" => {
                self.is_over = true;
                self.result = step.str("id");
                return;
            }
            "error" => self.has_failed = true,
            _ => {}
        }
        let mut event = JsonObject::new();
        event.string("type", "webSearch");
        for name in ["message", "args", "sources"] {
            if let Some(member) = step.get(name) {
                event.raw(name, member.as_json());
            }
        }
        self.steps.push_back(event.end());
    }

    fn unexpected(&self) -> Error {
        let start = self.buffer.get(..1024).unwrap_or(&self.buffer);
        let found = String::from_utf8_lossy(start);
        Error::protocol(Step::WebSearch, "the result of a web search", &found)
    }
}

#[cfg(test)]
mod tests {
    use super::super::event::{Event, StreamItem};
    use super::*;
    use std::io::BufReader;

    const RESPONSE: &str = concat!(
        r#"{"messages":[{"type":"update","message":"A"}]}"#,
        r#"{"messages":[{"type":"update","message":"A"},{"type":"error","message":"B","args":["é"]}]}"#,
        r#"{"messages":[{"type":"update","message":"A"},{"type":"error","message":"B","args":["é"]},{"type":"result","id":"42"}]}"#,
    );

    fn steps<R: BufRead>(search: &mut SearchReader<R>) -> Result<Vec<String>> {
        let mut steps = Vec::new();
        while let Some(event) = search.next_event()? {
            match Event::from(StreamItem::Event(event)) {
                Event::WebSearch(step) => steps.push(step.message),
                other => panic!("{other:?}"),
            }
        }
        Ok(steps)
    }

    #[test]
    fn each_step_is_reported_once_wherever_the_response_is_cut() {
        for chunk in 1..=RESPONSE.len() {
            let reader = BufReader::with_capacity(chunk, RESPONSE.as_bytes());
            let mut search = SearchReader::new(reader);
            assert_eq!(steps(&mut search).unwrap(), ["A", "B: é"]);
            assert_eq!(search.result(), Some("42"));
            assert!(search.next_event().unwrap().is_none());
        }
    }

    #[test]
    fn a_search_that_fails_may_have_no_result() {
        let response = r#"{"messages":[{"type":"error","message":"A","args":["b"]}]}"#;
        let mut search = SearchReader::new(response.as_bytes());
        assert_eq!(steps(&mut search).unwrap(), ["A: b"]);
        assert_eq!(search.result(), None);
    }

    #[test]
    fn titles_cut_within_a_character_are_read() {
        let response = concat!(
            r#"{"messages":[{"type":"update","message":"\ud83d"}]}"#,
            r#"{"messages":[{},{"message":"b\\ud83d"},{"type":"result","id":"1"}]}"#,
        );
        for chunk in 1..=response.len() {
            let reader = BufReader::with_capacity(chunk, response.as_bytes());
            let mut search = SearchReader::new(reader);
            assert_eq!(steps(&mut search).unwrap(), ["\u{fffd}", "b\\ud83d"]);
        }
        let bytes =
            b"{\"messages\":[{\"message\":\"\xF0\x9F\"},{\"type\":\"result\",\"id\":\"1\"}]}";
        let mut search = SearchReader::new(&bytes[..]);
        assert_eq!(steps(&mut search).unwrap(), ["\u{fffd}"]);
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
            let error = steps(&mut search).unwrap_err();
            assert!(matches!(error, Error::Protocol { .. }), "{response}");
        }
    }
}
