//! The reply of v0.7 and later: JSON lines.

use std::time::Duration;

use super::answer;
use super::dialect::{Cutting, Title};
use super::exchange::{After, Exchange};
use super::fault::Fault;
use super::generation::End;
use super::model::{self, Engaged};
use super::response::{Beat, Response, Stream};
use super::server::Shared;
use super::tools;
use super::turn::{FOR_EVER, Step, Turn, step};
use super::value::{Value, object};
use super::web_search;

const KEEP_ALIVE: &str = "{\"type\":\"status\",\"status\":\"keepAlive\"}\n";
const KEEP_ALIVE_EVERY: Duration = Duration::from_millis(100);
/// How long after the final answer it is stored, on versions that store late.
const STORED_AFTER: Duration = Duration::from_millis(80);
const PADDING: usize = 4096;

pub(super) fn stream(exchange: &Exchange<'_>, turn: Turn) -> After {
    let mut head = Response::empty(200);
    if let Some(content_type) = exchange.rules().content_type {
        head = head.header("content-type", content_type);
    }
    let stream = exchange.stream(head);
    let mut reply = Reply {
        exchange,
        turn,
        stream,
        said: Vec::new(),
        engaged: None,
    };
    reply.begin();
    reply.generate()
}

/// A token: how it stands in its line, and what it is in UTF-16, since it may end
/// in the middle of a character.
struct Piece {
    json: String,
    units: Vec<u16>,
}

fn pieces(text: &str, cutting: Cutting) -> Vec<Piece> {
    let units = |text: &str| text.encode_utf16().collect();
    match cutting {
        Cutting::FiveUnits => {
            let all: Vec<u16> = units(text);
            answer::unit_strings(text, 5)
                .into_iter()
                .zip(all.chunks(5))
                .map(|(json, units)| Piece {
                    json,
                    units: units.to_vec(),
                })
                .collect()
        }
        Cutting::Words | Cutting::PaddedWords => answer::words(text)
            .into_iter()
            .map(|word| Piece {
                json: match cutting {
                    Cutting::PaddedWords => answer::padded_string(word, 16),
                    _ => answer::string(word),
                },
                units: units(word),
            })
            .collect(),
    }
}

struct Reply<'a> {
    exchange: &'a Exchange<'a>,
    turn: Turn,
    stream: Stream<'a>,
    /// The text of the tokens sent so far, in UTF-16.
    said: Vec<u16>,
    /// The model, while it is at work.
    engaged: Option<Engaged<'a>>,
}

