//! Prints the public items of a crate with their signatures, one a line. The argument is the file
//! that rustdoc writes with `--output-format json`. `tests/surface.sh` calls it.

use std::env;
use std::error::Error;

/// What every type either implements or not, and no documentation promises. `Send` and `Sync` are
/// promised.
const NOT_PROMISED: [&str; 5] = [
    "core::marker::Freeze",
    "core::marker::StructuralPartialEq",
    "core::marker::Unpin",
    "core::marker::UnsafeUnpin",
    "core::panic::unwind_safe::",
];

fn main() -> Result<(), Box<dyn Error>> {
    let file = env::args_os().nth(1).ok_or("usage: surface FILE")?;
    let surface = public_api::Builder::from_rustdoc_json(file)
        .omit_blanket_impls(true)
        .build()?;
    for item in surface.items().map(ToString::to_string) {
        let is_impl = item.starts_with("impl");
        if !(is_impl && NOT_PROMISED.iter().any(|name| item.contains(name))) {
            println!("{item}");
        }
    }
    Ok(())
}
