//! Recordings of real servers: the exact bytes of a request, its response and how that ended.
//!
//! `NAME.req` and `NAME.res` hold the bytes. A table in `INDEX.md` says how each response ended,
//! which its bytes cannot: its first column is the name, its last one the end.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::http1::{Request, find_header, owned_headers, read_chunked, read_head};

/// How a response ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// As HTTP says, and the connection stayed open.
    Complete,
    /// The connection was closed before the response was complete.
    Cut,
    /// The response was not complete, but nothing more came of it.
    Open,
}

/// A folder of recordings.
pub struct Recordings {
    folder: PathBuf,
    ends: BTreeMap<String, End>,
}

impl Recordings {
    /// The index is `INDEX.md` in the folder itself, or next to the folder: then it has a section
    /// for each one, and the one that counts is the one whose heading begins with its name.
    pub fn open(folder: impl AsRef<Path>) -> Recordings {
        let folder = folder.as_ref();
        let own = folder.join("INDEX.md");
        let (index, section) = if own.is_file() {
            (own, None)
        } else {
            let name = folder.file_name().and_then(|name| name.to_str());
            let name = name.unwrap_or_else(|| panic!("{} has no name", folder.display()));
            (folder.with_file_name("INDEX.md"), Some(name))
        };
        let text = fs::read_to_string(&index)
            .unwrap_or_else(|error| panic!("cannot read {}: {error}", index.display()));
        let ends = parse_index(&text, section)
            .unwrap_or_else(|problem| panic!("{}: {problem}", index.display()));
        assert!(
            !ends.is_empty(),
            "{} lists no recordings of {}",
            index.display(),
            folder.display()
        );
        Recordings {
            folder: folder.to_owned(),
            ends,
        }
    }

    /// The names of all recordings, in alphabetical order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.ends.keys().map(String::as_str)
    }

    pub fn contains(&self, name: &str) -> bool {
        self.ends.contains_key(name)
    }

    #[track_caller]
    pub fn load(&self, name: &str) -> Recording {
        let folder = self.folder.display();
        let Some(&end) = self.ends.get(name) else {
            panic!("the index lists no recording \"{name}\" of {folder}");
        };
        let read = |extension: &str| {
            let path = self.folder.join(format!("{name}.{extension}"));
            fs::read(&path)
                .unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()))
        };
        let request = match Request::read(&mut read("req").as_slice(), 0) {
            Ok(Some(request)) => request,
            Ok(None) => panic!("{folder}/{name}.req is empty"),
            Err(error) => panic!("{folder}/{name}.req: {error}"),
        };
        Recording::new(name, request, read("res"), end)
            .unwrap_or_else(|problem| panic!("{folder}/{name}.res: {problem}"))
    }
}

/// The names of all recordings that are in a folder, whether or not the index lists them.
#[track_caller]
pub fn names(folder: impl AsRef<Path>) -> Vec<String> {
    let entries = fs::read_dir(folder).expect("the folder of recordings");
    let files = entries.map(|entry| entry.expect("an entry of it").file_name());
    files
        .filter_map(|name| Some(name.to_str()?.strip_suffix(".res")?.to_owned()))
        .collect()
}

/// One request and its response.
#[derive(Clone, Debug)]
pub struct Recording {
    pub name: String,
    pub request: Request,
    /// The whole response byte for byte, chunk framing included.
    pub response: Vec<u8>,
    pub end: End,
    pub status: u16,
    headers: Vec<(String, String)>,
    /// How many bytes come after the head.
    behind_head: usize,
    body: Vec<u8>,
}

impl Recording {
    fn new(name: &str, request: Request, response: Vec<u8>, end: End) -> Result<Recording, String> {
        let mut rest = response.as_slice();
        let head = read_head(&mut rest).map_err(|error| format!("no head: {error}"))?;
        let head = head.ok_or("it is empty")?;
        let mut fields = [httparse::EMPTY_HEADER; 64];
        let mut parsed = httparse::Response::new(&mut fields);
        parsed
            .parse(&head)
            .map_err(|error| format!("bad head: {error}"))?;
        let status = parsed.code.ok_or("it has no status")?;
        let headers = owned_headers(parsed.headers);
        let body = read_body(rest, &headers, end)?;
        let behind_head = rest.len();
        Ok(Recording {
            name: name.to_owned(),
            request,
            response,
            end,
            status,
            headers,
            behind_head,
            body,
        })
    }

