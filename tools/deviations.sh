#!/bin/sh
# deviations.sh TESTS: the largest deviations from the references, one table, from what the test programs of that folder measure.
set -eu
tests=$1
printf '| what | reference | largest deviation |\n|---|---|---|\n'
"$tests/test_optimizers" --table | awk -F ' *[|] *' '/^[|] `/ && $6 ~ /e[-+][0-9]+$/ { gsub("`", "", $2); print "| " $2 " | " $5 ", 20 steps | " $6 " |" }'
"$tests/test_solvers" --table
"$tests/test_solve" --table
"$tests/test_schedules" --table | awk -F ' *[|] *' 'NR > 2 { print "| schedule " $2 " | PyTorch 2.13.0, optax 0.2.8 or the formula, 300 ticks | " $4 " |" }'
