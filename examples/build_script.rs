//! A build script, which needs no crate but this one. It asks a server about a file while a crate
//! is built, waits for five seconds in all, and does without a reply if there is none by then:
//!
//!     cargo run --example build_script
//!
//! As `build.rs`, with `h2ogpt` among the `[build-dependencies]`, it lets the crate say
//! `include_str!(env!("SUMMARY"))`.

mod service;

use std::error::Error;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use std::{env, fs};

use h2ogpt::Client;
use service::Service;

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/CHANGELOG.md");

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={FILE}");
    println!("cargo::rerun-if-env-changed=H2OGPT_URL");
    let summary = summary(&fs::read_to_string(FILE)?).unwrap_or_else(|error| {
        println!("cargo::warning=no summary of {FILE}: {error:?}");
        "There is no summary.".to_owned()
    });
    let path = match env::var_os("OUT_DIR") {
        Some(folder) => PathBuf::from(folder).join("summary.txt"),
        // Cargo did not run this as a build script: beside the program.
        None => env::current_exe()?.with_file_name("summary.txt"),
    };
    fs::write(&path, summary)?;
    println!("cargo::rustc-env=SUMMARY={}", path.display());
    Ok(())
}

fn summary(text: &str) -> Result<String, Box<dyn Error>> {
    // In place of a server of your own, if you name none.
    let service = Service::start()?;
    let client = match env::var("H2OGPT_URL") {
        Ok(url) => Client::new(url)?,
        Err(_) => Client::builder().url(service.url()).no_proxy().build()?,
    };
    let client = client.until(Instant::now() + Duration::from_secs(5));
    // All of the reply, or an error: a part of it is never written.
    let reply = client.generate(format!("Summarise this in one sentence:\n\n{text}"))?;
    Ok(reply.into_text()?)
}
