#!/bin/sh
# training_avx512.sh PROGRAM: the program with emulated AVX-512 kernels trains to the weights of the plain ones, bit for bit.
set -eu
program=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# weights ISA: the checksum after two epochs. Any other name than scalar stands for the emulated kernels.
weights() {
    BP_ISA=$1 "$program" train builtin:digits --epochs 2 --seed 0 --out "$folder/$1" --json -q >"$folder/out" || return
    sed -n 's/.*"weights_sha256": *"\([0-9a-f]*\)".*/\1/p' "$folder/out"
}
plain=$(weights scalar)
emulated=$(weights avx2) || exit $? # 77: no AVX2 here
echo "plain $plain"
echo "emulated $emulated"
[ -n "$plain" ] && [ "$plain" = "$emulated" ]
