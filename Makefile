# `make demo` shows what Tauten does; `make test` is what CI runs; `make test-all` adds the long checks.
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3
export OMP_NUM_THREADS ?= 1

.PHONY: help install demo lint types test test-all clean
help:
	@grep -E '^# ' Makefile | cut -c3-

$(BIN)/python:
	$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "Tauten needs Python 3.11 or newer, this is %d.%d" % sys.version_info[:2]'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: $(BIN)/python pyproject.toml hatch_build.py constraints.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/.installed-test: $(BIN)/python pyproject.toml hatch_build.py constraints.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[test]'
	@touch $@ $(VENV)/.installed

install: $(VENV)/.installed

## Compiles the native engine's sources where they changed; the install has done it once. CXX chooses the compiler.
.PHONY: native
native: install
	@$(BIN)/python -m tauten.native.build

demo: native
	@rm -rf runs/demo
	$(BIN)/tauten search digits --budget 60s --out runs/demo

## The report's test opens it in a real browser; where none can be had it is skipped, with the reason.
.PHONY: browser
browser:
	@command -v chromium >/dev/null || { command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] && apt-get update -qq \
	  && apt-get install -y -qq --no-install-recommends chromium >/dev/null; } || echo "no chromium to be had here"

## The tests of texts read WordNet's files and translate by Apertium; where the packages can't be had they are skipped, with the reason.
TEXT_PACKAGES := wordnet-base apertium apertium-eng-spa apertium-eo-en
.PHONY: text-packages
text-packages:
	@dpkg -s $(TEXT_PACKAGES) >/dev/null 2>&1 || { command -v apt-get >/dev/null && [ "$$(id -u)" = 0 ] && apt-get update -qq \
	  && apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=120 $(TEXT_PACKAGES); } >/dev/null 2>&1 \
	  || echo "no $(TEXT_PACKAGES) to be had here"

lint: $(VENV)/.installed-test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.installed-test
	$(BIN)/mypy

test: lint types native browser text-packages
	$(BIN)/python -m pytest -n auto

test-all: lint types native browser text-packages
	$(BIN)/python -m pytest -n auto -m 'slow or not slow'

## The native sources under the address, undefined-behaviour and thread sanitizers; `make test-all` runs them too.
.PHONY: sanitize
sanitize: $(VENV)/.installed-test
	$(BIN)/python -m pytest -rs -m slow tests/native/test_sanitizers.py

clean:
	rm -rf $(VENV) build dist runs src/tauten/native/lib
