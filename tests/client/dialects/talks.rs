//! What is said, and what the server stores of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

use h2ogpt::{Event, FinishReason, Ignored};

use support::client::{read, send_with_search, text};
use support::service::{Dialect, Fault};

use super::{Cell, Column, ask, builder, check, history, is_of_2023, service};

const EMOJI: &str = "😀 👩‍👩‍👧 naïve über 日本語 🏳️‍🌈";

pub fn columns() -> Vec<Column> {
    vec![
        Column::new(
            "one question, from settings to DELETE",
            lifecycle,
            |_| "complete, deleted",
        ),
        Column::new("below a base path", base_path, |_| "everything is below"),
        Column::new("three messages", three_messages, |_| "6 in the history"),
        Column::new("the reply of a kept conversation", kept, |_| "stored"),
        Column::new("a system prompt", system_prompt, |dialect| match dialect {
            Dialect::V0_3 => "in front of the first message",
            _ => "obeyed",
        }),
        Column::new("retry", retry, |_| "replaced: 2 in the history"),
        Column::new(
            "retry, and on",
            retry_and_on,
            |_| "goes on from the second try",
        ),
        Column::new(
            "retry of what was refused",
            refused,
            |_| "as if it had not been",
        ),
        Column::new("retry of what was cut", cut, |dialect| {
            if is_of_2023(dialect) {
                // They store a message with its reply.
                "as if it had not been"
            } else {
                "replaced: 4 in the history"
            }
        }),
        Column::new("a web search", web_search, |dialect| {
            if is_of_2023(dialect) {
                "2 steps, 0 sources"
            } else if matches!(dialect, Dialect::V0_9_6 | Dialect::Main) {
                "ignored"
            } else {
                "3 steps, 2 sources"
            }
        }),
        Column::new("an early drop, and on", early_drop, |_| "the next is whole"),
        Column::new("cancelled, and on", cancelled, |_| "the next is whole"),
        Column::new("characters of any size", emoji, |_| "whole"),
        Column::new("a history of more than 1 MiB", long_history, |_| "goes on"),
        Column::new("a title, if it is wanted", title, |dialect| {
            if dialect.is_tree() {
                "\"What is the meaning of\""
            } else {
                "none"
            }
        }),
        Column::new("why it ends", finish_reason, |dialect| {
            if is_of_2023(dialect) {
                "the end of the text"
            } else {
                "nothing is said"
            }
        }),
    ]
}

fn lifecycle(dialect: Dialect) -> Cell {
    let service = service(dialect).start()?;
    let client = builder(&service).build()?;
    let mut conversation = client.conversation()?;
    let text = ask(&mut conversation, "Hello, how are you?")?;
    let expected =
        "You said: \"Hello, how are you?\". This is the first message of our conversation.";
    check(text == expected, text)?;
    check(service.conversations() == 1, "no conversation")?;
    conversation.close()?;
    check(service.conversations() == 0, "not deleted")?;
    Ok("complete, deleted".into())
}

fn base_path(dialect: Dialect) -> Cell {
    let service = service(dialect).base_path("/chat/here").start()?;
    let client = builder(&service).build()?;
    let mut conversation = client.conversation()?;
    ask(&mut conversation, "One")?;
    ask(&mut conversation, "Two")?;
    send_with_search(&mut conversation, "Three")?.next();
    conversation.close()?;
    check(service.conversations() == 0, "not deleted")?;
    for seen in service.requests() {
        check(seen.path.starts_with("/chat/here/"), seen.path)?;
    }
    Ok("everything is below".into())
}

fn three_messages(dialect: Dialect) -> Cell {
    let service = service(dialect).start()?;
    let mut conversation = builder(&service).build()?.conversation()?;
    ask(&mut conversation, "One")?;
    ask(&mut conversation, "Two")?;
    let third = ask(&mut conversation, "Three")?;
    let expected = "Before that you said: \"Two\". (3 messages so far)";
    check(third.contains(expected), third)?;
    // Servers that store a reply late have it when the conversation is left.
    let history = history(&service, &conversation.keep());
    let prompts = ["user: One", "user: Two", "user: Three"];
    let asked: Vec<&String> = history.iter().step_by(2).collect();
    check(asked == prompts, format!("{history:?}"))?;
    let is_reply = |line: &String| line.starts_with("assistant: You said");
    check(
        history.iter().skip(1).step_by(2).all(is_reply),
        format!("{history:?}"),
    )?;
    Ok(format!("{} in the history", history.len()))
}

fn kept(dialect: Dialect) -> Cell {
    let service = service(dialect).start()?;
    let mut conversation = builder(&service).build()?.conversation()?;
    let reply = ask(&mut conversation, "One")?;
    let history = history(&service, &conversation.keep());
    let expected = ["user: One".to_owned(), format!("assistant: {reply}")];
    check(history == expected, format!("{history:?}"))?;
    check(service.conversations() == 1, "deleted")?;
    Ok("stored".into())
}

