# What the training loop can do beside epochs: other evaluations, a check on few rows, what the curves say, TensorBoard, standard input.
. tests/cli/_lib.sh
sha() { sed -n 's/.*"weights_sha256": *"\([0-9a-f]*\)".*/\1/p' "$1/record.json"; }

# A table whose target is chance, and one that a line separates
awk 'BEGIN { srand(1); print "a,b,c,d,y"; for (i = 0; i < 80; i++) { for (j = 0; j < 4; j++) printf "%.4f,", rand() * 2 - 1; print rand() < 0.5 ? "p" : "q" } }' >chance.csv
awk 'BEGIN { srand(2); print "a,b,y"; for (i = 0; i < 200; i++) { a = rand() * 2 - 1; b = rand() * 2 - 1; print a "," b "," 2 * a - b * b } }' >curve.csv

# ---- steps_per_epoch: evaluations every N steps, passes go on where they end: the same weights as without
run 0 train builtin:digits --epochs 8 --set train.steps_per_epoch=25 --set train.early_stopping.restore_best=false --out every -q
[ "$(cut -d, -f1,2 every/metrics.csv | tr '\n' ' ')" = 'epoch,step 1,25 2,50 3,75 4,100 5,125 6,150 7,175 8,200 ' ] ||
    fail "steps_per_epoch: other rows: $(cut -d, -f1,2 every/metrics.csv | tr '\n' ' ')"
run 0 train builtin:digits --set train.steps=200 --set train.early_stopping.restore_best=false --out whole -q
[ "$(sha every)" = "$(sha whole)" ] || fail 'steps_per_epoch changes the weights'
# more steps than a pass has: 40 steps a pass, 90 an epoch
run 0 train builtin:digits --epochs 2 --set train.steps_per_epoch=90 --set train.early_stopping.restore_best=false --out long -q
run 0 train builtin:digits --set train.steps=180 --set train.early_stopping.restore_best=false --out long2 -q
[ "$(sha long)" = "$(sha long2)" ] || fail 'a long epoch changes the weights'
grep -q 'steps_per_epoch: 90' long/config.yaml || fail 'the configuration does not say steps_per_epoch'
# stopped in the middle of an epoch that began in the middle of a pass, and gone on with
run 0 train builtin:digits --epochs 8 --set train.steps_per_epoch=25 --set train.steps=85 --set train.early_stopping.restore_best=false --out half -q
run 0 train --resume half --set train.steps=null -q
[ "$(sha half)" = "$(sha every)" ] || fail 'resumed within an epoch of its own length: other weights'
cut -d, -f1-3,5- half/metrics.csv >one
cut -d, -f1-3,5- every/metrics.csv >other
cmp -s one other || fail 'resumed within an epoch of its own length: other metrics'
bad 2 'train.steps_per_epoch must be a whole number' train builtin:digits --set train.steps_per_epoch=0

# ---- What would do nothing is refused
bad 2 'regularize: `match: *.wieght` is the name of no parameter that is trained; did you mean' train builtin:iris --set 'regularize=[{match: "*.wieght", l2: 1}]'
bad 2 'schedules.dropout moves the p of dropout layers, and the model has none' train builtin:iris --set 'schedules.dropout={linear: {end_factor: 0}}'
bad 2 'train.clip_norm_per says whose norm train.clip_norm limits, which is not given' train builtin:iris --set train.clip_norm_per=layer
bad 2 'the metric r2 is one of regression, and the task is classification' train builtin:iris --set train.early_stopping.metric=validation.r2
bad 2 'train.accumulate does not go with the optimizer sophia' train builtin:iris --optimizer sophia --set train.accumulate=2
run 0 train builtin:iris --optimizer sophia --set train.clip_norm=1 --epochs 2 --out sophia -q

