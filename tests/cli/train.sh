# Training, evaluating and predicting as a user types it.
. tests/cli/_lib.sh
run 0 train builtin:iris --target species --epochs 30 --lr 0.01 --out iris
for file in config.yaml model.safetensors metrics.csv decisions.jsonl record.json; do holds iris/$file; done
[ -s out ] && fail 'train printed to standard output'
says 'epoch 30/30'
says 'trained after 30 epochs'
says 'next: backprop predict iris'
grep -q "$(printf '[\r\033]')" err && fail 'a live line where there is no terminal'
head -n 1 iris/metrics.csv | grep -q '^epoch,step,lr,seconds,train.loss,' || fail 'the columns of metrics.csv'
cp iris/record.json out
one_object

run 0 train builtin:iris --target species --epochs 30 --lr 0.01 --out again --json
one_object
prints '"status":"finished"'
prints '"stopped_by":"epochs"'
prints '"weights_sha256"'
sum=$(sed 's/.*"weights_sha256": *"\([0-9a-f]*\)".*/\1/' out)
grep -q "$sum" iris/record.json || fail 'two equal runs gave different weights'
run 0 train --config iris/config.yaml --out third --json -q
[ -s err ] && fail '-q is not silent'
grep -q "$sum" out || fail "the run's own configuration gave different weights"
run 0 train builtin:iris --target species --epochs 30 --lr 0.01 --out one --json -q --threads 1
grep -q "$sum" out || fail 'another number of threads gave different weights'

# Products of bfloat16 numbers: other weights, the same for every number of threads, and a model that predicts as it was scored
run 0 train builtin:digits --epochs 15 --set train.dtype=bfloat16 --lr 0.003 --out short --threads 1
if ! grep -q avx512_bf16 /proc/cpuinfo; then says 'dtype: bfloat16, this processor has no instruction'; fi
short=$(grep -o '"weights_sha256": *"[0-9a-f]*"' short/record.json)
run 0 train builtin:digits --epochs 15 --set train.dtype=bfloat16 --lr 0.003 --out short2 --threads 3 -q
grep -q "$short" short2/record.json || fail 'bfloat16: another number of threads gave different weights'
run 0 train builtin:digits --epochs 15 --lr 0.003 --out full -q
grep -q "$short" full/record.json && fail 'bfloat16 gave the weights of float32'
run 0 eval short builtin:digits --json -q
awk "BEGIN { exit !($(field out accuracy) > 0.97) }" || fail "bfloat16: accuracy $(field out accuracy) on the digits, training rows among them"
run 2 train builtin:digits --set train.dtype=float16 --out none
says 'float32, float64 or bfloat16'

# The same data as the record's test set gives the record's numbers
printf 'a,b,y\n' >train.csv
printf 'a,b,y\n' >test.csv
i=0
while [ $i -lt 60 ]; do
    i=$((i + 1))
    echo "$((i % 7)),$((i * 5 % 11)),$([ $((i % 7)) -gt 3 ] && echo high || echo low)" >>train.csv
    [ $((i % 3)) -eq 0 ] && echo "$((i % 5)),$((i * 3 % 11)),$([ $((i % 5)) -gt 3 ] && echo high || echo low)" >>test.csv
done
run 0 train train.csv --target y --test test.csv --validation 0.2 --epochs 20 --out table --json -q
tr -d '\n' <out | sed 's/.*"test": *{\("loss"[^}]*\)}.*/\1/' >record.test
run 0 eval table test.csv --json
one_object
wanted=$(field record.test accuracy)
[ "$(field out accuracy)" = "$wanted" ] || fail "eval says $(field out accuracy), the record $wanted"
run 0 eval table/model.safetensors test.csv
prints accuracy

run 0 predict table test.csv
[ "$(head -n 1 out)" = 'prediction,p_high,p_low' ] || fail 'the columns of the predictions'
[ "$(wc -l <out)" -eq "$(wc -l <test.csv)" ] || fail 'not one prediction per row'
cp out plain.csv
run 0 predict table test.csv -o p.csv
cmp -s p.csv plain.csv || fail '-o differs from standard output'
[ -s out ] && fail '-o printed to standard output too'
cut -d, -f2,1 test.csv | awk -F, '{ print $2 "," $1 }' >swapped.csv
run 0 predict table swapped.csv
cmp -s out plain.csv || fail 'another order of columns gave other predictions'
"$BACKPROP" predict table - <test.csv >out 2>err
cmp -s out plain.csv || fail 'standard input gave other predictions'
run 0 predict table test.csv --json
one_object
run 0 predict table test.csv --format jsonl
[ "$(wc -l <out)" -eq $(($(wc -l <test.csv) - 1)) ] || fail 'not one JSON line per row'
run 0 predict table test.csv -o p.npy --json
one_object
head -c 6 p.npy | grep -q NUMPY || fail 'p.npy is no NPY file'
run 0 predict table test.csv -n -o dry.csv
lacks dry.csv

