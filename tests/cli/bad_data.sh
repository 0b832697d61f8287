# Bad data and bad files: exit status 1, one sentence that names the place, nothing half-written.
. tests/cli/_lib.sh
printf 'alpha,beta,species\n1,2,p\n3,4,q\n5,6,p\n7,8,q\n9,1,p\n2,2,q\n3,3,p\n4,4,q\n' >good.csv
printf 'a,b,y\n1,2,p\n3,4\n5,6,p\n' >ragged.csv
: >empty.csv
printf 'a,b,y\n' >header.csv

bad 1 'missing.csv' train missing.csv --target y --out r
bad 1 "did you mean 'good.csv'?" train god.csv --target species --out r
bad 1 'species' train good.csv --target specis --out r
says 'did you mean'
bad 1 'its 3 columns are alpha, beta, species' train good.csv --target price --out r
{ printf 'column_%s,' $(seq 99); echo last; seq -s, 100; } >wide.csv
bad 1 'column_1, column_2,' train wide.csv --target price --out r
says '…'
bad 1 'line 3' train ragged.csv --target y --out r
bad 1 'empty.csv' train empty.csv --target y --out r
bad 1 'header.csv' train header.csv --target y --out r
bad 1 'missing.csv' data describe missing.csv
bad 1 'missing.yaml' train --config missing.yaml
bad 1 'nowhere' eval nowhere good.csv
bad 1 'nowhere' predict nowhere good.csv
bad 1 'nowhere' inspect nowhere

# Targets and columns that can't be learnt
printf 'a,y\n1,\n2,\n' >unlabelled.csv
printf 'y\np\nq\n' >alone.csv
printf 'a,y\n,p\n,q\n' >hollow.csv
bad 1 'every cell of y is missing' train unlabelled.csv --target y --out r
bad 1 'no column beside the target' train alone.csv --target y --out r
bad 1 'a is of type constant (every cell is missing)' train hollow.csv --target y --out r
bad 1 'no target species in good.csv is a number: the first is p' train good.csv --target species --loss mse --out r
bad 1 'class z' train good.csv --target species --class-weight '{z: 1}' --out r
says 'known are p, q'
printf 'a,b,y\n1,inf,p\n2,2,q\n3,5,p\n4,8,q\n9,1,p\n' >infinite.csv
run 0 data describe infinite.csv
prints '1 unreadable cell counts as missing'

# IDX: three 2x2 images announced; cut short, and with too few labels
printf '\000\000\010\003\000\000\000\003\000\000\000\002\000\000\000\002abcdefghijkl' >ok.idx
printf '\000\000\010\003\000\000\000\144\000\000\000\010\000\000\000\010abc' >lying.idx
printf '\000\000\010\003\000\000' >cut.idx
printf '\000\000\010\001\000\000\000\002\000\001' >two.idx
printf '\000\000\010\001\000\000\000\003\000\001\000' >labels.idx
bad 1 'lying.idx' train lying.idx --target labels.idx --out r
bad 1 'cut.idx' train cut.idx --target labels.idx --out r
bad 1 'two.idx' train ok.idx --target two.idx --out r

# NPY: a header that stops, one that promises more than there is, NaN in row 1
npy() { # npy FILE DESCR SHAPE: a header of 128 bytes in all
    printf '\223NUMPY\001\000v\000' >"$1"
    printf '%-117s\n' "{'descr': '$2', 'fortran_order': False, 'shape': $3, }" >>"$1"
}
printf '\223NUMPY\001\000v\000{' >cut.npy
npy lying.npy '<f4' '(1000, 4)'
printf 'abcd' >>lying.npy
npy nan.npy '<f4' '(3, 2)'
printf '\000\000\200?\000\000\200?\000\000\200?\000\000\300\177\000\000\200?\000\000\200?' >>nan.npy
npy y.npy '|u1' '(3,)'
printf '\000\001\000' >>y.npy
npy x.npy '|u1' '(3, 2)'
printf 'abcdef' >>x.npy
bad 1 "'nope.npy' does not exist" train x.npy --target nope.npy --out r
bad 1 'good.csv has 8 labels for the 3 rows of x.npy' train x.npy --target good.csv --out r
bad 1 'no NPZ file' train x.npy --target y.npy --input images --out r
bad 1 'no NPZ file' data describe good.csv --input images
bad 2 'with --validation-target' train x.npy --target y.npy --validation x.npy --out r
# the first member of an NPZ whose directory at the end is lost
printf 'PK\003\004\024\000\000\000\000\000\000\000\000\000\000\000\000\000\010\000\000\000\010\000\000\000\005\000\000\000x.npy\223NUMPY' >cut.npz
bad 1 'cut.npz is not a whole NPZ file' train cut.npz --out r
bad 1 'cut.npy' train cut.npy --target y.npy --out r
bad 1 'lying.npy' train lying.npy --target y.npy --out r
bad 1 'nan.npy' train nan.npy --target y.npy --out r --epochs 1
says 'row 1'

# Model files
run 0 train good.csv --target species --epochs 1 --out r -q
printf garbage >garbage.safetensors
head -c 300 r/model.safetensors >cut.safetensors
cp r/model.safetensors short.safetensors
size=$(wc -c <short.safetensors)
head -c $((size - 8)) r/model.safetensors >short.safetensors
for file in garbage cut short; do
    bad 1 "$file.safetensors" predict $file.safetensors good.csv -o p.csv
    bad 1 "$file.safetensors" inspect $file.safetensors
    bad 1 "$file.safetensors" config $file.safetensors
    bad 1 "$file.safetensors" train good.csv --target species --from $file.safetensors --out q
done
bad 1 'good.csv is no model file' predict good.csv good.csv
bad 1 'good.csv is no model file' train good.csv --target species --from good.csv --out q
mkdir none.run
bad 1 'none.run is a folder without model.safetensors' eval none.run good.csv
tensors() { # tensors FILE HEADER: with eight bytes of data
    printf "\\$(printf %o $((${#2} % 256)))\\$(printf %o $((${#2} / 256)))\\0\\0\\0\\0\\0\\0" >$1.safetensors
    printf '%s' "$2" >>$1.safetensors
    printf '12345678' >>$1.safetensors
}
tensors overlap '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}'
tensors outside '{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}'
tensors unshaped '{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}'
tensors unknown '{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
for from in 'overlap overlaps' 'outside ends.at.byte.16' 'unshaped has.8.bytes' 'unknown has.no.tensor.0.weight'; do
    what=$(echo "${from#* }" | tr . ' ' | sed 's/0 weight/0.weight/')
    bad 1 "$what" train good.csv --target species --from "${from% *}.safetensors" --out q
done
LC_ALL=C sed 's/linear\(..:32\)/linaer\1/' r/model.safetensors >layer.safetensors
bad 1 'there is no layer `linaer`' predict layer.safetensors good.csv
printf 'alpha,beta\n1,x\n2,3\n,y\n' >odd.csv
run 0 predict r odd.csv
says 'odd.csv: column beta has 2 unreadable cells'
bad 1 'column beta has 2 unreadable cells' predict r odd.csv --strict
printf 'alpha,gamma\n1,2\n' >other.csv
bad 1 'beta' predict r other.csv -o p.csv
lacks p.csv
bad 1 'cannot write' predict r good.csv -o none/p.csv

# A run is not replaced without --force
cp r/model.safetensors before
bad 1 'force' train good.csv --target species --epochs 2 --out r
cmp -s before r/model.safetensors || fail 'a refused run changed the model'
run 0 train good.csv --target species --epochs 2 --out r --force -q
finish
