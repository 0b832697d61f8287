#!/bin/sh
# aarch64_libraries.sh FOLDER: Debian's libraries for 64-bit ARM, unpacked into FOLDER, for building with
# cmake/aarch64.cmake. Lists of packages are kept in FOLDER/apt: nothing of this system is changed, root is not needed.
set -eu
[ $# -eq 1 ] || { echo "usage: aarch64_libraries.sh FOLDER" >&2; exit 2; }
mkdir -p "$1"
folder=$(cd "$1" && pwd)
[ ! -e "$folder/complete" ] || exit 0
mkdir -p "$folder/apt/lists/partial" "$folder/apt/archives/partial"
: >"$folder/apt/status"
cat >"$folder/apt/apt.conf" <<CONF
APT::Architecture "arm64";
APT::Architectures { "arm64"; };
APT::Sandbox::User "";
Dir::State "$folder/apt";
Dir::State::status "$folder/apt/status";
Dir::Cache "$folder/apt";
CONF
export APT_CONFIG="$folder/apt/apt.conf"
# A source that has nothing for this processor makes `update` complain, not fail.
apt-get update >"$folder/apt/log" 2>&1 || { cat "$folder/apt/log" >&2; exit 1; }
cd "$folder/apt/archives"
apt-get download -q libyaml-dev libyaml-0-2 libjansson-dev libjansson4 libmd-dev libmd0 zlib1g-dev zlib1g libcmocka-dev libcmocka0 \
    >"$folder/apt/log" 2>&1 || { cat "$folder/apt/log" >&2; exit 1; }
mkdir -p "$folder/usr/lib"
ln -sfn usr/lib "$folder/lib" # one folder for both, as on an installed system
for package in *.deb; do dpkg-deb --fsys-tarfile "$package" | tar -x --keep-directory-symlink -C "$folder"; done
# An absolute link means a place of this system.
find "$folder" -path "$folder/apt" -prune -o -type l -lname '/*' -print | while read -r link; do
    ln -sf "$folder$(readlink "$link")" "$link"
done
rm -rf "$folder/apt/archives" "$folder/apt/lists"
touch "$folder/complete"
