#!/bin/sh
# Whole steps beside PyTorch and JAX, interleaved: bench/steps.sh [-t THREADS] [-r ROUNDS] [WORKLOAD …]. PYTHON names an interpreter
# that has the peers; else an environment is made. Prints a table: medians of all rounds, and by how much we are ahead of each.
set -eu
threads=1 rounds=5
while getopts t:r: option; do
    case $option in
    t) threads=$OPTARG ;;
    r) rounds=$OPTARG ;;
    *) exit 2 ;;
    esac
done
shift $((OPTIND - 1))
. "$(dirname "$0")/peers.sh"
[ $# -gt 0 ] || set -- w1 w2 w3 w2-1 w2-8 w2-32 w2-1024 w2-odd
python=$(peers_python)
log=$(mktemp)
trap 'rm -f "$log"' EXIT
for _ in $(seq "$rounds"); do
    for w in "$@"; do
        pinned "$threads" "$built/bench_steps" "$w" | sed 's/^/ours /' >>"$log"
        for how in plain tuned compiled; do
            pinned "$threads" "$python" bench/steps_torch.py $how "$w" 2>/dev/null | sed "s/^/$how /" >>"$log" ||
                echo "$how $w fails" >&2
        done
        pinned "$threads" "$python" bench/steps_jax.py "$w" | sed 's/^/jax /' >>"$log"
    done
done
echo "$(processor), $threads thread$([ "$threads" = 1 ] || echo s), medians of $rounds rounds, ms a step"
echo
echo "| workload | ours | PyTorch | tuned | compiled | JAX | PyTorch's best / ours | JAX / ours |"
echo "|---|---|---|---|---|---|---|---|"
for w in "$@"; do
    ours=$(median "$log" ours "$w")
    jax=$(median "$log" jax "$w")
    best=$(for how in plain tuned compiled; do median "$log" $how "$w"; done | sort -g | head -n 1)
    printf '| %s | %.4g |' "$w" "$ours"
    for how in plain tuned compiled; do median "$log" $how "$w" | awk '{v = $1} END {printf(v ? " %.4g |" : " - |", v)}'; done
    printf ' %.4g | %s | %s |\n' "$jax" "$(ratio "$best" "$ours")" "$(ratio "$jax" "$ours")"
done
