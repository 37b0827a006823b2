//! How much a session may do.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use super::exchange::{After, Exchange};
use super::server::lock;
use super::store::Conversation;

/// What the operator allows; nothing is limited unless set.
#[derive(Clone, Debug, Default)]
pub(super) struct Limits {
    /// So many messages of a session in that time.
    pub messages: Option<(usize, Duration)>,
    pub messages_per_conversation: Option<usize>,
    pub conversations: Option<usize>,
}

/// When the messages of each session came.
#[derive(Default)]
pub(super) struct Counter {
    messages: Mutex<HashMap<String, Vec<Instant>>>,
}

impl Counter {
    /// Counts a message, and says how many there were within that time, this one included.
    fn count(&self, session: &str, within: Duration) -> usize {
        let mut messages = lock(&self.messages);
        let times = messages.entry(session.to_owned()).or_default();
        times.retain(|time| time.elapsed() < within);
        times.push(Instant::now());
        times.len()
    }
}

/// Refuses the message that is one too many. It is counted before anyone looks at its body, so
/// that one in a wrong encoding counts as well, and one that is refused too.
pub(super) fn message(exchange: &Exchange<'_>, conversation: &Conversation) -> Option<After> {
    let limits = &exchange.shared.config.limits;
    if let Some((allowed, within)) = limits.messages
        && exchange.shared.counter.count(&exchange.session, within) > allowed
    {
        return Some(exchange.error(429, "You are sending too many messages. Try again later."));
    }
    if let Some(allowed) = limits.messages_per_conversation
        && conversation.messages.len() > allowed
    {
        let message = format!(
            "This conversation has more than {allowed} messages. Start a new one to continue"
        );
        return Some(exchange.error(429, &message));
    }
    None
}

/// Refuses the conversation that is one too many.
pub(super) fn conversation(exchange: &Exchange<'_>) -> Option<After> {
    let allowed = exchange.shared.config.limits.conversations?;
    let count = exchange.shared.store().owned_by(&exchange.session).count();
    (count >= allowed).then(|| {
        exchange.error(
            429,
            "You have reached the maximum number of conversations. Delete some to continue.",
        )
    })
}
