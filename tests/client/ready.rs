//! Tokens that have already arrived: one write of the server is one batch, and nothing is held back.

use std::io::Write;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use h2ogpt::{Client, Error, Reply};

use support::client::builder;
use support::http1::{LAST_CHUNK, Request, chunk};
use support::listener::lock;
use support::script::HEAD;
use support::server::{Server, Then};
use support::stream::Format;

/// Nothing that has arrived takes that long.
const AT_ONCE: Duration = Duration::from_millis(500);

/// A server whose replies are what the test writes.
struct Written {
    writes: Sender<Vec<u8>>,
    server: Server,
}

impl Written {
    fn start(format: Format) -> Written {
        let (writes, written) = mpsc::channel::<Vec<u8>>();
        let written: Arc<Mutex<Receiver<Vec<u8>>>> = Arc::new(Mutex::new(written));
        let server = Server::start(format.replying(move |_: &Request, out: &mut dyn Write| {
            let mut open = out.write_all(HEAD).is_ok();
            while open {
                match lock(&written).recv() {
                    Ok(bytes) if bytes.is_empty() => return Then::KeepAlive,
                    Ok(bytes) => open = out.write_all(&bytes).is_ok(),
                    Err(_) => return Then::Hold,
                }
            }
            Then::Close
        }));
        Written { writes, server }
    }

    /// One write; of nothing if the response is complete.
    fn write(&self, bytes: impl AsRef<[u8]>) {
        let bytes = bytes.as_ref().to_vec();
        self.writes.send(bytes).expect("the server reads it");
    }

    fn client(&self) -> Client {
        builder(self.server.url()).model("m").build().unwrap()
    }
}

/// The next token, which has arrived or is about to.
#[track_caller]
fn next(reply: &mut Reply<'_>) -> String {
    let started = Instant::now();
    let token = reply.next().expect("a token").expect("a token");
    assert!(started.elapsed() < AT_ONCE, "{:?}", started.elapsed());
    token
}

/// All that is ready, which never takes any time.
#[track_caller]
fn ready(reply: &mut Reply<'_>) -> Vec<String> {
    let started = Instant::now();
    let mut tokens = Vec::new();
    while let Some(token) = reply.ready() {
        tokens.push(token);
    }
    assert!(started.elapsed() < AT_ONCE, "{:?}", started.elapsed());
    tokens
}

#[test]
fn what_one_write_brought_is_ready() {
    for format in Format::ALL {
        let written = Written::start(format);
        let mut reply = written.client().generate("Hi").unwrap();
        assert_eq!(reply.ready(), None, "nothing has come yet");
        let events = ["a", "b", "c"].map(|token| format.event(token)).concat();
        written.write(chunk(events));
        assert_eq!(next(&mut reply), "a");
        assert_eq!(ready(&mut reply), ["b", "c"], "{format:?}");
        assert_eq!(reply.text(), "abc");

        // One that comes alone is out at once, and nothing is ready behind it.
        for token in ["d", "e"] {
            written.write(chunk(format.event(token)));
            assert_eq!(next(&mut reply), token);
            assert_eq!(reply.ready(), None, "{format:?}");
        }
    }
}

#[test]
fn an_event_that_is_cut_in_halves_is_not_waited_for() {
    for format in Format::ALL {
        let event = format.event("second");
        for cut in [1, event.len() / 2, event.trim_end().len() - 1] {
            let written = Written::start(format);
            let mut reply = written.client().generate("Hi").unwrap();
            let (half, rest) = event.split_at(cut);
            written.write(chunk(format.event("first") + half));
            assert_eq!(next(&mut reply), "first");
            assert_eq!(reply.ready(), None, "{format:?}, cut at {cut}");
            written.write(chunk(rest.to_owned() + &format.event("third")));
            assert_eq!(next(&mut reply), "second");
            assert_eq!(ready(&mut reply), ["third"], "{format:?}, cut at {cut}");
        }
    }
}

#[test]
fn what_is_no_token_is_passed_over() {
    let keep_alive = "{\"type\":\"status\",\"status\":\"keepAlive\"}\n";
    for format in Format::ALL {
        for nothing in [
            ":\n\n",
            ": a comment\n\n",
            keep_alive,
            "\n",
            &" ".repeat(4096),
        ] {
            let written = Written::start(format);
            let mut reply = written.client().generate("Hi").unwrap();
            written.write(chunk(format.event("first") + nothing));
            assert_eq!(next(&mut reply), "first");
            assert_eq!(reply.ready(), None, "{format:?}, {nothing:?}");

            let both = [nothing, &format.event("second"), nothing].concat();
            written.write(chunk(format.event("first") + &both));
            assert_eq!(next(&mut reply), "first");
            assert_eq!(ready(&mut reply), ["second"], "{format:?}, {nothing:?}");
        }
    }
}

/// What ends the reply comes out of `next`, also if it arrived together with a token.
#[test]
fn the_end_is_left_to_next() {
    for format in Format::ALL {
        let (before, after) = format.last_event();
        let last = format!("{before}firstsecond{after}");
        let written = Written::start(format);
        let mut reply = written.client().generate("Hi").unwrap();
        let tokens = format.event("first") + &format.event("second");
        written.write([chunk(tokens + &last), LAST_CHUNK.to_vec()].concat());
        written.write([]);
        assert_eq!(next(&mut reply), "first");
        assert_eq!(ready(&mut reply), ["second"], "{format:?}");
        assert!(reply.next().is_none());
        assert_eq!((reply.ready(), reply.text()), (None, "firstsecond"));
    }
}

#[test]
fn an_error_is_left_to_next() {
    let error = "data:{\"error\":\"Model is overloaded\",\"error_type\":\"overloaded\"}\n\n";
    for format in Format::ALL {
        let written = Written::start(format);
        let mut reply = written.client().generate("Hi").unwrap();
        written.write(chunk(
            format.event("first") + &format.event("second") + error,
        ));
        assert_eq!(next(&mut reply), "first");
        assert_eq!(ready(&mut reply), ["second"], "{format:?}");
        let error = reply.next().expect("an error").unwrap_err();
        assert!(matches!(error, Error::Server { .. }), "{error:?}");
        assert_eq!(error.partial(), Some("firstsecond"));
        assert!(reply.next().is_none() && reply.ready().is_none());
    }
}

#[test]
fn nothing_is_ready_any_more_after_a_cancel() {
    for format in Format::ALL {
        let written = Written::start(format);
        let mut reply = written.client().generate("Hi").unwrap();
        written.write(chunk(format.event("first") + &format.event("second")));
        assert_eq!(next(&mut reply), "first");
        reply.canceller().cancel();
        assert_eq!(reply.ready(), None, "{format:?}");
        let error = reply.next().expect("an error").unwrap_err();
        assert_eq!(error.partial(), Some("first"), "{error:?}");
    }
}
