//! What the README and the crate's documentation say is so: of each other, of the programs and of
//! the files.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::{chat_program, folder};

/// Where a file of the repository is.
fn path(name: impl AsRef<Path>) -> PathBuf {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    tests.parent().expect("the repository").join(name)
}

#[track_caller]
fn read(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The documentation of the crate, as Markdown.
fn crate_docs() -> String {
    let source = read("src/lib.rs");
    let lines = source.lines().map_while(|line| line.strip_prefix("//!"));
    let lines = lines.map(|line| line.strip_prefix(' ').unwrap_or(line));
    lines.flat_map(|line| [line, "\n"]).collect()
}

#[track_caller]
fn after<'t>(text: &'t str, start: &str) -> &'t str {
    let Some((_, rest)) = text.split_once(start) else {
        panic!("nothing says {start:?}");
    };
    rest
}

/// The first block of code after a text.
#[track_caller]
fn block<'t>(text: &'t str, start: &str) -> &'t str {
    let (_language, block) = after(after(text, start), "\n```")
        .split_once('\n')
        .expect("a block of code");
    let end = block.find("\n```").expect("the end of the block") + 1;
    &block[..end]
}

/// Says which line it is that differs.
#[track_caller]
fn assert_same(shown: &str, real: &str) {
    for (shown, real) in shown.lines().zip(real.lines()) {
        assert_eq!(shown, real);
    }
    assert_eq!(shown, real);
}

/// The rows of the first table after a text, without its head.
#[track_caller]
fn rows<'t>(text: &'t str, start: &str) -> Vec<Vec<&'t str>> {
    let lines = after(text, start).lines();
    let table = lines.skip_while(|line| !line.starts_with('|'));
    let rows = table.take_while(|line| line.starts_with('|')).skip(2);
    let cells = |row: &'t str| row.trim_matches('|').split('|').map(str::trim).collect();
    rows.map(cells).collect()
}

/// What follows a word, wherever it is.
fn words_after<'t>(text: &'t str, word: &str) -> Vec<&'t str> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let pairs = words.windows(2).filter(|pair| pair[0] == word);
    let is_mark = |c: char| c.is_ascii_punctuation();
    pairs.map(|pair| pair[1].trim_matches(is_mark)).collect()
}

#[test]
fn the_program_of_the_readme_is_the_example() {
    let example = read("examples/ask.rs");
    let program = after(&example, "\n\n");
    assert_same(block(&read("README.md"), "## A program\n"), program);
}

#[test]
fn several_turns_are_the_same_in_both() {
    let (readme, docs) = (read("README.md"), crate_docs());
    let shown = block(&readme, "Several turns are a conversation");
    assert_same(shown, block(&docs, "# Several turns\n"));
}

#[test]
fn the_options_and_exit_statuses_of_the_readme_are_those_that_the_program_prints() {
    let help = chat_program().arg("--help").run().stdout;
    assert_same(block(&read("README.md"), "`chat --help` prints:\n"), &help);
}

/// All blocks of shell commands in a section of the README.
fn commands(readme: &str) -> Vec<&str> {
    let section = after(readme, "## The command line\n");
    let (section, _) = section.split_once("\n## ").expect("the next section");
    let blocks = section.split("```sh\n").skip(1);
    let commands = blocks.filter_map(|block| Some(block.split_once("```")?.0));
    commands.collect()
}

#[cfg(unix)]
#[test]
fn every_command_of_the_readme_runs() {
    use std::os::unix::fs::PermissionsExt;

    use support::program::Program;
    use support::service::{Dialect, Fault, Service};

    let service = Service::builder().dialect(Dialect::Main).faults(|request| {
        // Some of the commands look for that.
        let is_prime = request.is_message() && request.text().contains("prime");
        is_prime.then_some(Fault::Length(3))
    });
    let service = service.start().expect("a service");
    let folder = folder("readme");
    fs::write(folder.join("notes.txt"), "All work and no play.\n").expect("a file");

    let programs = Path::new(env!("CARGO_BIN_EXE_chat")).parent();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let paths = programs.map(Path::to_owned).into_iter();
    let path = std::env::join_paths(paths.chain(std::env::split_paths(&path)));
    let readme = read("README.md");
    let (scripts, commands): (Vec<_>, Vec<_>) = commands(&readme)
        .into_iter()
        .partition(|block| block.starts_with("#!"));
    let script = folder.join("summarise");
    fs::write(&script, scripts.concat()).expect("a script");
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755)).expect("it is ours");

    let path = path.expect("a search path");
    for block in commands {
        // Standard input is a pipe here, and nobody types.
        let shell = format!("set -e; cd \"$0\"; exec < /dev/null\n{block}");
        let program = Program::new("sh").args(["-c", &shell]).arg(&folder);
        let program = program.env("PATH", &path).env("H2OGPT_URL", service.url());
        let ended = program.env("XDG_STATE_HOME", folder.join("state")).run();
        assert_eq!(ended.status, Some(0), "{block}{ended:?}");
        assert!(!ended.stderr.contains("--help"), "{block}{ended:?}");
    }
    assert_eq!(service.conversations(), 0);
}

