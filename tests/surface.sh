#!/bin/sh
# The public items of the crate with their signatures, as rustdoc sees them. tests/surface.txt has
# those that are agreed on.
#
#     tests/surface.sh --check                 # fails if they differ, and says in what
#     tests/surface.sh --renew                 # writes them to tests/surface.txt
#
# It needs the nightly toolchain that it names, as only nightly writes what rustdoc knows.
set -eu
cd "$(dirname "$0")/.."
export LC_ALL=C

nightly=nightly-2026-05-20
target=${CARGO_TARGET_DIR:-$PWD/target}

case "${1-}" in
    --check | --renew) ;;
    *) echo "usage: $0 --check | --renew" >&2; exit 2 ;;
esac

export CARGO_TARGET_DIR="$target/surface"
cargo "+$nightly" rustdoc --quiet --locked -p h2ogpt --lib --all-features -- \
    -Z unstable-options --output-format json
cargo run --quiet --locked --manifest-path tests/surface/Cargo.toml -- \
    "$CARGO_TARGET_DIR/doc/h2ogpt.json" >"$CARGO_TARGET_DIR/surface.txt"

if [ "$1" = --renew ]; then
    cp "$CARGO_TARGET_DIR/surface.txt" tests/surface.txt
elif ! diff -u tests/surface.txt "$CARGO_TARGET_DIR/surface.txt" >&2; then
    echo "The public surface is not that of tests/surface.txt. If that is meant, say so in" >&2
    echo "CHANGELOG.md, and renew the file: tests/surface.sh --renew" >&2
    exit 1
fi
