//! Points in time as HTTP and JSON write them.

use std::time::{SystemTime, UNIX_EPOCH};

const DAY_NAMES: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTH_NAMES: [&str; 12] = [
    "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
];

/// `Sat, 21 Nov 2026 02:42:35 GMT`
pub(super) fn http(time: SystemTime) -> String {
    let (seconds, _) = since_epoch(time);
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let weekday = usize::try_from(days % 7).map_or("", |index| DAY_NAMES[index]);
    let month = MONTH_NAMES[month - 1];
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{weekday}, {day:02} {month} {year} {hour:02}:{minute:02}:{second:02} GMT")
}

/// `2026-11-21T02:43:52.313Z`
pub(super) fn iso(time: SystemTime) -> String {
    let (seconds, millis) = since_epoch(time);
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!("{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{millis:03}Z")
}

/// Whole seconds since 1970 and the milliseconds beyond them; a clock before that year counts as
/// its beginning.
pub(super) fn since_epoch(time: SystemTime) -> (u64, u32) {
    let elapsed = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    (elapsed.as_secs(), elapsed.subsec_millis())
}

/// Year, month (1 to 12) and day of a day counted from 1970-01-01.
fn civil(days: u64) -> (u64, usize, u64) {
    // Years are counted from March, so that the leap day is the last day of its year; an era is
    // the 400 years after which the calendar repeats.
    let days = days + 719_468;
    let era = days / 146_097;
    let day_of_era = days % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let (month, carry) = match from_march {
        0..=9 => (from_march + 3, 0),
        _ => (from_march - 9, 1),
    };
    let month = usize::try_from(month).unwrap_or(1);
    (year_of_era + era * 400 + carry, month, day)
}
