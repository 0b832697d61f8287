# A model file of ours in PyTorch, and a plain file of PyTorch's here: skipped where torch or safetensors is missing (PYTHON names the interpreter).
. tests/cli/_lib.sh
python=${PYTHON:-python3}
"$python" -c 'import torch, safetensors' 2>/dev/null || { echo "SKIPPED: $python has no torch and safetensors"; exit 77; }
awk 'BEGIN {
    print "a,b,c,d,species"
    for (i = 0; i < 120; i++) printf "%.3f,%.3f,%.3f,%.3f,%s\n", sin(i), cos(i * 1.3), sin(i * 0.7), i / 60 - 1, i % 3 ? (i % 2 ? "x" : "y") : "z"
}' >table.csv
run 0 train table.csv --target species --set data.normalize=none --model 'linear 16, relu, linear' --epochs 20 --out run
run 0 predict run table.csv -o predictions.csv
"$python" "$root/tests/golden/load_model.py" run/model.safetensors table.csv predictions.csv >out 2>err || fail 'PyTorch does not take the model file'
cat out

# An nn.Sequential saved with safetensors: names and shapes fit, and its loss and accuracy are those that PyTorch gives.
layers='linear 16, batch_norm, relu, linear 8, prelu, layer_norm, gelu, linear'
for dtype in float32 float64; do
    "$python" "$root/tests/golden/plain_model.py" table.csv plain.safetensors $dtype >wanted 2>err || fail 'PyTorch saves no file'
    run 0 train table.csv --target species --set data.normalize=none --set train.dtype=$dtype --model "$layers" --from plain.safetensors \
        --epochs 0 --out $dtype -q
    run 0 eval $dtype table.csv --json
    read -r loss accuracy <wanted
    echo "$dtype: loss $(field out loss), PyTorch $loss; accuracy $(field out accuracy), PyTorch $accuracy"
    awk -v a="$(field out loss)" -v b="$loss" -v c="$(field out accuracy)" -v d="$accuracy" -v bound=$([ $dtype = float64 ] && echo 1e-8 || echo 2e-6) \
        'BEGIN { exit !(a > 0 && a - b < bound && b - a < bound && c > 0 && c - d < 1e-8 && d - c < 1e-8) }' ||
        fail "$dtype: other numbers than PyTorch's"
done
finish
