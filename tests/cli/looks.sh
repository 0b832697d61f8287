# The verbs that only show something, and how they look.
. tests/cli/_lib.sh
run 0 -V
[ "$(cat out)" = "backprop $(sed -n 's/^#define BP_VERSION "\(.*\)"/\1/p' "$root/include/backprop.h")" ] || fail 'the version'
start=$(date +%s%N)
i=0
while [ $i -lt 20 ]; do
    "$BACKPROP" -V >/dev/null
    i=$((i + 1))
done
each=$((($(date +%s%N) - start) / 20000))
grep -q "__asan_init\|__tsan_init" "$BACKPROP" || [ $each -lt 20000 ] || fail "--version takes $each microseconds" # 5 ms, with room for a busy machine
run 0 --version --json
one_object

run 0 help
verbs=$(sed -n '/^Verbs:/,/^$/s/^  \([a-z][a-z-]*\) .*/\1/p' out)
[ "$(echo "$verbs" | wc -l)" -ge 10 ] || fail 'help lists too few verbs'
for verb in $verbs; do
    run 0 help "$verb"
    head -n 1 out | grep -q '^Examples:' || fail "$said: examples do not come first"
    prints "Usage: backprop $verb"
    cp out first
    run 0 "$verb" -h
    cmp -s out first || fail "$verb -h differs from help $verb"
done
for topic in layers losses optimizers schedules metrics; do
    run 0 help $topic
    [ "$(wc -l <out)" -gt 4 ] || fail "help $topic lists too little"
    run 0 help $topic --json
    one_object
done

run 0 ops --json
one_object
prints '"name":"tanh"'
run 0 ops tanh
prints tanh
run 0 info --json
one_object
for name in version isa isas threads features; do prints "\"$name\":"; done
isas=$("$BACKPROP" info --json | tr -d '\n' | sed 's/.*"isas":\[\([^]]*\)\].*/\1/' | tr -d '"' | tr ',' ' ')
for isa in $isas; do
    BP_ISA=$isa "$BACKPROP" info --json | grep -q "\"isa\":\"$isa\"" || fail "BP_ISA=$isa is not obeyed"
done

printf 'a,y\n1,p\n2,q\n3,p\n4,q\n5,p\n6,q\n7,p\n8,q\n' >t.csv
run 0 init t.csv --target y -o t.yaml
holds t.yaml
run 0 config t.yaml
prints 'model:'
run 0 config t.yaml --json
one_object
run 0 inspect t.yaml
prints linear
run 0 inspect t.yaml --json
one_object
run 0 gradcheck t.yaml
prints 'ok'
run 0 gradcheck t.yaml --json
one_object
run 0 lr-preview t.yaml --optimizer 'sgd lr=0.5' --steps 4 --json
[ "$(cat out)" = '{"per":"step","lr":[0.5,0.5,0.5,0.5]}' ] || fail 'the rates of a constant schedule'
LC_ALL=C run 0 lr-preview t.yaml
prints '*'
run 0 data describe t.csv --json
one_object
prints '"rows":8'

run 0 demo --epochs 8
prints 'Test accuracy'
prints 'rows are what was written'
prints 'What to try next'
says 'epoch 8/8'
lacks runs
run 0 demo --epochs 2 --json -q
one_object
[ -s err ] && fail '-q is not silent'

for shell in bash zsh fish; do
    run 0 completion $shell
    prints lr-preview
    prints batch-size
done
"$BACKPROP" completion bash >complete.sh
if command -v bash >/dev/null 2>&1; then bash -n complete.sh || fail 'the completion for bash is no script'; fi
sh "$root/tools/man_page.sh" "$BACKPROP" "$root/docs/backprop.1" >page.1 || fail 'tools/man_page.sh makes no page'
cmp -s page.1 "$root/docs/backprop.1" || fail 'docs/backprop.1: its verbs or options are not the program'"'"'s; run make tables'

# Colour and the live line
FORCE_COLOR=1 "$BACKPROP" nothing 2>err >out
grep -q "$(printf '\033')" err || fail 'FORCE_COLOR gives no colour'
FORCE_COLOR=1 "$BACKPROP" nothing --no-color 2>err >out
grep -q "$(printf '\033')" err && fail '--no-color gives colour'
if script -qec true /dev/null >/dev/null 2>&1 </dev/null; then
    TERM=xterm script -qec "'$BACKPROP' train t.csv --target y --epochs 3 --out live" /dev/null >out 2>err </dev/null
    grep -q "$(printf '\033\\[K')" out || fail 'no live line on a terminal'
    TERM=dumb script -qec "'$BACKPROP' train t.csv --target y --epochs 3 --out dumb" /dev/null >out 2>err </dev/null
    grep -q "$(printf '\033')" out && fail 'escapes on a dumb terminal'
    prints 'epoch 3/3'
fi
finish
