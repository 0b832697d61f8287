#!/bin/sh
# The arrows of ARCHITECTURE.md point one way only: a folder of src/ includes itself and what stands in its line below.
# cli/ and examples/ know nothing but the public header. Instruction sets stay in src/kernel/ (and src/core/cpu.c).
set -eu
cd "$(dirname "$0")/.."

allowed() { # allowed FOLDER: the folders that it may include
    case $1 in
    core) echo core ;;
    kernel) echo core kernel ;;
    op | graph) echo core kernel op graph ;;
    nn | optim) echo core kernel op graph "$1" ;;
    io) echo core kernel op graph io ;;
    data) echo core kernel op graph io data ;;
    train) echo core kernel op graph nn optim data io train ;;
    explain | rl | stream | dist) echo core kernel op graph nn optim data io train "$1" ;;
    *) echo '' ;;
    esac
}

wrong=$(mktemp)
trap 'rm -f "$wrong"' EXIT
complain() { printf '%s\n' "$*" >>"$wrong"; }
includes() { # file:line:name of every include of a folder, either kind of bracket
    find "$@" -type f \( -name '*.c' -o -name '*.h' -o -name '*.def' \) -exec grep -Hn '^[[:space:]]*#[[:space:]]*include' {} + 2>/dev/null |
        sed -n 's/^\([^:]*:[0-9]*\):[^"<]*\(["<][^">]*\).*/\1 \2/p' || true
}

for folder in src/*/; do
    folder=${folder#src/}
    folder=${folder%/}
    may=" $(allowed "$folder") "
    [ "$may" != "  " ] || complain "src/$folder: unknown folder; give it a line in tools/check_includes.sh."
    includes "src/$folder" >"$wrong.list"
    while read -r where name; do
        case $name in
        \"*/*)
            target=${name#\"}
            target=${target%%/*}
            # A folder inside this one (graph/passes) is this one; only names of folders of src/ are arrows.
            [ -d "src/$target" ] || continue
            case $may in *" $target "*) ;; *) complain "$where: src/$folder may not include src/$target." ;; esac
            ;;
        esac
    done <"$wrong.list"
done

for folder in cli examples; do
    [ -d "$folder" ] || continue
    includes "$folder" >"$wrong.list"
    while read -r where name; do
        case $name in
        '<'*) ;; # the system's headers and <backprop.h>
        '"backprop.h') ;;
        *) [ -f "$folder/${name#\"}" ] || complain "$where: $folder/ may include backprop.h and files of its own only, not ${name#?}." ;;
        esac
    done <"$wrong.list"
done

includes src cli examples >"$wrong.list"
while read -r where name; do
    case ${name#?} in
    *intrin.h | arm_neon.h | arm_sve.h | cpuid.h)
        case $where in
        src/kernel/* | src/core/cpu.c:*) ;;
        *) complain "$where: ${name#?} belongs to src/kernel/ and src/core/cpu.c only." ;;
        esac
        ;;
    esac
done <"$wrong.list"
rm -f "$wrong.list"

if [ -s "$wrong" ]; then
    cat "$wrong" >&2
    exit 1
fi
