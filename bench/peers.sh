# Sourced by the scripts of this folder: where the peers are, the processor's name, medians.
cd "$(dirname "$0")/.."
built=${BENCH:-build/release/bench}
[ -x "$built/bench_steps" ] || { echo "$0: $built/bench_steps is not built; run make bench" >&2; exit 1; }

# An interpreter with the peers: $PYTHON, or an environment of our own that is made at the first need (about 1 GB).
peers_python() {
    if [ -n "${PYTHON:-}" ]; then
        echo "$PYTHON"
        return
    fi
    if [ ! -x build/bench-peers/bin/python ]; then
        echo "$0: making build/bench-peers with PyTorch, JAX, optax and scikit-learn" >&2
        python3 -m venv build/bench-peers >&2
        build/bench-peers/bin/pip -q install torch==2.13.0 jax==0.10.2 optax==0.2.8 scikit-learn==1.9.1 >&2
    fi
    echo build/bench-peers/bin/python
}

# pinned THREADS COMMAND …: on so many cores, where that can be said; every system gets as many threads.
pinned() {
    threads=$1
    shift
    cores=$(seq -s, 0 $((threads - 1)))
    export OMP_NUM_THREADS=$threads BP_THREADS=$threads
    # glibc keeps what is freed, for all alike
    export MALLOC_TRIM_THRESHOLD_=1000000000 MALLOC_MMAP_THRESHOLD_=1000000000 MALLOC_TOP_PAD_=100000000
    if command -v taskset >/dev/null; then taskset -c "$cores" "$@"; else "$@"; fi
}

# median FILE SYSTEM NAME: of the third column
median() {
    awk -v s="$2" -v n="$3" '$1 == s && $2 == n {print $3}' "$1" | sort -g | awk '{v[NR] = $1} END {if (NR) print v[int((NR + 1) / 2)]}'
}

processor() { sed -n 's/^model name[^:]*: *//p' /proc/cpuinfo | head -n 1; }
ratio() { echo "$1 $2" | awk '{if ($1 > 0 && $2 > 0) printf "%.2f", $1 / $2; else printf "-"}'; }
