//! The tokens of a reply, decoded from any reader.

use std::fmt;
use std::io::BufRead;
use std::iter::FusedIterator;

use super::decoder::Decoder;
use super::event::StreamItem;
use super::finish_reason::FinishReason;
use super::line::{Buffered, Line, Lines};
use super::reader_error;
use crate::error::Result;

/// The tokens of one reply, decoded from any [`BufRead`]: a recording, a test, or a stream of
/// text-generation-inference. [`Reply`](crate::Reply) is built on it.
///
/// Decodes events in `data:` lines and in JSON lines, ended by LF, CRLF or CR. Special tokens are
/// left out, and characters that were cut in two are joined. The reply is complete only with its
/// final event.
///
/// The tokens joined are the final text wherever that begins with what was streamed: what is
/// missing at its end comes as one more token. Otherwise [`text`](Tokens::text) is the final text,
/// and not what was streamed.
///
/// Each `next` reads until there is a token, and blocks as long as the reader does. A token is
/// decoded in the reader's buffer if its line is whole there. Memory is bounded: a line that is
/// far longer than the text so far, and a text of more than 64 MiB, are errors.
///
/// # Errors
///
/// An error is the last item. It is [`Error::Incomplete`](crate::Error::Incomplete) if the reader
/// fails or ends before the final event, [`Error::Server`](crate::Error::Server) if the server
/// reports an error, and [`Error::Protocol`](crate::Error::Protocol) if this is not a stream of
/// events, or exceeds a bound.
///
/// # Example
///
/// ```
/// use h2ogpt::Tokens;
///
/// let stream = "data:{\"token\":{\"text\":\"Hello\",\"special\":false},\"generated_text\":null}\n\n\
///               data:{\"token\":{\"text\":\"</s>\",\"special\":true},\"generated_text\":\"Hello\"}\n\n";
/// for token in Tokens::new(stream.as_bytes()) {
///     print!("{}", token?);
/// }
/// # Ok::<(), h2ogpt::Error>(())
/// ```
pub struct Tokens<R> {
    lines: Lines<R>,
    decoder: Decoder,
}

impl<R> Tokens<R> {
    /// The text so far; the final text once the reply is complete. Does no I/O.
    pub fn text(&self) -> &str {
        self.decoder.text().as_str()
    }

    /// Why the reply ended; `None` before its end, and where the server does not say. Does no I/O.
    pub fn finish_reason(&self) -> Option<FinishReason> {
        self.decoder.finish_reason()
    }

    /// Whether the final event has come, so that [`text`](Tokens::text) is the whole reply. Does no
    /// I/O.
    pub fn is_complete(&self) -> bool {
        self.decoder.is_complete()
    }

    /// Bounds the length of the text.
    pub(crate) fn max_reply(mut self, bytes: usize) -> Self {
        self.decoder.text_mut().set_max_length(bytes);
        self
    }

    /// Whether the response goes on after the reply: then an empty final text ends it, too, and is
    /// not explained by what follows.
    pub(crate) fn open_ended(mut self, is_open_ended: bool) -> Self {
        self.decoder.set_open_ended(is_open_ended);
        self
    }

    /// What was streamed, if the final text is another one.
    pub(crate) fn replaced(&self) -> Option<&str> {
        self.decoder.text().replaced()
    }

    /// The reader, and the text.
    pub(crate) fn into_parts(self) -> (R, String) {
        let text = self.decoder.into_text().into_string();
        (self.lines.into_inner(), text)
    }

    /// Whether the server has said that there is no more of the reply.
    pub(crate) fn has_finished(&self) -> bool {
        self.decoder.has_finished()
    }

    /// Whether this is the server's log of a reply.
    pub(crate) fn is_log(&self) -> bool {
        self.decoder.is_log()
    }

    /// The id of the last event of the server's log that was read; see [`resumed`](Tokens::resumed).
    pub(crate) fn last_event_id(&self) -> Option<u64> {
        self.decoder.last_event_id()
    }
}

impl<R: BufRead> Tokens<R> {
    /// Decodes a reply from `reader`. Does no I/O before the first token is asked for.
    pub fn new(reader: R) -> Self {
        Tokens {
            lines: Lines::new(reader),
            decoder: Decoder::new(),
        }
    }

    /// Reads the reply to its end, and returns its final text.
    ///
    /// ```
    /// let stream = "{\"type\":\"stream\",\"token\":\"Hel\"}\n\
    ///               {\"type\":\"finalAnswer\",\"text\":\"Hello\"}\n";
    /// let text = h2ogpt::Tokens::new(stream.as_bytes()).into_text()?;
    /// assert_eq!(text, "Hello");
    /// # Ok::<(), h2ogpt::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// Like those of the iterator; the text so far is in
    /// [`Error::partial`](crate::Error::partial).
    pub fn into_text(mut self) -> Result<String> {
        while self.next_item()?.is_some() {}
        Ok(self.decoder.into_text().into_string())
    }

