//! The cookies of one session with one service.
//!
//! Less than a browser's jar, on purpose: one origin, so no domains and paths; and `Secure` is
//! not obeyed, as the service sends it over plain http too and wants the cookie back.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::error::{Error, Fallible};

/// Bounds on what a server can make us keep and send back with every request.
const MAX_COOKIES: usize = 32;
const MAX_TOTAL: usize = 4096;

/// Names and values, in the order in which they were first set.
#[derive(Clone, Default)]
pub(crate) struct Jar {
    cookies: Vec<(String, String)>,
}

impl Jar {
    /// Takes a cookie from the caller.
    pub(crate) fn insert(&mut self, name: &str, value: &str) -> Fallible<()> {
        // The value stays out of the message: it is a credential.
        if !is_name(name) || !is_value(value) {
            return Err(Error::configuration(
                "a cookie must have a name and a value of visible ASCII characters, without ; and ,",
            ));
        }
        self.put(name, value);
        Ok(())
    }

    /// Obeys one `Set-Cookie` header. What cannot be sent back is ignored.
    pub(crate) fn store(&mut self, header: &str, now: SystemTime) {
        let mut parts = header.split(';').map(str::trim);
        let pair = parts.next().and_then(|pair| pair.split_once('='));
        let Some((name, value)) = pair.map(|(name, value)| (name.trim(), value.trim())) else {
            return;
        };
        if !is_name(name) {
            return;
        }
        if is_expired(parts, now) {
            self.cookies.retain(|(known, _)| known != name);
        } else if is_value(value) {
            self.put(name, value);
        }
    }

    /// The value of the `Cookie` header, if there is a cookie.
    pub(crate) fn header(&self) -> Option<String> {
        let mut header = String::new();
        for (name, value) in &self.cookies {
            if !header.is_empty() {
                header.push_str("; ");
            }
            header.push_str(name);
            header.push('=');
            header.push_str(value);
        }
        Some(header).filter(|header| !header.is_empty())
    }

    /// The value of a cookie.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let cookie = self.cookies.iter().find(|(known, _)| known == name);
        cookie.map(|(_, value)| value.as_str())
    }

    fn put(&mut self, name: &str, value: &str) {
        let others = self.cookies.iter().filter(|(known, _)| known != name);
        let (count, size) = others.fold((0, 0), |(count, size), (name, value)| {
            (count + 1, size + name.len() + value.len())
        });
        if count >= MAX_COOKIES || size + name.len() + value.len() > MAX_TOTAL {
            return;
        }
        match self.cookies.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => value.clone_into(known),
            None => self.cookies.push((name.to_owned(), value.to_owned())),
        }
    }
}

fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !b"()<>@,;:\\\"/[]?={}".contains(&byte))
}

fn is_value(value: &str) -> bool {
    value
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && !b";,".contains(&byte))
}

/// Whether the attributes say that the cookie is to be deleted. `Max-Age` wins over `Expires`.
fn is_expired<'a>(attributes: impl Iterator<Item = &'a str>, now: SystemTime) -> bool {
    let mut max_age = None;
    let mut expires = None;
    for attribute in attributes {
        let (name, value) = attribute.split_once('=').unwrap_or((attribute, ""));
        let (name, value) = (name.trim(), value.trim());
        if name.eq_ignore_ascii_case("max-age") {
            max_age = is_whole_number(value).then(|| value == "0" || value.starts_with('-'));
        } else if name.eq_ignore_ascii_case("expires") {
            expires = date(value).map(|date| date <= now);
        }
    }
    max_age.or(expires).unwrap_or(false)
}

