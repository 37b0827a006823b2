//! What streams come to.

mod bounds;
mod endings;
mod log;
mod recordings;

use std::io::{self, BufReader, Read};

use super::*;
use crate::error::{Error, Step};
use crate::protocol::event::Event;

/// A flat event, as text-generation-inference writes it.
fn flat(text: &str) -> String {
    format!(
        "data:{{\"token\":{{\"id\":1,\"text\":\"{text}\",\"logprob\":-0.5,\"special\":false}},\
         \"generated_text\":null,\"details\":null}}\n\n"
    )
}

fn flat_end(text: &str) -> String {
    format!(
        "data:{{\"token\":{{\"text\":\"</s>\",\"special\":true}},\"generated_text\":\"{text}\"}}\n\n"
    )
}

fn tree(token: &str) -> String {
    format!("{{\"type\":\"stream\",\"token\":\"{token}\"}}\n")
}

fn answer(text: &str) -> String {
    format!("{{\"type\":\"finalAnswer\",\"text\":\"{text}\",\"interrupted\":false}}\n")
}

fn status(status: &str) -> String {
    format!("{{\"type\":\"status\",\"status\":\"{status}\"}}\n")
}

/// The tokens between bars, and the error or the text that differs from them.
fn read<R: BufRead>(tokens: &mut Tokens<R>) -> String {
    let mut all = Vec::new();
    let mut error = None;
    for token in tokens.by_ref() {
        match token {
            Ok(token) => {
                assert!(!token.is_empty(), "an empty token");
                all.push(token);
            }
            Err(found) => error = Some(found),
        }
    }
    assert!(tokens.next().is_none(), "not fused");
    assert_eq!(tokens.is_complete(), error.is_none());
    let streamed = all.concat();
    let mut outcome = all.join("|");
    if let Some(error) = error {
        assert_eq!(error.partial().unwrap_or_default(), streamed);
        outcome += &format!(" -> {error}");
    } else if tokens.text() != streamed {
        // White space that the server trims is not kept.
        let is_trimmed = tokens.text() == streamed.trim();
        let expected = (!is_trimmed).then_some(streamed.as_str());
        assert_eq!(tokens.replaced(), expected);
        outcome += &format!(" => {}", tokens.text());
    } else {
        assert_eq!(tokens.replaced(), None);
    }
    outcome
}

/// The same wherever the stream is cut.
#[track_caller]
fn decode(stream: impl AsRef<[u8]>) -> String {
    let stream = stream.as_ref();
    let outcome = read(&mut Tokens::new(stream));
    for size in (1..stream.len().min(300)).chain([1000]) {
        let mut tokens = Tokens::new(BufReader::with_capacity(size, stream));
        assert_eq!(read(&mut tokens), outcome, "buffers of {size}");
    }
    outcome
}

fn events(stream: &str) -> Vec<Event> {
    let mut tokens = Tokens::new(stream.as_bytes());
    let items = std::iter::from_fn(|| tokens.next_item().unwrap());
    items.map(Event::from).collect()
}

#[test]
fn tokens_of_both_kinds_are_decoded_wherever_they_are_cut() {
    let stream = flat("Hel") + &flat("lo, caf\\u00e9 é😀") + &flat_end("Hello, café é😀");
    assert_eq!(decode(stream), "Hel|lo, café é😀");
    let started = status("started");
    let stream = started + &tree("Hel") + &tree("lo\\u0000\\u0000") + &answer("Hello");
    assert_eq!(decode(stream), "Hel|lo");
    // Newer text-generation-inference.
    let stream = flat("a").replace("{\"token\"", "{\"index\":1,\"token\"") + &flat_end("a");
    assert_eq!(decode(stream), "a");
}

#[test]
fn a_stream_that_is_cut_short_at_any_byte_is_incomplete() {
    for stream in [
        flat("ab") + &flat("cd") + &flat_end("abcd"),
        tree("ab") + &tree("cd") + &answer("abcd"),
    ] {
        // The final event is whole before its line end.
        for end in 1..stream.trim_end().len() {
            let mut tokens = Tokens::new(&stream.as_bytes()[..end]);
            let error = tokens.find_map(std::result::Result::err).unwrap();
            let is_cut = matches!(error, Error::Incomplete { .. });
            let is_nothing = matches!(error, Error::Protocol { .. }) && end < "data:{".len();
            assert!(is_cut || is_nothing, "{end}: {error}");
        }
        let whole = decode(stream.trim_end());
        assert_eq!(whole, "ab|cd");
    }
}

#[test]
fn lines_end_in_lf_crlf_or_cr_and_nothing_else() {
    let stream = flat("a\u{2028}\u{85}b\u{b}") + &flat_end("a\u{2028}\u{85}b\u{b}");
    // A vertical tab is no part of a JSON string.
    let stream = stream.replace('\u{b}', "");
    for end in ["\n", "\r\n", "\r"] {
        assert_eq!(decode(stream.replace('\n', end)), "a\u{2028}\u{85}b");
    }
}

