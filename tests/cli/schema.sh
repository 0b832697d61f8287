# config --schema: the JSON Schema agrees with what the program accepts.
. tests/cli/_lib.sh
run 0 config --schema
cp out schema.json
prints '"$schema": "https://json-schema.org/draft/2020-12/schema"'
for name in batch_norm cross_entropy schedule_free_adamw cosine_annealing_warm_restarts kaiming_uniform balanced_accuracy; do prints "\"$name\""; done
run 0 config --schema -o written.json
cmp -s schema.json written.json || fail 'config --schema -o FILE writes something else'
run 2 config
run 2 config --schema x.yaml

# Every key of its train section is one that the program knows
: "${PYTHON:=python3}"
"$PYTHON" - >keys <<'P'
import json
s = json.load(open("schema.json"))
for section in "train", "data":
    for key in s["properties"][section]["properties"]:
        print(section + "." + key)
def refs(t):
    if isinstance(t, dict):
        if "$ref" in t:
            assert t["$ref"].rsplit("/", 1)[1] in s["$defs"], t
        for v in t.values():
            refs(v)
    elif isinstance(t, list):
        for v in t:
            refs(v)
refs(s)
P
[ -s keys ] || fail 'the schema does not hold together'
printf 'data: {path: "builtin:digits"}\n' >builtin.yaml
while read -r key; do
    case $key in data.train | data.path) continue ;; esac
    run 0 config builtin.yaml --set "$key=null"
done <keys


# Without a validator of JSON Schema the rest cannot be seen
"$PYTHON" -c 'import jsonschema' 2>/dev/null || {
    echo "SKIPPED: $PYTHON has no jsonschema, so no configuration is validated" >&2
    [ $failures -eq 0 ] && exit 77
    finish
    exit 1
}
cat >check.py <<'P'
import json, sys
import jsonschema
schema = json.load(open("schema.json"))
jsonschema.Draft202012Validator.check_schema(schema)
validator = jsonschema.Draft202012Validator(schema)
wanted = sys.argv[1] == "good"
for line in open(sys.argv[2]):
    errors = [e.message[:200] for e in validator.iter_errors(json.loads(line))]
    if wanted != (not errors):
        sys.exit("%s: %s" % (line.strip()[:200], errors[:2]))
P
# What the program resolves, and short forms as people write them, are valid
for args in 'builtin:iris' 'builtin:digits --batch-size full --epochs 3' 'builtin:digits --set train.overfit=32' \
    'builtin:iris --set train.early_stopping.patience=5 --class-weight balanced' 'builtin:digits --set train.steps_per_epoch=9'; do
    run 0 init $args --json
    cat out >>good
done
cat >>good <<'J'
{"data": {"path": "a.csv", "target": ["a", 2]}, "model": ["relu", {"linear": 3}, {"residual": [{"linear": 4}, "relu"]}, {"linear": {"out_features": 3, "bias": false}, "name": "last"}]}
{"optimizer": {"sgd": {"lr": 0.1, "momentum": 0.9}}, "schedule": {"sequential": {"schedules": [{"linear": {"total_iters": 3, "per": "step"}}, "cosine"], "milestones": [3], "per": "step"}}}
{"optimizer": "adam", "loss": {"huber": 2}, "train": {"batch_size": "auto", "max_time": "10m", "class_weight": {"a": 2}, "early_stopping": false}}
{"init": [{"match": "*.weight", "kaiming_uniform": {"mode": "fan_out"}}], "metrics": ["f1_macro"], "task": "auto"}
J
cat >wrong <<'J'
{"model": ["no_such_layer"]}
{"model": [{"linear": {"out_feature": 3}}]}
{"model": [{"dropout": 1.5}]}
{"optimizer": {"adam": {"lr": 0.1, "beta": 1}}}
{"optimizer": {"adam": {}, "sgd": {}}}
{"schedule": {"step": {"gamma": 0.1}}}
{"loss": "no_such_loss"}
{"train": {"epoch": 3}}
{"train": {"batch_size": 0}}
{"train": {"max_time": "ten"}}
{"metrics": ["nothing"]}
J
"$PYTHON" check.py good good || fail 'what the program accepts is not valid'
while read -r line; do
    echo "$line" >one
    "$PYTHON" check.py wrong one || fail "valid, though wrong: $line"
    [ "$line" = '{"train": {"max_time": "ten"}}' ] && continue
    echo "$line" >one.yaml
    run 2 config one.yaml --set data.path=builtin:iris
done <wrong
finish
