//! The example programs as child processes.

use std::ffi::OsStr;
use std::io::{self, PipeWriter, Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use super::listener::lock;

/// Longer than any program of a test runs; one that does is killed, and its test fails.
pub(super) const DEADLINE: Duration = Duration::from_secs(20);

/// What the chat program says of its demonstration, on standard error.
pub const DEMO_NOTE: &str =
    "chat: a demonstration: the replies are made up in this program, without a model\n";

/// What the programs read of the environment. A test says itself what it wants of it.
const VARIABLES: [&str; 12] = [
    "XDG_STATE_HOME",
    "H2OGPT_URL",
    "H2OGPT_MODEL",
    "H2OGPT_COOKIE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "ALL_PROXY",
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "RUST_BACKTRACE",
    "RUST_LIB_BACKTRACE",
];

/// An example program with its arguments, not yet started.
pub struct Program {
    command: Command,
    stdin: Vec<u8>,
    stdin_stays_open: bool,
    stdout_limit: usize,
}

/// A program that has ended.
#[derive(Debug)]
pub struct Finished {
    /// The exit status; `None` if a signal ended it.
    pub status: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Program {
    /// With an environment that has nothing in it for a client.
    pub fn new(path: impl AsRef<OsStr>) -> Program {
        let mut command = Command::new(path);
        for name in VARIABLES {
            command.env_remove(name).env_remove(name.to_lowercase());
        }
        command.env("TERM", "xterm");
        Program {
            command,
            stdin: Vec::new(),
            stdin_stays_open: false,
            stdout_limit: usize::MAX,
        }
    }

    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Program {
        self.command.arg(argument);
        self
    }

    pub fn args<A: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = A>) -> Program {
        self.command.args(arguments);
        self
    }

    pub fn env_remove(mut self, name: &str) -> Program {
        self.command.env_remove(name);
        self
    }

    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Program {
        self.command.env(name, value);
        self
    }

    /// What stands on standard input, which is empty otherwise.
    pub fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Program {
        self.stdin = bytes.into();
        self
    }

    /// Never ends standard input, as a pipe from a program that goes on.
    pub fn stdin_stays_open(mut self) -> Program {
        self.stdin_stays_open = true;
        self
    }

    /// Closes standard output after so many bytes, as `head` does; with 0 before the start.
    pub fn stdout_limit(mut self, bytes: usize) -> Program {
        self.stdout_limit = bytes;
        self
    }

    #[track_caller]
    pub fn run(self) -> Finished {
        self.start().finish()
    }

    pub fn start(self) -> Running {
        let (stdout, stdout_writer) = self.stdout();
        let (stderr, stderr_writer) = io::pipe().expect("a pipe");
        let (child, open_stdin) = self.spawn(stdout_writer, stderr_writer);
        Running {
            child,
            open_stdin,
            stdout,
            stderr: Pipe::read(stderr, usize::MAX),
        }
    }

    /// The same with standard error going where standard output goes, as with `2>&1`.
    pub fn start_with_one_output(self) -> Running {
        let (stdout, writer) = self.stdout();
        let copy = writer.try_clone().expect("the same pipe again");
        let (child, open_stdin) = self.spawn(writer, copy);
        Running {
            child,
            open_stdin,
            stdout,
            stderr: Pipe::read(io::empty(), 0),
        }
    }

    /// A pipe for standard output, which is closed from the beginning if nothing of it is wanted.
    fn stdout(&self) -> (Arc<Pipe>, PipeWriter) {
        let (reader, writer) = io::pipe().expect("a pipe");
        let pipe = match self.stdout_limit {
            0 => {
                drop(reader);
                Pipe::read(io::empty(), 0)
            }
            limit => Pipe::read(reader, limit),
        };
        (pipe, writer)
    }

    fn spawn(mut self, stdout: PipeWriter, stderr: PipeWriter) -> (Child, Receiver<ChildStdin>) {
        let command = self.command.stdin(Stdio::piped());
        let spawned = command.stdout(stdout).stderr(stderr).spawn();
        let mut child = spawned.expect("the program starts");
        let mut stdin = child.stdin.take().expect("standard input");
        // A program that fails early does not read it.
        let (taken, open_stdin) = mpsc::channel();
        thread::spawn(move || {
            let _ = stdin.write_all(&self.stdin);
            if self.stdin_stays_open {
                let _ = taken.send(stdin);
            }
        });
        (child, open_stdin)
    }

    /// For those that start it in another way.
    pub(super) fn into_command(self) -> Command {
        self.command
    }
}

/// A program at work. It is killed if it is dropped.
pub struct Running {
    child: Child,
    /// Comes when the program has taken what stands on it.
    open_stdin: Receiver<ChildStdin>,
    stdout: Arc<Pipe>,
    stderr: Arc<Pipe>,
}

impl Running {
    /// Waits until it has read what stands on standard input, but for what a pipe holds, and
    /// hands over what keeps that open.
    #[track_caller]
    pub fn wait_for_stdin(&self) -> ChildStdin {
        let taken = self.open_stdin.recv_timeout(DEADLINE);
        taken.expect("standard input is read")
    }

    /// Waits until standard output holds this.
    #[track_caller]
    pub fn wait_for_stdout(&self, text: &str) {
        let arrived = self.stdout.wait_until(|state| state.text().contains(text));
        assert!(arrived, "no {text:?} on standard output: {:?}", self.said());
    }

    /// The same of standard error.
    #[track_caller]
    pub fn wait_for_stderr(&self, text: &str) {
        let arrived = self.stderr.wait_until(|state| state.text().contains(text));
        assert!(arrived, "no {text:?} on standard error: {:?}", self.said());
    }

    /// Whether it has closed its standard error, as it does when it ends.
    pub fn has_ended(&self) -> bool {
        lock(&self.stderr.state).closed
    }

    /// What Ctrl-C does.
    #[cfg(unix)]
    pub fn interrupt(&self) {
        self.signal("INT");
    }

    /// Sends a signal of this name, such as `TERM`.
    #[cfg(unix)]
    pub fn signal(&self, name: &str) {
        // Built into every shell, other than the program of that name.
        let kill = format!("kill -{name} {}", self.child.id());
        let status = Command::new("sh").args(["-c", &kill]).status();
        assert!(status.expect("a shell").success(), "{kill}");
    }

    #[track_caller]
    pub fn finish(mut self) -> Finished {
        for pipe in [&self.stdout, &self.stderr] {
            let ended = pipe.wait_until(|state| state.closed);
            assert!(ended, "it does not end; so far: {:?}", self.said());
        }
        let deadline = Instant::now() + DEADLINE;
        let status = loop {
            match self.child.try_wait().expect("its status") {
                Some(status) => break status,
                None if Instant::now() > deadline => panic!("it does not end: {:?}", self.said()),
                // It has closed its outputs, or lost them: the end is near.
                None => thread::sleep(Duration::from_millis(1)),
            }
        };
        let (stdout, stderr) = self.said();
        Finished {
            status: status.code(),
            stdout,
            stderr,
        }
    }

    /// What is on standard output so far.
    pub fn stdout(&self) -> String {
        lock(&self.stdout.state).text()
    }

    fn said(&self) -> (String, String) {
        let text = |pipe: &Pipe| lock(&pipe.state).text();
        (text(&self.stdout), text(&self.stderr))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a thread has read of one of the program's outputs.
#[derive(Default)]
pub(super) struct Pipe {
    pub(super) state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
pub(super) struct State {
    bytes: Vec<u8>,
    pub(super) closed: bool,
}

impl State {
    fn text(&self) -> String {
        String::from_utf8(self.bytes.clone()).expect("the program speaks UTF-8")
    }

    /// For terminals, which show what is typed too.
    pub(super) fn lossy(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

impl Pipe {
    /// Reads up to `limit` bytes, and then closes its end.
    pub(super) fn read(mut output: impl Read + Send + 'static, limit: usize) -> Arc<Pipe> {
        let pipe = Arc::new(Pipe::default());
        let shared = Arc::clone(&pipe);
        thread::spawn(move || {
            let (mut buffer, mut left) = ([0; 4096], limit);
            while left > 0 {
                let wanted = left.min(buffer.len());
                match output.read(&mut buffer[..wanted]) {
                    Ok(length @ 1..) => {
                        left -= length;
                        lock(&shared.state).bytes.extend(&buffer[..length]);
                        shared.changed.notify_all();
                    }
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Ok(0) | Err(_) => break,
                }
            }
            drop(output);
            lock(&shared.state).closed = true;
            shared.changed.notify_all();
        });
        pipe
    }

    /// `false` if that does not come in time.
    pub(super) fn wait_until(&self, wanted: impl Fn(&State) -> bool) -> bool {
        let state = lock(&self.state);
        let waiting = |state: &mut State| !wanted(state);
        let waited = self.changed.wait_timeout_while(state, DEADLINE, waiting);
        !waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }
}
