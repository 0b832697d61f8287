#!/bin/sh
# tools/fuzz.sh BUILD SECONDS: runs every fuzzer of a BP_FUZZ build for so long, from its corpus in the build folder and
# the seeds of tests/fuzz/seeds/NAME. Stops at the first finding; libFuzzer leaves the input that shows it.
set -eu
build=$1
seconds=$2
ran=0
for fuzzer in "$build"/fuzz/fuzz_*; do
    case $fuzzer in *'*' | *.*) continue ;; esac # no match, or an artifact
    name=${fuzzer##*/fuzz_}
    corpus=$build/fuzz/corpus/$name
    mkdir -p "$corpus"
    seeds=tests/fuzz/seeds/$name
    [ -d "$seeds" ] || seeds=
    echo "== $name, $seconds s"
    # shellcheck disable=SC2086
    "$fuzzer" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -print_final_stats=0 \
        -artifact_prefix="$build/fuzz/$name-" "$corpus" $seeds
    ran=$((ran + 1))
done
[ "$ran" -gt 0 ] || {
    echo "fuzz: there are no fuzzers in tests/fuzz/ yet." >&2
    exit 1
}
