//! Replies that are picked up again from the server's log.

use super::*;

fn update(id: u64, event: &str) -> String {
    format!("id: {id}\nevent: update\ndata: {}\n\n", event.trim_end())
}

fn end(status: &str) -> String {
    format!("event: end\ndata: {{\"status\":\"{status}\"}}\n\n")
}

/// What is handed out after `text`, wherever the log is cut.
#[track_caller]
fn resume(text: &str, log: &str) -> (String, Option<FinishReason>) {
    let mut outcomes = Vec::new();
    for size in 1..log.len() + 2 {
        let reader = BufReader::with_capacity(size, log.as_bytes());
        let mut tokens = Tokens::resumed(reader, text.to_owned());
        assert_eq!(tokens.text(), text);
        let mut new = Vec::new();
        let mut error = String::new();
        while let Some(token) = tokens.next() {
            match token {
                Ok(token) => new.push(token),
                Err(found) => {
                    assert_eq!(found.partial().unwrap_or_default(), tokens.text());
                    error = format!(" -> {found:?}");
                }
            }
        }
        if tokens.replaced().is_none() {
            assert_eq!(tokens.text(), text.to_owned() + &new.concat());
        } else {
            error = format!(" => {}", tokens.text());
        }
        outcomes.push((new.join("|") + &error, tokens.finish_reason()));
    }
    outcomes.dedup();
    assert_eq!(outcomes.len(), 1, "{outcomes:?}");
    outcomes.remove(0)
}

#[test]
fn what_was_received_is_skipped_by_the_length_of_its_text() {
    let text = "Hé, wörld 😀!";
    let log = ": heartbeat\n\n".to_owned()
        + &update(1, &status("started"))
        + &update(2, &tree("Hé, w"))
        + &update(3, &tree("örld 😀"))
        + ": heartbeat\n\n"
        + &update(4, &tree("!"))
        + &update(5, &answer(text))
        + &end("completed");
    for (length, _) in text.char_indices() {
        let (new, reason) = resume(&text[..length], &log);
        assert_eq!(new.replace('|', ""), text[length..], "{length}");
        assert_eq!(reason, None);
    }
    assert_eq!(resume("Hé, wö", &log).0, "rld 😀|!");
    assert_eq!(resume(text, &log).0, "");
}

#[test]
fn another_text_than_what_was_received_is_an_error() {
    let log = update(1, &tree("Hello")) + &update(2, &answer("Hello")) + &end("completed");
    let (outcome, _) = resume("Hi", &log);
    let error = " -> the reply was cut short: the server's log has another reply";
    assert_eq!(outcome, error);
    // The final answer is right all the same, where no token was logged.
    assert_eq!(resume("Hi", &update(1, &answer("Hello"))).0, " => Hello");
}

#[test]
fn the_log_says_how_it_ends() {
    let log = update(1, &tree("Hello")) + &update(2, &tree(", world"));
    let resume = |end: &str| resume("Hello", &(log.clone() + end));
    let cut = ", world -> the reply was cut short";
    let interrupted = Some(FinishReason::Interrupted);
    assert_eq!(resume(&end("interrupted")), (", world".into(), interrupted));
    assert_eq!(resume(&end("completed")), (cut.into(), None));
    assert_eq!(resume(&end("novelty")), (cut.into(), None));
    assert_eq!(resume(""), (cut.into(), None));
    let gone = format!("{cut}: the server no longer has the reply");
    assert_eq!(resume(&end("gone")), (gone, None));
    let error = ", world -> the server reported an error";
    assert_eq!(resume(&end("error")), (error.into(), None));
    let failed = update(
        3,
        "{\"type\":\"status\",\"status\":\"error\",\"message\":\"boom\"}",
    );
    let error = format!("{error}: boom");
    assert_eq!(resume(&(failed + &end("error"))), (error, None));
    let empty = update(3, &answer("")) + &end("completed");
    assert_eq!(resume(&empty), (", world".into(), None));
}

#[test]
fn a_log_that_is_cut_goes_on_after_its_last_id() {
    let whole = update(7, &tree("Hel")) + &update(8, &tree("lo")) + &update(9, &answer("Hello"));
    for cut in 0..whole.len() {
        let mut tokens = Tokens::resumed(&whole.as_bytes()[..cut], "He".to_owned());
        let mut text = "He".to_owned();
        let error = loop {
            match tokens.next() {
                Some(Ok(token)) => text += &token,
                Some(Err(error)) => break Some(error),
                None => break None,
            }
        };
        let Some(error) = error else { continue };
        assert!(
            matches!(error, Error::Incomplete { source: None, .. }),
            "{error:?}"
        );
        // The server sends what comes after that.
        let rest = match tokens.last_event_id() {
            None => whole.as_str(),
            Some(id) => &whole[whole.find(&format!("id: {}", id + 1)).unwrap()..],
        };
        tokens.reconnect(rest.as_bytes());
        text.extend(tokens.by_ref().map(std::result::Result::unwrap));
        assert_eq!(text, "Hello", "cut at {cut}");
        assert!(tokens.is_complete());
    }
}

#[test]
fn other_events_are_left_out_while_the_log_repeats_what_is_known() {
    let title = "{\"type\":\"title\",\"title\":\"T\"}";
    let call = "{\"type\":\"tool\",\"subtype\":\"novelty\"}";
    let log =
        update(1, title) + &update(2, &tree("ab")) + &update(3, call) + &update(4, &answer("ab"));
    let mut tokens = Tokens::resumed(log.as_bytes(), "a".to_owned());
    let items: Vec<_> = std::iter::from_fn(|| tokens.next_item().unwrap()).collect();
    assert_eq!(items.len(), 2);
    assert_eq!(items[0], StreamItem::Token("b".into()));
    assert_eq!(items[1], StreamItem::Event(call.into()));
}
