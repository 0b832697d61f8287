# Solvers from the command line: they learn, they go on to the same bits, and a step that cannot be made changes nothing.
. tests/cli/_lib.sh

sha() { sed -n 's/.*"weights_sha256": *"\([0-9a-f]*\)".*/\1/p' "$1/record.json"; }
number() { sed -n "s/.*\"$1\":{[^}]*\"accuracy\":\([0-9.e-]*\).*/\1/p" record; }

for optimizer in 'lbfgs line_search=strong_wolfe' cg; do
    run 0 train builtin:digits --optimizer "$optimizer" --set 'regularize=[{match: "*.weight", l2: 0.0003}]' --epochs 4 --json -q
    tr -d ' \n' <out >record
    awk -v a="$(number test)" 'BEGIN { exit !(a >= 0.94) }' || fail "$optimizer: test accuracy $(number test)"
done

# What a solver keeps is in the checkpoint: stopped after 3 steps and gone on with is the same as never stopped; killed, too
set -- builtin:digits --model 'linear 16, batch_norm, tanh, dropout 0.1, linear' --optimizer 'lbfgs history_size=7 max_iter=6' \
    --batch-size 300 --schedule 'exponential gamma=0.9 per=step' --set train.checkpoint.every_steps=1 --set data.split.validation=0 -q
run 0 train "$@" --set train.steps=9 --out whole
run 0 train "$@" --set train.steps=3 --out part
[ "$(sha part)" = "$(sha whole)" ] && fail 'three steps are as good as nine'
run 0 train --resume part --set train.steps=9 --threads 2 -q
[ "$(sha part)" = "$(sha whole)" ] || fail 'a run that was stopped within has other weights'
"$BACKPROP" train "$@" --set train.steps=9 --out killed --threads 1 >out 2>err &
pid=$!
sleep 0.1
kill -KILL $pid 2>/dev/null
wait $pid 2>/dev/null
[ -e killed/config.yaml ] && {
    run 0 train --resume killed -q
    [ "$(sha killed)" = "$(sha whole)" ] || fail 'a run that was killed has other weights'
}

run 0 train builtin:iris --model 'linear 6, tanh, linear' --optimizer levenberg_marquardt --set train.steps=6 --out lm -q
run 0 train builtin:iris --model 'linear 6, tanh, linear' --optimizer levenberg_marquardt --set train.steps=2 --out lm2 -q
run 0 train --resume lm2 --set train.steps=6 -q
[ "$(sha lm)" = "$(sha lm2)" ] || fail 'levenberg_marquardt goes on with another damping'
run 0 train builtin:iris --optimizer gauss_newton --epochs 4 --json -q
tr -d ' \n' <out >record
awk -v a="$(number test)" 'BEGIN { exit !(a >= 0.9) }' || fail "gauss_newton: test accuracy $(number test)"

# A solver that has nothing more to do ends the run, also when it is asked to go on; its checkpoint says so
printf 'a,y\n1,2\n2,3.9\n3,6.1\n4,8\n5,9.8\n6,12.1\n' >straight.csv
run 0 train straight.csv --target y --task regression --model 'linear' --optimizer 'lbfgs line_search=strong_wolfe' --epochs 300 \
    --set data.split.validation=0 --set data.split.test=0 --out straight --json -q
prints '"stopped_by":"converged"'
before=$(sha straight) rows=$(wc -l <straight/metrics.csv)
[ "$rows" -lt 100 ] || fail "converged after $rows epochs"
run 0 train --resume straight --set train.epochs=400 -q
[ "$(sha straight) $(wc -l <straight/metrics.csv)" = "$before $rows" ] || fail 'a run that had converged went on'

# A rate that leaves the numbers behind: the step is skipped at once, the rate comes down, and the weights stay finite
printf 'a,y\n1,2\n2,3.9\n3,6.1\n4,8\n5,9.8\n6,12.1\n' >line.csv
run 0 train line.csv --target y --task regression --model 'linear' --optimizer 'lbfgs lr=1e38' --epochs 3 --out far \
    --set data.split.validation=0 --set data.split.test=0
grep -q '"event": *"skipped_step"' far/decisions.jsonl || fail 'nothing is said of a step that was not finite'
grep -q '"event": *"rollback"' far/decisions.jsonl || fail 'the rate does not come down'

bad 2 'does not go with the optimizer lbfgs' train builtin:iris --optimizer lbfgs --set train.clip_norm=1
bad 2 'there is no rate to look for' lr-find builtin:iris --optimizer cg
finish
