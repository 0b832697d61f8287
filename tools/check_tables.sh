#!/bin/sh
# What was generated from src/op/ops.def and src/train/metrics.def and committed must be what the generators write today.
set -eu
cd "$(dirname "$0")/.."
for name in gen_ops gen_metrics; do
    generator=${BUILD:-build/release}/$name
    [ -x "$generator" ] || {
        echo "check_tables: $generator is not built; run make check first." >&2
        exit 1
    }
    "$generator" --check
done
