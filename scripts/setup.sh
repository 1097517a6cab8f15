#!/usr/bin/env bash
# Makes .venv with napari-mmreg in it; idempotent. Usage: scripts/setup.sh [extras], default "all".
#
# MMREG_PYTHON   the Python to use (default python3)
# MMREG_VENV     where the environment goes (default .venv in the checkout)
# MMREG_TORCH    the torch requirement (default torch==2.13.0)
# TORCH_INDEX    package index for torch; default: the CPU index without an NVIDIA driver, else PyPI
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

extras=${1:-all}
python=${MMREG_PYTHON:-python3}
venv=${MMREG_VENV:-.venv}
torch=${MMREG_TORCH:-torch==2.13.0}
cpu_index=https://download.pytorch.org/whl/cpu

say() { printf 'setup: %s\n' "$*" >&2; }

libraries=$(/sbin/ldconfig -p 2>/dev/null || ldconfig -p 2>/dev/null || true)
has_library() { case $libraries in *"$1"*) ;; *) return 1 ;; esac; }

missing_packages() {
    "$python" -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv
    command -v Xvfb >/dev/null || echo xvfb
    command -v xauth >/dev/null || echo xauth
    compgen -G '/usr/lib*/*/dri/swrast_dri.so' >/dev/null ||
        has_library libgallium || echo libgl1-mesa-dri
    compgen -G '/usr/share/fonts/*' >/dev/null || echo fonts-dejavu-core
    while read -r library package; do
        has_library "$library" || echo "$package"
    done <<'LIST'
libGL.so.1 libgl1
libEGL.so.1 libegl1
libglib-2.0.so.0 libglib2.0-0
libfontconfig.so.1 libfontconfig1
libdbus-1.so.3 libdbus-1-3
libxkbcommon-x11.so.0 libxkbcommon-x11-0
libxcb-cursor.so.0 libxcb-cursor0
libxcb-icccm.so.4 libxcb-icccm4
libxcb-image.so.0 libxcb-image0
libxcb-keysyms.so.1 libxcb-keysyms1
libxcb-randr.so.0 libxcb-randr0
libxcb-render-util.so.0 libxcb-render-util0
libxcb-shape.so.0 libxcb-shape0
libxcb-xkb.so.1 libxcb-xkb1
LIST
}

install_system_packages() {
    [ "$(uname -s)" = Linux ] || return 0
    local missing as_root=()
    missing=$(missing_packages | tr '\n' ' ')
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" != 0 ]; then
        if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then as_root=(sudo -n); fi
    fi
    if command -v apt-get >/dev/null && { [ "$(id -u)" = 0 ] || [ ${#as_root[@]} -gt 0 ]; }; then
        say "installing system packages: $missing"
        "${as_root[@]}" apt-get update -qq
        # shellcheck disable=SC2086  # a list of words
        "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -qq --no-install-recommends $missing >/dev/null
    else
        say "missing system packages, install them with: sudo apt-get install $missing"
        case " $missing " in *" python3-venv "*) exit 1 ;; esac
    fi
}

install_python_packages() {
    local stamp="$venv/.napari-mmreg-$extras" pip=("$venv/bin/python" -m pip --disable-pip-version-check)
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
        say "napari-mmreg needs Python 3.11 or newer, $python is $("$python" -V); set MMREG_PYTHON"
        exit 1
    }
    [ -x "$venv/bin/python" ] || "$python" -m venv "$venv"
    if [ -f "$stamp" ] && [ ! pyproject.toml -nt "$stamp" ]; then return 0; fi
    say "installing Python packages into $venv (a few minutes and about 2 GB the first time)"
    "${pip[@]}" install -q --upgrade pip
    "${pip[@]}" install -q "$torch" ${TORCH_INDEX:+--extra-index-url "$TORCH_INDEX"}
    "${pip[@]}" install -q -e ".[$extras]"
    touch "$stamp"
}

reachable() {
    "$python" - "$1" <<'PY' 2>/dev/null
import sys, urllib.request
urllib.request.urlopen(sys.argv[1], timeout=5)
PY
}

install_system_packages
if [ -z "${TORCH_INDEX:-}" ] && ! command -v nvidia-smi >/dev/null && reachable "$cpu_index/torch/"; then
    TORCH_INDEX=$cpu_index
fi
install_python_packages
