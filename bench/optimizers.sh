#!/bin/sh
# One update of 16.8 million weights by every optimiser, beside PyTorch and optax, one thread and one core each, interleaved:
# bench/optimizers.sh [ROUNDS [NAME …]]. PYTHON names an interpreter with torch, jax and optax; BENCH the folder of our built
# benchmarks. Prints a table of the medians of all rounds: milliseconds of the processor, our update over one pass over the same
# memory, and over its bound, the larger of two: what such a pass takes for as many bytes as the formula cannot do without, and what
# the update's instructions take on numbers in the first cache.
set -eu
cd "$(dirname "$0")/.."
rounds=${1:-3}
[ $# -eq 0 ] || shift
ours=${BENCH:-build/release/bench}/bench_optimizers
python=${PYTHON:-python3}
[ -x "$ours" ] || { echo "bench/optimizers.sh: $ours is not built; run make bench" >&2; exit 1; }
log=$(mktemp)
trap 'rm -f "$log"' EXIT
pinned() { # on one core, where that can be said
    if command -v taskset >/dev/null; then taskset -c "${CORE:-0}" "$@"; else "$@"; fi
}
for _ in $(seq "$rounds"); do
    BP_THREADS=1 pinned "$ours" "$@" | sed 's/^/ours /' >>"$log"
    OMP_NUM_THREADS=1 pinned "$python" bench/optimizers.py torch "$@" | sed 's/^/torch /' >>"$log"
    OMP_NUM_THREADS=1 pinned "$python" bench/optimizers.py optax "$@" | sed 's/^/optax /' >>"$log"
done
median() { # median SYSTEM NAME COLUMN
    awk -v s="$1" -v n="$2" -v c="$3" '$1 == s && $2 == n {print $c}' "$log" | sort -g | awk '{v[NR] = $1} END {if (NR) print v[int((NR + 1) / 2)]}'
}
echo "| optimiser | bytes of state | bytes needed | bytes moved | update, ms | pass over its memory, ms | update / pass | bound: memory, ms | bound: instructions, ms | update / bound | PyTorch, ms | optax, ms |"
echo "|---|---|---|---|---|---|---|---|---|---|---|---|"
near='' bound=''
for name in $(awk '$1 == "ours" && !seen[$2]++ {print $2}' "$log"); do
    path=$(awk -v n="$name" '$1 == "torch" && $2 == n {print $4; exit}' "$log")
    update=$(median ours "$name" 3)
    touched=$(median ours "$name" 4)
    torch=$(median torch "$name" 3)
    optax=$(median optax "$name" 3)
    ratio=$(echo "$update $touched" | awk '{printf "%.2f", $1 / $2}')
    echo "$ratio" | awk '{exit $1 > 1.3}' && near="$near${near:+, }$name"
    state=$(median ours "$name" 5 | awk '{print $1 < 1e-4 ? 0 : $1}')
    moved=$(median ours "$name" 6)
    needed=$(median ours "$name" 7)
    work=$(median ours "$name" 8)
    memory=$(echo "$touched $state $needed" | awk '{printf "%.1f", $1 * $3 / (2 * (4 + $2) + 4)}')
    times=$(echo "$update $memory $work" | awk '{printf "%.2f", $1 / ($2 > $3 ? $2 : $3)}')
    echo "$times" | awk '{exit $1 > 1.3}' && bound="$bound${bound:+, }$name"
    printf '| %s | %s | %s | %s | %.1f | %.1f | %s | %s | %.1f | %s | %s | %s |\n' "$name" "$state" "$needed" "$moved" "$update" "$touched" "$ratio" \
        "$memory" "$work" "$times" \
        "$(echo "$torch" | awk -v p="$path" '{if ($1 != "") printf "%.1f (%s)", $1, p}')" "$(echo "$optax" | awk '{if ($1 != "") printf "%.1f", $1}')"
done
printf '\nWithin 1.3 times the pass over their memory: %s.\n' "${near:-none}"
printf '\nWithin 1.3 times their bound: %s.\n' "${bound:-none}"