# Regression: one column, named as the target
awk -F, 'NR == 1 { print "a,b,sum" } NR > 1 { print $1 "," $2 "," $1 + $2 + 0.5 }' train.csv >sum.csv
run 0 train sum.csv --target sum --task regression --epochs 5 --out sum -q
run 0 predict sum sum.csv
[ "$(head -n 1 out)" = sum ] || fail 'the column of a regression'

run 0 train train.csv --target y --epochs 0 --out zero --json -q
prints '"epochs":0'
holds zero/model.safetensors
run 0 train train.csv --target y --epochs 1 -n --out dry
lacks dry
prints 'epochs: 1'
run 0 train train.csv --target y --epochs 1 -q
holds runs/train-0001/model.safetensors
run 0 train train.csv --target y --from table/model.safetensors --epochs 1 --out from -q
holds from/model.safetensors
printf 'data:\n  path: train.csv\n  target: y\ntrain:\n  epochs: 9\n' >c.yaml
run 0 train --config c.yaml --set train.epochs=3 --epochs 2 --out c --json -q
prints '"epochs":2'

# Data for a set takes the place of the file's fraction, with labels of its own too
printf 'data:\n  path: train.csv\n  target: y\n  test: 0.3\ntrain:\n  epochs: 1\n' >part.yaml
run 0 train --config part.yaml --test test.csv --out part --json -q
prints '"test":20'
run 0 train --config part.yaml --test test.csv --test-target 3 --out labels --json -q
prints '"test":20'

# The command line wins over --set, and both over the file, in whichever way each says it
sed 's/high/up/' train.csv >up.csv
for data in 'train: {path: up.csv, target: a}' 'train: up.csv' 'path: up.csv' 'train: {path: up.csv}'; do
    printf 'data:\n  %s\n' "$data" >way.yaml
    for way in 'train.csv --target y' '--set data.path=train.csv --set data.target=y' \
        '--set data.train=train.csv --set data.train.target=y' '--set data.train.path=up.csv train.csv --target y'; do
        run 0 train --config way.yaml $way -n --json
        prints '/train.csv","target":"y"'
    done
done
printf 'data:\n  train: {path: up.csv, target: a}\n  target: y\n' >both.yaml
bad 2 'both.yaml:3: data.target is short for data.train.target' train --config both.yaml

printf 'data:\n  path: train.csv\n  target: y\n  validation: test.csv\ntrain: {epochs: 1}\n' >beside.yaml
run 0 train --config beside.yaml --validation-target y --out beside -q --json
prints '"validation":20'
run 0 train --config beside.yaml --set data.validation.target=y -n --json
prints '/test.csv","target":"y"'

# A metric that these rows don't define: null in JSON, a dash for people
grep -v low test.csv >one.csv
run 0 eval table one.csv --json
one_object
prints '"auc":null'
run 0 eval table one.csv
grep -q '^auc  *-  *(not defined' out || fail 'the text of an undefined metric'
grep -q nan out && fail 'nan in the metrics'

# A run that stops at divergence fails even when it is over before ten bad steps, and the model file is good
for epochs in 1 2; do
    for batch in 16 full; do
        run 1 train train.csv --target y --optimizer 'sgd lr=1e30' --set train.on_divergence=stop --epochs $epochs --batch-size $batch --out bad_$epochs$batch
        says 'diverged'
        grep -q ' nan' err && fail "$said: nan for people"
        tr -d ' \n' <bad_$epochs$batch/record.json >out
        prints '"status":"failed","stopped_by":"divergence"'
        run 0 predict bad_$epochs$batch test.csv
        grep -q nan out && fail "$said: the model file holds weights that are not good"
    done
done
run 0 train train.csv --target y --optimizer 'sgd lr=1e30' --epochs 1 --set train.on_divergence=continue --out on
finish
