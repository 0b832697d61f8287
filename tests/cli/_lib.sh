# Sourced by the tests of the program. $BACKPROP is the program; every test works in a folder of its own, which it leaves empty.
set -u
root=$(pwd)
: "${BACKPROP:=$root/build/release/backprop}"
case $BACKPROP in /*) ;; *) BACKPROP=$root/$BACKPROP ;; esac
[ -x "$BACKPROP" ] || { echo "no program at $BACKPROP: run make first" >&2; exit 1; }
unset NO_COLOR FORCE_COLOR BP_ISA BP_THREADS BP_PASSES
here=$(mktemp -d)
cd "$here" || exit 1
trap 'cd /; rm -rf "$here"' EXIT
trap 'exit 1' HUP INT TERM
failures=0

fail() {
    failures=$((failures + 1))
    echo "FAILED: $*" >&2
    [ -s out ] && sed 's/^/    out: /' out | head -n 20 >&2
    [ -s err ] && sed 's/^/    err: /' err | tail -n 20 >&2
    return 0
}

# run STATUS ARGUMENTS…: runs the program, its streams in ./out and ./err
run() {
    wanted=$1
    shift
    said="backprop $*"
    "$BACKPROP" "$@" >out 2>err </dev/null
    got=$?
    [ "$got" -eq "$wanted" ] || fail "$said: exit status $got, expected $wanted"
}

# bad STATUS 'TEXT' ARGUMENTS…: fails with one sentence that holds TEXT, and writes nothing: no output, no run
bad() {
    expected=$1
    text=$2
    shift 2
    find . ! -name out ! -name err | sort >"$here.before"
    run "$expected" "$@"
    grep -qF -- "$text" err || fail "$said: the sentence does not hold: $text"
    [ "$(grep -c '' err)" -eq 1 ] || fail "$said: not one sentence"
    grep -q '^backprop: ' err || fail "$said: the sentence does not begin with the program's name"
    [ -s out ] && fail "$said: standard output is not empty"
    find . ! -name out ! -name err | sort >"$here.after"
    cmp -s "$here.before" "$here.after" || fail "$said: left files: $(diff "$here.before" "$here.after" | tr '\n' ' ')"
    rm -f "$here.before" "$here.after"
    run "$expected" "$@" --json # and once more as one object
    one_object
    grep -q '"error":' out || fail "$said: no error in the object"
}

says() { grep -qF -- "$1" err || fail "$said: standard error does not hold: $1"; }
prints() { grep -qF -- "$1" out || fail "$said: standard output does not hold: $1"; }
holds() { [ -s "$1" ] || fail "$said: no file $1"; }
lacks() { [ ! -e "$1" ] || fail "$said: there is a file $1"; }

# ./out is exactly one JSON object. Without jq: braces balance for the first time at the very end.
one_object() {
    if command -v jq >/dev/null 2>&1; then
        [ "$(jq -s 'length == 1 and (.[0] | type) == "object"' out 2>/dev/null)" = true ] || fail "$said: not one JSON object"
    else
        awk '{ text = text $0 }
             END {
                 n = length(text); depth = 0; quoted = 0; ends = 0
                 for (i = 1; i <= n; i++) {
                     c = substr(text, i, 1)
                     if (quoted) { if (c == "\\") i++; else if (c == "\"") quoted = 0; continue }
                     if (c == "\"") quoted = 1
                     else if (c == "{" || c == "[") depth++
                     else if (c == "}" || c == "]") { if (--depth == 0) ends++ }
                 }
                 exit !(substr(text, 1, 1) == "{" && depth == 0 && ends == 1)
             }' out || fail "$said: not one JSON object"
    fi
}

# field FILE NAME: the first number that FILE's object gives for NAME
field() { tr -d '\n' <"$1" | sed "s/.*\"$2\": *\([-0-9.e+]*\).*/\1/"; }

finish() {
    [ "$failures" -eq 0 ] || { echo "$failures failed" >&2; exit 1; }
    exit 0
}