# ---- overfit
run 0 train builtin:iris --set train.overfit=32 --out known --json
prints '"stopped_by":"target"'
prints '"rows":{"train":32}'
grep -q '"accuracy":1' out || fail 'overfit: the accuracy is not 1'
run 0 train curve.csv --target y --set train.overfit=32 --lr 0.01 --out numbers --json
prints '"stopped_by":"target"'
run 0 train builtin:iris --set train.overfit=32 --model 'linear 64, relu, dropout 0.9, linear' --out dropped -q
grep -q 'dropout: 0$' dropped/config.yaml || fail 'overfit: dropout is still at work'
awk 'BEGIN { print "a,b,y"; for (i = 0; i < 40; i++) print i % 4 / 10 "," i % 3 / 7 "," (i % 2 ? "p" : "q") }' >twice.csv
run 1 train twice.csv --target y --set train.overfit=30 --epochs 30 --out never
says 'rows were not learnt by heart: after'
says 'look for labels that do not belong to their rows'
grep -q '"status": "failed"' never/record.json || fail 'overfit: the record does not say that it failed'
run 0 train --config dropped/config.yaml --out again -q
[ "$(sha again)" = "$(sha dropped)" ] || fail 'overfit: the configuration gives other weights'

# ---- What the curves say
run 0 train chance.csv --target y --epochs 200 --lr 0.03 --out heart
says 'overfitting since epoch'
says 'while the training loss fell from'
says 'dropout: 0.2'
grep -q '"overfitting": {' heart/record.json || fail 'the record says nothing of overfitting'
grep -q '"event":"overfitting"' heart/decisions.jsonl || fail 'decisions.jsonl says nothing of overfitting'
grep -q 'nothing was learnt' err && fail 'it learnt its rows, and that it learnt nothing is said'
run 0 train chance.csv --target y --epochs 2 --lr 1e-9 --set 'model=[{linear: {init: {weight: zeros, bias: zeros}}}]' --out nothing
says 'nothing was learnt: the training loss'
grep -q '"nothing_learnt": {' nothing/record.json || fail 'the record does not say that nothing was learnt'
run 0 train curve.csv --target y --epochs 2 --lr 1e-9 --set 'model=[{linear: {init: {weight: zeros, bias: zeros}}}]' --out flat
says 'always predicting the mean'
run 0 train builtin:iris --epochs 10 --lr 0.01 --out good -v
says 'loss  * training  o validation' # both curves
grep -q '^ *0\.[0-9]* +.*\*' err && grep -q '|.*o' err || fail 'no curves are drawn'
run 0 train builtin:iris --epochs 10 --lr 0.01 --out good --force
grep -q ' training  o ' err && fail 'curves are drawn without -v'
grep -q 'overfitting\|nothing was learnt' err && fail 'a good run is complained of'

# 23 validation rows, of which one or two are mistaken, say little
run 0 train builtin:iris --epochs 200 --lr 0.01 --seed 0 --out rows23
says 'perhaps overfitting since epoch'
says '23 rows are too few to say'
grep -q '"overfitting"' rows23/record.json && fail 'the record is sure of what two rows say'
grep -q '"event":"perhaps_overfitting"' rows23/decisions.jsonl || fail 'decisions.jsonl says nothing of it'

# ---- --dry-run: one batch through everything, and nothing written
run 0 train builtin:digits --dry-run --batch-size 64 --out dry
says 'dry run: one batch of 64 rows'
says '9,610 parameters'
prints 'batch_size: 64'
lacks dry
run 0 train builtin:digits --dry-run --set train.accumulate=2 --json
one_object
prints '"dry_run":{"rows":64,"loss":2.'
run 1 train builtin:digits --dry-run --model 'linear 3, reshape shape=[7], linear'

# ---- batch_size: auto: chosen by trial, said, and obeyed by the configuration that is stored
run 0 train builtin:digits --batch-size auto --epochs 2 --out tried
says "batch_size: "
says "auto: the gradient's noise scale is"
grep -q '^  batch_size: [0-9]' tried/config.yaml || fail 'the size that was chosen is not in the configuration'
grep -q 'train.batch_size = .*noise scale' tried/decisions.jsonl || fail 'decisions.jsonl does not say how the size was chosen'
size=$(sed -n 's/^  batch_size: \([0-9]*\).*/\1/p' tried/config.yaml)
case $size in 16 | 32 | 64 | 128 | 256) ;; *) fail "batch_size: auto chose $size of 1257 rows" ;; esac
run 0 train builtin:digits --batch-size "$size" --epochs 2 --out fixed -q
[ "$(sha fixed)" = "$(sha tried)" ] || fail 'batch_size: auto trains to other weights than the size it chose'
run 0 train --resume tried --epochs 3 -q
run 0 train --resume fixed --epochs 3 -q
[ "$(sha fixed)" = "$(sha tried)" ] || fail 'going on after batch_size: auto gives other weights'
run 0 train chance.csv --target y --batch-size auto --epochs 1 --out few
says 'are too few to try sizes'
bad 2 'train.batch_size must be a whole number of at least 1, full or auto' train builtin:digits --batch-size some

