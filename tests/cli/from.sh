# --from: a model file of ours, and a plain one as PyTorch's save_file writes it: names, shapes and numbers, no metadata.
. tests/cli/_lib.sh
awk 'BEGIN {
    print "a,b,species"
    for (i = 0; i < 90; i++) printf "%d,%d,%s\n", i * 7 % 11, i * 5 % 13, (i * 7 % 11 > 5) ? "x" : i % 3 ? "y" : "z"
}' >table.csv
model='linear 6, batch_norm, relu, linear'
run 0 train table.csv --target species --model "$model" --epochs 3 --out ours -q
sum=$(sed -n 's/.*"weights_sha256": *"\([0-9a-f]*\)".*/\1/p' ours/record.json)
[ ${#sum} -eq 64 ] || fail 'no hash in the record'

# plain FROM TO SED: the header without its metadata, changed by SED, filled up with blanks to its old length
plain() {
    size=$(od -An -tu8 -N8 "$1" | tr -d ' ')
    head -c 8 "$1" >"$2"
    tail -c +9 "$1" | head -c "$size" | sed 's/"__metadata__":{.*"format":"pt"},//'"${3:+;$3}" |
        awk -v size="$size" '{ printf "%-" size "s", $0 }' >>"$2"
    tail -c +$((size + 9)) "$1" >>"$2"
    [ "$(wc -c <"$1")" -eq "$(wc -c <"$2")" ] || fail "$2 is not as long as $1"
    [ "$(grep -c -a __metadata__ "$2")" -eq 0 ] || fail "$2 has metadata"
}
plain ours/model.safetensors plain.safetensors
for from in ours ours/model.safetensors plain.safetensors; do
    run 0 train table.csv --target species --model "$model" --from $from --epochs 0 --out zero --force --json -q
    prints "$sum"
done
run 0 train table.csv --target species --model "$model" --from plain.safetensors --epochs 1 --out on --json -q
prints '"epochs":1'
grep -q "$sum" out && fail 'an epoch has changed nothing'

# What does not fit is one sentence
bad 1 'tensor 0.weight is [6,2], and the model needs [5,2]' train table.csv --target species --model 'linear 5, batch_norm, relu, linear' \
    --from plain.safetensors --epochs 0 --out r
bad 1 'has no tensor 2.weight' train table.csv --target species --model 'linear 6, relu, linear' --from plain.safetensors --epochs 0 --out r
bad 1 'has the tensor 1.bias' train table.csv --target species --model 'linear 6, identity, relu, linear' --from plain.safetensors \
    --epochs 0 --out r
plain ours/model.safetensors named.safetensors 's/"0\.weight"/"f.weight"/'
bad 1 'has no tensor 0.weight' train table.csv --target species --model "$model" --from named.safetensors --epochs 0 --out r
head -c 400 plain.safetensors >cut.safetensors
bad 1 'cut.safetensors' train table.csv --target species --model "$model" --from cut.safetensors --epochs 0 --out r
bad 1 'missing.safetensors' train table.csv --target species --from missing.safetensors --epochs 0 --out r
# Such a file does not say what it predicts
bad 1 'plain.safetensors holds weights only' predict plain.safetensors table.csv
bad 1 'plain.safetensors holds weights only' eval plain.safetensors table.csv
finish
