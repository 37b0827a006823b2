//! The command line.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use h2ogpt::{Attachment, DEFAULT_URL, Parameters};
use lexopt::prelude::*;

use crate::environment::{self, Cookie, variable};
use crate::failure::{Failure, say};
use crate::fault::NamedFault;
use crate::help::HELP;
use crate::kept::{self, Kept};
use crate::parameters;
use crate::serve;
use crate::service::{Dialect, UnknownDialect};
use crate::suggestion::nearest;

/// Every option, by its long name and its letter.
const OPTIONS: [(&str, Option<char>); 27] = [
    ("cacert", None),
    ("continue", Some('c')),
    ("delete", None),
    ("demo", None),
    ("fault", None),
    ("file", Some('f')),
    ("header", Some('H')),
    ("help", Some('h')),
    ("json", None),
    ("keep", Some('k')),
    ("list", None),
    ("list-models", None),
    ("model", Some('m')),
    ("no-stream", None),
    ("option", Some('o')),
    ("proxy", Some('x')),
    ("replies", None),
    ("retries", None),
    ("serve", None),
    ("share", None),
    ("system", Some('s')),
    ("timeout", None),
    ("url", Some('u')),
    ("verbose", Some('v')),
    ("version", Some('V')),
    ("web-search", Some('w')),
    ("within", None),
];

/// What the program is to do.
#[derive(PartialEq, Eq)]
pub enum Task {
    Talk,
    ListModels,
    List,
    Delete(Which),
    Serve(Dialect),
    /// Print this, and nothing else.
    Show(&'static str),
}

#[derive(PartialEq, Eq)]
pub enum Which {
    All,
    One(String),
}

/// What `--continue` says.
enum GoingOn {
    No,
    WithLast,
    With(String),
}

pub struct Options {
    pub task: Task,
    pub url: String,
    pub demo: Option<Dialect>,
    pub faults: Vec<NamedFault>,
    /// What the server of `--serve` and `--demo` replies.
    pub replies: Vec<String>,
    pub prompt: String,
    pub files: Vec<Attachment>,
    pub model: Option<String>,
    pub system: Option<String>,
    pub parameters: Parameters,
    pub headers: Vec<(String, String)>,
    pub proxy: Option<String>,
    pub cacert: Option<PathBuf>,
    pub ssl_cert_file: Option<PathBuf>,
    pub cookie: Option<Cookie>,
    pub timeout: Duration,
    pub within: Option<Duration>,
    pub retries: u32,
    pub json: bool,
    /// Whether the conversation is left on the server.
    pub keep: bool,
    /// The id of the conversation to go on with.
    pub resume: Option<String>,
    pub stream: bool,
    pub web_search: bool,
    pub share: bool,
    pub verbose: bool,
    going_on: GoingOn,
    /// The option that sets the task, if there is one.
    task_option: Option<&'static str>,
    /// The address, if one was given.
    named_url: Option<String>,
}

impl Options {
    fn new() -> Options {
        Options {
            task: Task::Talk,
            url: DEFAULT_URL.into(),
            demo: None,
            faults: Vec::new(),
            replies: Vec::new(),
            prompt: String::new(),
            files: Vec::new(),
            model: None,
            system: None,
            parameters: Parameters::new(),
            headers: Vec::new(),
            proxy: None,
            cacert: None,
            ssl_cert_file: None,
            cookie: None,
            timeout: Duration::from_secs(120),
            within: None,
            retries: 0,
            json: false,
            keep: false,
            resume: None,
            stream: true,
            web_search: false,
            share: false,
            verbose: false,
            going_on: GoingOn::No,
            task_option: None,
            named_url: None,
        }
    }

    pub fn parse() -> Result<Options, Failure> {
        let mut options = Options::new();
        let mut words: Vec<String> = Vec::new();
        let mut arguments = lexopt::Parser::from_env();
        while let Some(argument) = arguments.next()? {
            let name = match argument {
                Value(word) => {
                    words.push(word.string()?);
                    continue;
                }
                Long(name) => name.to_owned(),
                Short(letter) => long_name(letter)?,
            };
            if options.set_flag(&name)? {
                match options.task {
                    // Whatever follows, and whatever the environment holds.
                    Task::Show(_) => return Ok(options),
                    _ => continue,
                }
            }
            match name.as_str() {
                "demo" | "serve" | "continue" => {
                    let value = arguments.optional_value().map(|value| value.string());
                    options.set_optional(&name, value.transpose()?)?;
                }
                name if OPTIONS.iter().any(|(known, _)| *known == name) => {
                    options.set(name, arguments.value()?)?;
                }
                name => return Err(unknown(name)),
            }
        }
        options.prompt = words.join(" ");
        options.check()?;
        options.read_environment()?;
        options.find_server()?;
        Ok(options)
    }

