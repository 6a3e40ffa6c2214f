# Two commands from a fresh machine: `make demo` and `make test`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

.PHONY: demo test test-all lint format clean

demo: $(VENV)/base
	@$(BIN)/python scripts/demo.py

test: $(VENV)/all lint
	$(BIN)/python -m pytest -m "not slow"

test-all: $(VENV)/all lint
	$(BIN)/python -m pytest

lint: $(VENV)/all
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/all
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

clean:
	rm -rf $(VENV) .demo build dist

$(VENV)/base: pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) --editable .
	@touch $@

$(VENV)/all: $(VENV)/base
	$(PIP) --editable '.[lint]'
	@touch $@
