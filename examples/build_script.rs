//! A build script, which needs no crate but this one: it asks a service about a file while a crate
//! is built, and writes the answer where the crate finds it.
//!
//!     cargo run --example build_script
//!
//! As `build.rs`, with `h2ogpt` among the `[build-dependencies]`, it lets the crate say
//! `include_str!(env!("SUMMARY"))`.

mod service;

use std::env;
use std::error::Error;
use std::fs;
use std::iter;
use std::path::PathBuf;
use std::process::ExitCode;

use h2ogpt::{Client, Message};
use service::Service;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/CHANGELOG.md");

fn main() -> ExitCode {
    println!("cargo::rerun-if-changed={FILE}");
    println!("cargo::rerun-if-env-changed=H2OGPT_URL");
    match write_summary() {
        Ok(path) => {
            println!("cargo::rustc-env=SUMMARY={}", path.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            let causes = iter::successors(error.source(), |&cause| cause.source());
            let why = causes.fold(error.to_string(), |why, cause| format!("{why}: {cause}"));
            // Cargo shows it, and ends the build.
            println!("cargo::error=no summary of {FILE}: {why}");
            ExitCode::FAILURE
        }
    }
}

fn write_summary() -> Result<PathBuf, Box<dyn Error>> {
    let text = fs::read_to_string(FILE)?;
    let question = format!("Summarise this in one sentence:\n\n{text}");

    // In place of a service of your own, if you name none.
    let service = Service::start()?;
    let client = match env::var("H2OGPT_URL") {
        Ok(url) => Client::new(url)?,
        Err(_) => Client::builder().url(service.url()).no_proxy().build()?,
    };
    // All of the answer, or an error: a part of it is never written.
    let reply = client.generate(&[Message::user(question)])?;
    let answer: String = reply.collect::<Result<_, _>>()?;

    let path = match env::var_os("OUT_DIR") {
        Some(folder) => PathBuf::from(folder).join("summary.txt"),
        // Cargo did not run this as a build script: beside the program.
        None => env::current_exe()?.with_file_name("summary.txt"),
    };
    fs::write(&path, answer)?;
    Ok(path)
}
