# A loss as a formula: the same bits as the loss that it writes out, classes too, with the model file's own formula; faults with
# their column before data is read.
. tests/cli/_lib.sh
awk 'BEGIN { for (i = 0; i < 200; i++) { a = (i * 37 % 101) / 101; b = (i * 53 % 97) / 97; print (i ? "" : "a,b,t\n") a "," b "," 2 * a - b * b } }' >t.csv

final() { # the loss on the test set
    sed -n 's/^trained.*test loss \([^,]*\),.*/\1/p' err
}
for loss in mse '{formula: "mean(square(y - p))"}' '{formula: "square(p - y)"}'; do
    run 0 train t.csv --target t --epochs 3 --seed 1 --set "loss=$loss" --out r --force
    [ -n "$(final)" ] || fail "no test loss in the last line"
    [ "${first:=$(final)}" = "$(final)" ] || fail "$loss: test loss $(final), not $first"
    run 0 predict r t.csv -o p.csv
    [ -f first.csv ] || cp p.csv first.csv
    cmp -s first.csv p.csv || fail "$loss: other predictions"
done
run 0 train builtin:iris --target species --epochs 3 --seed 1 --set 'loss={formula: "cross_entropy(p, y)"}' --out f
formula=$(final)
run 0 train builtin:iris --target species --epochs 3 --seed 1 --set loss=cross_entropy --out c
[ -n "$formula" ] && [ "$formula" = "$(final)" ] || fail "cross_entropy as a formula: $formula, not $(final)"
run 0 eval f builtin:iris

bad 2 'formula: column 6: there is no operation "sqare"; did you mean "square"?' train missing.csv --target t --set 'loss={formula: "mean(sqare(y - p))"}'
bad 2 'formula: column 10: the formula ends' train t.csv --target t --set 'loss={formula: "mean(y - "}'
printf 'data: {path: t.csv, target: t}\nloss:\n  formula: mean(y - q)\n' >c.yaml
bad 2 'column 10: there is nothing of the name "q"' train --config c.yaml
grep -q 'c.yaml' err out || fail "the sentence does not name the file"
run 1 train t.csv --target t --set 'loss={formula: "sum(p, axes=[0])"}' --out s
grep -q 'one for each row' err || fail "a loss that is no row's"

# Metrics as formulas: the same numbers as the metrics of that name; they may steer early stopping
awk 'BEGIN { print "a,t"; for (i = 0; i < 90; i++) print (i * 37 % 90) / 9 "," i * 2 + i % 7 }' >m.csv
run 0 train m.csv --target t --task regression --epochs 3 --out measured --json --set 'metrics=[mae, rmse, {formula: "mean(abs(y - p))"}, {formula: {text: "sqrt(mean(square(y - p)))", name: mine}}]' --set train.early_stopping.metric=validation.mine
test_of() { sed -n "s/.*\"test\":{[^}]*\"$1\":\([-0-9.e+]*\).*/\1/p" out; }
near() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a != "" && a - b < 1e-9 && b - a < 1e-9) }'; }
near "$(test_of formula)" "$(test_of mae)" || fail "formula $(test_of formula) is not mae $(test_of mae)"
near "$(test_of mine)" "$(test_of rmse)" || fail "mine $(test_of mine) is not rmse $(test_of rmse)"
run 0 eval measured m.csv
prints mine
run 0 train builtin:digits --epochs 1 --out named --json --set 'metrics=[accuracy, {formula: {text: "mean(cast(eq(y, argmax(p, axis=1)), f64))", name: acc, higher_better: true}}]'
near "$(test_of acc)" "$(test_of accuracy)" || fail "acc $(test_of acc) is not accuracy $(test_of accuracy)"
bad 2 'there is no operation "abss"' train m.csv --target t --set 'metrics=[{formula: "mean(abss(y - p))"}]'
finish
