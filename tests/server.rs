//! The built-in server does what was seen of real ones. No client here: requests are bytes.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use support::service::{
    Builder, Dialect, Fault, Late, Model, Origin, Purpose, Service, ToolOutcome, Tools,
};

const MODEL: &str = "org/model";
const OF_2023: [Dialect; 3] = [Dialect::V0_3, Dialect::V0_5, Dialect::V0_6];

/// A server that does not ask for the terms, with one model.
fn server(dialect: Dialect) -> Builder {
    let builder = Service::builder().dialect(dialect);
    builder.terms(false).models(&[MODEL])
}

struct Response {
    status: u16,
    head: String,
    body: Vec<u8>,
}

impl Response {
    fn parse(bytes: &[u8]) -> Response {
        let end = bytes.windows(4).position(|four| four == b"\r\n\r\n");
        let end = end.expect("the end of the head");
        let head = String::from_utf8(bytes[..end].to_vec()).expect("a head");
        let status = head[9..12].parse().expect("a status");
        let rest = &bytes[end + 4..];
        let body = match head.contains("Transfer-Encoding: chunked") {
            true => dechunked(rest),
            false => rest.to_vec(),
        };
        Response { status, head, body }
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    fn text(&self) -> &str {
        str::from_utf8(&self.body).expect("UTF-8")
    }

    #[track_caller]
    fn json(&self) -> Value {
        let parsed = serde_json::from_slice(&self.body);
        parsed.unwrap_or_else(|_| panic!("{}", self.text()))
    }

    /// The objects of a stream of lines or events.
    fn lines(&self) -> Vec<Value> {
        let data = |line: &str| line.trim().trim_start_matches("data:").trim().to_owned();
        let lines = self.text().lines().map(data);
        lines
            .filter(|line| line.starts_with('{'))
            .map(|line| serde_json::from_str(&line).expect(&line))
            .collect()
    }

    /// The final answer, and whether it was interrupted.
    #[track_caller]
    fn last_words(&self) -> (String, bool) {
        let lines = self.lines();
        let last = lines.iter().rfind(|line| line["type"] == "finalAnswer");
        let last = last.unwrap_or_else(|| panic!("{lines:?}"));
        let text = last["text"].as_str().expect("a text").to_owned();
        (text, last["interrupted"] == true)
    }
}

/// The data of complete chunks.
fn dechunked(mut rest: &[u8]) -> Vec<u8> {
    let mut data = Vec::new();
    while let Some(end) = rest.windows(2).position(|two| two == b"\r\n") {
        let size = str::from_utf8(&rest[..end]).expect("a size");
        let size = usize::from_str_radix(size, 16).expect("a size");
        let Some(chunk) = rest.get(end + 2..end + 2 + size) else {
            break;
        };
        data.extend_from_slice(chunk);
        rest = rest.get(end + 4 + size..).unwrap_or_default();
    }
    data
}

/// Somebody with a cookie.
struct Visitor<'a> {
    service: &'a Service,
    dialect: Dialect,
    cookie: String,
    headers: Vec<(String, String)>,
}

