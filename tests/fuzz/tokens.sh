#!/bin/sh
# Runs the fuzz target `tokens` for so many seconds on one core, and says how many runs a second
# that were.
#
#     tests/fuzz/tokens.sh 60
#     tests/fuzz/tokens.sh 3600 -verbosity=1    # with more options of libFuzzer
#
# It needs a nightly toolchain, which NIGHTLY may name, and `cargo install cargo-fuzz`. The inputs
# that it collects stay in tests/fuzz/corpus/, where the next run begins.
set -eu
cd "$(dirname "$0")"
export LC_ALL=C

seconds=${1:?"usage: $0 SECONDS [OPTION]..."}
shift
corpus=corpus/tokens
seeds=corpus/seeds
rm -rf "$seeds"
mkdir -p "$corpus" "$seeds"

# The first and the last lines of each recorded body: all that is special, in few bytes.
for recording in ../recordings/*/*.res; do
    name=$(basename "$(dirname "$recording")")-$(basename "$recording")
    tr -d '\r' <"$recording" | sed -e '1,/^$/d' -e '/^[0-9a-f]*$/d' |
        sed -n -e '1,3{p;d;}' -e '$p' >"$seeds/$name"
done

# No sanitizer, as the crate has no unsafe code. Comparisons are not traced, as that takes most of
# the time: the words that they would reveal are in the dictionary.
exec cargo "+${NIGHTLY:-nightly}" fuzz run --fuzz-dir . --sanitizer none --no-trace-compares tokens \
    "$corpus" "$seeds" -- -dict=tokens.dict -max_len=1024 -rss_limit_mb=256 -reload=0 \
    -verbosity=0 -print_final_stats=1 -max_total_time="$seconds" "$@"