#[test]
fn what_is_no_event_is_ignored() {
    let stream = [
        "\u{feff}: comment\n\nevent: x\nid: 1\nretry: 5\n",
        "data: {\"token\":{\"text\":\"a\"}}\n\n",
        &" ".repeat(4096),
        "\n  {\"token\":{\"text\":\"b\"}}  \n",
        "data:data\nanything\ndata:[DONE]\n",
        &flat_end("ab"),
        "data:[DONE]\n",
    ];
    assert_eq!(decode(stream.concat()), "a|b");
}

#[test]
fn an_event_may_be_spread_over_data_lines() {
    let stream =
        "data:{\"token\":\ndata: {\"text\":\r\n: comment\nevent: x\ndata:\"a\"\ndata:}}\n\n";
    assert_eq!(decode(stream.to_owned() + &flat_end("a")), "a");
    assert_eq!(
        decode("data:{\"token\":\n\ndata:1}\n"),
        " -> expected the rest of an event while waiting for the reply, found: {\"token\":"
    );
    // A line end within a string is none of JSON.
    let error = "expected an event in JSON while waiting for the reply, found: ";
    let stream = "data:{\"token\":{\"text\":\"a\ndata:b\"}}\n";
    assert_eq!(
        decode(stream),
        format!(" -> {error}{{\"token\":{{\"text\":\"a b\"}}}}")
    );
}

#[test]
fn what_is_no_stream_is_a_protocol_error() {
    let expected = |found| {
        format!(" -> expected a stream of events while waiting for the reply, found: {found}")
    };
    assert_eq!(decode("<html><b>Busy</b></html>\n"), expected("Busy"));
    assert_eq!(
        decode("[{\"generated_text\":\"a\"}]"),
        expected("[{\"generated_text\":\"a\"}]")
    );
    assert_eq!(
        decode("{\"hello\":1}\n{\"hello\":2}\n"),
        expected("{\"hello\":1}")
    );
    assert_eq!(decode(""), " -> the reply was cut short");
    assert_eq!(decode("data:[DONE]\n\n"), " -> the reply was cut short");
    assert_eq!(
        decode(flat("a") + "nonsense"),
        "a -> the reply was cut short"
    );
    assert_eq!(
        decode(flat("a") + "data:{nonsense}\n"),
        "a -> expected an event in JSON while waiting for the reply, found: {nonsense}"
    );
}

#[test]
fn unknown_objects_are_ignored_beside_others() {
    let stream = "{\"hello\":1}\n".to_owned() + &flat("a") + "{\"hello\":2}\n" + &flat_end("a");
    assert_eq!(decode(stream), "a");
}

#[test]
fn characters_that_are_cut_in_two_are_joined_in_tokens_of_any_form() {
    let stream = tree("abcd\\ud83d") + &tree("\\ude00efgh");
    assert_eq!(decode(stream + &answer("abcd😀efgh")), "abcd|😀efgh");
    let spaced = |token: &str| format!("{{ \"token\" : \"{token}\", \"type\":\"stream\" }}\n");
    let stream = spaced("a\\ud83d") + &tree("\\ude00b\\ud83d") + &status("keepAlive");
    assert_eq!(
        decode(stream + &spaced("\\ude00") + &answer("a😀b😀")),
        "a|😀b|😀"
    );
    let stream = tree("a\\ud83d") + &tree("b") + &answer("a\u{fffd}b");
    assert_eq!(decode(stream), "a|\u{fffd}b");
    // A half that nothing follows.
    assert_eq!(decode(tree("a\\ud83d") + &answer("a\\ud83d")), "a|\u{fffd}");
    assert_eq!(decode(tree("\\ude00") + &answer("\\ude00")), "\u{fffd}");
}

#[test]
fn lone_surrogates_elsewhere_are_read() {
    let stream = "{\"type\":\"title\",\"title\":\"T\\ud83d\"}\n".to_owned() + &answer("a\\ude00b");
    assert_eq!(decode(&stream), "a\u{fffd}b");
    assert_eq!(events(&stream)[0], Event::Title("T\u{fffd}".into()));
}

#[test]
fn bytes_that_are_not_utf_8_are_replaced() {
    for (token, end) in [(flat("a?"), flat_end("a?b")), (tree("a?"), answer("a?b"))] {
        let bytes = token + &end;
        let not_utf_8 = |byte| if byte == b'?' { 0xFF } else { byte };
        let stream: Vec<u8> = bytes.bytes().map(not_utf_8).collect();
        assert_eq!(decode(stream), "a\u{fffd}|b");
    }
}

#[test]
fn other_events_come_in_their_place() {
    let title = Event::Title("T".into());
    let stream = tree("a") + "{\"type\":\"title\",\"title\":\"T\"}\n" + &tree("b") + &answer("abc");
    let token = |text: &str| Event::Token(text.into());
    assert_eq!(events(&stream), [token("a"), title, token("b"), token("c")]);
    assert_eq!(decode(stream), "a|b|c");
}

