#!/bin/sh
# Trains the same configurations with several builds of the program and compares the weights' hashes: the compiler must leave no
# trace. usage: sh tools/same_weights.sh PROGRAM PROGRAM …
set -eu
[ $# -ge 2 ] || { echo "usage: same_weights.sh PROGRAM PROGRAM ..." >&2; exit 2; }
here=$(mktemp -d)
trap 'rm -rf "$here"' EXIT
trap 'exit 1' HUP INT TERM
unset BP_ISA BP_THREADS BP_PASSES

awk 'BEGIN {
    print "a,b,colour,y"
    for (i = 0; i < 400; i++) {
        a = (i * 37 % 101) / 25 - 2; b = (i * 53 % 89) / 22 - 2
        printf "%.4f,%.4f,%s,%.4f\n", a, b, i % 3 ? (i % 2 ? "red" : "green") : "blue", a * a - 3 * b + i % 3
    }
}' >"$here/table.csv"
cat >"$here/digits.yaml" <<'YAML'
data: {path: 'builtin:digits'}
train: {epochs: 2, seed: 0}
YAML
cat >"$here/images.yaml" <<'YAML'
data: {path: 'builtin:digits'}
model:
  - reshape: [1, 8, 8]
  - conv2d: {out_channels: 6, kernel_size: 3, padding: 1}
  - batch_norm
  - gelu
  - residual: [{conv2d: {out_channels: 6, kernel_size: 3, padding: 1}}, silu]
  - conv2d: {out_channels: 8, kernel_size: 2, stride: 2}
  - tanh
  - flatten
  - dropout: 0.2
  - linear: 32
  - layer_norm
  - mish
  - linear
optimizer: {adamw: {lr: 0.002}}
schedule: {cosine: {warmup_steps: 5}}
train: {epochs: 2, clip_norm: 1, batch_size: 50}
YAML
cat >"$here/table.yaml" <<'YAML'
data: {path: table.csv, target: y, normalize_target: standard}
task: regression
model: [{linear: 24, name: in}, softplus, {residual: [{linear: 24}, erf, {linear: 24}], name: block}, {add: {}, from: [in, block]}, sigmoid, linear]
loss: {huber: {delta: 0.7}}
optimizer: {sgd: {lr: 0.05, momentum: 0.9, nesterov: true}}
train: {epochs: 3, dtype: float64, clip_value: 0.5}
YAML

status=0
for config in digits images table; do
    first=
    for program in "$@"; do
        "$program" train --config "$here/$config.yaml" --out "$here/run" --force -q
        hash=$(tr -d '\n' <"$here/run/record.json" | sed -n 's/.*"weights_sha256": *"\([0-9a-f]*\)".*/\1/p')
        [ ${#hash} -eq 64 ] || { echo "same_weights: no hash in the record of $program, $config" >&2; exit 1; }
        : "${first:=$hash}"
        printf '%s  %s  %s\n' "$hash" "$config" "$program"
        [ "$hash" = "$first" ] || status=1
    done
done
[ $status -eq 0 ] || echo "same_weights: the hashes of one configuration differ" >&2
exit $status
