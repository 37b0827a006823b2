#!/bin/sh
# How large programs are that use this crate, and of how many crates they are made: a Markdown
# table of every set of features. A program of ureq alone that gets a page is there to compare.
#
#     tests/size.sh            # the table
#     tests/size.sh --check    # and fail if a budget is exceeded
#
# It builds in target/, with the profile `small`: minutes the first time, as everything is built
# once for each set of features.
set -eu
cd "$(dirname "$0")/.."

# What must hold: bytes of `ask`. As rustc 1.95.0 builds for x86_64-unknown-linux-gnu; a hundredth
# more is allowed, as other compilers make a difference.
budget_rustls=1835008
budget_http=790000
budget_native_tls=857500
budget_platform_verifier=1904000

check=false
case "${1-}" in
    "") ;;
    --check) check=true ;;
    *) echo "usage: $0 [--check]" >&2; exit 2 ;;
esac

# The paths of sources are in the programs: the same ones wherever the sources lie.
cargo_home=${CARGO_HOME:-$HOME/.cargo}
RUSTFLAGS="${RUSTFLAGS-} --remap-path-prefix=$PWD=/h2ogpt --remap-path-prefix=$cargo_home=/cargo"
export RUSTFLAGS

target=${CARGO_TARGET_DIR:-target}
failed=false

bytes() { wc -c <"$target/small/$1" | awk '{ print $1 }'; }

# what is limited, what it comes to, the budget
limit() {
    notes="$notes
$1: $2 bytes, of $3"
    if [ "$2" -gt $(($3 + $3 / 100)) ]; then
        echo "OVER BUDGET: $1: $2 bytes, $(($2 - $3)) more than $3" >&2
        failed=true
    fi
}

# what the features are called, the budget, then the arguments that choose them
row() {
    name=$1
    budget=$2
    shift 2
    # Each package for itself, as a package that uses the crate would be built.
    cargo build --quiet --locked --profile small -p h2ogpt "$@" --example ask --example chat
    cargo build --quiet --locked --profile small -p h2ogpt-tests "$@" --bin bare-get
    crates=$(cargo tree --locked -p h2ogpt -e normal --prefix none "$@" | sed 's/ (\*)$//' | sort -u | wc -l)
    ask=$(bytes examples/ask)
    bare=$(bytes bare-get)
    echo "| $name | $bare | $ask | $((ask - bare)) | $(bytes examples/chat) | $((crates)) |"
    limit "ask, $name" "$ask" "$budget"
}

notes="budgets:"
echo "| features | bare ureq | \`ask\` | difference | \`chat\` | crates |"
echo "|---|---:|---:|---:|---:|---:|"
row '`rustls` (default)' "$budget_rustls"
row 'none' "$budget_http" --no-default-features
row '`native-tls`' "$budget_native_tls" --no-default-features --features native-tls
row '`platform-verifier`' "$budget_platform_verifier" --features platform-verifier
echo "$notes"

if $check && $failed; then
    exit 1
fi
