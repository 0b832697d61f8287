# lr-preview and lr-find: numbers, drawings, pictures, and what is wrong with their options.
. tests/cli/_lib.sh
unset LC_ALL LC_CTYPE
LANG=C
export LANG

cat >s.yaml <<'Y'
optimizer: {sgd: {lr: 0.5}}
schedule: {exponential: {gamma: 0.5, per: step}}
Y
run 0 lr-preview s.yaml --steps 4 --json
[ "$(cat out)" = '{"per":"step","lr":[0.5,0.25,0.125,0.0625]}' ] || fail 'the rates of exponential'
run 0 lr-preview s.yaml --schedule 'lambda "1 / (epoch + 1)"' --steps 3 --json
[ "$(cat out)" = '{"per":"epoch","lr":[0.5,0.25,0.166666666666667]}' ] || grep -q '"per":"epoch","lr":\[0.5,0.25,0.1666' out ||
    fail 'the rates of a formula'
run 0 lr-preview s.yaml --set train.steps=7 --json # the run's own length
[ "$(tr -cd , <out | wc -c)" -eq 7 ] || fail 'not seven rates'
printf 'data: {path: nothing.csv}\ntrain: {epochs: 3}\n' >n.yaml
run 0 lr-preview n.yaml # data that is not there does not matter where no step depends on it
prints '0 to 199'
bad 1 'nothing.csv' lr-preview n.yaml --schedule cosine

# As wide as the terminal, no colour in a file; braille where the terminal takes UTF-8.
COLUMNS=60 run 0 lr-preview s.yaml --steps 100
prints '*'
prints 'learning rate: 0.5 to'
[ "$(awk '{ if (length($0) > n) n = length($0) } END { print n }' out)" -le 60 ] || fail 'wider than 60 columns'
grep -q "$(printf '\033')" out && fail 'colour in a file'
FORCE_COLOR=1 run 0 lr-preview s.yaml --steps 100
grep -q "$(printf '\033')" out || fail 'FORCE_COLOR gives no colour'
FORCE_COLOR=1 run 0 lr-preview s.yaml --steps 100 --no-color
grep -q "$(printf '\033')" out && fail 'colour with --no-color'
LC_ALL=C.UTF-8 run 0 lr-preview s.yaml --steps 100
grep -q "$(printf '\342\240')" out || grep -q "$(printf '\342\241')" out || fail 'no braille dots'

run 0 lr-preview s.yaml --steps 50 -o rate.svg
holds rate.svg
grep -q '<svg xmlns' rate.svg && grep -q polyline rate.svg && grep -q '</svg>' rate.svg || fail 'no picture'
[ -s out ] && fail 'text beside the picture'
rm rate.svg
run 0 lr-preview s.yaml --steps 50 -o rate.svg --json
one_object
holds rate.svg
run 0 lr-preview s.yaml --steps 5 -o -
prints '</svg>'
rm rate.svg
run 0 lr-preview s.yaml -n -o rate.svg
lacks rate.svg
bad 2 'name it rate.png.svg' lr-preview s.yaml -o rate.png
bad 2 '--steps needs' lr-preview s.yaml --steps 0
bad 2 'character 7 of "0.9 ^ epohc"' lr-preview s.yaml --schedule 'lambda "0.9 ^ epohc"'

# The range test: a rate between the ends, the curve as far as it went, nothing written, the same every time.
run 0 lr-find builtin:iris --json
one_object
cp out first
valley=$(field out valley)
awk "BEGIN { exit !($valley > 1e-6 && $valley < 1) }" || fail "the valley is $valley"
awk "BEGIN { exit !($(field out steepest) > 1e-6 && $(field out steepest) < 10) }" || fail 'no steepest'
steps=$(field out steps)
[ "$steps" -gt 50 ] && [ "$steps" -le 100 ] || fail "$steps steps"
lacks runs
run 0 lr-find builtin:iris --json --threads 2
cmp -s out first || fail 'another result with two threads'
run 0 lr-find builtin:iris -o range.svg
prints valley
says 'next: backprop train builtin:iris --lr'
holds range.svg
grep -q 'steepest' range.svg || fail 'no mark in the picture'
rm range.svg
run 0 lr-find builtin:iris
prints ':'
prints 'where the loss falls fastest'
run 0 lr-find builtin:iris --steps 400 --min-lr 1e-5 --max-lr 1e4 --optimizer sgd --json # it ends where the loss explodes
prints '"exploded":true'
[ "$(field out steps)" -lt 400 ] || fail 'no early end'
run 0 lr-find builtin:iris --steps 6
says 'too few to suggest'
run 0 lr-find builtin:iris -n
prints 'model:'
bad 2 'lr-find needs DATA' lr-find
bad 2 '--min-lr must be above 0 and below --max-lr' lr-find builtin:iris --min-lr 1 --max-lr 0.1
bad 2 'name it x.txt.svg' lr-find builtin:iris -o x.txt
bad 1 'nothing.csv' lr-find nothing.csv --target y

run 0 help initializers
prints lsuv
run 0 help schedules
prints coslog4
finish
