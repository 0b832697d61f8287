#!/bin/sh
# metrics: in a configuration, early stopping on any of them, and eval's report
. tests/cli/_lib.sh

# Chosen ones: in the epoch's line, the columns, the record and eval; a parameter becomes part of the name
run 0 train builtin:iris --epochs 4 --set 'metrics=[mcc, {f_beta_macro: 2}, {top_k: 2}]' --out chosen
says 'validation mcc '
says 'test loss'
head -n 1 chosen/metrics.csv | grep -q 'train.loss,train.mcc,train.f_beta_macro_2,train.top_k,validation.loss,validation.mcc' ||
    fail 'the columns of metrics.csv'
grep -q '"f_beta_macro_2"' chosen/record.json || fail 'the metrics of the record'
grep -q '"accuracy"' chosen/record.json && fail 'a metric that was not asked for'
run 0 eval chosen builtin:iris --json
one_object
prints '"mcc":'
prints '"confusion":[['
prints '"label":"setosa","precision":'
run 0 eval chosen builtin:iris
grep -q '^f_beta_macro_2 ' out || fail 'the metrics of eval'
grep -q '^virginica' out && fail 'a report that was not asked for'
run 0 eval chosen builtin:iris -v
[ "$(grep -cE '^(setosa|versicolor|virginica) +[01]\.[0-9]{4} +[01]\.[0-9]{4} +[01]\.[0-9]{4} +50$' out)" -eq 3 ] || fail 'the report of the classes'

# The same configuration again gives the same weights
run 0 train --config chosen/config.yaml --out again -q
cmp -s chosen/model.safetensors again/model.safetensors || {
    a=$(sed -n 's/.*"weights_sha256": *"\([0-9a-f]*\)".*/\1/p' chosen/record.json)
    b=$(sed -n 's/.*"weights_sha256": *"\([0-9a-f]*\)".*/\1/p' again/record.json)
    [ -n "$a" ] && [ "$a" = "$b" ] || fail 'other weights from the same configuration'
}

# Early stopping may watch one that is not listed, the smaller the better where that is so: the best epoch has the least
run 0 train builtin:iris --epochs 12 --optimizer 'sgd lr=1.5' --set train.early_stopping.metric=validation.brier --out watched -q
awk -F, 'NR == 1 { for (i = 1; i <= NF; i++) if ($i == "validation.brier") c = i; next }
    NR == 2 || $c < least { least = $c; epoch = $1 } END { print epoch }' watched/metrics.csv >least
grep -q "\"best_epoch\": *$(cat least)[,}]" watched/record.json || fail "the best epoch is not $(cat least)"
bad 2 'there is no metric `mc`' train builtin:iris --set train.early_stopping.metric=validation.mc
bad 2 'has no option `alpha`' train builtin:iris --set 'metrics=[{f_beta: {alpha: 2}}]'
bad 2 'the metric rmse is one of regression' train builtin:iris --set 'metrics=[rmse]'
run 0 train builtin:iris --epochs 2 --set 'metrics=[]' --out none
says 'validation loss'
run 0 train builtin:iris --epochs 6 --set 'metrics=[{ece: {bins: 10}}]' --set train.early_stopping.metric=validation.ece_10 --out named -q

# By row weights: rows of weight 0 are as good as absent
awk 'BEGIN { print "a,b,w,y"; for (i = 0; i < 200; i++) { x = (i * 37 % 100) / 50 - 1; z = (i * 61 % 100) / 50 - 1;
    print x "," z "," (i % 3 ? 1 + i % 2 : 0) "," (x + z * z + (i % 7 - 3) / 4 > 0.3 ? "yes" : "no") } }' >rows.csv
awk -F, 'NR == 1 || $3 > 0' rows.csv >present.csv
run 0 train rows.csv --target y --epochs 3 --set train.weight_column=w --set 'metrics=[accuracy, {mcc: {row_weights: true}}]' --out weighted -q
run 0 eval weighted rows.csv
grep '^mcc_row_weights ' out >all
run 0 eval weighted present.csv
grep '^mcc_row_weights ' out >some
[ -s all ] && cmp -s all some || fail "rows of weight 0 count: $(cat all some)"

cut -d, -f1,2,4 present.csv >unweighted.csv
run 0 eval weighted unweighted.csv
grep -q '^mcc_row_weights  *-  *(not defined' out || fail 'a score by weights that are not there'

# Rates at a threshold, counts, and early stopping on one with its parameter: it is named as its column is
run 0 train unweighted.csv --target y --epochs 3 --set train.early_stopping.metric=validation.precision_at_recall_0.9 --out rates -q \
    --set 'metrics=[{precision_at_recall: 0.9}, f1_max, hinge, true_positives, false_positives, true_negatives, false_negatives]'
run 0 eval rates unweighted.csv
grep -q '^precision_at_recall_0.9  *[01]' out || fail 'precision at a recall of 0.9'
[ "$(awk '/^(true|false)_/ { n += $2 } END { print n }' out)" -eq "$(($(wc -l <unweighted.csv) - 1))" ] || fail 'the counts are not all rows'
bad 2 '`precision_at_recall` needs `recall`' train unweighted.csv --target y --set 'metrics=[precision_at_recall]'

# Of numbers, and of all targets of a row at once: the targets here are shares of 1
awk 'BEGIN { print "a,b,u,v"; for (i = 0; i < 200; i++) { x = (i * 37 % 100) / 50 - 1; z = (i * 61 % 100) / 50 - 1
    u = 1 / (1 + exp(-x - z)); print x "," z "," u "," 1 - u } }' >shares.csv
run 0 train shares.csv --target u --target v --epochs 20 --lr 0.02 --out numbers -q \
    --set 'metrics=[cosine_similarity, kl_divergence, concordance, {mase: 7}, rmspe, poisson_nll, {formula: {text: "mean(relu(1 - y * p))", name: h}}]'
run 0 eval numbers shares.csv
for name in cosine_similarity kl_divergence concordance mase_7 rmspe h; do
    grep -q "^$name  *-*[0-9]" out || fail "no $name: $(cat out)"
done
awk '$1 == "cosine_similarity" && $2 > 0.95 && $2 <= 1 { n++ } $1 == "kl_divergence" && $2 < 0.1 { n++ } END { exit n != 2 }' out ||
    fail "a trained model's shares: $(cat out)"

# The formulas of docs/metrics.md for what is not in the table
run 0 train unweighted.csv --target y --epochs 2 --out formulas -q --set 'metrics=[{formula: {text: "exp(nll(log(p), y))", name: perplexity}},
    {formula: {text: "sum((y == 1) * (squeeze(slice(p, 1, 1, 1), axes=1) > 0.5))", name: found}}, true_positives, log_loss]'
run 0 eval formulas unweighted.csv
awk '{ v[$1] = $2 } END { exit !(v["found"] == v["true_positives"] && (v["perplexity"] - exp(v["log_loss"])) ^ 2 < 1e-8) }' out ||
    fail "formulas for metrics: $(cat out)"

run 0 help metrics
for name in balanced_accuracy mcc ece kendall d2_pinball f1_max recall_at_precision false_negatives concordance kl_divergence; do
    grep -q "^  $name " out || fail "help metrics has no $name"
done
finish
