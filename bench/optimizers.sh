#!/bin/sh
# One update of 16.8 million weights by every optimiser, beside PyTorch and optax, one thread and one core each, interleaved:
# bench/optimizers.sh [ROUNDS [NAME …]]. PYTHON names an interpreter with torch, jax and optax; BENCH the folder of our built
# benchmarks. Prints a table of the medians of all rounds: milliseconds of the processor, our update over one
# pass over the same memory, and over the time that such a pass takes for as many bytes as the update's loops move.
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
echo "| optimiser | bytes of state | bytes moved | update, ms | pass over its memory, ms | update / pass | update / bytes moved | PyTorch, ms | optax, ms |"
echo "|---|---|---|---|---|---|---|---|---|"
near=''
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
    loops=$(echo "$update $touched $state $moved" | awk '{printf "%.2f", $1 / ($2 * $4 / (2 * (4 + $3) + 4))}')
    printf '| %s | %s | %s | %.1f | %.1f | %s | %s | %s | %s |\n' "$name" "$state" "$moved" "$update" "$touched" "$ratio" "$loops" \
        "$(echo "$torch" | awk -v p="$path" '{if ($1 != "") printf "%.1f (%s)", $1, p}')" "$(echo "$optax" | awk '{if ($1 != "") printf "%.1f", $1}')"
done
printf '\nWithin 1.3 times the pass over their memory: %s.\n' "${near:-none}"
