# Data lies in memory once: the whole process takes at most 40 MB more than the data itself.
. tests/cli/_lib.sh
if grep -qE '__(a|t)san_init' "$BACKPROP"; then
    echo 'SKIPPED: sanitizers take memory of their own'
    exit 77
fi
mega=1048576
within() { # within BYTES: the record's peak is at most 40 MB above
    prints '"peak_rss_bytes"'
    peak=$(field out peak_rss_bytes)
    [ "$peak" -le $(($1 + 40 * mega)) ] || fail "$said: $((peak / mega)) MB in memory for $(($1 / mega)) MB of data"
}
# IDX: 61440 images of 32x32 bytes, the first quarter noise; a sixth of it to test on
images() { # images ROWS_IN_OCTAL (the last two bytes of the count) BYTES
    printf '\000\000\010\003\000\000'"$1"'\000\000\000\040\000\000\000\040'
    head -c $(($2 / 4)) /dev/urandom
    head -c $(($2 - $2 / 4)) /dev/zero
}
labels() { # labels ROWS_IN_OCTAL ROWS: 0 and 1 in turns
    printf '\000\000\010\001\000\000'"$1"
    yes | head -c "$2" | tr 'y\n' '\000\001'
}
images '\360\000' $((60 * mega)) | gzip -1 >train.gz
labels '\360\000' 61440 >train.labels
images '\050\000' $((10 * mega)) >test.idx
labels '\050\000' 10240 >test.labels
run 0 train train.gz --target train.labels --test test.idx --test-target test.labels --model linear --epochs 1 --out idx --json -q
within $((70 * mega))
run 0 eval idx train.gz --target train.labels

# NPY: 15360 rows of 1024 floats
printf '\223NUMPY\001\000v\000' >x.npy
printf '%-117s\n' "{'descr': '<f4', 'fortran_order': False, 'shape': (15360, 1024), }" >>x.npy
head -c $((60 * mega)) /dev/zero >>x.npy
labels '\074\000' 15360 >y.idx
run 0 train x.npy --target y.idx --model linear --epochs 1 --out npy --json -q
within $((60 * mega))
finish