    /// The first header of that name, given in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        find_header(&self.headers, name)
    }

    /// The response as that server would give it to this request: where it names its own address,
    /// it repeats the `Referer` of the request. Bodies in chunks are left as they are.
    pub fn response_to(&self, request: &Request) -> Cow<'_, [u8]> {
        let referers = (self.request.header("referer"), request.header("referer"));
        let (Some(recorded), Some(given)) = referers else {
            return Cow::Borrowed(&self.response);
        };
        let end = self.response.len() - self.behind_head;
        let (head, body) = self.response.split_at(end);
        let adapted = |part: &[u8]| Some(str::from_utf8(part).ok()?.replace(recorded, given));
        let mut new_head = adapted(head).unwrap_or_default();
        let mut new_body = Cow::Borrowed(body);
        if self.header("content-length") == Some(&body.len().to_string())
            && let Some(text) = adapted(body)
        {
            let length = |length: usize| format!("content-length: {length}\r\n");
            new_head = new_head.replace(&length(body.len()), &length(text.len()));
            new_body = Cow::Owned(text.into_bytes());
        }
        Cow::Owned([new_head.as_bytes(), &new_body].concat())
    }

    /// The body as an HTTP client hands it out: without chunk framing, and not beyond a
    /// `Content-Length`. Of a response that was cut, what there is of it.
    pub fn body(&self) -> &[u8] {
        &self.body
    }
}

fn read_body(mut rest: &[u8], headers: &[(String, String)], end: End) -> Result<Vec<u8>, String> {
    if find_header(headers, "transfer-encoding") == Some("chunked") {
        let mut body = Vec::new();
        match (read_chunked(&mut rest, &mut body), end) {
            (Ok(()), End::Complete) | (Err(_), End::Cut | End::Open) => Ok(body),
            (Ok(()), _) => Err(format!("it is complete, the index says {end:?}")),
            (Err(error), _) => Err(format!("the index says complete, but: {error}")),
        }
    } else if let Some(length) = find_header(headers, "content-length") {
        let length: usize = length.parse().map_err(|_| "bad content-length")?;
        match (rest.get(..length), end) {
            (Some(body), End::Complete) => Ok(body.to_vec()),
            (None, End::Cut | End::Open) => Ok(rest.to_vec()),
            _ => Err(format!(
                "{} of {length} bytes, the index says {end:?}",
                rest.len()
            )),
        }
    } else {
        Ok(rest.to_vec())
    }
}

/// The rows of the index, or of one section of it. Lines that are not rows of a table are prose.
fn parse_index(text: &str, section: Option<&str>) -> Result<BTreeMap<String, End>, String> {
    let mut ends = BTreeMap::new();
    let mut inside = section.is_none();
    for line in text.lines() {
        if let (Some(heading), Some(section)) = (line.strip_prefix("## "), section) {
            inside = heading.split_whitespace().next() == Some(section);
            continue;
        }
        let Some(row) = line.trim().strip_prefix('|') else {
            continue;
        };
        let cells: Vec<&str> = row
            .trim_end_matches('|')
            .split('|')
            .map(str::trim)
            .collect();
        let name = cells[0];
        let is_ruler = name.bytes().all(|byte| matches!(byte, b'-' | b':'));
        if !inside || is_ruler || name == "recording" {
            continue;
        }
        let end = match cells.last() {
            Some(&"complete") => End::Complete,
            Some(&"cut") => End::Cut,
            Some(&"open") => End::Open,
            _ => return Err(format!("no end in the row {line:?}")),
        };
        if ends.insert(name.to_owned(), end).is_some() {
            return Err(format!("two rows for {name:?}"));
        }
    }
    Ok(ends)
}
