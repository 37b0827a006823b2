//! What the service remembers: the settings of each session, the conversations and the searches.

use std::collections::{BTreeMap, HashMap};
use std::time::{Instant, SystemTime};

use uuid::Uuid;

use super::date;
use super::generation::Generations;
use super::upload::Uploads;

/// Settings as a session sent them, and as the service understood them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The value of the session cookie.
    pub session: String,
    pub active_model: Option<String>,
    /// Whether the conversations may be shared with the authors of the model.
    pub share: bool,
    pub search_enabled: bool,
    /// Whether the terms were accepted, without which older versions refuse everything else.
    pub accepted: bool,
    /// System prompts by model; only v0.5 and v0.6 give them to the model.
    pub custom_prompts: BTreeMap<String, String>,
    /// Models that are to be given tools although they are not known to support them.
    pub tools_overrides: BTreeMap<String, bool>,
    /// How hard a model is to think.
    pub reasoning_efforts: BTreeMap<String, String>,
    /// When they were posted.
    pub posted: Option<SystemTime>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Author {
    System,
    User,
    Assistant,
}

impl Author {
    pub(super) fn name(self) -> &'static str {
        match self {
            Author::System => "system",
            Author::User => "user",
            Author::Assistant => "assistant",
        }
    }
}

#[derive(Clone)]
pub(super) struct Message {
    pub id: String,
    /// The message this one answers or follows; unused where messages form no tree.
    pub parent: Option<String>,
    pub from: Author,
    pub content: String,
    /// Of a reply: the how manieth to the same prompt.
    pub attempt: u32,
    pub created: SystemTime,
    pub updated: SystemTime,
    pub files: Vec<StoredFile>,
    /// The updates a reply consisted of, as they are logged.
    pub updates: Vec<String>,
    /// The generation a reply is of, where generations have names.
    pub generation: Option<String>,
}

/// A file as a message names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredFile {
    pub hash: String,
    pub name: String,
    pub mime: String,
}

impl Message {
    pub(super) fn new(from: Author, parent: Option<&str>, content: &str) -> Message {
        Message {
            id: Uuid::new_v4().to_string(),
            parent: parent.map(str::to_owned),
            from,
            content: content.to_owned(),
            attempt: 1,
            created: SystemTime::now(),
            updated: SystemTime::now(),
            files: Vec::new(),
            updates: Vec::new(),
            generation: None,
        }
    }
}

#[derive(Clone)]
pub(super) struct Conversation {
    pub id: String,
    /// The session that created it, and the only one that may see it.
    pub owner: String,
    pub model: String,
    pub title: String,
    pub preprompt: String,
    pub tree: bool,
    pub messages: Vec<Message>,
    pub updated: SystemTime,
    /// When a stop was last asked for; on versions that obey only one, when that was.
    pub stopped: Option<Instant>,
    /// Until when a stop that found nothing to stop ends the next reply.
    pub marked: Option<Instant>,
    /// The share of it, and the number of messages that it shows.
    pub share: Option<(String, usize)>,
}

impl Conversation {
    /// The messages that lead to `last`, oldest first; in a tree, these are its ancestors.
    pub(super) fn line_to<'a>(&'a self, last: &'a Message) -> Vec<&'a Message> {
        if !self.tree {
            return self.messages.iter().collect();
        }
        let mut line = vec![last];
        let mut parent = last.parent.as_deref();
        // A parent always stands before its children, so that looking backwards comes to an end.
        for message in self.messages.iter().rev() {
            if parent == Some(message.id.as_str()) {
                line.push(message);
                parent = message.parent.as_deref();
            }
        }
        line.reverse();
        line
    }

    /// The last thing the user said on the way to the newest message.
    pub(super) fn last_prompt(&self) -> Option<&str> {
        let line = self.line_to(self.messages.last()?);
        line.into_iter()
            .rfind(|message| message.from == Author::User)
            .map(|message| message.content.as_str())
    }

    pub(super) fn find(&self, id: &str) -> Option<&Message> {
        self.messages.iter().find(|message| message.id == id)
    }

    /// Deletes a message and all that follow it; says whether there was one.
    pub(super) fn cut_off(&mut self, id: &str) -> bool {
        let mut gone = vec![id.to_owned()];
        let before = self.messages.len();
        // Children always stand behind their parent.
        self.messages.retain(|message| {
            let parent = message.parent.as_ref();
            let goes = message.id == id || parent.is_some_and(|parent| gone.contains(parent));
            if goes {
                gone.push(message.id.clone());
            }
            !goes
        });
        self.messages.len() < before
    }
}

/// A turn that is to be stored some time after its response has ended.
struct LateSave {
    /// Nothing if it waits for [`Store::release_late`].
    due: Option<Instant>,
    id: String,
    messages: Vec<Message>,
    title: Option<String>,
}

#[derive(Default)]
pub(super) struct Store {
    conversations: HashMap<String, Conversation>,
    settings: HashMap<String, Settings>,
    accepted: Vec<Settings>,
    /// Web searches: their id and what was searched for, or nothing if the search failed.
    searches: HashMap<String, Option<String>>,
    late: Vec<LateSave>,
    pub generations: Generations,
    pub uploads: Uploads,
    /// Conversations as they were when they were shared.
    pub shares: HashMap<String, Conversation>,
}

impl Store {
    pub(super) fn len(&self) -> usize {
        self.conversations.len()
    }

    pub(super) fn insert(&mut self, conversation: Conversation) {
        self.conversations
            .insert(conversation.id.clone(), conversation);
    }

    pub(super) fn get(&self, id: &str) -> Option<&Conversation> {
        self.conversations.get(id)
    }

