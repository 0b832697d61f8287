# A run's own config.yaml makes the same run again (CONTRACT section 6): the same weights, and a configuration that no longer changes.
. tests/cli/_lib.sh
sha() { sed -n 's/.*"weights_sha256": *"\([0-9a-f]*\)".*/\1/p' "$1/record.json"; }

awk 'BEGIN { srand(3); print "age,size,town,own,day,wt,price"
             for (i = 0; i < 160; i++) { a = int(rand() * 60) + 20; s = rand() * 100
                 print a "," s "," substr("ABCD", 1 + int(rand() * 4), 1) "," (rand() < 0.5 ? "yes" : "no") ",2026-0" 1 + i % 9 "-11," 1 + i % 3 "," 10 + a * s / 50 + rand() } }' >houses.csv

# again NAME ARGUMENTS…: trains, trains from the run's configuration, and from that run's
again() {
    name=$1
    shift
    run 0 train "$@" --out "$name" -q
    run 0 train --config "$name/config.yaml" --out "$name.2" -q
    run 0 train --config "$name.2/config.yaml" --out "$name.3" -q
    [ -n "$(sha "$name")" ] && [ "$(sha "$name")" = "$(sha "$name.2")" ] || fail "$name: the run's configuration gives other weights"
    cut -d, -f1-3,5- "$name/metrics.csv" >one
    cut -d, -f1-3,5- "$name.2/metrics.csv" >other
    cmp -s one other || fail "$name: the run's configuration gives other metrics"
    cmp -s "$name.2/config.yaml" "$name.3/config.yaml" || fail "$name: the configuration still changes: $(diff "$name.2/config.yaml" "$name.3/config.yaml" | head -4)"
}
iris="builtin:iris --epochs 2"
houses="houses.csv --target price --epochs 2"
for how in none standard minmax robust auto; do
    again "iris-$how" $iris --set data.normalize=$how
    again "houses-$how" $houses --set data.normalize=$how
done
for how in none standard log auto; do again "target-$how" $houses --set data.normalize_target=$how; done
again columns $houses --set data.normalize=none --set 'data.columns.age={normalize: minmax}' \
    --set 'data.columns.size={normalize: robust, type: number}' --set 'data.columns.day={ignore: true}' --set 'data.columns.own={type: category}'
again weighted $houses --set train.weight_column=wt
again classes $iris --set train.class_weight=balanced --set 'loss={cross_entropy: {label_smoothing: 0.1}}'
again formula $houses --set 'loss={formula: "mean(square(y - p)) + 0.1 * mean(abs(y - p))"}' --set 'metrics=[mae, r2]'
again rates $iris --set 'optimizer={sgd: {lr: 0.05, momentum: 0.9}}' --set 'schedule={one_cycle: {max_lr: 0.1}}' --set train.clip_norm=1
again moving $iris --set 'optimizer={adamw: {lr: 0.01, weight_decay: 0.1}}' --set 'schedules={weight_decay: {linear: {start_factor: 1, end_factor: 0.1, total_iters: 6, per: step}}}'
again averaged $iris --set train.average=ema --set 'regularize=[{match: "*.weight", l1: 1e-4, l2: 1e-3}]' --set train.accumulate=2
again grouped $iris --set 'optimizer={adamw: {lr: 0.01, groups: [{match: "*.bias", weight_decay: 0}]}}'
again shaped $iris --model 'linear 16, tanh, batch_norm, dropout 0.3, linear' --set 'init=[{match: "*.weight", orthogonal: {gain: 1.5}}]'
again split $iris --set 'data.split={validation: 0.3, test: 0, seed: 7, stratify: false}' --seed 5 --set train.dtype=float64
again whole $iris --set train.batch_size=full --set train.shuffle=false --set 'train.early_stopping={metric: validation.accuracy, patience: 3, min_delta: 0.01}'
again long builtin:iris --set train.batch_size=64
again stopped builtin:iris --set train.steps=9 --set train.steps_per_epoch=4
finish
