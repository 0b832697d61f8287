# Disks that are full, folders that go away, runs that are shortened, signals that do not wait: what is said, what stays, and that
# --resume goes on from it to the same bits.
. tests/cli/_lib.sh
sha() { sed -n 's/.*"weights_sha256": *"\([0-9a-f]*\)".*/\1/p' "$1/record.json"; }
no_rests() { [ -z "$(find "$1" -name '.backprop-*' -o -name lock)" ] || fail "$1: left: $(find "$1" -name '.backprop-*' -o -name lock)"; }
digits="builtin:digits --model linear --epochs 2 --set train.checkpoint.every_steps=5 --threads 1"
run 0 train $digits --out whole -q

# ---- A file that may not grow: checkpoints within an epoch get larger, and one is too large
(
    ulimit -f 128 2>/dev/null || exit 77 # blocks of 512 bytes, of 1024 in some shells
    "$BACKPROP" train $digits --out limited >out 2>err
)
got=$?
if [ $got -ne 77 ]; then
    said='train, files may not grow'
    [ $got -eq 1 ] || fail "$said: exit status $got, expected 1"
    says "backprop: cannot write 'limited/checkpoint.safetensors': file too large"
    [ "$(grep -c '^backprop: ' err)" -eq 1 ] || fail "$said: not one sentence"
    no_rests limited
    holds limited/checkpoint.safetensors
    lacks limited/model.safetensors
    grep -q '"status": "failed"' limited/record.json || fail "$said: the record does not say that it failed"
    grep -q '"message": "cannot write .limited/checkpoint.safetensors' limited/record.json || fail "$said: the record does not say why"
    run 0 train --resume limited -q
    [ "$(sha limited)" = "$(sha whole)" ] || fail "$said, then resumed: other weights"
fi

# ---- A disk that is full, where a small one may be mounted
cat >full.sh <<'S'
mkdir disk && mount -t tmpfs -o size=100k none disk || exit 77
"$BACKPROP" train $1 --out disk/run >out 2>err
echo $? >status
cp -r disk/run kept
S
if BACKPROP=$BACKPROP unshare -rm sh full.sh "$digits" 2>/dev/null; then
    said='train, the disk is full'
    [ "$(cat status)" -eq 1 ] || fail "$said: exit status $(cat status), expected 1"
    says "backprop: cannot write 'disk/run/checkpoint.safetensors': no space left on device; free some space or write elsewhere"
    no_rests kept
    grep -q '"status": "failed"' kept/record.json || fail "$said: the record does not say that it failed"
    run 0 train --resume kept -q
    [ "$(sha kept)" = "$(sha whole)" ] || fail "$said, then resumed: other weights"
else
    echo 'SKIPPED: no small disk can be mounted here'
fi

# ---- The folder goes away while the run is on
"$BACKPROP" train builtin:digits --epochs 100000 --set train.early_stopping=null --set train.checkpoint.every_steps=40 --out gone >out 2>err &
pid=$!
waited=0
until grep -q '^epoch 2/' err 2>/dev/null || [ $waited -ge 300 ]; do
    sleep 0.05
    waited=$((waited + 1))
done
mv gone moved
wait $pid
got=$?
said='train, the folder goes away'
[ $got -eq 1 ] || fail "$said: exit status $got, expected 1"
says "backprop: cannot write 'gone/"
lacks gone
epochs=$(($(wc -l <moved/metrics.csv) + 1))
run 0 train --resume moved --epochs $epochs -q
run 0 train builtin:digits --epochs $epochs --set train.early_stopping=null --out stayed -q
[ "$(sha moved)" = "$(sha stayed)" ] || fail "$said, then resumed: other weights"

# ---- Where nothing can be written from the beginning
echo text >file
bad 1 "file" train $digits --out file/run
bad 1 "/proc/nothing" train $digits --out /proc/nothing
if [ -w /dev/full ]; then
    run 1 predict whole builtin:digits -o /dev/full
    says 'cannot write `/dev/full`: '
fi

# ---- A run that began from a model goes on from its own checkpoint, not from the model again
run 0 train $digits --from whole/model.safetensors --seed 3 --out tuned -q
run 0 train $digits --from whole/model.safetensors --seed 3 --set train.steps=50 --out cut -q
cp whole/model.safetensors kept.safetensors
run 0 train --resume cut --set train.steps=null -q
[ "$(sha cut)" = "$(sha tuned)" ] || fail 'a run with --from, resumed: other weights'
[ "$(sha cut)" != "$(sha whole)" ] || fail 'a run with --from did not train'

# ---- Fewer epochs than are done already: it ends at once, and the record is right
run 0 train builtin:iris --epochs 6 --out six -q
before=$(sha six)
run 0 train --resume six --epochs 3
says 'trained after 6 epochs'
[ "$(sha six)" = "$before" ] || fail 'fewer epochs: other weights'
[ "$(field six/record.json epochs)" -eq 6 ] && grep -q '"status": "finished"' six/record.json || fail 'fewer epochs: the record'
[ "$(wc -l <six/metrics.csv)" -eq 7 ] || fail 'fewer epochs: metrics.csv was changed'
run 0 train --resume six --epochs 8 -q
run 0 train builtin:iris --epochs 8 --out eight -q
[ "$(sha six)" = "$(sha eight)" ] || fail 'fewer epochs, then more: other weights'

# ---- A second signal leaves at once, within a step that takes long; what was saved before is enough to go on
slow='model=[{reshape: [1, 8, 8]}, {conv2d: {out_channels: 64, kernel_size: 3, padding: 1}},
    {repeat: {times: 8, layers: [{conv2d: {out_channels: 64, kernel_size: 3, padding: 1}}, relu]}}, flatten, linear]'
if grep -q __tsan_init "$BACKPROP"; then
    echo 'SKIPPED: the thread sanitizer holds signals back until a system call'
elif command -v python3 >/dev/null 2>&1; then
    BACKPROP=$BACKPROP SLOW=$slow python3 - <<'P' || fail 'a second SIGINT does not leave at once'
import json, os, signal, subprocess, sys, time
for attempt in range(4):
    out = "twice_%d" % attempt
    p = subprocess.Popen([os.environ["BACKPROP"], "train", "builtin:digits", "--batch-size", "full", "--optimizer", "sgd", "--set",
                          os.environ["SLOW"], "--epochs", "100", "--out", out, "-q"],
                         preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
    while not os.path.exists(out + "/config.yaml"):
        time.sleep(0.01)
    time.sleep(0.1)
    p.send_signal(signal.SIGINT)
    time.sleep(0.03)
    begin = time.monotonic()
    p.send_signal(signal.SIGINT)
    p.wait()
    took = time.monotonic() - begin
    if p.returncode != 130:
        sys.exit("exit status %d" % p.returncode)
    if json.load(open(out + "/record.json"))["status"] == "running":  # else the step was over before the second signal
        sys.exit("it took %.1f s" % took if took > 0.5 else 0)
sys.exit("the second signal never came within a step")
P
    rm -rf twice_*
fi
finish