#[test]
fn all_of_a_reply_is_read_at_once() {
    let stream = tree("ab") + &answer("abc");
    assert_eq!(Tokens::new(stream.as_bytes()).into_text().unwrap(), "abc");
    let error = Tokens::new(tree("ab").as_bytes()).into_text().unwrap_err();
    assert_eq!(error.partial(), Some("ab"));
}

#[test]
fn the_reader_is_handed_back_after_the_final_event() {
    let stream = tree("a") + &answer("a") + "rest";
    let mut tokens = Tokens::new(stream.as_bytes());
    assert_eq!(read(&mut tokens), "a");
    let (rest, text) = tokens.into_parts();
    assert_eq!((rest, text.as_str()), (&b"rest"[..], "a"));
}

#[test]
fn what_is_shown_for_debugging_is_short() {
    let mut tokens = Tokens::new(io::empty());
    assert_eq!(read(&mut tokens), " -> the reply was cut short");
    let shown = "Tokens { text: \"\", finish_reason: None, is_complete: false, .. }";
    assert_eq!(format!("{tokens:?}"), shown);
}

/// Yields one chunk with each read, and then fails.
struct Chunks<E>(Vec<Vec<u8>>, E);

impl<E: Fn() -> io::Error> Read for Chunks<E> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.0.is_empty() {
            return Err((self.1)());
        }
        let chunk = self.0.remove(0);
        buf[..chunk.len()].copy_from_slice(&chunk);
        Ok(chunk.len())
    }
}

fn chunks<E: Fn() -> io::Error>(chunks: &[&str], error: E) -> BufReader<Chunks<E>> {
    let chunks = chunks.iter().map(|chunk| chunk.as_bytes().to_vec());
    BufReader::new(Chunks(chunks.collect(), error))
}

#[test]
fn a_reader_that_fails_ends_the_reply() {
    let fail = |error: fn() -> io::Error| {
        let mut tokens = Tokens::new(chunks(&[&tree("a")], error));
        assert_eq!(tokens.next().unwrap().unwrap(), "a");
        let error = tokens.next().unwrap().unwrap_err();
        assert!(tokens.next().is_none());
        assert_eq!(error.partial(), Some("a"));
        error
    };
    let error = fail(|| io::Error::other("reset"));
    assert_eq!(format!("{error:?}"), "the reply was cut short: reset");
    // An error of this crate comes as it is, but for one of the network.
    let error = fail(|| io::Error::other(Error::cancelled(Step::Message)));
    assert!(matches!(error, Error::Cancelled { .. }));
    let error = fail(|| {
        let source = io::Error::other("reset");
        io::Error::other(Error::network(Step::Message, source))
    });
    assert_eq!(format!("{error:?}"), "the reply was cut short: reset");
}

#[test]
fn an_interrupted_read_is_tried_again() {
    struct Interrupted<R>(R, bool);
    impl<R: Read> Read for Interrupted<R> {
        fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(io::ErrorKind::Interrupted.into());
            }
            self.0.read(buf)
        }
    }
    let stream = tree("a") + &answer("a");
    let reader = Interrupted(stream.as_bytes(), false);
    assert_eq!(
        read(&mut Tokens::new(BufReader::with_capacity(7, reader))),
        "a"
    );
}

#[test]
fn items_that_have_arrived_are_ready() {
    let (first, second) = (
        tree("a") + &tree("b") + "{\"type\":",
        "\"stream\",\"token\":\"c\"}\n",
    );
    let event = "{\"type\":\"title\",\"title\":\"T\"}";
    let title = event.to_owned() + "\n" + &status("keepAlive");
    let reader = chunks(&[&first, second, &title, &answer("abc")], || unreachable!());
    let mut tokens = Tokens::new(reader);
    let token = |text: &str| Some(StreamItem::Token(text.into()));
    let mut expect = |next, ready: &[Option<StreamItem>]| {
        assert_eq!(tokens.next_item().unwrap(), next);
        for item in ready {
            assert_eq!(tokens.ready_item().transpose().unwrap(), *item);
        }
        assert!(tokens.ready_item().is_none());
    };
    expect(token("a"), &[token("b"), None]);
    expect(token("c"), &[]);
    expect(Some(StreamItem::Event(event.into())), &[]);
    expect(None, &[]);
    assert!(tokens.is_complete());
}

#[test]
fn an_error_that_has_arrived_is_ready() {
    let stream = tree("a") + &status("error");
    let mut tokens = Tokens::new(chunks(&[&stream], || unreachable!()));
    assert!(tokens.next_item().unwrap().is_some());
    let error = tokens.ready_item().unwrap().unwrap_err();
    assert_eq!(error.partial(), Some("a"));
    assert!(tokens.ready_item().is_none());
    assert!(tokens.next_item().unwrap().is_none());
}