fn system_prompt(dialect: Dialect) -> Cell {
    let service = service(dialect).start()?;
    let client = builder(&service).system_prompt("Be \"brief\".").build()?;
    let mut conversation = client.conversation()?;
    let first = ask(&mut conversation, "One")?;
    let second = ask(&mut conversation, "Two")?;
    let expected = "My instructions are: \"Be \"brief\".\".";
    let obeyed = [first, second].map(|text| text.contains(expected));
    let said = history(&service, conversation.id());
    let is_in_front = said[0] == "user: Be \"brief\".\n\nOne";
    Ok(match (obeyed, is_in_front) {
        ([true, true], false) => "obeyed".into(),
        ([false, false], true) => "in front of the first message".into(),
        _ => format!("{said:?}"),
    })
}

fn retry(dialect: Dialect) -> Cell {
    let service = service(dialect).start()?;
    let mut conversation = builder(&service).build()?.conversation()?;
    let first = ask(&mut conversation, "One")?;
    let second = text(conversation.retry())?;
    check(second == first + " This is the second try.", &*second)?;
    let third = text(conversation.retry())?;
    check(third.ends_with(" This is the third try."), &*third)?;
    let history = history(&service, &conversation.keep());
    check(
        history.last() == Some(&format!("assistant: {third}")),
        format!("{history:?}"),
    )?;
    Ok(format!("replaced: {} in the history", history.len()))
}

fn retry_and_on(dialect: Dialect) -> Cell {
    let service = service(dialect).start()?;
    let mut conversation = builder(&service).build()?.conversation()?;
    ask(&mut conversation, "One")?;
    let second = text(conversation.retry())?;
    let next = ask(&mut conversation, "Two")?;
    check(
        next.ends_with("Before that you said: \"One\". (2 messages so far)"),
        &*next,
    )?;
    let history = history(&service, &conversation.keep());
    let expected = [
        "user: One".to_owned(),
        format!("assistant: {second}"),
        "user: Two".to_owned(),
        format!("assistant: {next}"),
    ];
    check(history == expected, format!("{history:?}"))?;
    Ok("goes on from the second try".into())
}

/// Each message is refused twice, or its connection fails, before it is looked at; or nobody may
/// ask for a while what there is to be retried.
fn refused(dialect: Dialect) -> Cell {
    let message = "POST /conversation/{id}";
    let history_path = "GET /api/conversation/{id}";
    let mut faults = vec![
        (message, Fault::Status(429, Some(7))),
        (message, Fault::Reset),
        (message, Fault::Hangup),
    ];
    if dialect.is_tree() {
        faults.push((history_path, Fault::Status(429, None)));
    }
    for (request, fault) in faults {
        let service = service(dialect).start()?;
        let mut conversation = builder(&service).build()?.conversation()?;
        let mut said = Vec::new();
        for prompt in ["One", "Two", "Three"] {
            // Where the creation has said what the first one follows, nobody asks.
            let reply = if request == history_path && prompt == "One" {
                ask(&mut conversation, prompt)?
            } else {
                service.fail_next(2, request, fault.clone());
                let first = text(conversation.send(prompt));
                let second = text(conversation.retry());
                let both = format!("{fault:?}: {first:?}, {second:?}");
                check(first.is_err() && second.is_err(), both)?;
                text(conversation.retry())?
            };
            said.extend([format!("user: {prompt}"), format!("assistant: {reply}")]);
        }
        let history = history(&service, &conversation.keep());
        check(history == said, format!("{fault:?}: {history:?}"))?;
    }
    Ok("as if it had not been".into())
}

/// The connection breaks in the second reply, or before its first token.
fn cut(dialect: Dialect) -> Cell {
    let mut cells = Vec::new();
    for tokens in [0, 3] {
        let is_cut = Arc::new(AtomicBool::new(false));
        let service = service(dialect).faults({
            let is_cut = is_cut.clone();
            move |seen| {
                let is_it = seen.is_message() && is_cut.swap(false, SeqCst);
                is_it.then_some(Fault::Cut(tokens))
            }
        });
        let service = service.start()?;
        let mut conversation = builder(&service).build()?.conversation()?;
        ask(&mut conversation, "One")?;
        is_cut.store(true, SeqCst);
        let (_, error) = read(conversation.send("Two"));
        check(error.is_some_and(|error| error.is_retryable()), "not cut")?;
        let again = text(conversation.retry())?;
        check(again.contains("Before that you said: \"One\"."), &*again)?;
        let history = history(&service, &conversation.keep());
        check(
            history.last() == Some(&format!("assistant: {again}")),
            format!("{history:?}"),
        )?;
        cells.push(if again.ends_with(" This is the second try.") {
            format!("replaced: {} in the history", history.len())
        } else {
            "as if it had not been".to_owned()
        });
    }
    check(cells[0] == cells[1], format!("{cells:?}"))?;
    Ok(cells.swap_remove(0))
}

