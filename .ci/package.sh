# A part of .ci/run: the package has what a user needs, and works without the repository around it.

packaged=$(cargo package --locked -p h2ogpt --list --allow-dirty)
if grep '^tests/' <<<"$packaged"; then
    fail "the tests stay out"
fi
cargo publish --dry-run --locked -p h2ogpt --allow-dirty || {
    # Where the registry cannot be reached.
    echo "cargo publish --dry-run failed; this is what cargo package says:"
    cargo package --locked -p h2ogpt --allow-dirty
}
cargo package --quiet --locked -p h2ogpt --allow-dirty --no-verify
package=h2ogpt-$(cargo pkgid -p h2ogpt | sed 's/.*[#@]//')
tar -xzf "$target/package/$package.crate" -C "$elsewhere"
(
    cd "$elsewhere/$package"
    # To cargo its files are those of the repository, and older than what was built of them.
    export CARGO_TARGET_DIR=$elsewhere/target
    cargo test --locked
    replies cargo run --locked --quiet --example chat -- --demo "Hello, how are you?"
)
