//! The conversations that were left on their servers, in one small file: a JSON object a line.

use std::env;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process;

use serde_json::{Value, json};

use crate::environment::Cookie;
use crate::failure::Failure;

const NO_PATH: &str = if cfg!(windows) {
    "LOCALAPPDATA is not set to an absolute path"
} else {
    "neither XDG_STATE_HOME nor HOME is set to an absolute path"
};

/// A conversation that was kept, and the session that it belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    pub url: String,
    pub id: String,
    pub cookie: Option<Cookie>,
}

impl Kept {
    fn read(line: &[u8]) -> Option<Kept> {
        let line: Value = serde_json::from_slice(line).ok()?;
        let string = |name: &str| Some(line.get(name)?.as_str()?.to_owned());
        let cookie = || {
            Some(Cookie {
                name: string("cookie_name")?,
                value: string("cookie_value")?,
            })
        };
        Some(Kept {
            url: string("url")?,
            id: string("id")?,
            cookie: cookie(),
        })
    }

    fn line(&self) -> String {
        let mut line = json!({ "url": self.url, "id": self.id });
        if let Some(cookie) = &self.cookie {
            line["cookie_name"] = json!(cookie.name);
            line["cookie_value"] = json!(cookie.value);
        }
        format!("{line}\n")
    }
}

/// All that are remembered, oldest first. Lines of other versions are left out, and garbage.
pub fn all() -> Result<Vec<Kept>, Failure> {
    let Some(path) = path() else {
        return Ok(Vec::new());
    };
    match fs::read(&path) {
        Ok(bytes) => Ok(lines(&bytes).filter_map(Kept::read).collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(Failure::other(format!("{}: {error}", path.display()))),
    }
}

/// The lines of the file, each with its newline, but for the last one perhaps.
fn lines(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    bytes.split_inclusive(|byte| *byte == b'\n')
}

/// The last one, or that with an id; of one server if there is a URL.
pub fn find(url: Option<&str>, id: Option<&str>) -> Result<Option<Kept>, Failure> {
    let is_wanted = |kept: &&Kept| {
        url.is_none_or(|url| is_same(url, &kept.url)) && id.is_none_or(|id| id == kept.id)
    };
    Ok(all()?.iter().rev().find(is_wanted).cloned())
}

/// Whether a conversation can be remembered, or why not.
pub fn check() -> Result<(), String> {
    append("")
}

/// Remembers a conversation, or says why that cannot be.
pub fn remember(kept: &Kept) -> Result<(), String> {
    append(&kept.line())
}

fn append(line: &str) -> Result<(), String> {
    let path = path().ok_or(NO_PATH)?;
    append_to(&path, line).map_err(|error| format!("{}: {error}", path.display()))
}

fn append_to(path: &Path, line: &str) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    // In one write, as another program may do the same.
    open(OpenOptions::new().append(true).create(true), path)?.write_all(line.as_bytes())
}

/// Forgets some of them.
pub fn forget(is_gone: impl Fn(&Kept) -> bool) -> io::Result<()> {
    let Some(path) = path() else {
        return Ok(());
    };
    let bytes = match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        bytes => bytes?,
    };
    let is_left = |line: &&[u8]| Kept::read(line).is_none_or(|kept| !is_gone(&kept));
    let left: Vec<u8> = lines(&bytes).filter(is_left).flatten().copied().collect();
    if left.len() == bytes.len() {
        return Ok(());
    }
    // A whole file takes the place of the other, whatever happens meanwhile.
    let new = path.with_extension(process::id().to_string());
    let mut file = open(OpenOptions::new().write(true).create_new(true), &new)?;
    file.write_all(&left)?;
    fs::rename(&new, &path)
}

/// Whether two addresses name the same server.
pub fn is_same(one: &str, other: &str) -> bool {
    one.trim_end_matches('/') == other.trim_end_matches('/')
}

/// Below the user's state directory.
fn path() -> Option<PathBuf> {
    let variable = |name: &str| {
        let path = PathBuf::from(env::var_os(name)?);
        path.is_absolute().then_some(path)
    };
    let folder = if cfg!(windows) {
        variable("LOCALAPPDATA")?
    } else {
        let home = || Some(variable("HOME")?.join(".local/state"));
        variable("XDG_STATE_HOME").or_else(home)?
    };
    Some(folder.join("h2ogpt/kept"))
}

/// Opens a file that nobody else can read: it has the cookies of sessions.
#[cfg(unix)]
fn open(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    use std::fs::Permissions;
    use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};

    let file = options.mode(0o600).open(path)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    Ok(file)
}

#[cfg(not(unix))]
fn open(options: &mut OpenOptions, path: &Path) -> io::Result<File> {
    options.open(path)
}
