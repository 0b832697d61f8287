# Bad data and bad files: exit status 1, one sentence that names the place, nothing half-written.
. tests/cli/_lib.sh
printf 'alpha,beta,species\n1,2,p\n3,4,q\n5,6,p\n7,8,q\n9,1,p\n2,2,q\n3,3,p\n4,4,q\n' >good.csv
printf 'a,b,y\n1,2,p\n3,4\n5,6,p\n' >ragged.csv
: >empty.csv
printf 'a,b,y\n' >header.csv

bad 1 'missing.csv' train missing.csv --target y --out r
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
