#!/bin/sh
# run.sh BUILD: installs a finished build into a fresh folder and uses it from outside, as other people's programs do:
# through pkg-config (C99, C++17; shared and static), through find_package; then moved elsewhere. Also: what is exported.
set -eu
build=$(cd "$1" && pwd)
cmake=${CMAKE:-cmake}
cc=${CC:-cc}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix
fail() {
    echo "install: $*" >&2
    exit 1
}
unset DESTDIR || true

"$cmake" --install "$build" --prefix "$prefix" >"$work/log" || { cat "$work/log" >&2; fail "cmake --install failed."; }
pc=$(find "$prefix" -name backprop.pc)
[ -f "$prefix/include/backprop.h" ] || fail "backprop.h is not installed."
[ -n "$pc" ] || fail "backprop.pc is not installed."
libdir=$(dirname "$(dirname "$pc")")

# ---- What the shared library shows: bp_ and nothing else --------------------------------------------------------------
so=$(find "$libdir" -name 'libbackprop.so.*.*.*')
# Data the toolchain itself exports (_init, __bss_start …) are not ours.
foreign=$(nm -D --defined-only "$so" | awk '{print $NF}' | grep -vE '^(_init|_fini|_edata|_end|__bss_start)$' | grep -vE '^bp_[a-z]' || true)
[ -z "$foreign" ] || fail "exported, but not public: $foreign"
nm -D --defined-only "$so" | grep -q ' bp_version$' || fail "bp_version is not exported."
soname=$(readelf -d "$so" | sed -n 's/.*SONAME.*\[\(.*\)\]/\1/p')
[ "$soname" = libbackprop.so.0.1 ] || fail "SONAME is $soname, not libbackprop.so.0.1."
# Every function the header promises is there.
for name in $(grep -oE '^BP_API [^(;]*\bbp_[a-z0-9_]+\(' "$prefix/include/backprop.h" | grep -oE 'bp_[a-z0-9_]+\($' | tr -d '('); do
    nm -D --defined-only "$so" | grep -q " $name\$" || fail "$name is declared in backprop.h and not in the library."
done

# ---- Programs outside the tree ---------------------------------------------------------------------------------------
cat >"$work/use.c" <<'END'
#include <backprop.h>
#include <stdio.h>
#include <string.h>
int main(void) {
    bp_context *ctx = NULL;
    if (bp_context_new(&ctx, NULL) != BP_OK) return 1;
    printf("%s %s\n", bp_version(), bp_context_isa(ctx));
    bp_context_free(ctx);
    return strcmp(bp_version(), BP_VERSION) != 0;
}
END
cp "$work/use.c" "$work/use.cc"
use() { # use NAME COMMAND …: builds, then runs
    name=$1
    shift
    "$@" -o "$work/$name" >"$work/log" 2>&1 || { cat "$work/log" >&2; fail "$name does not build: $*"; }
    LD_LIBRARY_PATH=$libdir "$work/$name" >"$work/log" || fail "$name does not run."
}
through_pkg_config() {
    PKG_CONFIG_PATH=$libdir/pkgconfig
    export PKG_CONFIG_PATH
    flags=$(pkg-config --cflags --libs backprop)
    everything=$(pkg-config --cflags --libs --static backprop)
    # The static library by name; the rest of the line as pkg-config gives it.
    archive=$(printf '%s\n' "$everything" | sed "s|-lbackprop|$libdir/libbackprop.a|")
    # shellcheck disable=SC2086
    {
        use c99-shared "$cc" -std=c99 -Wall -Wextra -Wpedantic -Werror "$work/use.c" $flags
        use c99-static "$cc" -std=c99 -Wall -Wextra -Wpedantic -Werror "$work/use.c" $archive
    }
    readelf -d "$work/c99-shared" | grep -q libbackprop.so.0.1 || fail "c99-shared does not use the shared library."
    ! readelf -d "$work/c99-static" | grep -q libbackprop || fail "c99-static uses the shared library."
    if command -v "${CXX:-c++}" >/dev/null; then
        # shellcheck disable=SC2086
        {
            use cxx17-shared "${CXX:-c++}" -std=c++17 -Wall -Wextra -Wpedantic -Werror "$work/use.cc" $flags
            use cxx17-static "${CXX:-c++}" -std=c++17 -Wall -Wextra -Wpedantic -Werror "$work/use.cc" $archive
        }
    else
        echo "install: no C++ compiler here, C++17 NOT tested"
    fi
}
through_cmake() {
    mkdir -p "$work/project"
    cp "$work/use.c" "$work/project"
    cat >"$work/project/CMakeLists.txt" <<'END'
cmake_minimum_required(VERSION 3.25)
project(use LANGUAGES C)
find_package(backprop 0.1 CONFIG REQUIRED)
add_executable(shared use.c)
target_link_libraries(shared PRIVATE backprop::backprop)
add_executable(static use.c)
target_link_libraries(static PRIVATE backprop::backprop_static)
END
    rm -rf "$work/project-build"
    { "$cmake" -S "$work/project" -B "$work/project-build" -DCMAKE_C_COMPILER="$cc" -DCMAKE_PREFIX_PATH="$prefix" &&
        "$cmake" --build "$work/project-build"; } >"$work/log" 2>&1 || { cat "$work/log" >&2; fail "find_package does not work."; }
    "$work/project-build/shared" >"$work/log" || fail "the CMake project with backprop::backprop does not run."
    "$work/project-build/static" >"$work/log" || fail "the CMake project with backprop::backprop_static does not run."
}
through_pkg_config
through_cmake

# ---- The same after the folder was moved -----------------------------------------------------------------------------
mv "$prefix" "$work/moved"
prefix=$work/moved
libdir=$prefix/${libdir#"$work"/prefix/}
through_pkg_config
through_cmake

# ---- The program and its page ----------------------------------------------------------------------------------------
if [ -x "$prefix/bin/backprop" ]; then
    [ "$("$prefix/bin/backprop" --version)" = "backprop 0.1.0" ] || fail "backprop --version is wrong."
    [ -f "$prefix/share/man/man1/backprop.1" ] || fail "the man page is not installed."
    ! readelf -d "$prefix/bin/backprop" | grep -q libbackprop || fail "the program needs the shared library."
fi

# ---- DESTDIR ---------------------------------------------------------------------------------------------------------
DESTDIR=$work/stage "$cmake" --install "$build" --prefix /opt/there >"$work/log" || fail "installing with DESTDIR failed."
[ -f "$work/stage/opt/there/include/backprop.h" ] || fail "DESTDIR is not honoured."
