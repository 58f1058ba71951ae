#!/bin/sh
# Install what Python packages cannot bring (Debian and its kin): OpenBLAS for speed, venv where it is split off, and
# the libraries and fonts of the window.
# As root the packages are installed; otherwise the one line to type is printed.
set -eu

[ "$(uname -s)" = Linux ] || exit 0
missing=""
lacks() { ! "$python" -c "import ctypes; ctypes.CDLL('$1')" 2>/dev/null; }
python="${1:-python3}"
if lacks libopenblas.so.0; then missing="$missing libopenblas0-pthread"; fi
"$python" -c 'import ensurepip, venv' 2>/dev/null || missing="$missing python3-venv"
if lacks libEGL.so.1; then missing="$missing libegl1"; fi
if lacks libGL.so.1; then missing="$missing libgl1"; fi
if lacks libxkbcommon.so.0; then missing="$missing libxkbcommon0"; fi
if lacks libfontconfig.so.1; then missing="$missing libfontconfig1"; fi
if lacks libdbus-1.so.3; then missing="$missing libdbus-1-3"; fi
if lacks libglib-2.0.so.0; then missing="$missing libglib2.0-0"; fi
for font in dejavu/DejaVuSans.ttf:fonts-dejavu-core nanum/NanumGothic.ttf:fonts-nanum; do
    [ -e "/usr/share/fonts/truetype/${font%%:*}" ] || missing="$missing ${font##*:}"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing system packages:$missing"
    apt-get update -qq
    # shellcheck disable=SC2086
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
else
    echo "Please install these system packages (without OpenBLAS editing is about 50 times slower, without the others"
    echo "the window does not open or lacks letters):"
    echo "    sudo apt-get install$missing"
    case "$missing" in *python3-venv*) exit 1 ;; esac
fi
