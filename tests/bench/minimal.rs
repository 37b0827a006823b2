//! A chat in the fewest requests, by ureq alone and by somebody who knows the version of the server.

use std::io::{self, BufRead, BufReader};

use serde_json::{Value, json};
use ureq::http::{Response, header};
use ureq::{Agent, Body, BodyReader};

use support::service::{Dialect, MODELS};

const FORM: &str = "application/x-www-form-urlencoded";
const JSON: &str = "application/json";

/// A session with a server.
pub struct Minimal {
    agent: Agent,
    url: String,
    dialect: Dialect,
    cookie: String,
    /// What is left of the response to the last message.
    response: Option<BufReader<BodyReader<'static>>>,
}

/// A conversation, and the message that the next one follows, if it is known.
pub struct Chat {
    path: String,
    parent: Option<String>,
}

impl Minimal {
    pub fn new(url: String, dialect: Dialect) -> Minimal {
        let config = Agent::config_builder().proxy(None);
        // The response to the settings is one.
        let config = config.max_redirects(0).max_redirects_will_error(false);
        Minimal {
            agent: Agent::new_with_config(config.build()),
            url,
            dialect,
            cookie: String::new(),
            response: None,
        }
    }

    /// Accepts the terms.
    pub fn post_settings(&mut self) {
        let settings = format!("ethicsModalAccepted=true&activeModel={}", MODELS[0]);
        read(self.post("/settings", FORM, &settings));
    }

    /// Asks for the models, wherever they are listed.
    pub fn ask_for_models(&mut self) {
        let path = match self.dialect {
            Dialect::V0_3 | Dialect::V0_5 | Dialect::V0_6 | Dialect::V0_7 => "/__data.json",
            _ => "/api/models",
        };
        // Pages escape the slash in its name.
        let name = MODELS[0].split('/').next_back().expect("a name");
        assert!(read(self.get(path)).contains(name));
    }

    pub fn create(&mut self) -> Chat {
        let body = json!({ "model": MODELS[0] }).to_string();
        let created = parse(&read(self.post("/conversation", JSON, &body)));
        let id = created["conversationId"].as_str().expect("an id");
        let conversation = created["conversation"].as_str().map(parse);
        let root = conversation.map(|conversation| conversation["json"]["rootMessageId"].clone());
        Chat {
            path: format!("/conversation/{id}"),
            parent: root.map(|root| root.as_str().expect("an id").to_owned()),
        }
    }

    /// Posts a message, after what its version needs, and waits for the first token.
    pub fn send(&mut self, chat: &mut Chat) {
        self.finish_response();
        let parent = match (self.dialect.is_tree(), chat.parent.take()) {
            (true, None) => Some(self.ask_for_parent(chat)),
            (_, parent) => parent,
        };
        let (content_type, body) = message(self.dialect, parent.as_deref());
        let response = self.post(&chat.path, content_type, &body);
        self.response = Some(BufReader::new(response.into_body().into_reader()));
        self.skip_to(&["\"token\":"]);
    }

    /// Reads the reply to its final event.
    pub fn finish_reply(&mut self) {
        self.skip_to(&["\"generated_text\":\"", "\"finalAnswer\""]);
        if self.dialect == Dialect::V0_7 {
            // Which does not end its response.
            self.response = None;
        }
    }

    pub fn delete(&mut self, chat: &Chat) {
        self.finish_response();
        let request = self.agent.delete(format!("{}{}", self.url, chat.path));
        let response = request.header(header::COOKIE, &self.cookie).call();
        read(self.received(response));
    }

    fn skip_to(&mut self, wanted: &[&str]) {
        let response = self.response.as_mut().expect("a response");
        let mut line = String::new();
        while !wanted.iter().any(|wanted| line.contains(wanted)) {
            line.clear();
            let length = response.read_line(&mut line).expect("a line");
            assert!(length > 0, "none of {wanted:?}");
        }
    }

    /// The server may store the reply only now.
    fn finish_response(&mut self) {
        if let Some(mut response) = self.response.take() {
            io::copy(&mut response, &mut io::sink()).expect("the rest");
        }
    }

    fn ask_for_parent(&mut self, chat: &Chat) -> String {
        let history = parse(&read(self.get(&format!("/api{}", chat.path))));
        let last = history["messages"].as_array().and_then(|all| all.last());
        let id = last.and_then(|last| last["id"].as_str());
        id.expect("the id of a message").to_owned()
    }

    fn get(&mut self, path: &str) -> Response<Body> {
        let request = self.agent.get(format!("{}{path}", self.url));
        let response = request.header(header::COOKIE, &self.cookie).call();
        self.received(response)
    }

    fn post(&mut self, path: &str, content_type: &str, body: &str) -> Response<Body> {
        let request = self.agent.post(format!("{}{path}", self.url));
        let request = request.header(header::ORIGIN, &self.url);
        let request = request.header(header::REFERER, format!("{}/", self.url));
        let request = request.header(header::CONTENT_TYPE, content_type);
        let response = request.header(header::COOKIE, &self.cookie).send(body);
        self.received(response)
    }

    fn received(&mut self, response: Result<Response<Body>, ureq::Error>) -> Response<Body> {
        let response = response.expect("a response");
        if let Some(cookie) = response.headers().get(header::SET_COOKIE) {
            let cookie = cookie.to_str().expect("a cookie");
            cookie
                .split(';')
                .next()
                .unwrap()
                .clone_into(&mut self.cookie);
        }
        response
    }
}

/// The content type of a message, and its body.
fn message(dialect: Dialect, parent: Option<&str>) -> (&'static str, String) {
    let id = "9c1e6f0a-2b7d-4f43-8a55-0d6a3e9b1c70";
    let mut message = json!({
        "inputs": "Hello", "id": parent.unwrap_or(id), "is_retry": false, "is_continue": false,
        "web_search": false, "files": [],
    });
    match dialect {
        Dialect::V0_3 | Dialect::V0_5 | Dialect::V0_6 | Dialect::V0_7 => {
            message["stream"] = true.into();
            message["parameters"] = json!({});
            message["options"] = json!({ "id": id, "is_retry": false, "web_search_id": "" });
            (JSON, message.to_string())
        }
        Dialect::V0_8 | Dialect::V0_9_0 => (JSON, message.to_string()),
        Dialect::V0_9_3 | Dialect::V0_9_6 | Dialect::Main => {
            let bytes = message.to_string().into_bytes();
            let encoded: String = bytes.iter().map(|byte| format!("%{byte:02X}")).collect();
            (FORM, format!("data={encoded}"))
        }
    }
}

fn read(mut response: Response<Body>) -> String {
    response.body_mut().read_to_string().expect("a body")
}

fn parse(json: &str) -> Value {
    serde_json::from_str(json).expect("JSON")
}
