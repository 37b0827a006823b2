//! The conversations that are on a server: `--list` and `--delete`.

use std::io::{self, Write};

use h2ogpt::{ConversationInfo, Error};

use crate::client::{Surroundings, connect};
use crate::environment::Cookie;
use crate::failure::Failure;
use crate::kept::{self, Kept};
use crate::options::{Options, Which};
use crate::shown::one_line;
use crate::waiting::Waiting;

/// Prints the conversations of every session that is known: a line each of id, time, model and
/// title, with tabs between them.
pub fn list(options: &Options, surroundings: &Surroundings) -> Result<(), Failure> {
    for cookie in sessions(options)? {
        let client = connect(options, Some(&cookie), surroundings)?;
        let waiting = Waiting::begin();
        let listed: Result<Vec<ConversationInfo>, Error> = client.conversations().collect();
        drop(waiting);
        let listed = listed.map_err(|error| surroundings.failure(error, options))?;
        let mut stdout = io::stdout().lock();
        for conversation in listed {
            let updated_at = conversation.updated_at.as_deref().unwrap_or("-");
            let columns = [
                &conversation.id,
                updated_at,
                &conversation.model,
                &conversation.title,
            ];
            writeln!(stdout, "{}", columns.map(one_line).join("\t"))?;
        }
    }
    Ok(())
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
    for cookie in sessions(options)? {
        let deleted = connect(options, Some(&cookie), surroundings)?.delete_all();
        deleted.map_err(|error| surroundings.failure(error, options))?;
    }
    Ok(())
}

fn delete_one(options: &Options, id: &str, surroundings: &Surroundings) -> Result<(), Failure> {
    let kept = kept::find(Some(&options.url), Some(id))?;
    let cookie = options.cookie.clone().or(kept.and_then(|kept| kept.cookie));
    let cookie = cookie.ok_or_else(|| {
        Failure::usage("this conversation was not kept here, and H2OGPT_COOKIE is not set")
    })?;
    let deleted = connect(options, Some(&cookie), surroundings)?.delete(id);
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
    kept::forget(is_gone)
        .map_err(|error| Failure::other(format!("it cannot be forgotten: {error}")))
}

/// The session of `H2OGPT_COOKIE`, or else those of all that was kept on the server.
fn sessions(options: &Options) -> Result<Vec<Cookie>, Failure> {
    if let Some(cookie) = &options.cookie {
        return Ok(vec![cookie.clone()]);
    }
    let mut sessions = Vec::new();
    for kept in kept::all()? {
        if kept::is_same(&kept.url, &options.url)
            && let Some(cookie) = kept.cookie
            && !sessions.contains(&cookie)
        {
            sessions.push(cookie);
        }
    }
    Ok(sessions)
}
