#!/bin/sh
# Chooses all versions anew and writes constraints.txt; torch and torchvision stay as they are there.
# Names no registry: the file serves whoever installs, from wherever they install.
set -eu
keep=$(mktemp)
trap 'rm -f "$keep"' EXIT
grep -E '^torch(vision)?==' constraints.txt >"$keep"
.venv/bin/python -m pip install --quiet uv
.venv/bin/python -m uv pip compile pyproject.toml --extra docs --extra prove --extra test --universal --python-version 3.11 \
	--no-emit-index-url --no-header --no-annotate --upgrade --constraint "$keep" --output-file constraints.txt
