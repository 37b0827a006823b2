//! Dates as HTTP writes them.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

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
}
