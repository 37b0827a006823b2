//! The reply of v0.7 and later: JSON lines.

use std::time::Duration;

use super::answer;
use super::dialect::{Cutting, Stop, Title};
use super::exchange::{After, Exchange};
use super::fault::Fault;
use super::response::{Beat, Response, Stream};
use super::turn::{Step, Turn, step};
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
    };
    reply.begin();
    reply.generate()
}

/// A piece of the answer: how it stands in its line, and what it is in UTF-16, since it may end
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
}

impl Reply<'_> {
    /// Everything before the first token.
    fn begin(&mut self) {
        let rules = self.exchange.rules();
        self.status("started", None);
        if rules.keep_alive {
            self.stream.chunk(KEEP_ALIVE);
            self.stream.beat(Beat {
                every: KEEP_ALIVE_EVERY,
                line: KEEP_ALIVE,
            });
        }
        if let Some(title) = &self.turn.title {
            let title = answer::string(title);
            match rules.title {
                Title::Never => {}
                Title::Status => self.stream.chunk(&format!(
                    "{{\"type\":\"status\",\"status\":\"title\",\"message\":{title}}}\n"
                )),
                Title::Own => self
                    .stream
                    .chunk(&format!("{{\"type\":\"title\",\"title\":{title}}}\n")),
            }
        }
        if let Some(query) = &self.turn.search {
            for line in web_search::updates(rules.web_search_kind, query) {
                self.stream.chunk(&line);
            }
        }
    }

    fn generate(mut self) -> After {
        let shared = self.exchange.shared;
        let rules = self.exchange.rules();
        let pieces = pieces(&self.turn.text, rules.cutting);
        for index in 0..=pieces.len() {
            let fault = self.exchange.fault.as_ref();
            match step(shared, &mut self.stream, fault, index, pieces.len()) {
                Step::Token => {}
                Step::Fault(fault) => return self.fail(fault, &pieces[..index]),
                Step::Gone => {
                    self.store_said();
                    return After::Close;
                }
                Step::End => return After::Close,
            }
            if rules.stop == Stop::Final && self.turn.is_stopped(shared) {
                let said = String::from_utf16_lossy(&self.said);
                return self.finish(&said, true);
            }
            if let Some(piece) = pieces.get(index) {
                self.token(piece);
                self.said.extend_from_slice(&piece.units);
            }
        }
        let text = self.turn.text.clone();
        self.finish(&text, false)
    }

    /// The final answer and what follows it.
    fn finish(mut self, text: &str, interrupted: bool) -> After {
        let rules = self.exchange.rules();
        let shared = self.exchange.shared;
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
        self.end()
    }

    fn fail(mut self, fault: &Fault, sent: &[Piece]) -> After {
        let rules = self.exchange.rules();
        match fault {
            Fault::CutMidEvent(_) => {
                self.stream.chunk("{\"type\":\"stream\",\"token\":\" ha");
            }
            Fault::Stall(_) => self.stream.wait(None, true),
            Fault::NoFinal(_) => {
                self.store_said();
                return self.end();
            }
            Fault::ErrorEvent(_) if rules.endless => {
                // The one version that has no word for it.
                let prompt = self.turn.prompt.clone();
                return self.finish(&prompt, false);
            }
            Fault::ErrorEvent(_) => return self.report_error(sent),
            _ => {}
        }
        self.store_said();
        After::Close
    }

    fn report_error(mut self, sent: &[Piece]) -> After {
        let rules = self.exchange.rules();
        if rules.tries_twice {
            for piece in sent {
                self.token(piece);
            }
        }
        self.status("error", Some("Model is overloaded"));
        self.store_said();
        if rules.cutting == Cutting::FiveUnits {
            // The oldest of these versions goes on as if nothing had happened.
            let said = String::from_utf16_lossy(&self.said);
            self.final_answer(&said, false);
        }
        self.stream.end();
        After::KeepAlive
    }

    fn end(mut self) -> After {
        if self.exchange.rules().finished {
            self.status("finished", None);
        }
        self.stream.end();
        After::KeepAlive
    }

    fn token(&mut self, piece: &Piece) {
        let token = &piece.json;
        self.stream
            .chunk(&format!("{{\"type\":\"stream\",\"token\":{token}}}\n"));
    }

    fn final_answer(&mut self, text: &str, interrupted: bool) {
        let rules = self.exchange.rules();
        let text = answer::string(text);
        let interrupted = match rules.interrupted {
            true => format!(",\"interrupted\":{interrupted}"),
            false => String::new(),
        };
        self.stream.chunk(&format!(
            "{{\"type\":\"finalAnswer\",\"text\":{text}{interrupted}}}\n"
        ));
        if rules.padding {
            self.stream.chunk(&" ".repeat(PADDING));
        }
    }

    fn status(&mut self, status: &str, message: Option<&str>) {
        let message = match message {
            Some(message) => format!(",\"message\":{}", answer::string(message)),
            None => String::new(),
        };
        self.stream.chunk(&format!(
            "{{\"type\":\"status\",\"status\":\"{status}\"{message}}}\n"
        ));
    }

    fn store_said(&mut self) {
        let said = String::from_utf16_lossy(&self.said);
        self.turn.store(self.exchange.shared, &said);
    }
}