impl<'a> Visitor<'a> {
    fn new(service: &'a Service, dialect: Dialect) -> Visitor<'a> {
        Visitor {
            service,
            dialect,
            cookie: String::new(),
            headers: Vec::new(),
        }
    }

    fn host(&self) -> &str {
        let (_, rest) = self.service.url().split_once("//").expect("a URL");
        rest.split('/').next().expect("a host")
    }

    fn base(&self) -> &str {
        let url = self.service.url();
        let host = self.host();
        url.split_once(host).expect("the host").1
    }

    /// Sends a request on a connection of its own.
    fn begin(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> TcpStream {
        let mut socket = TcpStream::connect(self.host()).expect("a connection");
        let (host, base) = (self.host(), self.base());
        let mut head = format!("{method} {base}{path} HTTP/1.1\r\nHost: {host}\r\n");
        head += "Accept: */*\r\nConnection: close\r\n";
        if !self.cookie.is_empty() {
            head += &format!("Cookie: {}\r\n", self.cookie);
        }
        for (name, value) in &self.headers {
            head += &format!("{name}: {value}\r\n");
        }
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        head += &format!("Content-Length: {}\r\n\r\n", body.len());
        socket.write_all(head.as_bytes()).expect("a head");
        socket.write_all(body).expect("a body");
        socket
    }

    fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Response {
        let mut socket = self.begin(method, path, headers, body);
        let mut bytes = Vec::new();
        // A reset is an end as well.
        let _ = socket.read_to_end(&mut bytes);
        let response = Response::parse(&bytes);
        if let Some(cookie) = response.header("set-cookie") {
            self.cookie = cookie.split(';').next().unwrap_or_default().to_owned();
        }
        response
    }

    fn get(&mut self, path: &str) -> Response {
        self.send("GET", path, &[], b"")
    }

    fn post(&mut self, path: &str, json: &Value) -> Response {
        self.json("POST", path, json)
    }

    fn json(&mut self, method: &str, path: &str, json: &Value) -> Response {
        let headers = [("Content-Type", "application/json")];
        self.send(method, path, &headers, json.to_string().as_bytes())
    }

    fn form(&mut self, path: &str, scheme: &str, body: &str) -> Response {
        let own = format!("{scheme}://{}", self.host());
        let headers = [
            ("Content-Type", "application/x-www-form-urlencoded"),
            ("Origin", own.as_str()),
            ("Referer", &format!("{own}/")),
        ];
        self.send("POST", path, &headers, body.as_bytes())
    }

    #[track_caller]
    fn create(&mut self) -> String {
        self.create_with(&json!({"model": MODEL}))
    }

    #[track_caller]
    fn create_with(&mut self, body: &Value) -> String {
        let response = self.post("/conversation", body);
        assert_eq!(response.status, 200, "{}", response.text());
        let id = &response.json()["conversationId"];
        id.as_str().expect("an id").to_owned()
    }

    /// The body of a message as the dialect wants it, and its type.
    fn message(&mut self, id: &str, prompt: &str) -> (String, &'static str) {
        let mut message = json!({"inputs": prompt});
        if self.dialect.is_tree() {
            let history = self.history(id);
            if let Some(parent) = history.last() {
                message["id"] = parent["id"].clone();
            }
        } else {
            message["stream"] = true.into();
            message["options"] = json!({});
        }
        self.encoded(&message)
    }

    fn encoded(&self, message: &Value) -> (String, &'static str) {
        match self.dialect {
            Dialect::V0_9_3 | Dialect::V0_9_6 | Dialect::Main => (
                format!("data={}", percent_encoded(&message.to_string())),
                "application/x-www-form-urlencoded",
            ),
            _ => (message.to_string(), "application/json"),
        }
    }

    fn say_begin(&mut self, id: &str, prompt: &str) -> TcpStream {
        let (body, content_type) = self.message(id, prompt);
        let origin = format!("http://{}", self.host());
        let headers = [("Content-Type", content_type), ("Origin", &origin)];
        self.begin(
            "POST",
            &format!("/conversation/{id}"),
            &headers,
            body.as_bytes(),
        )
    }

    fn say(&mut self, id: &str, prompt: &str) -> Response {
        let mut socket = self.say_begin(id, prompt);
        read_reply(&mut socket, self.dialect)
    }

    fn say_json(&mut self, id: &str, message: &Value) -> Response {
        let (body, content_type) = self.encoded(message);
        let origin = format!("http://{}", self.host());
        let headers = [("Content-Type", content_type), ("Origin", &origin)];
        self.send(
            "POST",
            &format!("/conversation/{id}"),
            &headers,
            body.as_bytes(),
        )
    }

    fn history(&mut self, id: &str) -> Vec<Value> {
        let response = self.get(&format!("/api/conversation/{id}"));
        let messages = response.json()["messages"].take();
        serde_json::from_value(messages).expect("messages")
    }

    fn stop(&mut self, id: &str, body: &Value) -> Response {
        self.post(&format!("/conversation/{id}/stop-generating"), body)
    }
}

/// Reads until the end, or on the version without an end until the final answer.
fn read_reply(socket: &mut TcpStream, dialect: Dialect) -> Response {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = socket.read(&mut buffer) {
        bytes.extend_from_slice(&buffer[..count]);
        let so_far = String::from_utf8_lossy(&bytes);
        if dialect == Dialect::V0_7 && so_far.contains("finalAnswer") && so_far.ends_with("\n\r\n")
        {
            break;
        }
    }
    Response::parse(&bytes)
}

/// Reads until that has come.
fn read_until(socket: &mut TcpStream, text: &str) -> String {
    let mut bytes = Vec::new();
    while !String::from_utf8_lossy(&bytes).contains(text) {
        let mut buffer = [0; 4096];
        let count = socket.read(&mut buffer).expect("more");
        assert!(count > 0, "the end before {text:?}");
        bytes.extend_from_slice(&buffer[..count]);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn percent_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

fn count(service: &Service, purpose: Purpose) -> usize {
    let calls = service.model_calls().into_iter();
    calls.filter(|call| call.purpose == purpose).count()
}

/// What was said in a conversation, as the server has it.
fn said(service: &Service, id: &str) -> Vec<String> {
    let history = service.history(id).unwrap_or_default();
    let lines = history.into_iter().filter(|(who, _)| who != "system");
    lines.map(|(_, what)| what).collect()
}

#[test]
fn without_origin_old_versions_take_themselves_for_https() {
    const FORM: &str = "ethicsModalAccepted=true&activeModel=org%2Fmodel";
    let cases = [
        (Origin::Unset, "http", 403),
        (Origin::Unset, "https", 200),
        (Origin::Any, "http", 200),
        (Origin::Any, "https", 200),
        (Origin::Is("http://other".to_owned()), "http", 403),
    ];
    for dialect in OF_2023 {
        for (origin, scheme, status) in cases.clone() {
            let service = server(dialect).origin(origin.clone()).start().unwrap();
            let mut visitor = Visitor::new(&service, dialect);
            let response = visitor.form("/settings", scheme, FORM);
            let case = format!("{dialect}, {origin:?}, {scheme}");
            assert_eq!(response.status, status, "{case}");
            if status == 403 {
                assert_eq!(response.text(), "Invalid referer for POST request");
            }
            let response = visitor.post("/settings", &json!({"activeModel": MODEL}));
            assert_eq!(response.status, 500, "{case}");
            assert_eq!(visitor.create().len(), 24, "{case}");
        }
    }
}

#[test]
fn the_version_shows_before_the_first_message() {
    for dialect in Dialect::ALL {
        let service = server(dialect).start().unwrap();
        let mut visitor = Visitor::new(&service, dialect);
        let created = visitor.post("/conversation", &json!({"model": MODEL}));
        let year = |response: &Response| {
            let cookie = response.header("set-cookie").expect("a cookie");
            cookie.contains(&format!(" {} ", this_year() + 1))
        };
        let next_year = this_year_in(Duration::from_secs(14 * 86_400)) > this_year();
        assert_eq!(
            year(&created),
            OF_2023.contains(&dialect) || next_year,
            "{dialect}"
        );
        let created = created.json();
        let has_conversation = created.get("conversation").is_some();
        assert_eq!(has_conversation, dialect == Dialect::Main, "{dialect}");
        let id = created["conversationId"].as_str().expect("an id");
        let shown = visitor.get(&format!("/api/conversation/{id}"));
        if !dialect.is_tree() {
            assert_eq!(shown.status, 404, "{dialect}");
            continue;
        }
        let tools = shown.json().get("modelTools").is_some();
        assert_eq!(tools, dialect == Dialect::V0_9_3, "{dialect}");
        let for_all = shown.header("access-control-allow-origin").is_some();
        let late = [Dialect::V0_9_6, Dialect::Main].contains(&dialect);
        assert_eq!(for_all, late, "{dialect}");
    }
}

fn this_year() -> u64 {
    this_year_in(Duration::ZERO)
}

fn this_year_in(time: Duration) -> u64 {
    let now = std::time::SystemTime::now() + time;
    let seconds = now.duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    // Good enough but for the hours around New Year.
    1970 + seconds / 31_556_952
}

#[test]
fn terms_are_asked_for_where_they_are_configured() {
    for dialect in Dialect::ALL {
        let can_ask = ![Dialect::V0_9_6, Dialect::Main].contains(&dialect);
        for terms in [false, true] {
            let service = server(dialect).terms(terms).start().unwrap();
            let mut visitor = Visitor::new(&service, dialect);
            let response = visitor.post("/conversation", &json!({"model": MODEL}));
            let expected = if terms && can_ask { 405 } else { 200 };
            assert_eq!(response.status, expected, "{dialect}, {terms}");
        }
    }
}

#[test]
fn settings_replace_those_that_were_posted_before() {
    let service = server(Dialect::Main).start().unwrap();
    let mut visitor = Visitor::new(&service, Dialect::Main);
    visitor.create();
    let first = json!({
        "activeModel": MODEL,
        "customPrompts": {MODEL: "Be brief."},
        "toolsOverrides": {MODEL: true},
        "shareConversationsWithModelAuthors": false,
    });
    assert_eq!(visitor.post("/settings", &first).status, 200);
    let session = visitor.cookie.split('=').nth(1).unwrap().to_owned();
    let known = service.settings_of(&session).expect("settings");
    assert_eq!(known.active_model.as_deref(), Some(MODEL));
    assert_eq!(known.custom_prompts[MODEL], "Be brief.");
    assert!(known.tools_overrides[MODEL] && !known.share);
    visitor.post("/settings", &json!({}));
    let known = service.settings_of(&session).expect("settings");
    assert!(known.custom_prompts.is_empty() && known.share);
    assert_eq!(service.settings().len(), 2);
    for dialect in [Dialect::V0_7, Dialect::V0_9_3] {
        let service = server(dialect).start().unwrap();
        let mut visitor = Visitor::new(&service, dialect);
        let response = visitor.form("/settings", "http", "activeModel=org%2Fmodel");
        assert_eq!(response.status, 500, "{dialect}");
    }
}

#[test]
fn page_data_is_as_recorded() {
    let service = server(Dialect::V0_5).start().unwrap();
    let mut visitor = Visitor::new(&service, Dialect::V0_5);
    let home = visitor.get("/__data.json");
    let layout = r#"{"type":"data","nodes":[{"type":"data","data":[{"conversations":1,"settings":2,"models":8,"oldModels":15,"user":-1,"requiresLogin":6,"messagesBeforeLogin":16},[],{"shareConversationsWithModelAuthors":3,"ethicsModalAcceptedAt":4,"activeModel":5,"searchEnabled":6,"customPrompts":7},true,null,"org\u002Fmodel",false,{},[9],{"id":5,"name":5,"websiteUrl":-1,"modelUrl":-1,"datasetName":-1,"datasetUrl":-1,"displayName":5,"description":-1,"promptExamples":-1,"parameters":10,"preprompt":14},{"temperature":11,"truncate":12,"max_new_tokens":13},0.9,1000000,1024,"",[],0],"uses":{"dependencies":["conversation:list"],"url":1}},null]}"#;
    assert_eq!(home.text(), layout);
    let id = visitor.create();
    let path = format!("/conversation/{id}/__data.json?x-sveltekit-invalidated=_1");
    let host = visitor.host().to_owned();
    let page = format!(
        r#"{{"type":"data","nodes":[{{"type":"skip"}},{{"type":"data","data":[{{"messages":1,"title":2,"model":3,"searches":4}},[],"Untitled 1","org\u002Fmodel",{{}}],"uses":{{"dependencies":["http://{host}/conversation/conversation"],"params":["id"]}}}}]}}"#
    );
    assert_eq!(visitor.get(&path).text(), page);
    let other = path.replace("_1", "01");
    assert!(
        visitor
            .get(&other)
            .text()
            .ends_with(r#",{"type":"skip"}]}"#)
    );
    visitor.send("DELETE", &format!("/conversation/{id}"), &[], b"");
    let gone = visitor.get(&path);
    let error = r#"{"type":"error","error":{"message":"Conversation not found."},"status":404}]}"#;
    assert_eq!(gone.status, 200);
    assert!(gone.text().ends_with(error), "{}", gone.text());
}

#[test]
fn a_hidden_api_leaves_the_page_data_up_to_v0_9_4() {
    for dialect in Dialect::ALL.into_iter().filter(|dialect| dialect.is_tree()) {
        let service = server(dialect).expose_api(false).start().unwrap();
        let mut visitor = Visitor::new(&service, dialect);
        let id = visitor.create();
        let path = format!("/conversation/{id}/__data.json?x-sveltekit-invalidated=01");
        let data = visitor.get(&path);
        let models = visitor.get("/api/models");
        if [Dialect::V0_9_6, Dialect::Main].contains(&dialect) {
            assert_eq!(models.status, 200, "{dialect}");
            let nothing = r#"{"type":"data","nodes":[{"type":"skip"},null]}"#;
            assert_eq!(data.text(), nothing, "{dialect}");
            continue;
        }
        assert_eq!(models.status, 403, "{dialect}");
        assert_eq!(models.text(), "API is disabled", "{dialect}");
        let node = &data.json()["nodes"][1]["data"];
        let expected = json!({
            "messages": 1, "title": 10, "model": 11, "preprompt": 5, "rootMessageId": 3,
            "assistant": 12, "shared": 13,
        });
        assert_eq!(node[0], expected, "{dialect}: {}", data.text());
        assert_eq!(node[4], "system", "{dialect}");
    }
}

#[test]
fn a_late_turn_is_missing_and_then_overwrites() {
    for dialect in OF_2023 {
        let late = server(dialect).late_history(Late::WhenReleased);
        let service = late.start().unwrap();
        let mut visitor = Visitor::new(&service, dialect);
        let id = visitor.create();
        visitor.say(&id, "One");
        assert_eq!(said(&service, &id).len(), 0, "{dialect}");
        visitor.say(&id, "Two");
        let calls = service.model_calls();
        assert_eq!(calls[1].messages, [("user".to_owned(), "Two".to_owned())]);
        service.release_history();
        // The second turn knew nothing of the first.
        assert_eq!(said(&service, &id)[0], "Two", "{dialect}");
        visitor.say(&id, "Three");
        assert_eq!(service.model_calls()[2].messages.len(), 3, "{dialect}");
    }
    // A reply that nobody reads any more is stored as well, and as late.
    let service = server(Dialect::V0_5).start().unwrap();
    let mut visitor = Visitor::new(&service, Dialect::V0_5);
    let id = visitor.create();
    service.fail_next(1, "POST /conversation/{id}", Fault::Hold(2));
    drop(visitor.say_begin(&id, "Dropped"));
    assert!(service.wait_for(|service| service.held_replies() == 1));
    visitor.say(&id, "Meanwhile");
    assert_eq!(said(&service, &id)[0], "Meanwhile");
    service.release_replies();
    assert!(service.wait_for(|service| said(service, &id)[0] == "Dropped"));
    let late = Late::After(Duration::from_millis(30));
    let service = server(Dialect::V0_5).late_history(late).start().unwrap();
    let mut visitor = Visitor::new(&service, Dialect::V0_5);
    let id = visitor.create();
    visitor.say(&id, "One");
    assert!(service.wait_for(|service| said(service, &id).len() == 2));
}

#[test]
fn a_title_costs_a_call_unless_it_is_there() {
    for dialect in Dialect::ALL {
        let service = server(dialect).start().unwrap();
        let mut visitor = Visitor::new(&service, dialect);
        let id = visitor.create();
        visitor.say(&id, "Hello");
        let asks = !OF_2023.contains(&dialect);
        assert_eq!(
            count(&service, Purpose::Title),
            usize::from(asks),
            "{dialect}"
        );
        visitor.say(&id, "Again");
        assert_eq!(
            count(&service, Purpose::Title),
            usize::from(asks),
            "{dialect}"
        );

        let id = visitor.create();
        let path = format!("/conversation/{id}");
        let mut patch = |title: &str| visitor.json("PATCH", &path, &json!({ "title": title }));
        assert_eq!(patch("").status, 500, "{dialect}");
        assert_eq!(patch(&"x".repeat(101)).status, 500, "{dialect}");
        assert_eq!(patch("chat").status, 200, "{dialect}");
        visitor.say(&id, "Hello");
        assert_eq!(
            count(&service, Purpose::Title),
            usize::from(asks),
            "{dialect}"
        );
        assert_eq!(service.title(&id).as_deref(), Some("chat"), "{dialect}");
        assert_eq!(count(&service, Purpose::Reply), 3, "{dialect}");
    }
}

#[test]
fn a_model_that_answers_one_request_at_a_time_makes_the_title_a_wait() {
    let takes = Duration::from_millis(150);
    let service = server(Dialect::Main).one_at_a_time(takes).start().unwrap();
    let mut visitor = Visitor::new(&service, Dialect::Main);
    let id = visitor.create();
    let begun = Instant::now();
    read_until(&mut visitor.say_begin(&id, "Hello"), r#""stream""#);
    assert!(begun.elapsed() >= takes);
}

#[test]
fn a_system_prompt_arrives_twice_unless_the_root_is_deleted() {
    for dialect in Dialect::ALL.into_iter().filter(|dialect| dialect.is_tree()) {
        let twice = [Dialect::V0_9_6, Dialect::Main].contains(&dialect);
        let service = server(dialect).start().unwrap();
        let mut visitor = Visitor::new(&service, dialect);
        let preprompt = json!({"model": MODEL, "preprompt": "Be brief."});
        let id = visitor.create_with(&preprompt);
        visitor.say(&id, "Hello");
        let system = |service: &Service| service.model_calls().last().unwrap().system.clone();
        let expected = if twice {
            "Be brief.\n\nBe brief."
        } else {
            "Be brief."
        };
        assert_eq!(system(&service).as_deref(), Some(expected), "{dialect}");

        let id = visitor.create_with(&preprompt);
        let root = visitor.history(&id)[0]["id"].as_str().unwrap().to_owned();
        let path = format!("/api/conversation/{id}/message/{root}");
        let deleted = visitor.send("DELETE", &path, &[], b"").status;
        assert_eq!(deleted, if twice { 200 } else { 404 }, "{dialect}");
        if twice {
            let message = json!({"inputs": "Hello", "id": root});
            assert_eq!(visitor.say_json(&id, &message).status, 500, "{dialect}");
            visitor.say(&id, "Hello");
            assert_eq!(system(&service).as_deref(), Some("Be brief."), "{dialect}");
            assert_eq!(visitor.say(&id, "Again").status, 200, "{dialect}");
        }
    }
    let service = server(Dialect::V0_5).start().unwrap();
    let mut visitor = Visitor::new(&service, Dialect::V0_5);
    let prompts = r#"customPrompts={"org/model":"Be brief."}"#;
    visitor.form("/settings", "http", prompts);
    let id = visitor.create();
    visitor.say(&id, "Hello");
    let call = &service.model_calls()[0];
    assert_eq!(call.system.as_deref(), Some("Be brief."));
}

/// Asserts whether a reply that is held at its third token is cut short by what is done about it.
fn assert_cut_short(dialect: Dialect, hang_up: bool, expected: bool) {
    let service = server(dialect)
        .faults(|seen| seen.is_message().then_some(Fault::Hold(3)))
        .start()
        .unwrap();
    let mut visitor = Visitor::new(&service, dialect);
    let id = visitor.create();
    let mut reply = visitor.say_begin(&id, "Hello");
    assert!(service.wait_for(|service| service.held_replies() == 1));
    if hang_up {
        reply.shutdown(Shutdown::Both).unwrap();
        // Those that care see it soon, those that do not stay as they are.
        let hung_up = Instant::now();
        let long_since = || hung_up.elapsed() > Duration::from_millis(100);
        assert!(service.wait_for(|service| match expected {
            true => service.held_replies() == 0,
            false => long_since() && service.held_replies() == 1,
        }));
    } else {
        assert_eq!(visitor.stop(&id, &json!({})).status, 200);
    }
    service.release_replies();
    if !hang_up {
        read_reply(&mut reply, dialect);
    }
    let whole = "You said: \"Hello\". This is the first message of our conversation.";
    assert!(
        service
            .wait_for(|service| said(service, &id).len() == 2 && !said(service, &id)[1].is_empty())
    );
    assert_eq!(said(&service, &id)[1] != whole, expected, "{dialect}");
}

#[test]
fn what_stops_a_reply_depends_on_the_version() {
    for dialect in Dialect::ALL {
        let by_hanging_up = matches!(dialect, Dialect::V0_7 | Dialect::V0_8 | Dialect::V0_9_0);
        let by_stop = OF_2023.contains(&dialect)
            || matches!(dialect, Dialect::V0_7 | Dialect::V0_9_6 | Dialect::Main);
        assert_cut_short(dialect, true, by_hanging_up);
        assert_cut_short(dialect, false, by_stop);
    }
}

#[test]
fn a_stop_that_finds_nothing_ends_the_next_reply_on_main() {
    for dialect in [Dialect::V0_9_6, Dialect::Main] {
        let service = server(dialect).token_delay(Duration::from_millis(100));
        let service = service.start().unwrap();
        let mut visitor = Visitor::new(&service, dialect);
        let id = visitor.create();
        visitor.stop(&id, &json!({}));
        let begun = Instant::now();
        let (text, interrupted) = visitor.say(&id, "Hello").last_words();
        let marked = dialect == Dialect::Main;
        assert_eq!(interrupted, marked, "{dialect}");
        if marked {
            assert!(begun.elapsed() >= Duration::from_millis(340));
            assert!(text.len() < 40, "{text}");
        }
        // The mark is used up.
        assert!(!visitor.say(&id, "Again").last_words().1, "{dialect}");
    }
}

#[test]
fn a_busy_server_stops_the_message_after_the_stop_as_well() {
    for (pause, interrupted) in [(0, true), (320, false)] {
        let service = server(Dialect::Main).busy(true);
        let service = service.token_delay(Duration::from_millis(50)).start();
        let service = service.unwrap();
        let mut visitor = Visitor::new(&service, Dialect::Main);
        let id = visitor.create();
        let mut reply = visitor.say_begin(&id, "Dropped");
        read_until(&mut reply, r#""stream""#);
        drop(reply);
        let stopped = Instant::now();
        visitor.stop(&id, &json!({}));
        std::thread::sleep(Duration::from_millis(pause));
        let mut next = visitor.say_begin(&id, "Next");
        read_until(&mut next, "started");
        let too_slow = interrupted && stopped.elapsed() > Duration::from_millis(300);
        let mut rest = String::new();
        next.read_to_string(&mut rest).expect("a reply");
        let is_interrupted = rest.contains(r#""interrupted":true"#);
        assert!(
            too_slow || is_interrupted == interrupted,
            "after {pause} ms: {rest}"
        );
        assert_eq!(said(&service, &id)[1], "");
    }
}

#[test]
fn messages_are_counted_whatever_their_encoding() {
    for dialect in Dialect::ALL {
        let limited = server(dialect).rate_limit(2, Duration::from_secs(60));
        let service = limited.start().unwrap();
        let mut visitor = Visitor::new(&service, dialect);
        let id = visitor.create();
        let path = format!("/conversation/{id}");
        let wrong = [("Content-Type", "text/x-wrong")];
        assert_eq!(
            visitor.send("POST", &path, &wrong, b"{}").status,
            500,
            "{dialect}"
        );
        assert_eq!(visitor.say(&id, "One").status, 200, "{dialect}");
        let refused = visitor.say(&id, "Two");
        assert_eq!(refused.status, 429, "{dialect}");
        let message = "You are sending too many messages. Try again later.";
        assert_eq!(refused.json(), json!({ "message": message }), "{dialect}");
        assert_eq!(refused.header("retry-after"), None, "{dialect}");
        assert_eq!(said(&service, &id)[0], "One", "{dialect}");
    }
}

#[test]
fn other_limits_do_not_pass_with_time() {
    let limited = server(Dialect::Main).messages_per_conversation(2);
    let service = limited.conversation_limit(1).start().unwrap();
    let mut visitor = Visitor::new(&service, Dialect::Main);
    let id = visitor.create();
    visitor.say(&id, "One");
    let refused = visitor.say(&id, "Two");
    assert_eq!(refused.status, 429);
    assert!(
        refused
            .text()
            .contains("This conversation has more than 2 messages")
    );
    let refused = visitor.post("/conversation", &json!({"model": MODEL}));
    assert_eq!(refused.status, 429);
    let message = r#"{"message":"You have reached the maximum number of conversations. Delete some to continue."}"#;
    assert_eq!(refused.text(), message);
}

#[test]
fn a_header_can_be_wanted_on_every_request() {
    let service = server(Dialect::Main)
        .trusted_email_header("X-Email")
        .start()
        .unwrap();
    let mut visitor = Visitor::new(&service, Dialect::Main);
    visitor.headers = vec![("X-Email".to_owned(), "jane@example.org".to_owned())];
    let id = visitor.create();
    visitor.cookie.clear();
    assert_eq!(visitor.say(&id, "Hello").status, 200);
    visitor.headers.clear();
    assert_eq!(visitor.get(&format!("/api/conversation/{id}")).status, 404);

    let service = server(Dialect::Main)
        .wanted_header("X-Token")
        .start()
        .unwrap();
    let mut visitor = Visitor::new(&service, Dialect::Main);
    assert_eq!(visitor.get("/api/models").status, 401);
    visitor.headers = vec![("X-Token".to_owned(), "abc".to_owned())];
    assert_eq!(visitor.get("/api/models").status, 200);
}

#[test]
fn the_next_requests_of_a_kind_can_fail() {
    let service = server(Dialect::Main).base_path("/chat").start().unwrap();
    let mut visitor = Visitor::new(&service, Dialect::Main);
    service.fail_next(2, "POST /conversation", Fault::Status(503, Some(1)));
    for status in [503, 503, 200] {
        let response = visitor.post("/conversation", &json!({"model": MODEL}));
        assert_eq!(response.status, status);
        assert_eq!(response.header("retry-after").is_some(), status == 503);
    }
    let id = visitor.create();
    service.fail_next(1, "POST /conversation/{id}", Fault::Status(502, None));
    assert_eq!(visitor.say(&id, "Hello").status, 502);
    assert_eq!(visitor.say(&id, "Hello").status, 200);
}

#[test]
fn a_backend_that_refuses_shows_as_the_version_has_it() {
    for dialect in Dialect::ALL {
        let service = server(dialect)
            .faults(|seen| {
                seen.is_message()
                    .then_some(Fault::Backend(429, "slow down"))
            })
            .start()
            .unwrap();
        let mut visitor = Visitor::new(&service, dialect);
        let id = visitor.create();
        let reply = visitor.say(&id, "Hello");
        if OF_2023.contains(&dialect) {
            assert_eq!(reply.status, 429, "{dialect}");
            assert_eq!(reply.json()["error"], "slow down", "{dialect}");
            continue;
        }
        assert_eq!(reply.status, 200, "{dialect}");
        let lines = reply.lines();
        let error = lines.iter().find(|line| line["status"] == "error");
        if dialect == Dialect::V0_7 {
            assert_eq!((error, reply.last_words().0.as_str()), (None, "Hello"));
            continue;
        }
        let error = error.expect("an error");
        assert_eq!(error["message"], "429 slow down", "{dialect}");
        let has_code = [Dialect::V0_9_6, Dialect::Main].contains(&dialect);
        assert_eq!(error["statusCode"] == 429, has_code, "{dialect}");
    }
}

#[test]
fn only_v0_9_3_calls_a_reply_interrupted_that_reached_its_length() {
    for dialect in Dialect::ALL.into_iter().filter(|dialect| dialect.is_tree()) {
        let service = server(dialect)
            .faults(|seen| seen.is_message().then_some(Fault::Length(2)))
            .start()
            .unwrap();
        let mut visitor = Visitor::new(&service, dialect);
        let id = visitor.create();
        let (text, interrupted) = visitor.say(&id, "Hello").last_words();
        assert!(
            "You said: \"Hello\".".starts_with(text.trim_end()),
            "{text}"
        );
        assert_eq!(interrupted, dialect == Dialect::V0_9_3, "{dialect}");
    }
}

#[test]
fn every_release_has_a_dialect() {
    let table = [
        (Dialect::V0_3, &["v0.3", "v0.4"][..]),
        (Dialect::V0_8, &["v0.8", "v0.8.4"]),
        (Dialect::V0_9_0, &["v0.9", "v0.9.0", "v0.9.1"]),
        (Dialect::V0_9_3, &["v0.9.2", "v0.9.4", "v0.9.5"]),
        (Dialect::Main, &["v0.10", "v0.10.1", "v0.11"]),
    ];
    for (dialect, names) in table {
        for name in names {
            assert_eq!(name.parse(), Ok(dialect), "{name}");
        }
    }
    for dialect in Dialect::ALL {
        assert_eq!(dialect.to_string().parse(), Ok(dialect));
    }
}

#[test]
fn a_web_search_can_fail() {
    let service = server(Dialect::V0_5)
        .web_search_fails(true)
        .start()
        .unwrap();
    let mut visitor = Visitor::new(&service, Dialect::V0_5);
    let id = visitor.create();
    let path = format!("/conversation/{id}/web-search?prompt=rust");
    let mut search = visitor.begin("GET", &path, &[], b"");
    let messages = read_until(&mut search, r#""result""#);
    assert!(messages.contains(r#"{"type":"error""#), "{messages}");
    for dialect in [Dialect::V0_7, Dialect::V0_8, Dialect::V0_9_3, Dialect::Main] {
        let service = server(dialect).web_search_fails(true).start().unwrap();
        let mut visitor = Visitor::new(&service, dialect);
        let id = visitor.create();
        let mut message = json!({"inputs": "Hello", "web_search": true});
        if dialect.is_tree() {
            message["id"] = visitor.history(&id)[0]["id"].clone();
        }
        let (body, content_type) = visitor.encoded(&message);
        let origin = format!("http://{}", visitor.host());
        let headers = [("Content-Type", content_type), ("Origin", &origin)];
        let path = format!("/conversation/{id}");
        let mut socket = visitor.begin("POST", &path, &headers, body.as_bytes());
        let reply = read_reply(&mut socket, dialect);
        assert!(!reply.last_words().0.contains("searched"), "{dialect}");
        // Main has no web search any more.
        let searches = dialect != Dialect::Main;
        let fails = reply.text().contains(r#":"error""#);
        assert_eq!(fails, searches, "{dialect}");
    }
}

/// The events of a reply that is picked up: number and data of the updates, then the end.
fn events(response: &Response) -> (Vec<(usize, Value)>, Option<String>) {
    let mut updates = Vec::new();
    let mut end = None;
    for event in response.text().split("\n\n") {
        let field = |name: &str| {
            let lines = event.lines();
            lines.filter_map(|line| line.strip_prefix(name)).next()
        };
        let Some(data) = field("data: ") else {
            continue;
        };
        let data: Value = serde_json::from_str(data).expect(data);
        match field("id: ") {
            Some(id) => updates.push((id.parse().expect("a number"), data)),
            None => end = data["status"].as_str().map(str::to_owned),
        }
    }
    (updates, end)
}

#[test]
fn a_reply_can_be_picked_up_on_main() {
    let service = server(Dialect::Main)
        .faults(|seen| seen.is_message().then_some(Fault::Disconnect(2)))
        .token_delay(Duration::from_millis(20))
        .start()
        .unwrap();
    let mut visitor = Visitor::new(&service, Dialect::Main);
    let id = visitor.create();
    let generation = "71abb1fb-ec51-4e5e-a21b-d1fd3994ea06";
    let parent = visitor.history(&id)[0]["id"].clone();
    let message = json!({"inputs": "Hello", "id": parent, "generationId": generation});
    let cut = visitor.say_json(&id, &message);
    assert!(!cut.text().contains("finalAnswer"));
    let path = format!("/conversation/{id}/stream?generationId={generation}&fromSeq=2");
    let (updates, end) = events(&visitor.get(&path));
    assert_eq!(end.as_deref(), Some("completed"));
    assert_eq!(updates[0].0, 3);
    let tokens = updates
        .iter()
        .filter(|(_, update)| update["type"] == "stream");
    let text: String = tokens
        .map(|(_, update)| update["token"].as_str().unwrap())
        .collect();
    let whole = "You said: \"Hello\". This is the first message of our conversation.";
    assert_eq!(text, whole);
    // Two more: the final answer and the status.
    assert!(updates.len() < 10, "tokens are merged: {}", updates.len());

    let last = updates.len().to_string();
    let headers = [("Last-Event-ID", last.as_str())];
    let again = visitor.send("GET", &format!("/conversation/{id}/stream"), &headers, b"");
    assert_eq!(events(&again).0.len(), 2);
    let other = path.replace("71abb1fb", "00000000");
    assert_eq!(
        events(&visitor.get(&other)),
        (Vec::new(), Some("gone".to_owned()))
    );
    let v2 = visitor.get(&format!("/api/v2/conversations/{id}")).json();
    assert_eq!(v2["json"]["messages"][2]["generationId"], generation);

    let service = server(Dialect::V0_9_6).start().unwrap();
    let mut visitor = Visitor::new(&service, Dialect::V0_9_6);
    let id = visitor.create();
    assert_eq!(
        visitor.get(&format!("/conversation/{id}/stream")).status,
        404
    );
}

#[test]
fn a_stop_cuts_a_reply_to_what_was_seen_on_main() {
    let service = server(Dialect::Main)
        .faults(|seen| seen.is_message().then_some(Fault::Hold(4)))
        .start()
        .unwrap();
    let mut visitor = Visitor::new(&service, Dialect::Main);
    let id = visitor.create();
    let _reply = visitor.say_begin(&id, "Hello");
    assert!(service.wait_for(|service| service.held_replies() == 1));
    visitor.stop(&id, &json!({"seenContentLength": 8}));
    let ended = events(&visitor.get(&format!("/conversation/{id}/stream?fromSeq=0")));
    assert_eq!(ended.1.as_deref(), Some("interrupted"));
    assert_eq!(said(&service, &id)[1], "You said");
}

#[test]
fn conversations_are_listed_page_by_page() {
    for dialect in Dialect::ALL.into_iter().filter(|dialect| dialect.is_tree()) {
        let service = server(dialect).page_size(2).start().unwrap();
        let mut visitor = Visitor::new(&service, dialect);
        let ids: Vec<String> = (0..3).map(|_| visitor.create()).collect();
        let mut listed = Vec::new();
        for (page, size) in [(0, 2), (1, 1), (2, 0)] {
            let list = visitor.get(&format!("/api/conversations?p={page}")).json();
            let list = list.as_array().expect("a list").clone();
            assert_eq!(list.len(), size, "{dialect}");
            listed.extend(
                list.into_iter()
                    .map(|one| one["id"].as_str().unwrap().to_owned()),
            );
        }
        listed.sort();
        let mut ids = ids;
        ids.sort();
        assert_eq!(listed, ids, "{dialect}");
        let late = [Dialect::V0_9_6, Dialect::Main].contains(&dialect);
        let v2 = visitor.get("/api/v2/conversations?p=0");
        assert_eq!(v2.status, if late { 200 } else { 404 }, "{dialect}");
        if late {
            assert_eq!(v2.json()["json"]["hasMore"], true, "{dialect}");
        }
        let deleted = visitor.send("DELETE", "/api/conversations", &[], b"");
        assert_eq!(deleted.status, if late { 200 } else { 405 }, "{dialect}");
        if !late {
            let deleted = visitor.form("/conversations?/delete", "http", "");
            assert_eq!(deleted.status, 200, "{dialect}");
        }
        assert_eq!(service.conversations(), 0, "{dialect}");
    }
}

#[test]
fn a_conversation_is_shared_and_copied() {
    for dialect in Dialect::ALL {
        let service = server(dialect).start().unwrap();
        let mut visitor = Visitor::new(&service, dialect);
        let id = visitor.create();
        visitor.say(&id, "Hello");
        let path = format!("/conversation/{id}/share");
        let first = visitor.post(&path, &json!({})).json();
        assert_eq!(visitor.post(&path, &json!({})).json(), first, "{dialect}");
        let late = [Dialect::V0_9_6, Dialect::Main].contains(&dialect);
        let share = match late {
            true => first["shareId"].as_str().expect("an id"),
            false => {
                let url = first["url"].as_str().expect("a URL");
                url.strip_prefix(&format!("{}/r/", service.url()))
                    .expect(url)
            }
        };
        assert_eq!(share.len(), 7, "{dialect}");
        assert_eq!(visitor.get(&format!("/r/{share}")).status, 200, "{dialect}");
        if dialect.is_tree() {
            let copy = visitor.create_with(&json!({"model": MODEL, "fromShare": share}));
            assert_eq!(said(&service, &copy), said(&service, &id), "{dialect}");
        }
        visitor.say(&id, "More");
        assert_ne!(visitor.post(&path, &json!({})).json(), first, "{dialect}");
    }
}

#[test]
fn a_model_is_changed_from_v0_9_3_on_and_shows_what_it_can_do() {
    for dialect in Dialect::ALL.into_iter().filter(|dialect| dialect.is_tree()) {
        let eyes = Model {
            multimodal: true,
            tools: true,
            reasoning: true,
            ..Model::new("org/eyes")
        };
        let models = vec![Model::new(MODEL), eyes];
        let service = server(dialect).able_models(models).start().unwrap();
        let mut visitor = Visitor::new(&service, dialect);
        let id = visitor.create();
        let path = format!("/conversation/{id}");
        let patched = visitor.json("PATCH", &path, &json!({"model": "org/eyes"}));
        let late = !matches!(dialect, Dialect::V0_8 | Dialect::V0_9_0);
        assert_eq!(patched.status, if late { 200 } else { 500 }, "{dialect}");
        let models = visitor.get("/api/models").json();
        let (blind, eyes) = (&models[0], &models[1]);
        assert_eq!(blind["multimodal"], false, "{dialect}");
        assert_eq!(eyes["multimodal"], true, "{dialect}");
        let expected = [
            ("tools", dialect == Dialect::V0_9_3),
            (
                "supportsTools",
                matches!(dialect, Dialect::V0_9_6 | Dialect::Main),
            ),
            ("supportsReasoning", dialect == Dialect::Main),
        ];
        for (member, there) in expected {
            assert_eq!(eyes.get(member).is_some(), there, "{dialect}, {member}");
        }
    }
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in bytes.chunks(3) {
        let byte = |index| u32::from(three.get(index).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for place in 0..4_usize {
            let digit = bits >> (18 - 6 * place) & 63;
            match place <= three.len() {
                true => text.push(char::from(DIGITS[digit as usize])),
                false => text.push('='),
            }
        }
    }
    text
}

/// As much of an image as tells its size.
fn png(side: u32) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR".to_vec();
    bytes.extend(side.to_be_bytes());
    bytes.extend(side.to_be_bytes());
    bytes
}

/// A server with a model that has eyes and one that has not.
fn with_eyes(dialect: Dialect) -> Builder {
    let eyes = Model {
        multimodal: true,
        ..Model::new(MODEL)
    };
    server(dialect).able_models(vec![eyes, Model::new("org/blind")])
}

const BOUNDARY: &str = "----h2ogptBoundary7MA4YWxk";

/// A form with a message and files: file name, media type and content as they are sent.
fn multipart(message: &Value, files: &[(&str, &str, &str)]) -> String {
    let mut body = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"data\"\r\n\r\n{message}\r\n"
    );
    for (name, mime, content) in files {
        body += &format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"files\"; \
             filename=\"{name}\"\r\nContent-Type: {mime}\r\n\r\n{content}\r\n"
        );
    }
    body + &format!("--{BOUNDARY}--\r\n")
}

impl Visitor<'_> {
    /// Sends a message with files after the last one.
    fn say_with(&mut self, id: &str, files: &[(&str, &str, &str)]) -> Response {
        let parent = self.history(id).last().expect("a message")["id"].clone();
        self.say_with_after(id, &parent, files)
    }

    fn say_with_after(
        &mut self,
        id: &str,
        parent: &Value,
        files: &[(&str, &str, &str)],
    ) -> Response {
        let body = multipart(&json!({"inputs": "Look", "id": parent}), files);
        let origin = format!("http://{}", self.host());
        let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
        let headers = [("Content-Type", content_type.as_str()), ("Origin", &origin)];
        self.send(
            "POST",
            &format!("/conversation/{id}"),
            &headers,
            body.as_bytes(),
        )
    }
}

#[test]
fn files_are_sent_as_json_up_to_v0_9_1() {
    for dialect in [Dialect::V0_7, Dialect::V0_8, Dialect::V0_9_0] {
        let service = with_eyes(dialect).start().unwrap();
        let mut visitor = Visitor::new(&service, dialect);
        let strings = dialect != Dialect::V0_9_0;
        let object = |image: &str| match strings {
            true => json!(image),
            false => {
                json!({"type": "base64", "name": "a.png", "value": image, "mime": "image/png"})
            }
        };
        let cases = [
            (object(&base64(&png(224))), 200),
            (object(&base64(&png(225))), if strings { 413 } else { 200 }),
            (object(&base64(b"none")), if strings { 500 } else { 200 }),
            (
                object(&base64(&vec![b'x'; 10_485_761])),
                if strings { 500 } else { 413 },
            ),
            (
                if strings {
                    json!({"type": "base64"})
                } else {
                    json!("abc")
                },
                500,
            ),
        ];
        for (file, status) in cases {
            let id = visitor.create();
            let (body, _) = visitor.message(&id, "Look");
            let mut message: Value = serde_json::from_str(&body).unwrap();
            message["files"] = json!([file]);
            let path = format!("/conversation/{id}");
            let headers = [("Content-Type", "application/json")];
            let body = message.to_string();
            if strings && body.len() > 512 * 1024 {
                continue;
            }
            let mut socket = visitor.begin("POST", &path, &headers, body.as_bytes());
            let reply = read_reply(&mut socket, dialect);
            assert_eq!(
                reply.status,
                status,
                "{dialect}: {}",
                &body[..body.len().min(200)]
            );
        }
        let images: Vec<_> = service
            .model_calls()
            .into_iter()
            .flat_map(|call| call.images)
            .collect();
        assert_eq!(images[0].bytes, png(224), "{dialect}");
    }
}

#[test]
fn files_are_parts_of_a_form_from_v0_9_2_on() {
    let image = base64(&png(500));
    for dialect in [Dialect::V0_9_3, Dialect::V0_9_6, Dialect::Main] {
        let service = with_eyes(dialect).start().unwrap();
        let mut visitor = Visitor::new(&service, dialect);
        let id = visitor.create();
        let root = visitor.history(&id)[0]["id"].clone();
        let files = [
            ("base64;a %22dot%22;1.png", "image/png", image.as_str()),
            ("base64;notes.txt", "text/plain", &base64("é".as_bytes())),
            (
                "base64;pasted",
                "application/vnd.chatui.clipboard",
                &base64(b"pasted"),
            ),
            ("base64;a.pdf", "application/pdf", &base64(b"%PDF")),
            ("base64;empty.png", "image/png", ""),
        ];
        let reply = visitor.say_with(&id, &files);
        assert_eq!(reply.status, 200, "{dialect}: {}", reply.text());
        let call = service.model_calls().pop().expect("a call");
        assert_eq!(call.images.len(), 1, "{dialect}");
        assert_eq!(call.images[0].name, "a \"dot\";1.png", "{dialect}");
        assert_eq!(call.images[0].bytes, png(500), "{dialect}");
        let prompt = &call.messages[0].1;
        assert_eq!(
            prompt.contains("<document name=\"notes.txt\""),
            dialect == Dialect::Main
        );
        assert_eq!(
            prompt.contains("pasted\n\n"),
            dialect != Dialect::V0_9_3,
            "{dialect}"
        );
        assert!(prompt.ends_with("Look"), "{dialect}");

        let history = visitor.history(&id);
        let stored = history[1]["files"].as_array().expect("files").clone();
        assert_eq!(stored.len(), 4, "{dialect}");
        assert_eq!(stored[0]["type"], "hash", "{dialect}");
        let hash = stored[0]["value"].as_str().expect("a hash");
        let file = visitor.get(&format!("/conversation/{id}/output/{hash}"));
        assert_eq!(file.header("content-type"), Some("image/png"), "{dialect}");
        assert_eq!(file.body, png(500), "{dialect}");

        // Later turns see it, and a known hash names it again.
        visitor.say(&id, "And now?");
        assert_eq!(
            service.model_calls().pop().unwrap().images.len(),
            1,
            "{dialect}"
        );
        let again = visitor.say_with_after(&id, &root, &[("hash;b.png", "image/png", hash)]);
        assert_eq!(again.status, 200, "{dialect}");
        assert_eq!(service.model_calls().pop().unwrap().images[0].name, "b.png");

        let blind = visitor.create_with(&json!({"model": "org/blind"}));
        visitor.say_with(&blind, &[("base64;a.png", "image/png", &image)]);
        assert!(
            service.model_calls().pop().unwrap().images.is_empty(),
            "{dialect}"
        );
    }
}

#[test]
fn a_file_that_makes_no_sense_is_refused_or_spoils_what_follows() {
    let large = base64(&vec![b'x'; 10_485_761]);
    for dialect in [Dialect::V0_9_3, Dialect::Main] {
        let service = with_eyes(dialect).start().unwrap();
        let mut visitor = Visitor::new(&service, dialect);
        let id = visitor.create();
        let refused = visitor.say_with(&id, &[("a.png", "image/png", "abcd")]);
        assert_eq!(refused.status, 500, "{dialect}");
        let refused = visitor.say_with(&id, &[("base64;a.txt", "text/plain", &large)]);
        assert_eq!(refused.status, 413, "{dialect}");
        assert_eq!(refused.json()["message"], "File too large, should be <10MB");
        let two = [("base64;a", "text/plain", large.as_str()); 2];
        let too_much = visitor.say_with(&id, &two);
        let expected = if dialect == Dialect::Main { 413 } else { 500 };
        assert_eq!(too_much.status, expected, "{dialect}");
        assert!(too_much.text().contains("An error occurred"), "{dialect}");
        assert_eq!(visitor.history(&id).len(), 1, "{dialect}");

        let bad = [
            (
                "base64;a.png",
                "not an image",
                Some("Input buffer contains unsupported image format"),
            ),
            ("hash;a.png", "0000", None),
        ];
        for (name, content, message) in bad {
            let id = visitor.create();
            let root = visitor.history(&id)[0]["id"].clone();
            let failed = visitor.say_with(&id, &[(name, "image/png", content)]);
            let is_spoiled = |reply: &Response| {
                let lines = reply.lines();
                let error = lines.iter().find(|line| line["status"] == "error");
                error.is_some_and(|error| error["message"].as_str() == message)
            };
            assert!(is_spoiled(&failed), "{dialect}: {}", failed.text());
            let code = failed.text().contains(r#""statusCode":404"#);
            assert_eq!(
                code,
                message.is_none() && dialect == Dialect::Main,
                "{dialect}"
            );
            assert!(is_spoiled(&visitor.say(&id, "Again")), "{dialect}");
            let beside = visitor.say_with_after(&id, &root, &[]);
            assert!(!is_spoiled(&beside), "{dialect}");
        }
    }
}

#[test]
fn tools_are_called_where_the_model_supports_them() {
    let able = Model {
        tools: true,
        ..Model::new(MODEL)
    };
    let servers = vec![("fake".to_owned(), "http://127.0.0.1:9/mcp".to_owned())];
    let outcomes = [
        (ToolOutcome::Result, vec!["call", "eta", "result"]),
        (ToolOutcome::Error, vec!["call", "eta", "error"]),
        (ToolOutcome::Elicitation, vec!["call", "eta", "request"]),
    ];
    for dialect in [Dialect::V0_9_3, Dialect::V0_9_6, Dialect::Main] {
        let has_tools = dialect != Dialect::V0_9_3;
        for (outcome, subtypes) in outcomes.clone() {
            let models = vec![able.clone(), Model::new("org/unable")];
            let servers = servers.clone();
            let service = server(dialect)
                .able_models(models)
                .tools(Tools { servers, outcome })
                .start()
                .unwrap();
            let mut visitor = Visitor::new(&service, dialect);
            let list = visitor.get("/api/mcp/servers");
            assert_eq!(list.status, if has_tools { 200 } else { 404 }, "{dialect}");
            if has_tools {
                assert_eq!(list.json()[0]["name"], "fake", "{dialect}");
            }
            let mut called = |model: &str, selection: Value| {
                let id = visitor.create_with(&json!({ "model": model }));
                let mut message = json!({"inputs": "Hello"});
                message["id"] = visitor.history(&id)[0]["id"].clone();
                if !selection.is_null() {
                    message["selectedMcpServerNames"] = selection;
                }
                let reply = visitor.say_json(&id, &message);
                let lines = reply.lines();
                let subtypes = lines.iter().filter_map(|line| line["subtype"].as_str());
                (
                    subtypes.map(str::to_owned).collect::<Vec<_>>(),
                    reply.last_words().0,
                )
            };
            let expected = if has_tools { subtypes } else { Vec::new() };
            let (updates, text) = called(MODEL, Value::Null);
            assert_eq!(updates, expected, "{dialect}");
            let asks = has_tools && outcome == ToolOutcome::Elicitation;
            assert_eq!(text.is_empty(), asks, "{dialect}: {text}");
            assert_eq!(called(MODEL, json!(["fake"])).0, expected, "{dialect}");
            assert!(called(MODEL, json!([])).0.is_empty(), "{dialect}");
            assert!(called("org/unable", Value::Null).0.is_empty(), "{dialect}");
            visitor.post(
                "/settings",
                &json!({"toolsOverrides": {"org/unable": true}}),
            );
            let id = visitor.create_with(&json!({"model": "org/unable"}));
            let reply = visitor.say(&id, "Hello");
            assert_eq!(reply.text().contains(r#""tool""#), has_tools, "{dialect}");
        }
    }
}
