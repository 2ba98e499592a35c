#!/usr/bin/env bash
# A shown napari needs OpenGL: under Xvfb, Mesa draws in software. Linux only; does nothing
# where everything is there already.
set -euo pipefail
cd "$(dirname "$0")/.."
[[ $(uname) == Linux ]] || exit 0

packages=(xvfb xauth libgl1 libegl1 libgl1-mesa-dri libxcb-cursor0 libxcb-icccm4
    libxcb-image0 libxcb-keysyms1 libxcb-randr0 libxcb-render-util0 libxcb-shape0
    libxcb-xinerama0 libxkbcommon-x11-0 libdbus-1-3 libfontconfig1 libglib2.0-0)

missing=()
for package in "${packages[@]}"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
        dpkg-query -W -f='${Status}' "${package}t64" 2>/dev/null | grep -q 'ok installed' ||
        missing+=("$package")
done
((${#missing[@]} == 0)) && exit 0
command -v dpkg-query >/dev/null || { command -v Xvfb >/dev/null && exit 0; }
echo "Installing the virtual screen for the GUI tests: ${missing[*]}"
scripts/apt_install.sh "${missing[@]}"