    /// Sets an option without a value. Returns whether it is one.
    fn set_flag(&mut self, name: &str) -> Result<bool, Failure> {
        match name {
            "help" => self.task = Task::Show(HELP),
            "version" => {
                self.task = Task::Show(concat!("chat ", env!("CARGO_PKG_VERSION"), "\n"));
            }
            "json" => self.json = true,
            "keep" => self.keep = true,
            "list" => self.set_task("--list", Task::List)?,
            "list-models" => self.set_task("--list-models", Task::ListModels)?,
            "no-stream" => self.stream = false,
            "share" => self.share = true,
            "verbose" => self.verbose = true,
            "web-search" => self.web_search = true,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn set_task(&mut self, option: &'static str, task: Task) -> Result<(), Failure> {
        if let Some(other) = self.task_option.filter(|_| self.task != task) {
            return Err(Failure::usage(if other == option {
                format!("{option} can be given once")
            } else {
                format!("{other} and {option} exclude each other")
            }));
        }
        self.task_option = Some(option);
        self.task = task;
        Ok(())
    }

    /// Refuses what would have no effect.
    fn check(&self) -> Result<(), Failure> {
        let is_serving = matches!(self.task, Task::Serve(_));
        if is_serving && self.demo.is_some() {
            return Err(Failure::usage("--serve and --demo exclude each other"));
        }
        if !is_serving && self.demo.is_none() {
            let unused = [
                ("--fault", self.faults.is_empty()),
                ("--replies", self.replies.is_empty()),
            ];
            if let Some((option, _)) = unused.iter().find(|(_, is_empty)| !is_empty) {
                let message = format!("{option} needs --serve or --demo");
                return Err(Failure::usage(message));
            }
        }
        match self.task_option {
            Some(option) if !is_serving && !self.prompt.is_empty() => {
                Err(Failure::usage(format!("{option} takes no prompt")))
            }
            _ => Ok(()),
        }
    }

    /// Sets an option whose value may be left out.
    fn set_optional(&mut self, name: &str, value: Option<String>) -> Result<(), Failure> {
        let dialect = |value: Option<String>| dialect(value.as_deref().unwrap_or("v0.5"));
        match name {
            "demo" => self.demo = Some(dialect(value)?),
            "serve" => self.set_task("--serve", Task::Serve(dialect(value)?))?,
            _ => self.going_on = value.map_or(GoingOn::WithLast, GoingOn::With),
        }
        Ok(())
    }

    /// Sets an option with a value.
    fn set(&mut self, name: &str, value: OsString) -> Result<(), Failure> {
        if name == "cacert" {
            self.cacert = Some(value.into());
            return Ok(());
        }
        if name == "file" {
            self.files.push(attachment(&PathBuf::from(value))?);
            return Ok(());
        }
        if name == "replies" {
            self.replies = serve::replies(&PathBuf::from(value))?;
            return Ok(());
        }
        let value = value.string()?;
        match name {
            "delete" if value == "all" => self.set_task("--delete", Task::Delete(Which::All))?,
            "delete" => self.set_task("--delete", Task::Delete(Which::One(value)))?,
            "fault" => self.faults.push(NamedFault::parse(&value)?),
            "header" => self.headers.push(header(&value)?),
            "model" => self.model = Some(value),
            "option" => self.set_parameter(&value)?,
            "proxy" => self.proxy = Some(value),
            "retries" => self.retries = retries(&value)?,
            "system" => self.system = Some(value),
            "timeout" => self.timeout = seconds(&value)?,
            "url" => self.named_url = Some(value),
            "within" => self.within = Some(seconds(&value)?),
            _ => return Err(unknown(name)),
        }
        Ok(())
    }

    fn set_parameter(&mut self, option: &str) -> Result<(), Failure> {
        let parameters = std::mem::take(&mut self.parameters);
        self.parameters = parameters::add(parameters, option)?;
        if let Some(doubt) = parameters::doubt(option) {
            say(doubt);
        }
        Ok(())
    }

    /// Sets what the command line leaves open.
    fn read_environment(&mut self) -> Result<(), Failure> {
        if self.model.is_none() {
            self.model = variable("H2OGPT_MODEL")?;
        }
        self.cookie = variable("H2OGPT_COOKIE")?.as_deref().map(Cookie::parse);
        self.ssl_cert_file = environment::path("SSL_CERT_FILE");
        Ok(())
    }

    /// Decides about the server, and about the conversation to go on with.
    fn find_server(&mut self) -> Result<(), Failure> {
        if self.demo.is_some() && self.named_url.is_some() {
            return Err(Failure::usage("--demo and --url exclude each other"));
        }
        if self.named_url.is_none() {
            self.named_url = variable("H2OGPT_URL")?;
        }
        let url = self.named_url.as_deref();
        let going_on = std::mem::replace(&mut self.going_on, GoingOn::No);
        let kept = match (&going_on, &self.task) {
            (GoingOn::No, Task::List | Task::Delete(Which::All)) if url.is_none() => {
                kept::find(None, None)?
            }
            (GoingOn::No, Task::Delete(Which::One(id))) => kept::find(url, Some(id))?,
            (GoingOn::No, _) => None,
            (GoingOn::WithLast, _) => {
                let last = kept::find(url, None)?;
                let none = || Failure::usage("no conversation of this server was kept, see --keep");
                Some(last.ok_or_else(none)?)
            }
            (GoingOn::With(id), _) => kept::find(url, Some(id))?,
        };
        let id = match going_on {
            GoingOn::No => None,
            GoingOn::WithLast => kept.as_ref().map(|kept| kept.id.clone()),
            GoingOn::With(id) => Some(id),
        };
        self.url = url.unwrap_or(DEFAULT_URL).to_owned();
        if let Some(Kept { url, cookie, .. }) = kept {
            self.url = url;
            if id.is_some() {
                self.cookie = self.cookie.take().or(cookie);
            }
        }
        self.resume = id;
        Ok(())
    }
}

fn long_name(letter: char) -> Result<String, Failure> {
    let known = OPTIONS.iter().find(|(_, known)| *known == Some(letter));
    let (name, _) = known.ok_or_else(|| Failure::usage(format!("there is no option -{letter}")))?;
    Ok((*name).to_owned())
}

fn unknown(name: &str) -> Failure {
    let names = OPTIONS.iter().map(|(known, _)| *known);
    Failure::usage(match nearest(name, names) {
        Some(nearest) => format!("there is no option --{name}, did you mean --{nearest}?"),
        None => format!("there is no option --{name}"),
    })
}

fn dialect(name: &str) -> Result<Dialect, Failure> {
    name.parse().map_err(|unknown: UnknownDialect| {
        Failure::usage(format!("there is no dialect {name:?}: {unknown}"))
    })
}

/// Reads `FILE`, or `FILE=TYPE`.
pub fn attachment(path: &Path) -> Result<Attachment, Failure> {
    let text = path.to_string_lossy();
    match text.rsplit_once('=') {
        Some((path, mime)) if mime.contains('/') && !Path::new(&*text).exists() => {
            let bytes = fs::read(path)
                .map_err(|error| Failure::usage(format!("cannot attach {path}: {error}")))?;
            let name = Path::new(path).file_name().unwrap_or_default();
            Ok(Attachment::new(name.to_string_lossy(), mime, bytes))
        }
        _ => Ok(Attachment::from_path(path)?),
    }
}

/// Reads `NAME: VALUE`. The value may be a secret, and is not shown.
fn header(text: &str) -> Result<(String, String), Failure> {
    match text.split_once(':') {
        Some((name, value)) if !name.trim().is_empty() => {
            Ok((name.trim().to_owned(), value.trim().to_owned()))
        }
        _ => Err(Failure::usage("a header is of the form 'NAME: VALUE'")),
    }
}

fn seconds(text: &str) -> Result<Duration, Failure> {
    let seconds = text.parse().ok().filter(|seconds: &f64| *seconds > 0.0);
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| Failure::usage(format!("{text:?} is not a number of seconds above 0")))
}

fn retries(text: &str) -> Result<u32, Failure> {
    let retries = text.parse();
    retries.map_err(|_| Failure::usage(format!("{text:?} is not a number of retries")))
}
