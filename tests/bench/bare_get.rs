//! Gets a page and prints it, with ureq alone: how large a program is that does next to nothing.

use std::env;
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let url = env::args().nth(1).ok_or("which page?")?;
    print!("{}", ureq::get(url).call()?.body_mut().read_to_string()?);
    Ok(())
}
