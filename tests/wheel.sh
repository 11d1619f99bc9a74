#!/usr/bin/env bash
# Builds the wheel, installs it with one paper's extra at a time into an empty environment, and uses it far from the
# source tree. Called by `make wheel`, which sets PIP (a pip to build with) and PYTHON (whose venv module is used).
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

$PIP wheel --quiet --no-deps --wheel-dir "$work/dist" "$root"
wheel=$(echo "$work"/dist/*.whl)
size=$(wc -c < "$wheel")
[ "$size" -lt 60000000 ] || { echo "the wheel has $size bytes; the limit is 60 MB" >&2; exit 1; }

cd "$work"
export PAPERWORKS_HOME="$work/home" PAPERWORKS_CACHE="$work/cache"
unset PYTHONPATH

# in_empty_environment EXTRA SLUG: the paper runs with its extra alone; leaves $paperworks and $python
in_empty_environment() {
    "$PYTHON" -m venv "$work/$1"
    python="$work/$1/bin/python" paperworks="$work/$1/bin/paperworks"
    "$python" -m pip install --quiet --disable-pip-version-check --constraint "$root/constraints.txt" "$wheel[$1]"
    "$paperworks" run "$2" --preset smoke
}

in_empty_environment tabular nrgboost
"$python" -c 'import importlib.util as found; assert not any(map(found.find_spec, ("torch", "transformers")))'
"$python" -c 'from paperworks import nrgboost; nrgboost.NRGBoostClassifier()'
"$paperworks" nrgboost --help > /dev/null

in_empty_environment lmul lmul
"$python" -c 'from paperworks import lmul; assert lmul.mul(1.5, 1.5) == 2.125'
"$paperworks" version
"$paperworks" list
"$paperworks" report --published --out "$work/report"
test -s "$work/report/index.html"
test -s "$work/report/lmul.html"
test -s "$work/report/nrgboost.html"
echo "the wheel ($size bytes) works in empty environments"
