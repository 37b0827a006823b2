//! One token costs one allocation: the `String` that is handed out, with escapes in its JSON or
//! without.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use h2ogpt::Result;

use support::client::{builder, decode};
use support::server::{Server, Then};
use support::stream::{Format, WORD};

const TOKENS: usize = 20_000;
/// All that is read before it is counted: so many tokens make every buffer as long as it gets,
/// but for that of the text.
const WARM_UP: usize = 100;

/// Counts what a thread asks of the system's allocator.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<usize> = const { Cell::new(0) };
}

fn count() {
    ALLOCATIONS.set(ALLOCATIONS.get() + 1);
}

// SAFETY: everything is passed on to the system's allocator. The counter neither allocates nor has
// a destructor, so that it can be used at any time of a thread's life.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count();
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count();
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// How many allocations this thread makes to read so many tokens more.
fn allocations_of(reply: &mut impl Iterator<Item = Result<String>>, tokens: usize) -> usize {
    let before = ALLOCATIONS.get();
    let mut length = 0;
    for token in reply.take(tokens) {
        length += token.expect("a token").len();
    }
    let allocations = ALLOCATIONS.get() - before;
    assert_eq!(length, tokens * WORD.len());
    allocations
}

/// `text` is that of the reply, whose buffer doubles as it grows.
fn assert_one_for_each_token(case: &str, allocations: usize, text: &str) {
    let growth = text.len().ilog2() as usize;
    let expected = TOKENS..=TOKENS + growth;
    println!("{case}: {allocations} allocations for {TOKENS} tokens");
    assert!(
        expected.contains(&allocations),
        "{case}: {allocations} allocations, not {expected:?}"
    );
}

#[test]
fn a_token_that_is_decoded_from_memory_costs_one_allocation() {
    for format in Format::ALL {
        let stream: String = format.events(WARM_UP + TOKENS).collect();
        let mut reply = decode(stream.as_bytes());
        allocations_of(&mut reply, WARM_UP);
        let allocations = allocations_of(&mut reply, TOKENS);
        assert_one_for_each_token(&format!("{format:?}"), allocations, reply.text());
        assert!(reply.next().is_none() && reply.is_complete());
    }
}

#[test]
fn a_token_of_a_reply_costs_one_allocation() {
    for format in Format::ALL {
        let response = format.response(WARM_UP + TOKENS, 1);
        let server = Server::start(format.replying(move |_, writer| {
            let _ = writer.write_all(&response);
            Then::KeepAlive
        }));
        let client = builder(server.url()).model("model").build();
        let client = client.expect("a client");
        let mut conversation = client.conversation().expect("a conversation");
        let mut reply = conversation.send("Hi").expect("a reply");
        allocations_of(&mut reply, WARM_UP);
        let allocations = allocations_of(&mut reply, TOKENS);
        assert_one_for_each_token(&format!("{format:?}"), allocations, reply.text());
        assert!(reply.next().is_none());
        drop(reply);
        conversation.close().expect("deleted");
        assert!(server.is_deleted());
    }
}

#[test]
fn a_token_with_an_escape_costs_no_more() {
    for format in Format::ALL {
        for text in [r"\n", r"a\n", r"\u00e9", r"a\ud83d\ude00b"] {
            let stream = format.event(text).repeat(WARM_UP + TOKENS);
            let mut reply = decode(stream.as_bytes());
            assert!(reply.by_ref().take(WARM_UP).all(|token| token.is_ok()));
            let before = ALLOCATIONS.get();
            assert!(reply.by_ref().take(TOKENS).all(|token| token.is_ok()));
            let allocations = ALLOCATIONS.get() - before;
            assert_one_for_each_token(&format!("{format:?}, {text}"), allocations, reply.text());
        }
    }
}
