#!/usr/bin/env bash
# Install a wheel in a new environment, and see that the program runs and napari accepts its manifest.
set -euo pipefail
wheel=$1 python=$2
venv=$(mktemp -d)
trap 'rm -rf "$venv"' EXIT
"$python" -m venv "$venv"
bin=$venv/bin
[[ -d $bin ]] || bin=$venv/Scripts
"$bin/python" -m pip install --quiet --disable-pip-version-check "$wheel" npe2
"$bin/napari-npa" info
"$bin/npe2" validate napari-npa
