# make run     measure every paper's claims on this machine and write the report
# make test    the whole test suite
# make test-long  the tests that take minutes: kills, full disks, fuzzing; publishes their log
# make lint    style, types, import rules
# make docs    the documentation site, strictly
# make wheel   build the wheel and try it in an empty environment

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PAPERWORKS_HOME ?= $(CURDIR)/.paperworks
export PAPERWORKS_HOME
WORKERS ?= auto

PIP_INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: run test test-long lint format tables docs wheel clean
.DELETE_ON_ERROR:

run: $(VENV)/.installed
	$(BIN)/paperworks run

# The examples of a page follow on each other, so no two workers share them.
test: $(VENV)/.installed-test node_modules/.installed
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest README.md docs
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(WORKERS) tests

# Needs root or user namespaces (for small file systems of its own), and `faketime`.
test-long: $(VENV)/.installed-test
	mkdir -p build
	OMP_NUM_THREADS=1 bash -o pipefail -c '$(BIN)/python -m pytest -m long -n $(WORKERS) --dist worksteal --color=no | tee build/long-tests.log'
	cp build/long-tests.log docs/long-tests.log
	$(BIN)/python -m paperworks.app.tables

lint: $(VENV)/.installed-test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

format: $(VENV)/.installed-test
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# Writes the tables of README.md and docs/ from the published evidence.
tables: $(VENV)/.installed
	$(BIN)/python -m paperworks.app.tables

docs: $(VENV)/.installed-test
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet --site-dir build/site

wheel: $(VENV)/.installed
	PIP="$(abspath $(BIN))/python -m pip" PYTHON="$(PYTHON)" tests/wheel.sh

clean:
	rm -rf $(VENV) build node_modules .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("paperworks needs Python 3.11 or newer" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing paperworks into $(VENV) (once; a few minutes)"
	$(PIP_INSTALL) --editable '.[all]'
	@touch $@

$(VENV)/.installed-test: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing paperworks and what tests it into $(VENV) (once; a few minutes)"
	$(PIP_INSTALL) --editable '.[all,test]'
	@touch $@ $(VENV)/.installed

# axe-core, which the browser tests run on the report.
node_modules/.installed: package.json package-lock.json
	npm ci --ignore-scripts --no-audit --no-fund --silent
	@touch $@
