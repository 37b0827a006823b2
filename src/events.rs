//! Everything that happens in a reply.

use std::iter::FusedIterator;

use crate::error::{Error, Result};
use crate::protocol::event::Event;
use crate::reply::Reply;

impl<'c> Reply<'c> {
    /// Reads everything that happens, not only the text: titles, web searches, tools and
    /// reasoning. What was read by one of the two iterators does not come again in the other.
    ///
    /// ```no_run
    /// use h2ogpt::Event;
    ///
    /// # let client = h2ogpt::Client::new("http://localhost:3000")?;
    /// let mut conversation = client.conversation()?;
    /// for event in conversation.web_search("What is new in Rust?")?.events() {
    ///     match event? {
    ///         Event::Token(token) => print!("{token}"),
    ///         Event::WebSearch(step) => eprintln!("{}", step.message),
    ///         _ => {}
    ///     }
    /// }
    /// # Ok::<(), h2ogpt::Error>(())
    /// ```
    pub fn events(&mut self) -> Events<'_, 'c> {
        Events { reply: self }
    }
}

/// Everything that happens in a reply, as it happens; from [`Reply::events`].
#[derive(Debug)]
#[must_use = "the message is sent when its reply is read"]
pub struct Events<'r, 'c> {
    reply: &'r mut Reply<'c>,
}

impl Iterator for Events<'_, '_> {
    type Item = Result<Event>;

    fn next(&mut self) -> Option<Self::Item> {
        let piece = self.reply.next_piece().transpose()?;
        Some(piece.map(Event::read).map_err(Error::from))
    }
}

impl FusedIterator for Events<'_, '_> {}