    /// The conversation, if it is of that session.
    pub(super) fn owned(&self, id: &str, session: &str) -> Option<&Conversation> {
        self.get(id).filter(|found| found.owner == session)
    }

    pub(super) fn get_mut(&mut self, id: &str) -> Option<&mut Conversation> {
        self.conversations.get_mut(id)
    }

    /// The conversations of a session.
    pub(super) fn owned_by<'a>(
        &'a self,
        session: &'a str,
    ) -> impl Iterator<Item = &'a Conversation> {
        self.conversations
            .values()
            .filter(move |conversation| conversation.owner == session)
    }

    /// Deletes them; says how many there were.
    pub(super) fn remove_all(&mut self, session: &str) -> usize {
        let before = self.conversations.len();
        self.conversations
            .retain(|_, conversation| conversation.owner != session);
        before - self.conversations.len()
    }

    pub(super) fn remove(&mut self, id: &str, session: &str) -> bool {
        self.owned(id, session).is_some() && self.conversations.remove(id).is_some()
    }

    /// Replaces all messages: of two that write, the last wins. Nothing happens if the
    /// conversation is gone by now.
    pub(super) fn save(&mut self, id: &str, messages: &[Message], title: Option<&str>) {
        if let Some(conversation) = self.conversations.get_mut(id) {
            conversation.messages = messages.to_vec();
            conversation.updated = SystemTime::now();
            if let Some(title) = title {
                conversation.title = title.to_owned();
            }
        }
    }

    /// Has a turn saved later: at that time, or when it is released.
    pub(super) fn save_late(
        &mut self,
        due: Option<Instant>,
        id: &str,
        messages: &[Message],
        title: Option<&str>,
    ) {
        self.late.push(LateSave {
            due,
            id: id.to_owned(),
            messages: messages.to_vec(),
            title: title.map(str::to_owned),
        });
    }

    /// Saves what is due, in the order in which it came.
    pub(super) fn save_due(&mut self, now: Instant) {
        let (due, late): (Vec<_>, Vec<_>) = std::mem::take(&mut self.late)
            .into_iter()
            .partition(|late| late.due.is_some_and(|due| due <= now));
        self.late = late;
        for save in due {
            self.save(&save.id, &save.messages, save.title.as_deref());
        }
    }

    /// Makes everything due that waits for this.
    pub(super) fn release_late(&mut self, now: Instant) {
        for late in &mut self.late {
            late.due.get_or_insert(now);
        }
        self.save_due(now);
    }

    /// Notes that a stop was asked for; `once` keeps the first.
    pub(super) fn stop(&mut self, id: &str, once: bool) {
        if let Some(conversation) = self.conversations.get_mut(id)
            && !(once && conversation.stopped.is_some())
        {
            conversation.stopped = Some(Instant::now());
        }
    }

    pub(super) fn stopped_since(&self, id: &str, start: Instant) -> bool {
        self.get(id)
            .and_then(|conversation| conversation.stopped)
            .is_some_and(|stopped| stopped >= start)
    }

    pub(super) fn accept(&mut self, settings: Settings) {
        self.accepted.push(settings.clone());
        self.settings.insert(settings.session.clone(), settings);
    }

    /// Every set of settings taken, in order.
    pub(super) fn accepted(&self) -> &[Settings] {
        &self.accepted
    }

    /// The settings of a session, if it ever posted any.
    pub(super) fn settings(&self, session: &str) -> Option<&Settings> {
        self.settings.get(session)
    }

    pub(super) fn has_accepted(&self, session: &str) -> bool {
        self.settings
            .get(session)
            .is_some_and(|settings| settings.accepted)
    }

    /// What the model is told before the conversation, wherever that was said.
    pub(super) fn system_prompt(&self, conversation: &Conversation) -> Option<String> {
        let custom = || {
            let settings = self.settings.get(&conversation.owner)?;
            settings.custom_prompts.get(&conversation.model)
        };
        Some(&conversation.preprompt)
            .filter(|preprompt| !preprompt.is_empty())
            .or_else(custom)
            .filter(|prompt| !prompt.is_empty())
            .cloned()
    }

    /// Keeps a search, without its query if it failed.
    pub(super) fn add_search(&mut self, query: Option<&str>) -> String {
        let id = object_id();
        self.searches.insert(id.clone(), query.map(str::to_owned));
        id
    }

    /// A search that is known, and what it was for unless it failed.
    pub(super) fn search(&self, id: &str) -> Option<Option<String>> {
        self.searches.get(id).cloned()
    }

    /// Who said what on the visible line, a system prompt first.
    pub(super) fn history(&self, id: &str) -> Option<Vec<(String, String)>> {
        let conversation = self.get(id)?;
        let system = self
            .system_prompt(conversation)
            .map(|prompt| (Author::System.name().to_owned(), prompt));
        let line = match conversation.messages.last() {
            Some(last) => conversation.line_to(last),
            None => Vec::new(),
        };
        let said = line
            .into_iter()
            .filter(|message| message.from != Author::System)
            .map(|message| (message.from.name().to_owned(), message.content.clone()));
        Some(system.into_iter().chain(said).collect())
    }
}

/// A new id as MongoDB makes them: the seconds since 1970, then what makes it unique.
pub(super) fn object_id() -> String {
    let (seconds, _) = date::since_epoch(SystemTime::now());
    let unique = Uuid::new_v4().simple().to_string();
    format!("{:08x}{}", seconds & 0xffff_ffff, &unique[16..])
}

/// Whether the id could be one; the server fails on others before it looks anything up.
pub(super) fn is_object_id(id: &str) -> bool {
    id.len() == 24 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}
