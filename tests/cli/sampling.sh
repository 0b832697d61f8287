# train.sampling: passes with as many rows of each class.
. tests/cli/_lib.sh
sha() { sed -n 's/.*"weights_sha256": *"\([0-9a-f]*\)".*/\1/p' "$1/record.json"; }
losses() { cut -d, -f5 "$1/metrics.csv" | sed 1d; }
rows() { cut -d, -f2 "$1/metrics.csv" | sed 1d | tr '\n' ' '; }

# 240 rows of training: 160 of one class, 60 and 20 of two others
awk 'BEGIN { srand(3); print "a,b,y"; for (i = 0; i < 240; i++) { y = i % 12 < 8 ? "many" : i % 12 < 11 ? "some" : "few"
     print rand() + (y == "few") "," rand() - (y == "some") "," y } }' >skewed.csv
all="skewed.csv --target y --validation 0 --test 0 --batch-size 32"

run 0 train $all --epochs 2 --set train.sampling=over --out over
says 'sampling: over, a pass takes 480 of the 240 training rows, as many of each class, some more than once'
[ "$(rows over)" = '15 30 ' ] || fail "over: other steps: $(rows over)"
[ "$(field over/record.json rows_per_pass)" = 480 ] || fail 'over: the record does not say the rows of a pass'
grep -q '^  sampling: over' over/config.yaml || fail 'over: the configuration does not say it'
grep -q '"event":"decision".*train.sampling = .*a pass takes 480' over/decisions.jsonl || fail 'over: decisions.jsonl does not say it'
run 0 train $all --epochs 2 --set train.sampling=under --out under
says 'sampling: under, a pass takes 60 of the 240 training rows, as many of each class, others every time'
[ "$(rows under)" = '2 4 ' ] || fail "under: other steps: $(rows under)"
[ "$(field under/record.json rows_per_pass)" = 60 ] || fail 'under: the record does not say the rows of a pass'
run 0 train $all --epochs 2 --out plain
grep -q rows_per_pass plain/record.json && fail 'without sampling the record speaks of it'
[ "$(rows plain)" = '8 16 ' ] || fail "without: other steps: $(rows plain)"

# A constant prediction of equal classes has the loss log(3), whatever the file's frequencies are: passes hold equal classes
run 0 train $all --epochs 1 --batch-size full --set train.sampling=under --lr 1e-12 \
    --set 'model=[{linear: {init: {weight: zeros, bias: zeros}}}]' --out constant
says 'is not below 1.099, which'
# Other rows in every pass, the same ones in another run; without sampling all rows every time
# (one step a pass: no other order of rows that could change a sum)
still="--lr 1e-30 --epochs 3 --batch-size full"
run 0 train $all $still --set train.sampling=under --out moves -q
[ "$(losses moves | sort -u | wc -l)" -eq 3 ] || fail "under: passes of the same rows: $(losses moves)"
run 0 train $all $still --set train.sampling=under --threads 2 --out again -q
[ "$(losses moves)" = "$(losses again)" ] || fail 'under: the same seed chooses other rows'
for seed in 1 2; do
    run 0 train $all --epochs 1 --batch-size full --set train.sampling=under --seed $seed \
        --set 'model=[{linear: {init: {weight: zeros, bias: zeros}}}]' --out seed_$seed -q
done
[ "$(sha seed_1)" != "$(sha seed_2)" ] || fail 'under: another seed chooses the same rows'
run 0 train --config over/config.yaml --out rerun -q
[ "$(sha rerun)" = "$(sha over)" ] || fail 'the configuration of a run gives other weights'

# Interrupted within a pass, twice, and gone on with
run 0 train $all --epochs 6 --batch-size 7 --set train.sampling=over --out whole -q
run 0 train $all --epochs 6 --batch-size 7 --set train.sampling=over --set train.steps=100 --out half -q
run 0 train --resume half --set train.steps=300 -q
run 0 train --resume half --set train.steps=null -q
[ "$(sha half)" = "$(sha whole)" ] || fail 'resumed within a pass: other weights'
cut -d, -f1-3,5- half/metrics.csv >one
cut -d, -f1-3,5- whole/metrics.csv >two
cmp -s one two || fail 'resumed within a pass: other metrics'
run 0 train $all --epochs 6 --batch-size 7 --set train.sampling=under --set train.steps_per_epoch=5 --out whole2 -q
run 0 train $all --epochs 6 --batch-size 7 --set train.sampling=under --set train.steps_per_epoch=5 --set train.steps=13 --out half2 -q
run 0 train --resume half2 --set train.steps=null -q
[ "$(sha half2)" = "$(sha whole2)" ] || fail 'under, resumed within a pass: other weights'
# Another choice has to be named, and then begins with a pass of its own
run 0 train --resume half --epochs 8 --set train.sampling=under -q
[ "$(rows half)" = '69 138 207 276 345 414 423 432 ' ] || fail "from over to under: other steps: $(rows half)"

# A schedule's length is that of the passes: 6 epochs of 9 steps of 7 rows
run 0 train $all --epochs 6 --batch-size 7 --schedule linear --set train.sampling=under --out linear -q
[ "$(rows linear)" = '9 18 27 36 45 54 ' ] || fail "under: other steps: $(rows linear)"
run 0 train $all --epochs 2 --batch-size auto --set train.sampling=under --out few
says 'are too few to try sizes'
run 0 train $all --dry-run --batch-size full --set train.sampling=over
says 'one batch of 480 rows'
run 0 lr-find $all --set train.sampling=over --json
one_object

# Weights of rows and of classes count on top; what does the same twice, or has no classes, is refused
run 0 train $all --epochs 1 --set train.sampling=over --class-weight '{few: 2}' --out weighted -q
[ "$(sha weighted)" != "$(sha over)" ] || fail 'weights of classes do not count beside sampling'
bad 2 'both make classes count equally: leave one out' train skewed.csv --target y --set train.sampling=over --class-weight balanced --out r
bad 2 'train.sampling must be none, over or under, not "up"' train skewed.csv --target y --set train.sampling=up --out r
bad 2 'train.sampling needs classes, and the task is regression' train skewed.csv --target a --set train.sampling=under --out r
printf 'data: {path: skewed.csv, target: a}\ntrain:\n  epochs: 1\n  sampling: under\n' >r.yaml
run 2 train --config r.yaml --out r
says 'r.yaml:4'
finish
