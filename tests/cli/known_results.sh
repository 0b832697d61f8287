# examples/known_results.py: a result of the embedded data is reached, a higher aim is not; every configuration is one that the
# program takes (with its data where that is there).
. tests/cli/_lib.sh
command -v python3 >/dev/null 2>&1 || { echo "SKIPPED: no python3" >&2; exit 77; }
export BACKPROP
unset PYTHON
cp -r "$root/examples" examples

python3 examples/known_results.py iris >out 2>err || fail 'iris: below its aim'
grep -q '| reached |' out || fail 'iris: does not say that it is reached'
python3 examples/known_results.py iris --aim iris=1.01 >out 2>err && fail 'iris: an aim that nothing reaches is reached'
grep -qF '**not reached**' out || fail 'iris: does not say that it is not reached'
python3 examples/known_results.py nothing >out 2>err && fail 'a name that there is not is taken'
rm -rf examples/results/data
python3 examples/known_results.py letter >out 2>err || fail 'missing data is an error'
says 'letter is SKIPPED'

data=${BP_SHARED:-$root/../shared}/data
if [ -d "$data" ]; then
    ln -s "$data" examples/results/data
else
    echo "SKIPPED: the results of outside data, no $data" >&2
fi
for file in examples/results/*.yaml; do
    grep -q 'builtin:' "$file" || [ -e examples/results/data ] || continue
    run 0 train --config "$file" --dry-run
done
finish
