//! The server of `--demo` and `--serve`.

use std::fs;
use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use crate::failure::{Failure, say};
use crate::options::{Options, Task};
use crate::service::{Dialect, Service};
use crate::signals::Signals;

/// Time before each token of a demonstration, about as fast as a person reads.
const DEMO_DELAY: Duration = Duration::from_millis(40);

/// Starts the server of `--demo`, which the options then name.
pub fn start_demo(options: &mut Options) -> Result<Option<Service>, Failure> {
    let Some(dialect) = options.demo else {
        return Ok(None);
    };
    say("a demonstration: the replies are made up in this program, without a model");
    let service = start(options, dialect, DEMO_DELAY)?;
    options.url = service.url().to_owned();
    Ok(Some(service))
}

/// Serves until a signal comes, or the time is over.
pub fn serve(options: &Options, dialect: Dialect, signals: &Signals) -> Result<(), Failure> {
    let service = start(options, dialect, Duration::ZERO)?;
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{}", service.url())?;
    stdout.flush()?;
    signals.wait();
    Ok(())
}

fn start(options: &Options, dialect: Dialect, delay: Duration) -> Result<Service, Failure> {
    let faults = options.faults.clone();
    let builder = Service::builder().dialect(dialect).token_delay(delay);
    let builder = builder.replies(replies_of(options));
    let builder = builder.faults(move |request| faults.iter().find_map(|fault| fault.of(request)));
    builder.start().map_err(Failure::other)
}

/// The prompt of `--serve` is the reply to every prompt.
fn replies_of(options: &Options) -> Vec<String> {
    match options.task {
        Task::Serve(_) if !options.prompt.is_empty() => vec![options.prompt.clone()],
        _ => options.replies.clone(),
    }
}

/// Reads a file of replies, with lines of `---` between them.
pub fn replies(path: &Path) -> Result<Vec<String>, Failure> {
    let text = fs::read_to_string(path).map_err(|error| {
        let path = path.display();
        Failure::usage(format!("--replies: cannot read {path}: {error}"))
    })?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(text.split("\n---\n").map(str::to_owned).collect())
}
