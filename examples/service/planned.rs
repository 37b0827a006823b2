//! Faults that a test announces for the next requests of a kind.

use super::fault::{Fault, Seen};

/// What is to go wrong so many more times.
pub(super) struct Planned {
    /// Method and path, such as `POST /conversation/{id}`.
    request: String,
    left: usize,
    fault: Fault,
}

#[derive(Default)]
pub(super) struct Plan(Vec<Planned>);

impl Plan {
    pub(super) fn add(&mut self, request: &str, times: usize, fault: Fault) {
        self.0.push(Planned {
            request: request.to_owned(),
            left: times,
            fault,
        });
    }

    /// The fault of a request, which is then used up.
    pub(super) fn take(&mut self, seen: &Seen, base_path: &str) -> Option<Fault> {
        let planned = self
            .0
            .iter_mut()
            .find(|planned| planned.left > 0 && is_such(&planned.request, seen, base_path))?;
        planned.left -= 1;
        Some(planned.fault.clone())
    }
}

/// Whether the request is as the pattern says, where `{id}` stands for any one segment.
fn is_such(pattern: &str, seen: &Seen, base_path: &str) -> bool {
    let Some((method, pattern)) = pattern.split_once(' ') else {
        return false;
    };
    let path = seen.path.split('?').next().unwrap_or_default();
    let path = path.strip_prefix(base_path).unwrap_or(path);
    let (wanted, segments) = (pattern.split('/'), path.split('/'));
    method == seen.method
        && wanted.clone().count() == segments.clone().count()
        && wanted
            .zip(segments)
            .all(|(wanted, segment)| wanted == segment || wanted.starts_with('{'))
}
