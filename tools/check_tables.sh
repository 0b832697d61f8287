#!/bin/sh
# What was generated from src/op/ops.def and committed must be what the generator writes today.
set -eu
cd "$(dirname "$0")/.."
[ -f tools/gen_ops.c ] || exit 0
generator=${BUILD:-build/release}/gen_ops
[ -x "$generator" ] || {
    echo "check_tables: $generator is not built; run make check first." >&2
    exit 1
}
"$generator" --check
