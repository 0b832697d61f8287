#!/bin/sh
# Whole steps beside PyTorch, interleaved, one thread each: bench/run.sh [ROUNDS]. PYTHON names an interpreter with torch installed;
# BENCH the folder of our built benchmarks. Prints a line per workload: ours, theirs, the ratio of the medians of all rounds.
set -eu
cd "$(dirname "$0")/.."
rounds=${1:-5}
steps=${BENCH:-build/release/bench}/bench_steps
python=${PYTHON:-python3}
[ -x "$steps" ] || { echo "bench/run.sh: $steps is not built; run make bench" >&2; exit 1; }
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for _ in $(seq "$rounds"); do
    BP_THREADS=1 "$steps" | sed 's/^/ours /' >> "$log"
    OMP_NUM_THREADS=1 "$python" bench/steps.py | sed 's/^/torch /' >> "$log"
done
sed -n 's/^model name[^:]*: */processor: /p' /proc/cpuinfo | head -n 1
for w in w1 w2; do
    ours=$(awk -v w=$w '$1 == "ours" && $2 == w {print $3}' "$log" | sort -g | awk '{v[NR]=$1} END {print v[int((NR+1)/2)]}')
    torch=$(awk -v w=$w '$1 == "torch" && $2 == w {print $3}' "$log" | sort -g | awk '{v[NR]=$1} END {print v[int((NR+1)/2)]}')
    echo "$w ours $ours ms, PyTorch $torch ms, ratio $(echo "$torch $ours" | awk '{printf "%.2f", $1/$2}')"
done
