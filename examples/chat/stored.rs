//! The conversations that are on a server: `--list` and `--delete`.

use std::collections::HashSet;
use std::io::{self, Write};

use h2ogpt::{Client, ConversationInfo, Error};

use crate::client::{Surroundings, connect};
use crate::environment::Cookie;
use crate::failure::{Failure, say};
use crate::json;
use crate::kept::{self, Kept};
use crate::options::{Options, Which};
use crate::shown::one_line;
use crate::waiting::Waiting;

/// Prints the conversations of every session that is known: a line each of id, time, model and
/// title, with tabs between them; or an object.
pub fn list(options: &Options, surroundings: &Surroundings) -> Result<(), Failure> {
    // Headers may make one session of several cookies.
    let mut printed = HashSet::new();
    in_each_session(options, surroundings, |client| {
        let waiting = Waiting::begin();
        let listed: Result<Vec<ConversationInfo>, Error> = client.conversations().collect();
        drop(waiting);
        let listed = listed.map_err(|error| surroundings.failure(error, options))?;
        for conversation in listed {
            if printed.insert(conversation.id.clone()) {
                print(&conversation, options.json)?;
            }
        }
        Ok(())
    })
}

fn print(conversation: &ConversationInfo, as_json: bool) -> io::Result<()> {
    if as_json {
        return json::print(&json::conversation(conversation));
    }
    let updated_at = conversation.updated_at.as_deref().unwrap_or("-");
    let columns = [
        &conversation.id,
        updated_at,
        &conversation.model,
        &conversation.title,
    ];
    writeln!(io::stdout(), "{}", columns.map(one_line).join("\t"))
}

/// Deletes a conversation, or all of them.
pub fn delete(
    options: &Options,
    which: &Which,
    surroundings: &Surroundings,
) -> Result<(), Failure> {
    let outcome = match which {
        Which::All => delete_all(options, surroundings),
        Which::One(id) => delete_one(options, id, surroundings),
    };
    let is_gone = match outcome.as_ref().map_err(Failure::error) {
        Ok(()) => true,
        Err(error) => matches!(error, Some(Error::Http { status: 404, .. })),
    };
    if is_gone {
        forget(options, which)?;
    }
    outcome
}

fn delete_all(options: &Options, surroundings: &Surroundings) -> Result<(), Failure> {
    in_each_session(options, surroundings, |client| {
        // A session without any may be a new one, which has not accepted the server's terms.
        let Some(first) = client.conversations().next() else {
            return Ok(());
        };
        let deleted = first.and_then(|_| client.delete_all());
        deleted.map_err(|error| surroundings.failure(error, options))
    })
}

fn delete_one(options: &Options, id: &str, surroundings: &Surroundings) -> Result<(), Failure> {
    let kept = kept::find(Some(&options.url), Some(id))?;
    let cookie = options.cookie.clone().or(kept.and_then(|kept| kept.cookie));
    if cookie.is_none() && options.headers.is_empty() {
        return Err(Failure::usage(
            "this conversation was not kept here, and H2OGPT_COOKIE is not set",
        ));
    }
    let deleted = connect(options, cookie.as_ref(), surroundings)?.delete(id);
    deleted.map_err(|error| surroundings.failure(error, options))
}

fn forget(options: &Options, which: &Which) -> Result<(), Failure> {
    let is_gone = |kept: &Kept| {
        kept::is_same(&kept.url, &options.url)
            && match which {
                Which::All => options.cookie.is_none() || options.cookie == kept.cookie,
                Which::One(id) => *id == kept.id,
            }
    };
    kept::forget(is_gone).map_err(|error| {
        Failure::other(format!(
            "what was deleted is still remembered here: {error}"
        ))
    })
}

/// Acts on every session that is known, one after the other.
fn in_each_session(
    options: &Options,
    surroundings: &Surroundings,
    mut act: impl FnMut(&Client) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let sessions = sessions(options)?;
    if sessions.is_empty() {
        say("no session of this server was kept here, and H2OGPT_COOKIE is not set");
    }
    for session in &sessions {
        let acted = act(&connect(options, session.as_ref(), surroundings)?);
        let error = acted.as_ref().err().and_then(Failure::error);
        let needs_login = matches!(error, Some(Error::LoginRequired { .. }));
        // The headers may have another purpose than to name a session.
        let is_none = needs_login && session.is_none() && sessions.len() > 1;
        if !is_none {
            acted?;
        }
    }
    Ok(())
}

/// The session of `H2OGPT_COOKIE`, or else those of all that was kept on the server, and the one
/// that the server knows by the headers alone: `None`.
fn sessions(options: &Options) -> Result<Vec<Option<Cookie>>, Failure> {
    if options.cookie.is_some() {
        return Ok(vec![options.cookie.clone()]);
    }
    let mut sessions = Vec::new();
    for kept in kept::all()? {
        if kept::is_same(&kept.url, &options.url)
            && kept.cookie.is_some()
            && !sessions.contains(&kept.cookie)
        {
            sessions.push(kept.cookie);
        }
    }
    if !options.headers.is_empty() {
        sessions.push(None);
    }
    Ok(sessions)
}
