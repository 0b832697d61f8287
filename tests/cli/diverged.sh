# Trainings that leave the road: train.on_divergence, what is said, what is kept, what is written (CONTRACT sections 8 and 9).
. tests/cli/_lib.sh
sha() { sed -n 's/.*"weights_sha256": *"\([0-9a-f]*\)".*/\1/p' "$1/record.json"; }
events() { grep -c "\"event\":\"$2\"" "$1/decisions.jsonl"; }
text() { tr -d '\n' <"$1/record.json" | sed -n "s/.*\"$2\": *\"\([^\"]*\)\".*/\1/p"; }
has() { tr -d '\n' <"$1/record.json" | grep -q "\"$2\": *$3" || fail "$1: the record does not hold $2: $3"; }
iris="builtin:iris --optimizer sgd --epochs 12"
run 0 train $iris --epochs 0 --out fresh -q

# ---- stop: status 1, failed, and the last good weights, which here are those before the first step
run 1 train $iris --lr 1e30 --set train.on_divergence=stop --out stop
says 'training diverged at step'
says 'the last good weights are kept; use a smaller learning rate or train.clip_norm'
has stop status '"failed"'
has stop stopped_by '"divergence"'
has stop best_epoch 0
grep -q '"rollbacks"' stop/record.json && fail 'stop: the record speaks of rollbacks'
[ "$(sha stop)" = "$(sha fresh)" ] || fail 'stop: these are not the last good weights'
[ "$(events stop divergence)" -eq 1 ] || fail 'stop: decisions.jsonl does not tell the divergence once'
[ "$(events stop skipped_step)" -eq "$(field stop/record.json skipped_steps)" ] || fail 'stop: other steps are told than counted'
run 0 eval stop builtin:iris
run 0 predict stop builtin:iris
run 1 train $iris --lr 1e30 --set train.on_divergence=stop --out stop_json --json
one_object
prints '"status":"failed"'
prints '"code":"diverged"'

# ---- rollback, the default: each is told with step, rows, what went wrong first and what was done
run 0 train $iris --lr 1e6 --out back
has back status '"finished"'
n=$(field back/record.json rollbacks)
[ "$n" -ge 2 ] && [ "$(events back rollback)" -eq "$n" ] || fail "rollback: $n are counted, $(events back rollback) told"
says "steps were skipped and the learning rate was lowered $n times: decisions.jsonl names their rows"
grep '"event":"rollback"' back/decisions.jsonl | grep -vc '"step":[0-9]*,"epoch":[0-9]*,"rows":\[[0-9].*"lr":.*"why":"' >left
[ "$(cat left)" -eq 0 ] || fail "rollback: not told with step, rows and rate: $(grep '"event":"rollback"' back/decisions.jsonl)"
# (later ones are losses that are finite, but far away: no operation is to blame)
grep '"event":"rollback"' back/decisions.jsonl | head -n 2 | grep -vc '"step":[0-9]*,"epoch":[0-9]*,"rows":\[[0-9].*"lr":.*"operation":"[a-z0-9_]*","layer":"[0-9]*","why":"' >left
[ "$(cat left)" -eq 0 ] || fail "rollback: not told with step, rows, rate, operation and layer: $(grep '"event":"rollback"' back/decisions.jsonl)"
grep '"event":"skipped_step"' back/decisions.jsonl | head -n 1 | grep -q '"step":[0-9]*,"epoch":1,"rows":\[[0-9].*"loss":.*"gradient_norm":.*"operation":"[a-z0-9_]*","layer":"[0-9]*","why":"' ||
    fail 'a skipped step is not told with step, rows, operation and layer'
before=0
for lr in $(sed -n '/"event":"rollback"/s/.*"lr":\([^,]*\),.*/\1/p' back/decisions.jsonl); do # 500000.0, 50000.0, …
    [ "$before" = 0 ] || awk -v a="$before" -v b="$lr" 'BEGIN { exit !(b < a) }' || fail "rollback: the rate went from $before to $lr"
    before=$lr
done
awk -v loss="$(field back/record.json loss)" 'BEGIN { exit !(loss < 1.2) }' || fail 'rollback: nothing was learnt'
# where no rate helps, it ends as stop does
run 1 train $iris --lr 1e30 --out never
has never stopped_by '"divergence"'
has never rollbacks 8
[ "$(sha never)" = "$(sha fresh)" ] || fail 'after 8 rollbacks: these are not the last good weights'
grep -q 'lower learning rates did not help' never/decisions.jsonl || fail 'after 8 rollbacks: not said'
# adam's steps have the size of the rate: its weights overflow, not its gradients
run 1 train builtin:iris --lr 1e30 --epochs 12 --set train.on_divergence=stop --out adam
has adam status '"failed"'

# ---- continue: skips what it must, to the end
run 0 train $iris --lr 1e30 --set train.on_divergence=continue --out on
has on status '"finished"'
has on stopped_by '"epochs"'
has on steps 48
says '47 of 48 steps were skipped: decisions.jsonl names their rows'
grep -q 'epoch 12/12  loss -  ' err || fail "continue: an epoch without a step has a loss: $(grep 'epoch 12' err)"
[ "$(events on skipped_step)" -eq 47 ] && [ "$(events on rollback)" -eq 0 ] || fail 'continue: other events'
[ "$(events on divergence)" -eq 0 ] || fail 'continue: a divergence is told'

# ---- Interrupted between the first skipped step and the rollback, and gone on with: the same events, the same weights
cat >jump.yaml <<'Y'
data: {path: 'builtin:iris', split: {validation: 0, test: 0}}
model: [{linear: 8}, {linear: 8}, {linear: 8}, {linear: 8}, {linear: 3}]
optimizer: sgd
schedule: {lambda: {lr_lambda: '1 + 1.0e+30 * (step >= 50)'}}
train: {epochs: 6, batch_size: 4, threads: 1}
Y
"$BACKPROP" train --config jump.yaml --out through -q >out 2>err
for at in 53 58 64; do
    "$BACKPROP" train --config jump.yaml --set train.steps=$at --out cut_$at -q >out 2>err
    "$BACKPROP" train --resume cut_$at --set train.steps=null -q >out 2>err
    cmp -s cut_$at/decisions.jsonl through/decisions.jsonl || fail "cut at step $at: $(diff cut_$at/decisions.jsonl through/decisions.jsonl)"
    [ "$(sha cut_$at)" = "$(sha through)" ] || fail "cut at step $at: other weights"
done
[ "$(events through rollback)" -ge 2 ] || fail 'the rate jumps, and nothing is rolled back'
finish
