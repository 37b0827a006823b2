//! The `multipart/form-data` encoding of bodies.

pub(super) struct Part<'a> {
    pub name: String,
    /// Empty unless the part is a file.
    pub file_name: String,
    pub mime: String,
    pub body: &'a [u8],
}

/// The parts of a body; nothing if it is not in this encoding.
pub(super) fn parts<'a>(content_type: &str, body: &'a [u8]) -> Option<Vec<Part<'a>>> {
    let (_, boundary) = content_type.split_once("boundary=")?;
    let boundary = boundary.split(';').next()?.trim().trim_matches('"');
    let first = format!("--{boundary}");
    let next = format!("\r\n--{boundary}");
    let mut rest = split(body, first.as_bytes())?.1;
    let mut parts = Vec::new();
    while !rest.starts_with(b"--") {
        let (head, content) = split(rest.strip_prefix(b"\r\n")?, b"\r\n\r\n")?;
        let (content, after) = split(content, next.as_bytes())?;
        parts.push(part(str::from_utf8(head).ok()?, content)?);
        rest = after;
    }
    Some(parts)
}

fn part<'a>(head: &str, body: &'a [u8]) -> Option<Part<'a>> {
    let header = |wanted: &str| {
        head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case(wanted).then_some(value.trim())
        })
    };
    let disposition = header("content-disposition")?;
    Some(Part {
        name: parameter(disposition, "name")?,
        file_name: parameter(disposition, "filename").unwrap_or_default(),
        mime: header("content-type").unwrap_or_default().to_owned(),
        body,
    })
}

/// A quoted parameter. Quotation marks and line ends in it are escaped as browsers do it.
fn parameter(header: &str, name: &str) -> Option<String> {
    let (_, rest) = header.split_once(&format!("; {name}=\""))?;
    let (value, _) = rest.split_once('"')?;
    let value = value.replace("%22", "\"");
    Some(value.replace("%0A", "\n").replace("%0D", "\r"))
}

/// What stands before and after the first such bytes.
fn split<'a>(bytes: &'a [u8], at: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let mut from = 0;
    loop {
        from += bytes[from..].iter().position(|byte| *byte == at[0])?;
        match bytes[from..].strip_prefix(at) {
            Some(after) => return Some((&bytes[..from], after)),
            None => from += 1,
        }
    }
}
