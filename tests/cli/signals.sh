# Signals and closed streams.
. tests/cli/_lib.sh
stop() { # stop SIGNAL STATUS
    "$BACKPROP" train builtin:digits --epochs 1000000 --set train.early_stopping=null --out "run_$1" --json >out 2>err &
    pid=$!
    waited=0
    until grep -q '^epoch 2/' err 2>/dev/null || [ $waited -ge 200 ]; do
        sleep 0.1
        waited=$((waited + 1))
    done
    kill -s "$1" $pid
    wait $pid
    got=$?
    said="train, SIG$1"
    [ $got -eq "$2" ] || fail "SIG$1: exit status $got, expected $2"
    one_object
    prints '"status":"interrupted"'
    prints '"stopped_by":"signal"'
    grep -q '"interrupted"' "run_$1/record.json" || fail "SIG$1: the record does not say it"
    run 0 eval "run_$1" builtin:digits
}
stop TERM 143
stop HUP 129
# A shell starts jobs with SIGINT ignored, and what is ignored stays so: a child of Python gets it as a terminal's would.
if command -v python3 >/dev/null 2>&1; then
    BACKPROP=$BACKPROP python3 - <<'P' || fail 'SIGINT: the exit status is not 130'
import os, signal, subprocess, sys, time
def start(out):
    p = subprocess.Popen([os.environ["BACKPROP"], "train", "builtin:digits", "--epochs", "1000000", "--set",
                          "train.early_stopping=null", "--out", out], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                         preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler))
    for line in p.stderr:
        if line.startswith(b"epoch 2/"):
            break
    return p
p = start("run_INT")
p.send_signal(signal.SIGINT)
p.communicate()
sys.exit(p.returncode != 130)
P
    holds run_INT/model.safetensors
fi

# A reader that goes away ends the program quietly
("$BACKPROP" ops 2>err; echo $? >status) | true
[ -s err ] && fail 'a closed pipe is talked about'
"$BACKPROP" ops >&- 2>err
[ -s err ] && fail 'a closed standard output is talked about'
printf 'a,y\n1,p\n2,q\n3,p\n4,q\n5,p\n6,q\n7,p\n8,q\n' >t.csv
"$BACKPROP" train t.csv --target y --epochs 1 --out closed >&- 2>&-
[ $? -eq 0 ] || fail 'training with closed streams'
run 0 eval closed t.csv
if [ -w /dev/full ]; then
    "$BACKPROP" ops >/dev/full 2>err
    [ $? -eq 1 ] || fail 'a full disk is no error'
    grep -q 'cannot write' err || fail 'a full disk has no sentence'
fi
finish