#[test]
fn both_tables_have_every_feature_and_no_other() {
    let manifest = read("Cargo.toml");
    let (of_manifest, _) = after(&manifest, "\n[features]\n")
        .split_once("\n[")
        .expect("the end of the features");
    let features: BTreeSet<&str> = of_manifest
        .lines()
        .filter_map(|line| Some(line.split_once(" = ")?.0))
        .collect();

    let (readme, docs) = (read("README.md"), crate_docs());
    let table = rows(&readme, "## Proxies and TLS\n");
    let mut documented = BTreeSet::from(["default"]);
    for row in &table {
        let quoted = row[0].split('`').nth(1).expect("its name");
        documented.extend(row[0].starts_with('`').then_some(quoted));
        let is_default = of_manifest.contains(&format!("default = [{quoted:?}]"));
        assert_eq!(row[0].contains("(default)"), is_default, "{quoted}");
    }
    assert_eq!(documented, features);

    let sized = rows(&docs, "# Features and sizes\n");
    let without_size = sized.iter().map(|row| row[..3].to_vec());
    assert_eq!(without_size.collect::<Vec<_>>(), table);
}

#[test]
fn both_have_the_same_sizes_and_those_are_measured() {
    let (readme, docs) = (read("README.md"), crate_docs());
    let mut measured = Vec::new();
    for row in rows(&readme, "## Size and cost\n") {
        let bytes: f64 = row[2].parse().expect("bytes");
        measured.push((row[0].to_owned(), format!("{:.1} MB", bytes / 1e6)));
    }

    let mut documented = Vec::new();
    for row in rows(&docs, "# Features and sizes\n") {
        let name = if row[0].starts_with('`') {
            row[0]
        } else {
            "none"
        };
        documented.push((name.to_owned(), row[3].to_owned()));
    }
    documented.sort();
    let mut sorted = measured.clone();
    sorted.sort();
    assert_eq!(documented, sorted);

    let script = read("tests/size.sh");
    let calls = script.lines().filter_map(|line| line.strip_prefix("row '"));
    let rows: Vec<&str> = calls.filter_map(|call| call.split('\'').next()).collect();
    let names: Vec<&str> = measured.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, rows);
}

#[test]
fn the_layout_has_every_source_file_and_names_only_what_is_there() {
    let readme = read("README.md");
    let mut named = Vec::new();
    for line in block(&readme, "## Development\n").lines() {
        let (names, _) = line.split_once("  ").expect("names, and what they are");
        let mut names = names.split(", ");
        let first = Path::new(names.next().expect("a name"));
        named.push(first.to_owned());
        // The others are its neighbours.
        named.extend(names.map(|name| first.with_file_name(name)));
    }
    for name in &named {
        assert!(path(name).exists(), "there is no {}", name.display());
    }
    let mut folders = vec![PathBuf::from("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(path(&folder)).expect("a folder") {
            let entry = entry.expect("an entry of it");
            let name = folder.join(entry.file_name());
            // A module's name stands for the folder of its parts too.
            if named.contains(&name) || named.contains(&name.with_extension("rs")) {
                continue;
            }
            assert!(path(&name).is_dir(), "it is without {}", name.display());
            folders.push(name);
        }
    }
}

#[test]
fn links_and_names_of_files_lead_to_files() {
    let readme = read("README.md");
    let links = readme.split("](").skip(1);
    let links = links.filter_map(|rest| Some(rest.split_once(')')?.0));
    let links = links.filter(|link| !link.starts_with("https://"));

    let prose: String = readme.split("```").step_by(2).collect();
    let quoted = prose.split('`').skip(1).step_by(2);
    let folders = ["src/", "tests/", "examples/", ".ci/"];
    let quoted = quoted.filter(|name| folders.iter().any(|folder| name.starts_with(folder)));

    let files: BTreeSet<&str> = links.chain(quoted).collect();
    assert!(files.len() > 10, "{files:?}");
    for file in files {
        assert!(path(file).exists(), "no {file}");
    }
}

#[test]
fn tests_examples_and_benchmarks_that_are_named_exist() {
    let (readme, manifest) = (read("README.md"), read("tests/Cargo.toml"));
    for name in words_after(&readme, "--example") {
        let exists = path(format!("examples/{name}.rs")).exists();
        assert!(exists, "--example {name}");
    }
    for kind in ["test", "bench"] {
        let names = words_after(&readme, &format!("--{kind}"));
        assert!(!names.is_empty(), "--{kind}");
        for name in names {
            let entry = format!("[[{kind}]]\nname = {name:?}\n");
            assert!(manifest.contains(&entry), "--{kind} {name}");
        }
    }
}

#[test]
fn the_readme_and_the_changelog_have_the_versions_of_the_manifest() {
    let (readme, changelog) = (read("README.md"), read("CHANGELOG.md"));
    let manifest = read("Cargo.toml");
    let quoted = |name| after(&manifest, name).split('"').nth(1).expect("a version");

    let rust = format!("needs Rust {} or later", quoted("\nrust-version = "));
    assert!(readme.contains(&rust), "{rust}");
    let last = after(after(&changelog, "\n## [Unreleased]\n"), "\n## [");
    let version = quoted("\nversion = ");
    assert!(last.starts_with(&format!("{version}] - ")), "{version}");
}