impl<'a> Reply<'a> {
    fn shared(&self) -> &'a Shared {
        self.exchange.shared
    }

    /// Everything before the first token.
    fn begin(&mut self) {
        let rules = self.exchange.rules();
        self.status("started", None, None);
        if rules.keep_alive {
            self.stream.chunk(KEEP_ALIVE);
            self.stream.beat(Beat {
                every: KEEP_ALIVE_EVERY,
                line: KEEP_ALIVE,
            });
        }
        self.title();
        if let (Some(kind), Some(query)) = (rules.web_search_kind, self.turn.search.clone()) {
            let fails = self.shared().config.web_search_fails;
            for update in web_search::updates(kind, &query, fails) {
                self.update(&update);
            }
        }
    }

    /// Asks the model for a title, if the conversation needs one, and announces it.
    fn title(&mut self) {
        let Some(title) = self.turn.title.clone() else {
            return;
        };
        let shared = self.shared();
        if !self.engage() {
            return;
        }
        self.turn.call_for_title(shared);
        if shared.config.one_at_a_time {
            let watched = shared.config.rules.closing_stops;
            let stopped = || self.turn.ends_now(shared);
            self.stream
                .wait_until(shared.config.title_takes, watched, &stopped);
        }
        self.engaged = None;
        match shared.config.rules.title {
            Title::Never => {}
            Title::Status => self.status("title", Some(&title), None),
            Title::Own => self.update(&object! { "type": "title", "title": &title }),
        }
    }

    /// Waits for the model; false if there is no point in it any more.
    fn engage(&mut self) -> bool {
        let (shared, turn) = (self.shared(), &self.turn);
        self.engaged = model::engage(shared, &mut self.stream, &|| turn.ends_now(shared));
        self.engaged.is_some()
    }

    fn generate(mut self) -> After {
        let shared = self.shared();
        if let Err(problem) = &self.turn.call {
            let (status, message) = (problem.status, problem.message);
            return self.report_error(message, status);
        }
        if self.engage() {
            self.turn.call_for_reply(shared);
        }
        let mut pieces = pieces(&self.turn.text, shared.config.rules.cutting);
        let mut is_cut = false;
        if let Some(Fault::Length(tokens)) = self.exchange.fault {
            is_cut = tokens < pieces.len();
            pieces.truncate(tokens);
        }
        let tools_at = self.tools_at(&pieces);
        for index in 0..=pieces.len() {
            if tools_at == Some(index) {
                for update in tools::updates(shared.config.tools.outcome) {
                    self.update(&update);
                }
            }
            let fault = self.exchange.fault.as_ref();
            let (turn, stream) = (&self.turn, &mut self.stream);
            match step(shared, turn, stream, fault, index, pieces.len()) {
                Step::Token => {}
                Step::Fault(fault) => return self.fail(fault, &pieces[..index]),
                Step::Stopped => return self.stopped(),
                Step::Gone => {
                    self.store_said();
                    return self.lost();
                }
                Step::End => return self.lost(),
            }
            if let Some(piece) = pieces.get(index) {
                self.token(piece);
                self.said.extend_from_slice(&piece.units);
            }
        }
        if is_cut {
            let interrupted = shared.config.rules.length_interrupts;
            let text = self.said_text();
            return self.finish(&text, interrupted, End::Completed);
        }
        let text = self.turn.text.clone();
        self.finish(&text, false, End::Completed)
    }

    /// Before which token a tool is called, if one is.
    fn tools_at(&self, pieces: &[Piece]) -> Option<usize> {
        let call = self.turn.call.as_ref().ok()?;
        if call.tools.is_empty() {
            return None;
        }
        let mut length = 0;
        let before = pieces.iter().take_while(|piece| {
            length += piece.units.len();
            length <= tools::BEFORE.len()
        });
        Some(before.count())
    }

    fn stopped(self) -> After {
        let text = self.turn.stopped_text(self.shared(), &self.said_text());
        self.finish(&text, true, End::Interrupted)
    }

    /// The final answer and what follows it.
    fn finish(mut self, text: &str, interrupted: bool, end: End) -> After {
        let (rules, shared) = (self.exchange.rules(), self.shared());
        self.engaged = None;
        if !rules.stores_late {
            self.turn.store(shared, text);
        }
        self.final_answer(text, interrupted);
        if rules.endless {
            self.stream.wait(None, true);
            return After::Close;
        }
        if rules.stores_late {
            self.stream.silence();
            self.stream.wait(Some(STORED_AFTER), false);
            self.turn.store(shared, text);
        }
        self.end(end)
    }

    fn fail(mut self, fault: &Fault, sent: &[Piece]) -> After {
        let rules = self.exchange.rules();
        match fault {
            Fault::CutMidEvent(_) => {
                self.stream.chunk("{\"type\":\"stream\",\"token\":\" ha");
            }
            Fault::Stall(_) => {
                let (shared, turn) = (self.shared(), &self.turn);
                let stopped = || turn.ends_now(shared);
                self.stream.wait_until(FOR_EVER, true, &stopped);
                if stopped() && !self.stream.is_gone() {
                    return self.stopped();
                }
            }
            Fault::NoFinal(_) => {
                self.store_said();
                return self.end(End::Completed);
            }
            Fault::ErrorEvent(_) | Fault::Backend(..) if rules.endless => {
                // The one version that has no word for it.
                let prompt = self.turn.prompt.clone();
                return self.finish(&prompt, false, End::Error);
            }
            Fault::ErrorEvent(_) => {
                if rules.tries_twice {
                    for piece in sent {
                        self.token(piece);
                    }
                }
                return self.report_error(Some("Model is overloaded"), None);
            }
            Fault::Backend(status, message) => {
                let message = format!("{status} {message}");
                return self.report_error(Some(&message), Some(*status));
            }
            _ => {}
        }
        self.store_said();
        self.lost()
    }

    fn report_error(mut self, message: Option<&str>, status: Option<u16>) -> After {
        let (rules, shared) = (self.exchange.rules(), self.shared());
        self.engaged = None;
        let status = status.filter(|_| rules.error_codes);
        self.status("error", message, status);
        self.store_said();
        if rules.cutting == Cutting::FiveUnits {
            // The oldest of these versions goes on as if nothing had happened.
            let said = self.said_text();
            self.final_answer(&said, false);
        }
        self.turn.end_log(shared, Some(End::Error));
        self.stream.end();
        After::KeepAlive
    }

    fn end(mut self, end: End) -> After {
        if self.exchange.rules().finished {
            self.status("finished", None, None);
        }
        self.turn.end_log(self.shared(), Some(end));
        self.stream.end();
        After::KeepAlive
    }

    /// The reply ends here, and nobody can pick it up any more.
    fn lost(self) -> After {
        self.turn.end_log(self.shared(), None);
        After::Close
    }

    fn token(&mut self, piece: &Piece) {
        let (token, length) = (&piece.json, piece.units.len());
        self.stream
            .chunk(&format!("{{\"type\":\"stream\",\"token\":{token}}}\n"));
        self.keep(format!(
            "{{\"type\":\"stream\",\"token\":\"\",\"len\":{length}}}"
        ));
        let string = String::from_utf16_lossy(&piece.units);
        self.turn
            .log(self.exchange.shared, |log| log.token(&string));
    }

    fn final_answer(&mut self, text: &str, interrupted: bool) {
        let rules = self.exchange.rules();
        let mut update = object! { "type": "finalAnswer", "text": text };
        if rules.interrupted {
            update = update.with("interrupted", interrupted);
        }
        self.update(&update);
        if rules.padding {
            self.stream.chunk(&" ".repeat(PADDING));
        }
    }

    fn status(&mut self, status: &str, message: Option<&str>, code: Option<u16>) {
        let mut update = object! { "type": "status", "status": status };
        if let Some(message) = message {
            update = update.with("message", message);
        }
        if let Some(code) = code {
            update = update.with("statusCode", f64::from(code));
        }
        self.update(&update);
    }

    /// Sends an update other than a token, and logs it.
    fn update(&mut self, update: &Value) {
        let json = update.json();
        self.stream.chunk(&format!("{json}\n"));
        self.turn.log(self.exchange.shared, |log| log.update(&json));
        self.keep(json);
    }

    /// Keeps an update with the message.
    fn keep(&mut self, update: String) {
        if let Some(reply) = self.turn.messages.last_mut() {
            reply.updates.push(update);
        }
    }

    fn said_text(&self) -> String {
        String::from_utf16_lossy(&self.said)
    }

    fn store_said(&mut self) {
        let said = self.said_text();
        self.turn.store(self.shared(), &said);
    }
}