fn is_whole_number(value: &str) -> bool {
    let digits = value.strip_prefix('-').unwrap_or(value);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

/// An HTTP date, such as `Sun, 21 Nov 2027 02:42:35 GMT`, also with dashes.
pub(crate) fn date(text: &str) -> Option<SystemTime> {
    const MONTHS: &[u8] = b"JanFebMarAprMayJunJulAugSepOctNovDec";
    let (_, text) = text.split_once(',')?;
    let mut parts = text.split([' ', '-']).filter(|part| !part.is_empty());
    let number = |text: Option<&str>| text?.parse::<u64>().ok();
    let day = number(parts.next()).filter(|day| (1..=31).contains(day))?;
    let month = parts.next()?.as_bytes();
    let mut months = MONTHS.chunks(3);
    let month = months.position(|known| known.eq_ignore_ascii_case(month))?;
    let year = match number(parts.next())? {
        year @ 0..=69 => year + 2000,
        year @ 70..=99 => year + 1900,
        year @ 1970..=9999 => year,
        _ => return None,
    };
    let mut time = parts.next()?.split(':');
    let mut next = || number(time.next());
    let (hour, minute, second) = (next()?, next()?, next()?);
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let seconds = ((days(year, month as u64, day) * 24 + hour) * 60 + minute) * 60 + second;
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

/// Days since the first of January 1970, `month` counted from 0. Taken to begin in March, a year has
/// its leap day at its end.
fn days(year: u64, month: u64, day: u64) -> u64 {
    let (year, month) = match month {
        0 | 1 => (year - 1, month + 10),
        _ => (year, month - 2),
    };
    let leap_days = year / 4 - year / 100 + year / 400;
    year * 365 + leap_days + (month * 153 + 2) / 5 + day - 719_469
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jar(headers: &[&str]) -> String {
        let now = date("Sat, 21 Nov 2026 02:42:35 GMT").unwrap();
        let mut jar = Jar::default();
        for header in headers {
            jar.store(header, now);
        }
        jar.header().unwrap_or_default()
    }

    #[test]
    fn dates_are_those_of_the_calendar() {
        let seconds = |text| {
            date(text)
                .unwrap()
                .duration_since(UNIX_EPOCH)
                .unwrap()
                .as_secs()
        };
        assert_eq!(seconds("Thu, 01 Jan 1970 00:00:00 GMT"), 0);
        assert_eq!(seconds("Tue, 29 Feb 2000 12:00:00 GMT"), 951_825_600);
        assert_eq!(seconds("Sun, 06-Nov-94 08:49:37 GMT"), 784_111_777);
        assert_eq!(seconds("Sun, 21 Nov 2027 02:42:35 GMT"), 1_826_764_955);
        for text in [
            "",
            "Sun, 21 Nov",
            "Sun, 21 Nox 2027 02:42:35 GMT",
            "Sun, 21 Nov 2027 24:00:00",
            "21 Nov",
        ] {
            assert_eq!(date(text), None, "{text}");
        }
    }

    #[test]
    fn what_is_set_is_sent_back() {
        let session = "hf-chat=9213be9a; Path=/; Expires=Sun, 21 Nov 2027 02:42:35 GMT; HttpOnly; Secure; SameSite=None";
        assert_eq!(jar(&[session]), "hf-chat=9213be9a");
        assert_eq!(
            jar(&["a=1", "b=x=y; path=/z", "a=2", "quoted=\"q\""]),
            "a=2; b=x=y; quoted=\"q\""
        );
    }

    #[test]
    fn a_cookie_goes_when_the_server_says_so() {
        assert_eq!(jar(&["a=1", "b=2", "a=; Max-Age=0"]), "b=2");
        assert_eq!(jar(&["a=1", "a=1; max-age = -5"]), "");
        assert_eq!(
            jar(&["a=1", "a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT"]),
            ""
        );
        assert_eq!(
            jar(&["a=1; Max-Age=60; Expires=Thu, 01 Jan 1970 00:00:00 GMT"]),
            "a=1"
        );
        assert_eq!(jar(&["a=1; Max-Age=x"]), "a=1");
    }

    #[test]
    fn what_would_break_the_header_is_ignored() {
        assert_eq!(
            jar(&[
                "",
                "=x",
                "noequals",
                "a b=1",
                "a=1 2",
                "ü=1",
                "a=ü",
                "a=1\r\nX: y"
            ]),
            ""
        );
    }

    #[test]
    fn a_server_cannot_fill_the_jar() {
        let many: Vec<String> = (0..100)
            .map(|n| format!("n{n}={}", "x".repeat(100)))
            .collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(jar(&many).len() < 5000);
        assert_eq!(jar(&[&format!("a={}", "x".repeat(5000)), "b=1"]), "b=1");
    }
}
