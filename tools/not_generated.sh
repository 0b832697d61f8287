#!/bin/sh
# Reads file names, prints those that exist and were written by hand: a generated file says so in its first five lines.
while IFS= read -r file; do
    [ -f "$file" ] || continue
    head -n 5 "$file" | grep -qiE '(generated|made|written) by tools/' || printf '%s\n' "$file"
done
