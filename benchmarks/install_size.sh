#!/usr/bin/env bash
# The size of the base install (no PyTorch): a new virtual environment, with and without pip.
set -euo pipefail
repository=$(cd "$(dirname "$0")/.." && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
empty=$(du -sm "$folder/venv" | cut -f1)
time "$folder/venv/bin/python" -m pip install --quiet --constraint "$repository/constraints.txt" "$repository"
full=$(du -sm "$folder/venv" | cut -f1)
echo "base install: $((full - empty)) MiB"
du -sm "$folder"/venv/lib/python3*/site-packages/* | sort -rn | head -8