    /// Decodes the server's log of a reply, from its beginning. `text` is what was received of the
    /// reply before: no token repeats it. Other events are left out while the log repeats it.
    ///
    /// An end of the log without its last event is [`Error::Incomplete`](crate::Error::Incomplete)
    /// without a source: ask for what follows [`last_event_id`](Tokens::last_event_id), and
    /// [`reconnect`](Tokens::reconnect).
    pub(crate) fn resumed(reader: R, text: String) -> Self {
        Tokens {
            lines: Lines::new(reader),
            decoder: Decoder::resumed(text),
        }
    }

    /// Goes on with a response of the server's log of the same reply, also after an error.
    pub(crate) fn reconnect(&mut self, reader: R) {
        self.lines = Lines::new(reader);
        self.decoder.reconnect();
    }

    /// Goes on with the final text, which begins with what was received, without reading.
    pub(crate) fn complete_with(&mut self, text: String) -> Result<()> {
        let mut completed = self.decoder.complete_with(text);
        if let Err(error) = &mut completed {
            self.decoder.fail(error);
        }
        completed
    }

    /// The next token or other event; `None` when the reply is complete, and after an error.
    pub(crate) fn next_item(&mut self) -> Result<Option<StreamItem>> {
        if let Some(rest) = self.decoder.take_rest() {
            return Ok(Some(rest));
        }
        while self.decoder.is_open() {
            let mut item = self.read_line();
            match &mut item {
                Ok(None) => continue,
                Ok(Some(_)) => {}
                Err(error) => self.decoder.fail(error),
            }
            return item;
        }
        Ok(None)
    }

    fn read_line(&mut self) -> Result<Option<StreamItem>> {
        let line = match self.lines.peek() {
            Ok(chunk) => match self.decoder.token_line(chunk) {
                Some((item, length)) => {
                    self.lines.skip(length);
                    return item;
                }
                None => self.lines.next(|line| self.decoder.line(line)),
            },
            Err(error) => Err(error),
        };
        match line {
            Ok(Line::Complete(item)) => item,
            Ok(Line::Cut) => self.line_cut(),
            Ok(Line::End) => self.decoder.end(None),
            Err(error) => self.decoder.end(Some(reader_error(error))),
        }
    }

    /// Like [`next_item`](Tokens::next_item), but never reads: `None` also if nothing is buffered
    /// of which an item could be made.
    pub(crate) fn ready_item(&mut self) -> Option<Result<StreamItem>>
    where
        R: Buffered,
    {
        while self.decoder.is_open() {
            let item = match self.decoder.token_line(self.lines.peek_buffered()) {
                Some((item, length)) => {
                    self.lines.skip(length);
                    item
                }
                None => match self.lines.next_buffered(|line| self.decoder.line(line)) {
                    Line::Complete(item) => item,
                    Line::Cut | Line::End => Err(self.line_cut().err()?),
                },
            };
            match item.transpose() {
                None => {}
                Some(mut item) => {
                    if let Err(error) = &mut item {
                        self.decoder.fail(error);
                    }
                    return Some(item);
                }
            }
        }
        None
    }

    /// The end of a line is not in the buffer.
    fn line_cut(&mut self) -> Result<Option<StreamItem>> {
        let length = self.decoder.check_length(self.lines.cut())?;
        self.lines.reserve(length);
        Ok(None)
    }
}

/// The next token of what `next_item` yields, passing over all else.
pub(crate) fn next_token(
    mut next_item: impl FnMut() -> Result<Option<StreamItem>>,
) -> Option<Result<String>> {
    loop {
        match next_item() {
            Ok(Some(StreamItem::Token(token))) => return Some(Ok(token)),
            Ok(Some(StreamItem::Event(_))) => {}
            Ok(None) => return None,
            Err(error) => return Some(Err(error)),
        }
    }
}

impl<R: BufRead> Iterator for Tokens<R> {
    type Item = Result<String>;

    fn next(&mut self) -> Option<Self::Item> {
        next_token(|| self.next_item())
    }
}

impl<R: BufRead> FusedIterator for Tokens<R> {}

/// Shows the text so far and how it ended.
impl<R> fmt::Debug for Tokens<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tokens")
            .field("text", &self.text())
            .field("finish_reason", &self.finish_reason())
            .field("is_complete", &self.is_complete())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
