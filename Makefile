# Two commands from a fresh machine: `make demo` and `make test`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt

# A worker on each core; one thread in each, as two would wait for one another.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --dist loadfile

.PHONY: demo test test-all lint format clean

demo: $(VENV)/base
	@$(BIN)/python scripts/demo.py

test: $(VENV)/all lint
	$(PYTEST) -m "not slow"

test-all: $(VENV)/all lint
	$(PYTEST)

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
