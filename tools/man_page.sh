#!/bin/sh
# The manual page with its lists of verbs and options as the program has them (`backprop completion man`); the rest stays.
# usage: sh tools/man_page.sh PROGRAM PAGE, prints the new page (make tables writes it, a test compares it)
set -eu
"$1" completion man | awk -v page="$2" '
    /^\.SH / { section = $2; next }
    { list[section] = list[section] $0 "\n" }
    END {
        while ((getline line <page) > 0) {
            if (skip && line ~ /^\.(SH|PP)/) skip = 0
            if (!skip) print line
            if (line ~ /^\.SH (VERBS|OPTIONS)$/) {
                printf "%s", list[substr(line, 5)]
                skip = 1
            }
        }
        exit !(list["VERBS"] != "" && list["OPTIONS"] != "")
    }'
