//! What the process of the test has, where the system says so.

use std::thread;
use std::time::{Duration, Instant};

/// How long threads may take to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// Fails if the test leaves threads or open files behind.
pub fn assert_no_leaks(test: impl FnOnce()) {
    let before = handles();
    test();
    let deadline = Instant::now() + PATIENCE;
    let mut after = handles();
    while after != before && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(5));
        after = handles();
    }
    println!("threads and files: {before:?} before, {after:?} after");
    assert_eq!(after, before, "threads and open files");
}

/// Threads and open files.
#[cfg(target_os = "linux")]
fn handles() -> Option<(usize, usize)> {
    let count = |folder| std::fs::read_dir(folder).expect("/proc").count();
    Some((count("/proc/self/task"), count("/proc/self/fd")))
}

#[cfg(not(target_os = "linux"))]
fn handles() -> Option<(usize, usize)> {
    None
}
