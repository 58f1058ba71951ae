#!/bin/sh
# Install what Python packages cannot bring (Debian and its kin): OpenBLAS for speed, and venv where it is split off.
# As root the packages are installed; otherwise the one line to type is printed.
set -eu

[ "$(uname -s)" = Linux ] || exit 0
missing=""
"${1:-python3}" -c 'import ctypes; ctypes.CDLL("libopenblas.so.0")' 2>/dev/null || missing="$missing libopenblas0-pthread"
"${1:-python3}" -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing system packages:$missing"
    apt-get update -qq
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
else
    echo "Please install these system packages (without OpenBLAS editing is about 50 times slower):"
    echo "    sudo apt-get install$missing"
    case "$missing" in *python3-venv*) exit 1 ;; esac
fi
