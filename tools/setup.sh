#!/bin/sh
# Installs from the distribution what building and testing need and this machine lacks. Silent, and without touching the
# network, when nothing is missing. `tools/setup.sh PACKAGE …` adds packages to the list. Never asks without a terminal; when
# it can't install, it prints the command and exits 1.
set -eu

missing=''
want() { # want PACKAGE COMMAND …: the package is missing unless the command succeeds
    package=$1
    shift
    "$@" >/dev/null 2>&1 || missing="$missing $package"
}
has() { command -v "$1"; }
compiler() { has cc || has gcc || has "${CC:-cc}"; }
recent_cmake() { # 3.25 or later
    cmake --version | sed -n 's/^cmake version //p' | {
        IFS=. read -r major minor rest
        [ "$major" -gt 3 ] || { [ "$major" -eq 3 ] && [ "$minor" -ge 25 ]; }
    }
}
module() { # a development package: by pkg-config where there is one
    if has pkg-config >/dev/null; then pkg-config --exists "$1"; else return 1; fi
}
installed() { dpkg-query -W -f '${Status}' "$1" 2>/dev/null | grep -q '^install ok installed$'; }

want gcc compiler
want libc6-dev test -e /usr/include/stdio.h
want make has make
want cmake recent_cmake
want pkg-config has pkg-config
want libyaml-dev module yaml-0.1
want libjansson-dev module jansson
want zlib1g-dev module zlib
want libmd-dev module libmd
want libcmocka-dev module cmocka
for package in "$@"; do want "$package" installed "$package"; done

[ -n "$missing" ] || exit 0

command="apt-get install -y --no-install-recommends$missing"
cannot() {
    printf 'setup: %s\nsetup: install what is missing, then run this again:\n    %s\n' "$1" "$command" >&2
    exit 1
}
has apt-get >/dev/null || cannot "this system has no apt-get; the packages are named as in Debian."
if [ "$(id -u)" -eq 0 ]; then
    root=''
elif ! has sudo >/dev/null; then
    cannot "installing packages needs root, and there is no sudo."
elif [ -t 0 ] && [ -t 2 ]; then
    root=sudo
elif sudo -n true 2>/dev/null; then
    root='sudo -n'
else
    cannot "installing packages needs root, and there is no terminal to ask for a password."
fi

printf 'setup: installing%s\n' "$missing" >&2
DEBIAN_FRONTEND=noninteractive
export DEBIAN_FRONTEND
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# The list of packages may be absent or old: try as things are, then refresh it.
# shellcheck disable=SC2086
install() { $root env DEBIAN_FRONTEND=noninteractive $command </dev/null >"$log" 2>&1; }
if ! install; then
    $root apt-get update </dev/null >"$log" 2>&1 || true
    install || {
        tail -n 20 "$log" >&2
        cannot "apt-get failed (its last lines are above)."
    }
fi
