//! A program on a terminal of its own, with a person who types.

use std::cell::Cell;
use std::fs::{File, OpenOptions};
use std::io::{PipeWriter, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::{FdFlags, fcntl_setfd, ioctl_fionbio};
use rustix::process::{ioctl_tiocsctty, setsid};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::stdio;
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use super::listener::lock;
use super::program::{DEADLINE, Pipe, Program};

pub const CTRL_C: &str = "\u{3}";
pub const CTRL_D: &str = "\u{4}";

/// A program at work on its terminal. It is killed if it is dropped.
pub struct Terminal {
    child: Child,
    keyboard: File,
    output: Arc<Pipe>,
    /// How much of the output was waited for.
    seen: usize,
}

impl Program {
    /// Starts it on a terminal with everything but what is to go elsewhere.
    pub fn start_on_a_terminal(
        self,
        stdout: Option<PipeWriter>,
        stderr: Option<PipeWriter>,
    ) -> Terminal {
        let keyboard = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        fcntl_setfd(&keyboard, FdFlags::CLOEXEC).expect("the terminal is ours");
        grantpt(&keyboard).expect("the terminal is granted");
        unlockpt(&keyboard).expect("the terminal is unlocked");
        let name = ptsname(&keyboard, Vec::new()).expect("its name");
        let path = Path::new(std::ffi::OsStr::from_bytes(name.as_bytes()));
        let open = || -> Stdio {
            let opened = OpenOptions::new().read(true).write(true).open(path);
            opened.expect("the other end").into()
        };
        let mut command = self.into_command();
        command.stdin(open());
        command.stdout(stdout.map_or_else(open, Stdio::from));
        command.stderr(stderr.map_or_else(open, Stdio::from));
        // SAFETY: two system calls and nothing else. They make it the program's own terminal,
        // which turns a typed Ctrl-C into a signal to it.
        unsafe {
            command.pre_exec(|| {
                setsid()?;
                ioctl_tiocsctty(stdio::stdin())?;
                Ok(())
            });
        }
        let child = command.spawn().expect("the program starts");
        let keyboard = File::from(keyboard);
        Terminal {
            child,
            output: Pipe::read(keyboard.try_clone().expect("the same again"), usize::MAX),
            keyboard,
            seen: 0,
        }
    }
}

impl Terminal {
    /// Sends the program a signal of this name, such as `TERM`.
    pub fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        let status = Command::new("sh").args(["-c", &kill]).status();
        assert!(status.expect("a shell").success(), "{kill}");
    }

    /// Gives the window another size, which the program is told.
    pub fn resize(&self, columns: u16) {
        let size = Winsize {
            ws_row: 24,
            ws_col: columns,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&self.keyboard, size).expect("it has a size");
    }

    /// Whether what is typed is shown by the terminal itself, line by line.
    pub fn is_cooked(&self) -> bool {
        let modes = tcgetattr(&self.keyboard).expect("its settings").local_modes;
        modes.contains(LocalModes::ICANON | LocalModes::ECHO)
    }

    pub fn press(&mut self, keys: impl AsRef<[u8]>) {
        self.keyboard.write_all(keys.as_ref()).expect("it is there");
    }

    /// Waits until this stands behind what was waited for before.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) {
        let (end, seen) = (Cell::new(None), self.seen);
        let arrived = self.output.wait_until(|state| {
            let found = state.lossy()[seen..].find(text);
            end.set(found.map(|at| seen + at + text.len()));
            found.is_some()
        });
        assert!(arrived, "no {text:?} behind {seen} of {:?}", self.output());
        self.seen = end.get().unwrap_or(seen);
    }

    /// Takes the terminal away, as when its window is closed, and returns the exit status.
    #[track_caller]
    pub fn hang_up(mut self) -> Option<i32> {
        // Ends the thread that reads, with the next output: it holds the terminal open.
        ioctl_fionbio(&self.keyboard, true).expect("the terminal is ours");
        self.press("x");
        assert!(self.output.wait_until(|state| state.closed), "no output");
        self.keyboard = File::open("/dev/null").expect("another file");
        let deadline = Instant::now() + DEADLINE;
        loop {
            match self.child.try_wait().expect("its status") {
                Some(status) => return status.code(),
                None if Instant::now() > deadline => panic!("it does not end: {}", self.output()),
                None => thread::sleep(Duration::from_millis(1)),
            }
        }
    }

    /// Everything that was ever on the terminal.
    pub fn output(&self) -> String {
        lock(&self.output.state).lossy()
    }

    /// The exit status, and everything that was ever on the terminal.
    #[track_caller]
    pub fn finish(mut self) -> (Option<i32>, String) {
        let ended = self.output.wait_until(|state| state.closed);
        assert!(ended, "it does not end; so far: {:?}", self.output());
        let status = self.child.wait().expect("its status");
        (status.code(), self.output())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What is left on a wide screen of everything that was on it.
pub fn screen(output: &str) -> String {
    let mut lines = vec![Vec::new()];
    let mut column = 0;
    let output = output.replace("\u{1b}[?7l", "").replace("\u{1b}[?7h", "");
    let output = output.replace("\u{1b}[K", "\u{1b}");
    for c in output.chars() {
        let line = lines.last_mut().expect("a line");
        match c {
            '\r' => column = 0,
            '\n' => {
                lines.push(Vec::new());
                column = 0;
            }
            '\u{1b}' => line.truncate(column),
            c => {
                line.resize(line.len().max(column + 1), ' ');
                line[column] = c;
                column += 1;
            }
        }
    }
    let lines: Vec<String> = lines.into_iter().map(String::from_iter).collect();
    lines.join("\n")
}
