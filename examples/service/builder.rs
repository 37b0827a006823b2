//! How a service is to be: one setter for each switch.

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::dialect::Dialect;
use super::fault::{Fault, Seen};
use super::limits::Limits;
use super::model::Model;
use super::server::{Config, Late, Origin, Shared, listen};
use super::tools::Tools;
use super::{MODELS, Service};

/// How a service is to be.
pub struct Builder {
    dialect: Dialect,
    config: Config,
}

impl Default for Builder {
    fn default() -> Builder {
        let dialect = Dialect::V0_5;
        Builder {
            dialect,
            config: Config {
                rules: dialect.rules(),
                base_path: String::new(),
                cookie_name: "hf-chat".to_owned(),
                token_delay: Duration::ZERO,
                models: MODELS.map(Model::new).to_vec(),
                require_login: false,
                hide_api: false,
                expose_api: true,
                terms: true,
                origin: Origin::Any,
                late_history: None,
                busy: false,
                one_at_a_time: false,
                title_takes: Duration::ZERO,
                web_search_fails: false,
                limits: Limits::default(),
                email_header: None,
                wanted_header: None,
                body_limit: None,
                page_size: 30,
                stream_lasts: Duration::from_secs(5 * 60),
                tools: Tools::default(),
                faults: None,
                replies: Vec::new(),
            },
        }
    }
}

impl Builder {
    /// The version to behave like; v0.5 unless set.
    pub fn dialect(mut self, dialect: Dialect) -> Builder {
        self.dialect = dialect;
        self
    }

    /// The path everything is below, such as `/chat`.
    pub fn base_path(mut self, path: &str) -> Builder {
        let path = path.trim_matches('/');
        self.config.base_path = match path {
            "" => String::new(),
            path => format!("/{path}"),
        };
        self
    }

    /// The name of the session cookie; `hf-chat` unless set.
    pub fn cookie_name(mut self, name: &str) -> Builder {
        self.config.cookie_name = name.to_owned();
        self
    }

    /// The time before each token; none unless set.
    pub fn token_delay(mut self, delay: Duration) -> Builder {
        self.config.token_delay = delay;
        self
    }

    /// The models there are; [`MODELS`] unless set.
    pub fn models(mut self, models: &[&str]) -> Builder {
        self.config.models = models.iter().map(|model| Model::new(model)).collect();
        self
    }

    /// The models there are, with what they can do.
    pub fn able_models(mut self, models: Vec<Model>) -> Builder {
        self.config.models = models;
        self
    }

    /// Whether only users who have logged in may talk, which nobody can do here.
    pub fn require_login(mut self, require: bool) -> Builder {
        self.config.require_login = require;
        self
    }

    /// Whether everything below `/api` is refused.
    pub fn hide_api(mut self, hide: bool) -> Builder {
        self.config.hide_api = hide;
        self
    }

    /// The variable `EXPOSE_API`: without it `/api` is refused from v0.8 to v0.9.4; later versions
    /// do not care.
    pub fn expose_api(mut self, expose: bool) -> Builder {
        self.config.expose_api = expose;
        self
    }

    /// Whether the terms have to be accepted first, where the version can ask for them. The
    /// service of 2023 did; most servers do not.
    pub fn terms(mut self, ask: bool) -> Builder {
        self.config.terms = ask;
        self
    }

    /// The variable `ORIGIN`.
    pub fn origin(mut self, origin: Origin) -> Builder {
        self.config.origin = origin;
        self
    }

    /// When a turn is stored on v0.3 to v0.6; before the end of its response unless set. A late
    /// turn overwrites what was stored in the meantime.
    pub fn late_history(mut self, late: Late) -> Builder {
        self.config.late_history = Some(late);
        self
    }

    /// Whether main is overloaded: a stop then also ends a reply that begins within 0.3 s of it,
    /// and what it stopped is empty in the history.
    pub fn busy(mut self, busy: bool) -> Builder {
        self.config.busy = busy;
        self
    }

    /// A model that answers one request at a time, and takes that long for a title.
    pub fn one_at_a_time(mut self, title_takes: Duration) -> Builder {
        self.config.one_at_a_time = true;
        self.config.title_takes = title_takes;
        self
    }

    /// Whether web searches fail.
    pub fn web_search_fails(mut self, fails: bool) -> Builder {
        self.config.web_search_fails = fails;
        self
    }

    /// A session may send so many messages in that time; those that are refused count as well.
    pub fn rate_limit(mut self, messages: usize, within: Duration) -> Builder {
        self.config.limits.messages = Some((messages, within));
        self
    }

    /// A conversation may have so many messages.
    pub fn messages_per_conversation(mut self, messages: usize) -> Builder {
        self.config.limits.messages_per_conversation = Some(messages);
        self
    }

    /// A session may have so many conversations.
    pub fn conversation_limit(mut self, conversations: usize) -> Builder {
        self.config.limits.conversations = Some(conversations);
        self
    }

    /// The variable `TRUSTED_EMAIL_HEADER` (v0.9.2 and later): who comes with this header owns
    /// what was created with the same value, and nobody else does.
    pub fn trusted_email_header(mut self, name: &str) -> Builder {
        self.config.email_header = Some(name.to_owned());
        self
    }

    /// A header without which a proxy in front answers 401 to every request.
    pub fn wanted_header(mut self, name: &str) -> Builder {
        self.config.wanted_header = Some(name.to_owned());
        self
    }

    /// The variable `BODY_SIZE_LIMIT`; what the version ships with unless set.
    pub fn body_limit(mut self, bytes: usize) -> Builder {
        self.config.body_limit = Some(bytes);
        self
    }

    /// The number of conversations on a page of a list; 30 unless set.
    pub fn page_size(mut self, conversations: usize) -> Builder {
        self.config.page_size = conversations;
        self
    }

    /// After how long a client that picks up a reply has to come again; five minutes unless set.
    pub fn stream_lasts(mut self, time: Duration) -> Builder {
        self.config.stream_lasts = time;
        self
    }

    /// The tools there are, on v0.9.6 and main; models that support tools call one for each
    /// message.
    pub fn tools(mut self, tools: Tools) -> Builder {
        self.config.tools = tools;
        self
    }

    /// What the model says, in place of what it makes up: to the first prompts these texts, the last
    /// of them to all later ones.
    pub fn replies(mut self, replies: Vec<String>) -> Builder {
        self.config.replies = replies;
        self
    }

    /// Decides for every request whether something is to go wrong with it.
    pub fn faults(
        mut self,
        faults: impl Fn(&Seen) -> Option<Fault> + Send + Sync + 'static,
    ) -> Builder {
        self.config.faults = Some(Box::new(faults));
        self
    }

    pub fn start(mut self) -> io::Result<Service> {
        self.config.rules = self.dialect.rules();
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let address = listener.local_addr()?;
        let url = format!("http://{address}{}", self.config.base_path);
        let shared = Arc::new(Shared::new(self.config));
        let listening = thread::Builder::new()
            .name("chat service".to_owned())
            .spawn({
                let shared = Arc::clone(&shared);
                move || listen(&shared, &listener)
            })?;
        Ok(Service {
            shared,
            address,
            url,
            listening: Some(listening),
        })
    }
}
