#!/usr/bin/env bash
# Builds the wheel, installs it with one paper's extra into an empty environment, and uses it far from the source tree.
# Called by `make wheel`, which sets PIP (a pip to build with) and PYTHON (whose venv module is used).
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

$PIP wheel --quiet --no-deps --wheel-dir "$work/dist" "$root"
size=$(wc -c < "$(echo "$work"/dist/*.whl)")
[ "$size" -lt 60000000 ] || { echo "the wheel has $size bytes; the limit is 60 MB" >&2; exit 1; }

"$PYTHON" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --disable-pip-version-check --constraint "$root/constraints.txt" \
    "$(echo "$work"/dist/*.whl)[lmul]"

cd "$work"
export PAPERWORKS_HOME="$work/home" PAPERWORKS_CACHE="$work/cache"
unset PYTHONPATH
paperworks="$work/venv/bin/paperworks"
"$paperworks" version
"$paperworks" list
"$paperworks" run lmul --preset smoke
"$paperworks" report --published --out "$work/report"
test -s "$work/report/index.html"
test -s "$work/report/lmul.html"
"$work/venv/bin/python" -c 'from paperworks import lmul; assert lmul.mul(1.5, 1.5) == 2.125'
echo "the wheel ($size bytes) works in an empty environment"
