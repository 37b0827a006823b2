//! The command line.

use std::env;
use std::fs;
use std::time::Duration;

use h2ogpt::{Client, DEFAULT_URL, Parameters};
use lexopt::prelude::*;

use crate::service::Dialect;
use crate::status::{Failure, say};

const HELP: &str = "\
Asks a chat service, and prints the answer as it arrives.

Usage: chat [OPTIONS] [PROMPT]...

The words of PROMPT are joined by spaces. Standard input, if it is not a terminal, is appended
after a blank line, or is the prompt if there is no other. Without any prompt, on a terminal:
an interactive chat, with /new, /retry, /exit and Ctrl-D, where Ctrl-C ends a reply, or the chat
if none is under way. Each line is a prompt, also of pasted ones; a line that begins with \"\"\"
begins one of several lines, which \"\"\" ends.

Options:
  -u, --url URL            the service [env: H2OGPT_URL] [default: https://gpt-gm.h2o.ai]
      --demo[=DIALECT]     talk to a small service inside this program: v0.3 to v0.9.6, or main
  -m, --model MODEL        the model that answers [env: H2OGPT_MODEL]
  -s, --system TEXT        system prompt: instructions that the model answers under
  -o, --option NAME=VALUE  generation parameter, repeatable (VALUE is JSON, else a text)
  -x, --proxy URL          http://, https://, socks5:// or socks5h:// [default: the environment's]
      --cacert FILE        trust the certificates in this PEM file too [env: SSL_CERT_FILE]
      --timeout SECONDS    longest wait for the next token [default: 120]
      --no-stream          print the reply when it is complete
  -w, --web-search         let the service search the web first
      --share              share the conversation with the model's authors
      --list-models        print the models of the service
  -v, --verbose            each request and its status on standard error
  -h, --help               print this
  -V, --version            print the version

A session that is logged in is passed on by its cookie: H2OGPT_COOKIE=NAME=VALUE, or only the
value if the name is hf-chat. The conversation is deleted on the service when the program ends.

Exit status: 0 complete, 1 other error, 2 usage, 3 network, 4 the service refused or reported an
error, 5 rate limited, 6 the reply is incomplete, 130 interrupted.
";

pub enum Command {
    Chat(Box<Options>),
    /// Print this, and nothing else.
    Show(String),
}

pub struct Options {
    pub url: String,
    pub demo: Option<Dialect>,
    pub web_search: bool,
    pub list_models: bool,
    pub prompt: String,
    pub stream: bool,
    model: Option<String>,
    system: Option<String>,
    parameters: Parameters,
    proxy: Option<String>,
    cacert: Option<String>,
    cookie: Option<String>,
    timeout: Duration,
    share: bool,
    verbose: bool,
}

pub fn parse() -> Result<Command, Failure> {
    let mut url = None;
    let mut words: Vec<String> = Vec::new();
    let mut options = Options {
        url: variable("H2OGPT_URL").unwrap_or(DEFAULT_URL.into()),
        demo: None,
        web_search: false,
        list_models: false,
        cookie: variable("H2OGPT_COOKIE"),
        prompt: String::new(),
        stream: true,
        model: variable("H2OGPT_MODEL"),
        system: None,
        parameters: Parameters::new(),
        proxy: None,
        cacert: variable("SSL_CERT_FILE"),
        timeout: Duration::from_secs(120),
        share: false,
        verbose: false,
    };
    let mut arguments = lexopt::Parser::from_env();
    while let Some(argument) = arguments.next()? {
        match argument {
            Short('u') | Long("url") => url = Some(arguments.value()?.string()?),
            Long("demo") => {
                let dialect = arguments
                    .optional_value()
                    .map(|name| name.string())
                    .transpose()?;
                options.demo = Some(demo(dialect.as_deref().unwrap_or("v0.5"))?);
            }
            Short('m') | Long("model") => options.model = Some(arguments.value()?.string()?),
            Short('s') | Long("system") => options.system = Some(arguments.value()?.string()?),
            Short('o') | Long("option") => {
                let option = arguments.value()?.string()?;
                options.parameters = parameter(options.parameters, &option)?;
            }
            Short('x') | Long("proxy") => options.proxy = Some(arguments.value()?.string()?),
            Long("cacert") => options.cacert = Some(arguments.value()?.string()?),
            Long("timeout") => options.timeout = seconds(&arguments.value()?.string()?)?,
            Long("no-stream") => options.stream = false,
            Long("share") => options.share = true,
            Short('v') | Long("verbose") => options.verbose = true,
            Short('h') | Long("help") => return Ok(Command::Show(HELP.into())),
            Short('V') | Long("version") => {
                return Ok(Command::Show(
                    concat!("chat ", env!("CARGO_PKG_VERSION"), "\n").into(),
                ));
            }
            Short('w') | Long("web-search") => options.web_search = true,
            Long("list-models") => options.list_models = true,
            Value(word) => words.push(word.string()?),
            other => return Err(other.unexpected().into()),
        }
    }
    if options.demo.is_some() && url.is_some() {
        return Err(Failure::usage("--demo and --url exclude each other"));
    }
    options.url = url.unwrap_or(options.url);
    options.prompt = words.join(" ");
    Ok(Command::Chat(Box::new(options)))
}

impl Options {
    pub fn client(self: &Options) -> Result<Client, Failure> {
        let mut builder = Client::builder()
            .url(&self.url)
            .parameters(self.parameters.clone())
            .share_with_model_authors(self.share)
            .timeout_token(self.timeout);
        if let Some(model) = &self.model {
            builder = builder.model(model);
        }
        if let Some(cookie) = &self.cookie {
            let (name, value) = cookie.split_once('=').unwrap_or(("hf-chat", cookie));
            builder = builder.cookie(name, value);
        }
        if let Some(system) = &self.system {
            builder = builder.system_prompt(system);
        }
        if let Some(proxy) = &self.proxy {
            builder = builder.proxy(proxy);
        }
        if self.demo.is_some() {
            builder = builder.no_proxy();
        }
        if let Some(file) = &self.cacert {
            let pem = fs::read(file)
                .map_err(|error| Failure::usage(format!("cannot read {file}: {error}")))?;
            builder = builder.root_certificates(pem);
        }
        if self.verbose {
            builder = builder.on_exchange(|exchange| {
                let (method, path) = (exchange.method, exchange.path);
                let elapsed = exchange.elapsed.as_millis();
                let outcome = match exchange.outcome {
                    Ok(status) => status.to_string(),
                    Err(_) => "no answer".to_owned(),
                };
                say(format_args!(
                    "{method} {path}: {outcome} after {elapsed} ms"
                ));
            });
        }
        Ok(builder.build()?)
    }
}

/// An environment variable that is set to something.
fn variable(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

fn demo(dialect: &str) -> Result<Dialect, Failure> {
    dialect.parse().map_err(|_| {
        let known = Dialect::ALL.map(|dialect| dialect.to_string()).join(", ");
        Failure::usage(format!(
            "there is no dialect {dialect:?}: there are {known}"
        ))
    })
}

fn parameter(parameters: Parameters, option: &str) -> Result<Parameters, Failure> {
    match option.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok(match serde_json::from_str(value) {
            Ok::<serde_json::Value, _>(json) => parameters.set(name, json),
            Err(_) => parameters.set(name, value),
        }),
        _ => Err(Failure::usage(format!(
            "{option:?} is not of the form NAME=VALUE"
        ))),
    }
}

fn seconds(text: &str) -> Result<Duration, Failure> {
    let seconds = text.parse().ok().filter(|seconds: &f64| *seconds > 0.0);
    seconds
        .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
        .ok_or_else(|| Failure::usage(format!("{text:?} is not a number of seconds above 0")))
}
