#!/usr/bin/env bash
# Make a virtual environment with the plugin, napari and the development tools.
#
#   ALSO            further requirements, such as PyQt6
#   UV_RESOLUTION   have uv choose the versions, such as lowest-direct: the oldest we support
set -euo pipefail
cd "$(dirname "$0")/.."
venv=${1:-.venv}

find_python() {
    for name in python3 python3.14 python3.13 python3.12 python3.11 python; do
        if command -v "$name" >/dev/null &&
            "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$name"
            return
        fi
    done
    echo "napari-npa needs Python 3.11 or newer; none was found on the PATH." >&2
    exit 1
}

# Debian ships Python without venv; when it is missing and we may, install it.
make_venv() {
    "$1" -m venv "$venv" && return
    echo "Installing python3-venv, which Debian keeps apart from Python …"
    scripts/apt_install.sh python3-venv
    "$1" -m venv --clear "$venv"
}

python=$(find_python)
[[ -x $venv/bin/pip || -x $venv/Scripts/pip.exe ]] || make_venv "$python"
bin=$venv/bin
[[ -d $bin ]] || bin=$venv/Scripts
install=("$bin/python" -m pip install --quiet --disable-pip-version-check)
if [[ -n ${UV_RESOLUTION:-} ]]; then
    "${install[@]}" uv
    install=("$bin/uv" pip install --quiet --python "$bin/python")
fi
read -ra also <<<"${ALSO:-}"
echo "Installing napari-npa, napari and PyTorch into $venv (several GB the first time) …"
"${install[@]}" --editable '.[dev]' "${also[@]}"
