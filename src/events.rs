//! Everything that happens in a reply.

use std::iter::FusedIterator;

use crate::error::{Error, Result};
use crate::protocol::event::Event;
use crate::reply::Reply;

impl<'c> Reply<'c> {
    /// Reads everything that happens, not only the text: titles, web searches, tools and
    /// reasoning. What was read by one of the two iterators does not come again in the other.
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
