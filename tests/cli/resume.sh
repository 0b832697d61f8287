# Runs that are killed, interrupted and extended, and go on to the same bits.
. tests/cli/_lib.sh

same_as() { # same_as RUN OTHER: weights, decisions, and metrics but for the seconds
    [ "$(sha "$1")" = "$(sha "$2")" ] || fail "$1 and $2 have other weights"
    cut -d, -f1-3,5- "$1/metrics.csv" >one
    cut -d, -f1-3,5- "$2/metrics.csv" >other
    cmp -s one other || fail "$1 and $2 have other metrics"
    cmp -s "$1/decisions.jsonl" "$2/decisions.jsonl" || fail "$1 and $2 have other decisions"
}
sha() { sed -n 's/.*"weights_sha256": *"\([0-9a-f]*\)".*/\1/p' "$1/record.json"; }

# Killed 30 times at random moments, within epochs too; all that has a memory at work: dropout, batch_norm, schedules, averages,
# accumulation, early stopping.
cat >net.yaml <<'Y'
data: {path: 'builtin:digits'}
model: [{linear: 32}, batch_norm, relu, {dropout: 0.2}, {linear: 10}]
optimizer: {adamw: {lr: 0.01, amsgrad: true}}
schedule: {one_cycle: {max_lr: 0.01}}
schedules: {weight_decay: {linear: {per: epoch}}, dropout: {cosine: {}}}
regularize: [{match: '*.weight', l2: 1.0e-4, max_norm: 2, weight_noise: 0.01}]
train: {epochs: 60, batch_size: 16, accumulate: 2, average: {ema: 0.99}, clip_norm: 5, clip_norm_per: layer, checkpoint: {every_steps: 3, keep: 3}, early_stopping: {patience: 50}}
Y
run 0 train --config net.yaml --out whole -q --threads 1
"$BACKPROP" train --config net.yaml --out killed -q --threads 1 >out 2>err &
seed=${SEED:-$$}
echo "seed $seed"
kills=0
while [ $kills -lt 30 ]; do
    pid=$!
    seed=$(((seed * 1103515245 + 12345) % 2147483648))
    sleep "0.$(printf '%03d' $((seed / 65536 % 150 + 5)))"
    kill -KILL $pid 2>/dev/null
    wait $pid 2>/dev/null
    kills=$((kills + 1))
    [ -e killed/config.yaml ] || { # killed before there was a run
        "$BACKPROP" train --config net.yaml --out killed --force -q --threads 1 >out 2>err &
        continue
    }
    "$BACKPROP" train --resume killed -q --threads $((kills % 3 + 1)) >out 2>err &
done
wait $!
[ $? -eq 0 ] || { fail 'the killed run did not end'; cat err; }
same_as killed whole
[ -e killed/checkpoint.2.safetensors ] || fail 'keep: 3 keeps three checkpoints'
[ -e killed/checkpoint.3.safetensors ] && fail 'keep: 3 keeps no more than three'
[ -e killed/lock ] && fail 'a lock is left'

# A damaged newest checkpoint: the one before is taken
cp -r whole half
run 0 train builtin:digits --epochs 3 --set train.checkpoint.every_steps=30 --out old -q
head -c 1000 old/checkpoint.safetensors >cut && mv cut old/checkpoint.safetensors
run 0 train --resume old -q
run 0 train builtin:digits --epochs 3 --out new -q
[ "$(sha old)" = "$(sha new)" ] || fail 'going on from the older checkpoint gives other weights'
rm old/checkpoint*
run 1 train --resume old
says 'holds no checkpoint to go on from'

# A larger number of epochs goes on from the last state, as if it had been asked for at once
run 0 train --resume new --epochs 6 -q
run 0 train builtin:digits --epochs 6 --out six -q
[ "$(sha new)" = "$(sha six)" ] || fail 'extended to 6 epochs: other weights than 6 at once'
grep -q 'epochs: 6' new/config.yaml || fail 'the configuration does not know of the 6 epochs'

# Optimisers with much to remember go on in the middle of an epoch, the wrappers too
for rule in lbfgs cg sophia soap muon schedule_free_adamw prodigy mars 'adam sam_rho=0.05 lookahead_k=4 centralize=true noise_eta=0.01'; do
    set -- --optimizer "$rule" --epochs 4 --batch-size 16 --set train.early_stopping.restore_best=false -q --force
    run 0 train builtin:iris "$@" --out ran
    steps=$(sed -n 's/.*"steps": \([0-9]*\).*/\1/p' ran/record.json)
    run 0 train builtin:iris "$@" --set train.steps=$((steps / 2 - 1)) --out went
    run 0 train --resume went --set train.steps=null -q
    [ "$(sha went)" = "$(sha ran)" ] || fail "$rule: resumed to other weights"
done

# What may not differ
run 2 train --resume new --lr 0.5
says 'was trained with another optimizer.adam.lr'
run 0 train --resume new --set optimizer.adam.lr=0.5 --epochs 7 -q
run 2 train --resume new builtin:digits
says 'goes on with'
run 2 train --resume new --out other
run 1 train --resume nowhere
says 'nowhere'
printf 'a,y\n1,p\n2,q\n3,p\n4,q\n5,p\n6,q\n7,p\n8,q\n' >t.csv
run 0 train t.csv --target y --epochs 2 --out table -q
echo '9,p' >>t.csv
run 1 train --resume table --epochs 3
says 'its content has changed'

# A signal: the step is finished, all is saved, the next command is said
epochs=30 # long enough to be met; a sanitizer's build is slow
grep -q '__asan_init\|__tsan_init' "$BACKPROP" && epochs=6
"$BACKPROP" train builtin:digits --epochs $epochs --batch-size 2 --out stopped >out 2>err &
pid=$!
waited=0
until grep -q '^epoch 2/' err 2>/dev/null || [ $waited -ge 300 ]; do
    sleep 0.05
    waited=$((waited + 1))
done
kill -TERM $pid
wait $pid
[ $? -eq 143 ] || fail 'SIGTERM: exit status is not 143'
said='train, SIGTERM'
says 'backprop train --resume stopped'
run 0 train --resume stopped -q
run 0 train builtin:digits --epochs $epochs --batch-size 2 --out unstopped -q
same_as stopped unstopped
finish
