# A model file of ours in PyTorch: skipped where torch or safetensors is missing (PYTHON names the interpreter).
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
finish