# ---- Standard input is kept
said='train -'
"$BACKPROP" train - --target y --epochs 3 --out piped -q <curve.csv || fail 'from standard input'
cmp -s piped/cache/stdin curve.csv || fail 'standard input is not kept as it was'
grep -q "path: .*/piped/cache/stdin" piped/config.yaml || fail 'the configuration does not name the copy'
run 0 train --resume piped --epochs 6 -q
run 0 train curve.csv --target y --epochs 6 --out filed -q
[ "$(sha piped)" = "$(sha filed)" ] || fail 'going on from kept standard input gives other weights'
run 0 train curve.csv --target y --epochs 1 --out piped --force -q
lacks piped/cache/stdin

# ---- TensorBoard
holds every/events.out.tfevents.*
if command -v python3 >/dev/null 2>&1; then
    cat >read.py <<'P'
import csv, glob, struct, sys
def crc(data):
    c = 0xFFFFFFFF
    for b in data:
        c ^= b
        for _ in range(8):
            c = c >> 1 ^ (0x82F63B78 if c & 1 else 0)
    c ^= 0xFFFFFFFF
    return ((c >> 15 | c << 17) + 0xA282EAD8) & 0xFFFFFFFF
def varint(d, i):
    v = shift = 0
    while True:
        v |= (d[i] & 127) << shift
        shift += 7
        i += 1
        if d[i - 1] < 128:
            return v, i
def fields(d):
    i = 0
    while i < len(d):
        key, i = varint(d, i)
        if key & 7 == 0:
            v, i = varint(d, i)
        elif key & 7 == 1:
            v, i = struct.unpack("<d", d[i:i + 8])[0], i + 8
        elif key & 7 == 5:
            v, i = struct.unpack("<f", d[i:i + 4])[0], i + 4
        else:
            n, i = varint(d, i)
            v, i = d[i:i + n], i + n
        yield key >> 3, v
def records(path):
    d = open(path, "rb").read()
    i = 0
    while i < len(d):
        n, = struct.unpack("<Q", d[i:i + 8])
        body = d[i + 12:i + 12 + n]
        assert struct.unpack("<I", d[i + 8:i + 12])[0] == crc(d[i:i + 8]), path
        assert struct.unpack("<I", d[i + 12 + n:i + 16 + n])[0] == crc(body), path
        yield dict(fields(body))
        i += 16 + n
seen = {}
for path in sorted(glob.glob(sys.argv[1] + "/events.out.tfevents.*")):
    for k, e in enumerate(records(path)):
        if k == 0:
            assert e[3] == b"brain.Event:2"
        if 7 in e: # a restart takes back what is at this step and after
            seen = {s: v for s, v in seen.items() if s < e[2]}
        if 5 in e:
            assert e[2] not in seen, "step %d twice" % e[2]
            seen[e[2]] = {dict(fields(v))[1].decode(): dict(fields(v))[2] for f, v in fields(e[5]) if f == 1}
rows = list(csv.DictReader(open(sys.argv[1] + "/metrics.csv")))
assert [int(r["step"]) for r in rows] == sorted(seen), (sorted(seen), len(rows))
for r in rows:
    got = seen[int(r["step"])]
    for name, text in r.items():
        if name in ("step", "seconds") or text == "":
            continue
        want = float(text)
        assert abs(got[name.replace(".", "/")] - want) <= 1e-6 * abs(want) + 1e-12, (name, got, want)
print(len(rows), "evaluations")
P
    python3 read.py every || fail 'events of a whole run'
    python3 read.py half || fail 'events of a run that went on'
    "$BACKPROP" train builtin:digits --epochs 100000 --set train.early_stopping=null --set train.checkpoint.every=1s --out killed -q >out 2>err &
    pid=$!
    sleep 2.5
    kill -KILL $pid
    wait $pid 2>/dev/null
    epochs=$(($(wc -l <killed/metrics.csv) + 100))
    run 0 train --resume killed --epochs $epochs -q
    python3 read.py killed || fail 'events of a run that was killed'
fi
finish