fn web_search(dialect: Dialect) -> Cell {
    let service = service(dialect).start()?;
    let mut conversation = builder(&service).build()?.conversation()?;
    let mut reply = send_with_search(&mut conversation, "Who won?")?;
    let mut steps = Vec::new();
    let mut sources = Vec::new();
    for event in reply.events() {
        if let Event::WebSearch(step) = event? {
            steps.push(step.message);
            sources.extend(step.sources);
        }
    }
    let text = reply.text().to_owned();
    if reply.ignored() == [Ignored::WebSearch] {
        check(steps.is_empty(), format!("{steps:?}"))?;
        check(!text.contains("I searched"), text)?;
        return Ok("ignored".to_owned());
    }
    check(text.contains("I searched the web for \"Who won?\"."), text)?;
    check(steps[0] == "Generating search query", &*steps[0])?;
    check(steps[1].ends_with(": Who won?"), &*steps[1])?;
    if let [first, ..] = sources.as_slice() {
        check(first.link == "https://example.com/first", &*first.link)?;
        check(first.title == "The first page found", &*first.title)?;
    }
    drop(reply);
    let next = ask(&mut conversation, "And then?")?;
    check(!next.contains("I searched"), next)?;
    Ok(format!("{} steps, {} sources", steps.len(), sources.len()))
}

fn early_drop(dialect: Dialect) -> Cell {
    let delay = Duration::from_millis(5);
    let service = service(dialect).token_delay(delay).start()?;
    let mut conversation = builder(&service).build()?.conversation()?;
    let mut reply = conversation.send("Count to a million.")?;
    let said = reply.by_ref().take(2).collect::<h2ogpt::Result<String>>()?;
    check(
        "You said: ".starts_with(said.trim_end()) || said == "You said:",
        said,
    )?;
    drop(reply);
    next_is_whole(&service, conversation)
}

fn cancelled(dialect: Dialect) -> Cell {
    let delay = Duration::from_millis(5);
    let service = service(dialect).token_delay(delay).start()?;
    let mut conversation = builder(&service).build()?.conversation()?;
    let mut reply = conversation.send("Count to a million.")?;
    reply.next().ok_or("no token")??;
    reply.canceller().cancel();
    let error = reply.next().ok_or("no error")?.err().ok_or("a token")?;
    check(
        matches!(error, h2ogpt::Error::Cancelled { .. }),
        error.to_string(),
    )?;
    drop(reply);
    next_is_whole(&service, conversation)
}

fn next_is_whole(
    service: &support::service::Service,
    mut conversation: h2ogpt::Conversation,
) -> Cell {
    let next = ask(&mut conversation, "And now?")?;
    check(next.starts_with("You said: \"And now?\"."), next)?;
    conversation.close()?;
    check(service.conversations() == 0, "not deleted")?;
    Ok("the next is whole".into())
}

fn emoji(dialect: Dialect) -> Cell {
    let service = service(dialect).start()?;
    let mut conversation = builder(&service).build()?.conversation()?;
    let text = ask(&mut conversation, EMOJI)?;
    let expected = format!("You said: \"{EMOJI}\". This is the first message of our conversation.");
    check(text == expected, text)?;
    let history = history(&service, &conversation.keep());
    check(history[0] == format!("user: {EMOJI}"), &*history[0])?;
    Ok("whole".into())
}

fn long_history(dialect: Dialect) -> Cell {
    let service = service(dialect).start()?;
    let mut conversation = builder(&service).build()?.conversation()?;
    // The replies repeat them.
    for _ in 0..2 {
        ask(&mut conversation, &"x".repeat(300_000))?;
    }
    let third = ask(&mut conversation, "Three")?;
    check(third.contains("(3 messages so far)"), third)?;
    Ok("goes on".into())
}

fn title(dialect: Dialect) -> Cell {
    let service = service(dialect).start()?;
    let client = builder(&service).titles(true).build()?;
    let mut conversation = client.conversation()?;
    let mut reply = conversation.send("What is the meaning of life?")?;
    let mut titles = Vec::new();
    for event in reply.events() {
        match event? {
            Event::Title(title) => titles.push(title),
            Event::Token(_) => {}
            other => return Err(format!("{other:?}").into()),
        }
    }
    Ok(match titles.as_slice() {
        [] => "none".into(),
        [title] => format!("{title:?}"),
        more => format!("{more:?}"),
    })
}

fn finish_reason(dialect: Dialect) -> Cell {
    let service = service(dialect).start()?;
    let mut conversation = builder(&service).build()?.conversation()?;
    let mut reply = conversation.send("Hi")?;
    check(reply.all(|token| token.is_ok()), "an error")?;
    Ok(match reply.finish_reason() {
        Some(FinishReason::EndOfText) => "the end of the text".into(),
        None => "nothing is said".into(),
        other => format!("{other:?}"),
    })
}
