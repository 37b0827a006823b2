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

# What must hold: bytes of `ask`, and of `ask` without what `bare-get` has too. As measured with
# rustc 1.95.0 on x86_64-unknown-linux-gnu, and a little more; to be replaced by the goals below
# when they are reached.
budget_rustls=1825000
budget_http=750300
budget_native_tls=817400
budget_platform_verifier=1881000
budget_rustls_over_bare=133300
budget_http_over_bare=136500
budget_native_tls_over_bare=136900
budget_platform_verifier_over_bare=137400

# What is wanted: less than this.
goal_rustls=1800000
goal_http=720000
goal_native_tls=800000
goal_platform_verifier=
goal_over_bare=98304

check=false
case "${1-}" in
    "") ;;
    --check) check=true ;;
    *) echo "usage: $0 [--check]" >&2; exit 2 ;;
esac

target=${CARGO_TARGET_DIR:-target}
failed=false

bytes() { wc -c <"$target/small/examples/$1" | awk '{ print $1 }'; }

# name of a limit, what is limited, what it comes to, the budget, the goal
limit() {
    if [ "$3" -gt "$4" ]; then
        echo "OVER BUDGET: $1, $2: $3 bytes, $(($3 - $4)) more than $4" >&2
        failed=true
    fi
    [ -z "$5" ] || notes="$notes
$(awk -v name="$1, $2" -v is="$3" -v goal="$5" 'BEGIN {
        distance = is - goal
        if (distance <= 0) says = -distance " bytes below"
        else says = distance " bytes above"
        printf "%s: %d bytes, %s the goal of %d", name, is, says, goal
    }')"
}

# what the features are called, then the arguments that choose them
row() {
    name=$1
    shift
    cargo build --quiet --locked --profile small "$@" \
        --example ask --example chat --example bare-get
    crates=$(cargo tree --locked -e normal --prefix none "$@" | sed 's/ (\*)$//' | sort -u | wc -l)
    ask=$(bytes ask)
    bare=$(bytes bare-get)
    echo "| $name | $bare | $ask | $((ask - bare)) | $(bytes chat) | $((crates)) |"
}

notes="to the goals:"
echo "| features | bare ureq | \`ask\` | difference | \`chat\` | crates |"
echo "|---|---:|---:|---:|---:|---:|"
row '`rustls` (default)'
limit rustls ask "$ask" "$budget_rustls" "$goal_rustls"
limit rustls "ask - bare" $((ask - bare)) "$budget_rustls_over_bare" "$goal_over_bare"
row 'none' --no-default-features
limit none ask "$ask" "$budget_http" "$goal_http"
limit none "ask - bare" $((ask - bare)) "$budget_http_over_bare" "$goal_over_bare"
row '`native-tls`' --no-default-features --features native-tls
limit native-tls ask "$ask" "$budget_native_tls" "$goal_native_tls"
limit native-tls "ask - bare" $((ask - bare)) "$budget_native_tls_over_bare" "$goal_over_bare"
row '`platform-verifier`' --features platform-verifier
limit platform-verifier ask "$ask" "$budget_platform_verifier" "$goal_platform_verifier"
limit platform-verifier "ask - bare" $((ask - bare)) \
    "$budget_platform_verifier_over_bare" "$goal_over_bare"
echo "$notes"

if $check && $failed; then
    exit 1
fi
